"""`rerun`: a published run made again from what its repository says of it, and compared with what it published.

The repository's record has the options, its split file the parts, `recordings.json` the audio; weights are not fetched.
"""

import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf import outputs, record
from mgc_hf.data.hub import parse_hub_id
from mgc_hf.data.protocols import Split
from mgc_hf.data.sources import DEMO, Corpus
from mgc_hf.division import digest, read_corpora
from mgc_hf.errors import CheckpointError, MgcHfError, OptionError, SourceError
from mgc_hf.features import TrackReader, decode_tracks
from mgc_hf.hub import find_run
from mgc_hf.models.build import OWN_MODELS
from mgc_hf.options import Options, parse_options
from mgc_hf.predictions import Predictions
from mgc_hf.results import EnvironmentRecord, RunResult
from mgc_hf.run import run

logger = logging.getLogger(__name__)

_FILES = (outputs.RESULTS, outputs.SPLIT, outputs.RECORDINGS, outputs.PREDICTIONS)
#: Of the Trainer's options those that say where curves and weights are sent, or where from a run goes on.
_SENT = ("hub_", "push_to_hub", "trackio_")
_LEFT_OUT = ("project", "report_to", "resume_from_checkpoint", "local_rank", "split")


@dataclass(frozen=True)
class Figure:
    """A figure as it was published and as it came out again, fractions from 0 to 1."""

    level: str
    name: str
    published: float
    rerun: float

    @property
    def difference(self) -> float:
        """Rerun less published."""
        return self.rerun - self.published


@dataclass(frozen=True)
class Rerun:
    """What a run made again came to.

    Args:
        source (`str`): Hub id or folder of the run.
        commit (`str`, *optional*): Commit on the Hub.
        output_dir (`str`): Folder of the new run.
        figures (`list[Figure]`): Accuracy and macro F1 of tracks and of segments.
        predictions_equal (`bool`, *optional*): Whether every logit of every segment is the same; `None` where no
            predictions were published.
        largest_difference (`float`, *optional*): Largest difference of a logit; `None` also where the segments differ.
        changed_genres (`int`, *optional*): Segments that are now called another genre.
        environment (`dict[str, tuple[str, str]]`): Versions and hardware that differ: name -> published, now.
        result ([`RunResult`]): The new record.
    """

    source: str
    commit: str | None
    output_dir: str
    figures: list[Figure]
    predictions_equal: bool | None
    largest_difference: float | None
    changed_genres: int | None
    environment: dict[str, tuple[str, str]]
    result: RunResult

    def to_dict(self) -> dict[str, Any]:
        """Return all but the record as plain JSON types."""
        plain = {name: value for name, value in asdict(self).items() if name != "result"}
        plain["figures"] = [{**asdict(figure), "difference": figure.difference} for figure in self.figures]
        plain["environment"] = {name: list(values) for name, values in self.environment.items()}
        return plain

    def summary(self) -> str:
        """Return the comparison in lines of text."""
        lines = [f"{'':<18}published      rerun  difference"]
        for figure in self.figures:
            values = (
                f"{100 * figure.published:>7.2f} %  {100 * figure.rerun:>7.2f} %  {100 * figure.difference:>+10.2f}"
            )
            lines.append(f"{figure.level + ' ' + figure.name:<18}{values}")
        lines.append(self._of_predictions())
        if self.environment:
            lines.append("not as it was (a figure may differ for it):")
            lines += [f"  {name}: {before} published, {now} here" for name, (before, now) in self.environment.items()]
        else:
            lines.append("versions and hardware: as published")
        return "\n".join(lines)

    def _of_predictions(self) -> str:
        if self.predictions_equal is None:
            return "predictions: none were published, so they are not compared"
        if self.predictions_equal:
            return "predictions: equal, bit for bit"
        if self.largest_difference is None:
            return "predictions: of other segments"
        return (
            f"predictions: differ by up to {self.largest_difference:.2g} (logits); segments that are called another genre: "
            f"{self.changed_genres}"
        )


