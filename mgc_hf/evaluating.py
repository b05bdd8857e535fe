"""Judges a finished model on other data, with the same figures, record and card as a run's own test part."""

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mgc_hf import outputs, record
from mgc_hf.contamination import contamination_in, inherited_contamination
from mgc_hf.data.protocols import Split
from mgc_hf.data.segments import assign_parts, windowing
from mgc_hf.data.sources import read_corpus
from mgc_hf.division import Part, check_left_out, cut_tracks, decode, label_ids, leave_out_unknown, recordings
from mgc_hf.errors import CheckpointError, OptionError, RecordError
from mgc_hf.evaluation.score import score
from mgc_hf.features import prepare
from mgc_hf.hub import fetch_files, patient_reading
from mgc_hf.leaks import artists_of, judge_split, leak_of_base, leak_of_split, leak_statement
from mgc_hf.report import write_report
from mgc_hf.results import RunResult, SplitRecord

logger = logging.getLogger(__name__)

#: Protocol name of an evaluation of all of some other data; nothing was divided.
EXTERNAL = "external"


def evaluate(
    model: str | Path,
    dataset: str,
    *,
    output_dir: str | Path | None = None,
    split: str | Path | None = None,
    batch_size: int = 64,
    cache_dir: str | None = None,
    on_bad_audio: str = "skip",
    on_unknown_genre: str = "error",
    min_seconds: float = 0.5,
    revision: str | None = None,
    dataset_revision: str | None = None,
    columns: dict[str, str] | None = None,
    audio: str | Path | None = None,
    num_resamples: int = 2000,
    leave_out_faults: bool = False,
) -> RunResult:
    """Judge a finished model on other data, with the same figures as after training.

    Args:
        model (`str` or `Path`): Model folder or Hub id.
        dataset (`str`): Any source that `load_gtzan` takes; its genres are joined to the model's by name.
        output_dir (`str` or `Path`, *optional*): Folder for record, predictions, pictures and card.
        split (`str` or `Path`, *optional*): Split file of a run; only its test part is judged.
        batch_size (`int`, *optional*, defaults to 64): Segments per forward pass; scores do not depend on it.
        cache_dir (`str`, *optional*): Folder for prepared data.
        on_bad_audio (`str`, *optional*, defaults to `"skip"`): `skip` or `error`.
        on_unknown_genre (`str`, *optional*, defaults to `"error"`): What clips of a genre that the model does not know
            are: an `error`, or left out (`skip`), warned of and listed in the record. They are never taken for another.
        min_seconds (`float`, *optional*, defaults to 0.5): Clips shorter than this are left out, seconds.
        revision (`str`, *optional*): Branch, tag or commit of a model on the Hub.
        dataset_revision, columns, audio (*optional*): Revision and column names of a Hub data set, and the folder of the
            audio of one that is an index without it, as for `load_gtzan`.
        num_resamples (`int`, *optional*, defaults to 2000): Bootstrap resamples behind each interval.
        leave_out_faults (`bool`, *optional*, defaults to `False`): Leave GTZAN's known faults out, as for `load_gtzan`;
            a split of a run that did so asks for it.

    Returns:
        [`RunResult`]: Without a training part.

    Raises:
        CheckpointError: The model cannot be loaded.
        SourceError, AudioError: The data cannot be read.
        LabelError: The data has genres that the model does not know, or, where they are skipped, no other.
        SplitError: The split file does not fit the data.
        OptionError: The output folder is in use, a revision is given of a local model, faults are to be left out of data
            that are not GTZAN, or another value where two are allowed.
    """
    from mgc_hf.models.build import load_model
    from mgc_hf.training import predict

    if on_unknown_genre not in ("error", "skip"):
        raise OptionError(f"on_unknown_genre is {on_unknown_genre!r}; allowed are error and skip")
    if output_dir is not None:
        outputs.check_folder(Path(output_dir), ways="name another folder")
    with patient_reading(str(model)):
        classifier, extractor = load_model(model, revision)
    segment_seconds, hop_seconds = windowing(extractor)
    genres = [classifier.config.id2label[index] for index in range(classifier.config.num_labels)]
    corpus = read_corpus(
        dataset,
        cache_dir=cache_dir,
        on_bad_audio=on_bad_audio,
        min_seconds=min_seconds,
        revision=dataset_revision,
        columns=columns,
        audio=audio,
        leave_out_faults=leave_out_faults,
    )
    if leave_out_faults:
        check_left_out(corpus)
    if on_unknown_genre == "skip":
        corpus = leave_out_unknown(corpus, genres)
    tracks = decode(corpus, extractor)
    rows = cut_tracks(tracks, label_ids(corpus, genres), extractor, hop_seconds)
    given = Split.load(split) if split is not None else None
    if given is not None:
        given.check(rows.ids if given.unit == "segment" else rows.track_id.tolist())
    rows = assign_parts(rows, given or "test").of_part("test")
    described = _described(str(model), revision, classifier)
    known = None if described is None else outputs.load_recordings(described, int(extractor.sampling_rate))
    contamination = None
    if described is not None and corpus.is_gtzan:
        # of our own models the recordings themselves are compared; of others there is what their cards say
        contamination = contamination_in(described) if known is None else inherited_contamination(described)
    tested = recordings(Part("test", tracks, rows, whole_tracks=True))
    leak = sorted(name for name, digest in tested.items() if digest in (known or ()))
    leaky: bool | None
    if given is not None:
        verdict = judge_split(given, corpus)
        leaky, statement = leak_of_split(given, verdict, leak, known is not None)
        protocol, fold = given.protocol, None
        if protocol == "kfold":
            fold = _fold_of(given, Path(str(split)))
            which = "which one is not known" if fold is None else f"fold {fold}, counted from 0"
            statement += f" This is one fold of a cross-validation alone ({which})."
        statement = f"{statement} {verdict.statement}"
        division = SplitRecord(given.unit, given.seed, given.hash, statement, verdict=verdict.to_record(), fold=fold)
    else:
        protocol, leaky = EXTERNAL, None if known is None else bool(leak)
        statement = "All of the data was evaluated."
        if known is None:
            statement += " Which recordings the model was trained or validated on is not known, so neither is whether this leaks."
        division = SplitRecord("track", None, None, leak_statement(statement, leak, known is not None))
    leaky, of_base = leak_of_base(leaky, contamination)
    division = replace(division, statement=division.statement + of_base)
    data = prepare(tracks, rows, extractor, num_labels=len(genres))
    started = time.perf_counter()
    predictions = predict(classifier, data, rows, genres, batch_size=batch_size)
    inference_seconds = time.perf_counter() - started
    artist_of = artists_of(corpus, set(predictions.track_id))
    track, segment = score(predictions, artist_of=artist_of, num_resamples=num_resamples)
    result = RunResult(
        name=f"{outputs.display_name(str(model))} on {corpus.name}",
        protocol=protocol,
        leaky=leaky,
        seed=None,
        track=track if division.unit == "track" else None,
        segment=segment,
        data=record.data_record(
            corpus,
            None,
            {"test": rows},
            genres,
            segment_seconds=segment_seconds,
            hop_seconds=hop_seconds,
            sampling_rate=extractor.sampling_rate,
        ),
        split=division,
        model=record.model_record(classifier, extractor, None, contamination),
        training=None,
        environment=record.environment_record(str(classifier.device), 1, "float32"),
        inference_seconds=inference_seconds,
        **record.stamp(),
    )
    if output_dir is not None:
        write_report(result, predictions, Path(output_dir), None)
    return result


def _fold_of(split: Split, path: Path) -> int | None:
    """Return which fold a split file is of, by the record of the run beside it; `None` where there is none of it."""
    try:
        described = RunResult.load(path.expanduser().parent / outputs.RESULTS).split
    except RecordError:
        return None
    return described.fold if described.hash == split.hash else None


def _described(model: str, revision: str | None, classifier: Any) -> Path | None:
    """Return a folder with what a model says of itself: its own, or one with those files of its repository."""
    from mgc_hf.models.checkpoint import is_local

    if is_local(model):
        return Path(model).expanduser()
    commit = getattr(classifier.config, "_commit_hash", None)  # that of the weights, whatever was pushed since
    names = [outputs.RECORDINGS, outputs.RESULTS, outputs.CARD, "config.json"]
    try:
        return fetch_files(model, names, commit or revision)
    except CheckpointError as error:
        logger.warning("%s; so whether this leaks is not known", error)
        return None