def rerun(
    source: str | Path,
    *,
    dataset: str | None = None,
    test_dataset: str | None = None,
    audio: str | Path | None = None,
    test_audio: str | Path | None = None,
    output_dir: str | Path | None = None,
    revision: str | None = None,
    model_name_or_path: str | None = None,
    cache_dir: str | None = None,
) -> Rerun:
    """Make a published run again, and compare.

    Options, split, seed and arithmetic are the published ones; the audio is compared by its digests before anything is
    trained. Nothing is published.

    Args:
        source (`str` or `Path`): Hub id of a published run, or a run's folder.
        dataset, test_dataset (`str`, *optional*): Where the audio lies now. The demo corpus and Hub data sets are found
            by themselves.
        audio, test_audio (`str` or `Path`, *optional*): Folder with the audio of a Hub data set that is an index
            without it.
        output_dir (`str` or `Path`, *optional*): Folder for the new run, empty or not there yet; `outputs/rerun-NAME`
            by default.
        revision (`str`, *optional*): Branch, tag or commit of the repository.
        model_name_or_path (`str`, *optional*): The checkpoint that it began from, where that was a local folder.
        cache_dir (`str`, *optional*): Folder for prepared data.

    Returns:
        [`Rerun`]

    Raises:
        CheckpointError: The run cannot be found or read, or is an evaluation, which trained nothing.
        OptionError: Something local is needed and was not given, or the folder is in use.
        SourceError: The audio is not what the run was made with; missing and changed tracks are named.
        MgcHfError: What training itself may meet.
    """
    folder, commit = _find(source, revision)
    published = _read_record(folder, str(source))
    target = Path(output_dir) if output_dir is not None else _free_folder(str(source))
    outputs.check_folder(target, ways="name another folder")
    split_file = folder / outputs.SPLIT
    if not split_file.is_file():
        raise CheckpointError(_absent(source, commit, outputs.SPLIT))
    split = Split.load(split_file)
    if split.hash != published.split.hash:
        raise CheckpointError(f"{split_file}: is not the split of {folder / outputs.RESULTS}; their hashes differ")
    values = {
        **_training_options(published),
        **_precision_options(published),
        **_sources(published, dataset, test_dataset),
        **_checkpoint(published, model_name_or_path),
        "split": str(split_file),
        "train_tracks_per_genre": 0,  # --split says what was drawn
        "test_tracks_per_genre": 0,
        "audio": None if audio is None else str(audio),
        "test_audio": None if test_audio is None else str(test_audio),
        "output_dir": str(target),
        "cache_dir": cache_dir,
    }
    try:
        options = parse_options(argv=[], values=values)
    except OptionError as error:
        raise OptionError(f"{folder / outputs.RESULTS}: its options cannot be taken here: {error}") from error
    recordings = outputs.read_recordings(folder)
    if recordings is None:
        logger.warning("%s: has no %s, so whether the audio is the same is not known", source, outputs.RECORDINGS)
    else:
        _check_audio(options, recordings, split, published)
    with _threads(published.environment):
        result = run(options, recipe="mgc_hf.fine_tune")
    return _compare(str(source), commit, target, folder, published, result)


def _free_folder(source: str) -> Path:
    """Return the first of `outputs/rerun-NAME`, `outputs/rerun-NAME-2` and so on that is not there."""
    folder = Path("outputs", f"rerun-{outputs.display_name(source).rsplit('/', 1)[-1]}")
    names = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([folder], names) if not path.exists())


def _find(source: str | Path, revision: str | None) -> tuple[Path, str | None]:
    """Return a folder with the run's files and, where it is of the Hub, its commit."""
    folder, commit = find_run(str(source), _FILES, revision)
    if not (folder / outputs.RESULTS).is_file():
        raise CheckpointError(_absent(source, commit, outputs.RESULTS))
    return folder, commit


def _absent(source: str | Path, commit: str | None, name: str) -> str:
    where = f"{source} (commit {commit[:12]})" if commit else str(source)
    return f"{where}: has no {name}, so it is no run of mgc_hf that can be made again"


def _read_record(folder: Path, source: str) -> RunResult:
    published = RunResult.load(folder / outputs.RESULTS)
    if published.training is None:
        raise CheckpointError(
            f"{source}: is an evaluation ({published.name}), which trained nothing; to judge the model again use "
            "mgc-hf evaluate"
        )
    if published.split.folds is not None:
        raise CheckpointError(
            f"{source}: is a cross-validation of {len(published.split.folds)} models; each fold is a run that can be made "
            f"again: give {source}/fold-0 and so on"
        )
    return published


def _training_options(published: RunResult) -> dict[str, Any]:
    """Return the options that say what was run: of what a repository says, nothing that sends or overwrites."""
    assert published.training is not None
    values = {**published.training.resolved, **published.training.options}
    return {
        name: value
        for name, value in record.public_options(values).items()
        if name not in _LEFT_OUT and not name.startswith(_SENT) and not name.endswith(("_dir", "token"))
    }


def _precision_options(published: RunResult) -> dict[str, Any]:
    """Return the arithmetic that the run had, where its options left that to the device."""
    precision = published.environment.precision
    return {"bf16": precision.startswith("bf16"), "fp16": precision.startswith("fp16")}


def _sources(published: RunResult, dataset: str | None, test_dataset: str | None) -> dict[str, Any]:
    data = published.data
    values = _source("dataset", data.source, data.revision, dataset, data.is_demo)
    if data.test_source is not None:
        return {**values, **_source("test_dataset", data.test_source, data.test_revision, test_dataset, data.is_demo)}
    if test_dataset is not None:
        raise OptionError(f"--test_dataset {test_dataset}: the run was tested on a part of its own data; leave it out")
    return {**values, "test_dataset": None}


def _source(option: str, source: str, revision: str | None, given: str | None, any_is_demo: bool) -> dict[str, Any]:
    on_hub = parse_hub_id(source) is not None
    if given is not None:
        return {option: given, f"{option}_revision": revision if on_hub and given == source else None}
    if on_hub:
        return {option: f"hf://datasets/{source}", f"{option}_revision": revision}
    if source == DEMO and any_is_demo:
        return {option: DEMO, f"{option}_revision": None}
    raise OptionError(f"--{option} is needed: the run was made with local data named {source}; say where it lies here")


def _checkpoint(published: RunResult, given: str | None) -> dict[str, Any]:
    assert published.training is not None
    name = published.training.resolved.get("model_name_or_path", OWN_MODELS[0])
    if given is not None:
        return {"model_name_or_path": given}
    if name in OWN_MODELS or parse_hub_id(name) is not None:
        return {"model_name_or_path": name}
    raise OptionError(
        f"--model_name_or_path is needed: the run began from a local checkpoint named {name}; say where it lies here"
    )


def _check_audio(options: Options, recordings: outputs.Recordings, split: Split, published: RunResult) -> None:
    """Refuse audio that is not what the run was made with.

    Raises:
        SourceError: Missing tracks, tracks of other content and tracks that the run did not have, by id.
    """
    corpus, test_corpus = read_corpora(options)
    found = _digests(corpus, recordings.sampling_rate, options)
    expected = {part: tracks for part, tracks in recordings.tracks.items() if part != "test" or test_corpus is None}
    of_data = {track: value for tracks in expected.values() for track, value in tracks.items()}
    wrong = []
    if not recordings.tracks:
        absent = len(recordings.heard - set(found.values()))
        wrong += (
            [f"{absent} of the {len(recordings.heard)} recordings that it trained with are not there"]
            if absent
            else []
        )
    by_track = split.unit == "track"
    wrong += _differences(of_data, found, set(split.part_of) if by_track else None)
    said = [f"{corpus.name}: {', '.join(wrong)}"] if wrong else []
    if test_corpus is not None and recordings.tracks:
        tested = recordings.tracks.get("test", {})
        wrong = _differences(tested, _digests(test_corpus, recordings.sampling_rate, options), set(tested))
        said += [f"{test_corpus.name} (test): {', '.join(wrong)}"] if wrong else []
    if not said:
        return
    decoders = {
        name: versions
        for name, versions in _changes(published.environment, _environment_here()).items()
        if name in ("soundfile", "soxr", "numpy")
    }
    hint = "".join(f"; decoded with {name} {now} in place of {before}" for name, (before, now) in decoders.items())
    raise SourceError(
        f"not the audio that the run was made with: {'; '.join(said)}{hint}. Give the same audio by --dataset"
        + (" and --test_dataset" if test_corpus is not None else "")
    )


def _digests(corpus: Corpus, sampling_rate: int, options: Options) -> dict[str, str]:
    # cached: training reads the same decoded tracks
    tracks = decode_tracks(corpus.dataset, sampling_rate, num_proc=options.data.preprocessing_num_proc)
    reader = TrackReader(tracks)
    return {name: digest(reader, row) for row, name in enumerate(tracks["track_id"])}


def _differences(expected: Mapping[str, str], found: Mapping[str, str], known: set[str] | None) -> list[str]:
    """Say what differs; `known` are all tracks that there should be, where that is known."""
    missing = sorted((set(expected) | (known or set())) - set(found))
    other = sorted(track for track, value in expected.items() if found.get(track, value) != value)
    more = sorted(set(found) - known) if known is not None else []
    kinds = (("missing", missing), ("of other content", other), ("that the run did not have", more))
    return [f"{_count(tracks)} {kind} ({_some(tracks)})" for kind, tracks in kinds if tracks]


def _count(tracks: list[str]) -> str:
    return "1 track" if len(tracks) == 1 else f"{len(tracks)} tracks"


def _some(tracks: list[str]) -> str:
    return ", ".join(tracks[:5]) + (", ..." if len(tracks) > 5 else "")


@contextmanager
def _threads(environment: EnvironmentRecord) -> Iterator[None]:
    """Use as many threads as the published run: sums of floating-point numbers depend on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(environment.num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _environment_here() -> EnvironmentRecord:
    return record.environment_record("cpu", 1, "")


def _changes(before: EnvironmentRecord, now: EnvironmentRecord) -> dict[str, tuple[str, str]]:
    """Return what differs of versions and hardware, by name."""

    def flat(environment: EnvironmentRecord) -> dict[str, str]:
        values = asdict(environment)
        return {**{name: str(value) for name, value in values.items() if name != "packages"}, **values["packages"]}

    old, new = flat(before), flat(now)
    return {
        name: (old.get(name, "not there"), new.get(name, "not there"))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }


def _compare(
    source: str, commit: str | None, target: Path, folder: Path, published: RunResult, result: RunResult
) -> Rerun:
    figures = [
        Figure(level, name, getattr(before, key).value, getattr(now, key).value)
        for level, before, now in (
            ("track", published.track, result.track),
            ("segment", published.segment, result.segment),
        )
        for name, key in (("accuracy", "accuracy"), ("macro F1", "macro_f1"))
    ]
    environment = _changes(published.environment, result.environment)
    if published.mgc_hf_version != result.mgc_hf_version:
        environment = {"mgc_hf": (published.mgc_hf_version, result.mgc_hf_version), **environment}
    equal, largest, changed = _compare_predictions(folder / outputs.PREDICTIONS, target / outputs.PREDICTIONS)
    return Rerun(source, commit, str(target), figures, equal, largest, changed, environment, result)


def _compare_predictions(before: Path, now: Path) -> tuple[bool | None, float | None, int | None]:
    if not before.is_file():
        return None, None, None
    try:
        old, new = (_sorted(Predictions.load(path)) for path in (before, now))
    except MgcHfError as error:
        logger.warning("%s", error)
        return None, None, None
    if old.genres != new.genres or len(old) != len(new):
        return False, None, None
    if any((getattr(old, name) != getattr(new, name)).any() for name in ("part", "track_id", "segment")):
        return False, None, None
    largest = float(np.abs(old.logits - new.logits).max(initial=0))
    changed = int((old.logits.argmax(1) != new.logits.argmax(1)).sum())
    return bool(np.array_equal(old.logits, new.logits)), largest, changed


def _sorted(predictions: Predictions) -> Predictions:
    order = np.lexsort((predictions.segment, predictions.track_id.astype(str), predictions.part.astype(str)))
    columns = {
        name: getattr(predictions, name)[order]
        for name in ("track_id", "segment", "start_s", "part", "label", "logits")
    }
    return Predictions(**columns, genres=predictions.genres)
