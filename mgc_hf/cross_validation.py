"""Protocol `kfold`: each fold an ordinary run in a folder of its own, then all of them as one record.

The figures of the joined record are computed from the joined predictions, in which every track stands once, said by the
model that was not trained on it; no figure is a mean over folds.
"""

import copy
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mgc_hf import outputs, record
from mgc_hf.data.protocols import PROTOCOLS, Split
from mgc_hf.data.sources import Corpus
from mgc_hf.data.verdict import Verdict
from mgc_hf.distributed import check_launch, in_turn, on_main
from mgc_hf.division import fold_splits, read_corpora
from mgc_hf.errors import CheckpointError, OptionError, RecordError
from mgc_hf.evaluation.score import score
from mgc_hf.floor import judge_floor
from mgc_hf.leaks import artists_of, judge_folds, leak_of_base, leak_statement, tell_verdict
from mgc_hf.options import DataOptions, Options
from mgc_hf.predictions import Predictions
from mgc_hf.report import write_report
from mgc_hf.results import DataRecord, RunResult, SplitRecord, TrainingRecord

logger = logging.getLogger(__name__)

#: Makes the folder that of a run, once nothing more can be refused: as [`outputs.begin`].
Begin = Callable[[Path, Split, bool], None]
#: Walks one fold: `(options, recipe, begin) -> record`.
Walk = Callable[[Options, str, Begin], RunResult]


def is_cross_validation(options: Options) -> bool:
    """Whether options ask for all folds of protocol `kfold`, and not for one of them or another protocol."""
    return options.data.protocol == "kfold" and options.data.fold is None


def check_options(options: Options) -> None:
    """Refuse options that have no meaning where each track is tested on once and no part is for validation.

    Raises:
        OptionError: All of them in one message.
    """
    reasons = {
        "push_to_hub": "there is no one model to publish; publish the folder of a fold by mgc-hf push",
        "test_fraction": "each fold is tested on in turn (--num_folds)",
        "metric_for_best_model": "no part is for validation, so no epoch is chosen",
        "early_stopping_patience": "no part is for validation, so nothing says when to stop",
    }
    wrong = [f"--{name}: {why}" for name, why in reasons.items() if options.changed.get(name)]
    if wrong:
        raise OptionError(f"--protocol kfold goes without {'; '.join(wrong)}")


def fold_sentence(data: DataOptions) -> str:
    """Say which fold a run is, in words for its record."""
    return f"This run is fold {data.fold} (counted from 0) of {data.num_folds} folds, which keep each {data.fold_groups} in one."


def cross_validate(options: Options, recipe: str, walk: Walk) -> RunResult:
    """Run all folds in `output_dir/fold-0`, `fold-1` and so on, then join them in `output_dir`.

    Before anything is trained, what cannot be divided is refused and a table of the folds is logged. With `--resume`
    finished folds are taken as they are, a broken one goes on, and those that have not begun begin.

    Args:
        options ([`Options`]): Of protocol `kfold` without a fold.
        recipe (`str`): The recipe's file, for the record.
        walk (`Callable`): Makes an ordinary run.

    Returns:
        [`RunResult`]: That of all folds together, in every process.

    Raises:
        OptionError: Options that do not go with cross-validation, or a folder in use.
        SplitError: A genre has too few groups for so many folds.
        MgcHfError: What the run of a fold may meet.
    """
    check_options(options)
    check_launch(options.train.world_size)
    folder, num_folds = Path(str(options.train.output_dir)), options.data.num_folds
    on_main(lambda: _check_folder(folder, options))
    with in_turn():
        corpus, _ = read_corpora(options)
        splits = fold_splits(options, corpus)
    names = corpus.dataset.features["genre"].names
    genre_of = dict(zip(corpus.dataset["track_id"], (names[i] for i in corpus.dataset["genre"]), strict=True))
    verdict = judge_folds(splits, corpus)
    if options.train.should_save:
        logger.info("%s", fold_table(splits, genre_of))
        tell_verdict(folder.name, verdict)

    def begin(fold_folder: Path, split: Split, overwrite: bool) -> None:
        # an earlier run goes as a whole, and not before the first fold has passed all that is checked
        if overwrite:
            outputs.clear_folder(folder, num_folds)
        outputs.begin(fold_folder, split, overwrite)

    results = [
        walk(_fold_options(options, folder, fold), recipe, outputs.begin if fold else begin)
        for fold in range(num_folds)
    ]
    return on_main(lambda: _finish(options, folder, corpus, splits, results, verdict))


def fold_table(splits: Sequence[Split], genre_of: Mapping[str, str]) -> str:
    """Return the number of tracks of each genre in each fold as lines of text.

    Args:
        splits (`Sequence[Split]`): The split of each fold, whose test part it is.
        genre_of (`Mapping[str, str]`): From track id to genre.
    """
    folds = [Counter(genre_of[item] for item in split.ids("test")) for split in splits]
    rows = [("genre", *(f"fold {fold}" for fold in range(len(folds))), "all")]
    for genre in sorted(set(genre_of.values())):
        counts = [fold[genre] for fold in folds]
        rows.append((genre, *map(str, counts), str(sum(counts))))
    totals = [fold.total() for fold in folds]
    rows.append(("all", *map(str, totals), str(sum(totals))))
    width = max(len(row[0]) for row in rows)
    lines = [f"{row[0]:<{width}}" + "".join(f"{value:>8}" for value in row[1:]) for row in rows]
    return "\n".join(["tracks of each genre that each fold is tested on:", *lines])


def _check_folder(folder: Path, options: Options) -> None:
    """Refuse an output folder that is in use, or that `--resume` cannot mean."""
    resume, overwrite = options.train.resume, options.train.overwrite_output_dir
    outputs.check_folder(folder, resume=resume, overwrite=overwrite)
    if resume and ((folder / outputs.SPLIT).exists() or any(folder.glob("checkpoint-*"))):
        raise CheckpointError(
            f"--resume {folder}: holds a run that is no cross-validation; name another folder, or replace the run by "
            "--overwrite_output_dir"
        )
    beyond = [path.name for path in outputs.fold_folders(folder)[options.data.num_folds :]]
    if resume and beyond:
        raise CheckpointError(
            f"--resume {folder}: {', '.join(beyond)} are of a run with more folds than {options.data.num_folds}; resume "
            "it with its own --num_folds, or start anew with --overwrite_output_dir"
        )


def _fold_options(options: Options, folder: Path, fold: int) -> Options:
    """Return the options of one fold: an ordinary run in a folder of its own."""
    train = copy.copy(options.train)
    train.output_dir = str(outputs.fold_folder(folder, fold))
    own = {"fold": fold, "output_dir": train.output_dir}
    return replace(
        options,
        data=replace(options.data, fold=fold),
        train=train,
        changed={**options.changed, **own},
        resolved={**options.resolved, **own},
    )


def _finish(
    options: Options,
    folder: Path,
    corpus: Corpus,
    splits: Sequence[Split],
    results: Sequence[RunResult],
    verdict: Verdict,
) -> RunResult:
    """Write the joined record and what goes with it, unless it is there; for the main process."""
    joined = hashlib.sha256("".join(split.hash for split in splits).encode("ascii")).hexdigest()
    path = folder / outputs.RESULTS
    records = [outputs.fold_folder(folder, fold) / outputs.RESULTS for fold in range(len(splits))]
    newest = max(file.stat().st_mtime_ns for file in records)
    if options.train.resume and path.is_file() and path.stat().st_mtime_ns >= newest:
        before = RunResult.load(path)
        if before.split.hash == joined:
            return before
    predictions = join_predictions(folder, outputs.PREDICTIONS, splits)
    track, segment = score(
        predictions,
        artist_of=artists_of(corpus, set(predictions.track_id)),
        seed=options.train.seed,
        num_resamples=options.evaluation.num_resamples,
    )
    statement = leak_statement(
        f"{PROTOCOLS['kfold'].statement} These are all {len(splits)} folds together, which keep each "
        f"{options.data.fold_groups} in one: each figure is of the predictions of all models, each on the tracks that it was "
        "not trained on. There was no validation part: no epoch was chosen by its score.",
        _repeated([path.parent for path in records]),
        compared=False,
    )
    first, leaks = results[0], {result.leaky for result in results}
    leaky = True if True in leaks else None if None in leaks else False
    leaky, of_base = leak_of_base(leaky, first.model.contamination)
    floor, floor_predictions = None, None
    floors = [result.floor for result in results if result.floor is not None]
    if len(floors) == len(results):
        floor_predictions = join_predictions(folder, outputs.FLOOR, splits)
        floor = judge_floor(
            predictions,
            floor_predictions,
            splits[0].unit,
            seconds=sum(one.seconds for one in floors),
            seed=options.train.seed,
            num_resamples=options.evaluation.num_resamples,
        )
    seconds = [result.inference_seconds for result in results if result.inference_seconds is not None]
    result = replace(
        results[-1],
        name=folder.resolve().name,
        leaky=leaky,
        track=track,
        segment=segment,
        data=_join_data([result.data for result in results]),
        split=SplitRecord(
            splits[0].unit,
            splits[0].seed,
            joined,
            f"{statement}{of_base} {verdict.statement}",
            verdict=verdict.to_record(),
            folds=[result.data.tracks["test"] for result in results],
        ),
        training=_join_training(options, [r.training for r in results if r.training is not None]),
        floor=floor,
        inference_seconds=sum(seconds) if len(seconds) == len(results) else None,
        environment=first.environment,
    )
    outputs.save_resolved(folder, record.public_options({**options.resolved, **options.changed}))
    write_report(result, predictions, folder, None, floor_predictions)
    return result


def _repeated(folders: Sequence[Path]) -> list[str]:
    """Return the tracks whose samples are in the test parts of several folds, so that a model tested on them knew them."""
    found: dict[str, dict[str, int]] = {}
    for fold, folder in enumerate(folders):
        kept = outputs.read_recordings(folder)
        for track_id, digest in (kept.tracks.get("test", {}) if kept else {}).items():
            found.setdefault(digest, {})[track_id] = fold
    return sorted(track_id for folds in found.values() if len(set(folds.values())) > 1 for track_id in folds)


def join_predictions(folder: Path, name: str, splits: Sequence[Split]) -> Predictions:
    """Join what each fold's model said of its test part.

    Args:
        folder (`Path`): The folder of the cross-validated run.
        name (`str`): File of predictions in each fold's folder.
        splits (`Sequence[Split]`): The split of each fold.

    Returns:
        [`Predictions`]: Part `test` alone; every track of it once, by the model of its fold.

    Raises:
        RecordError: A fold's file is not of its test part.
    """
    parts = []
    for fold, split in enumerate(splits):
        file = outputs.fold_folder(folder, fold) / name
        found = Predictions.load(file).of_part("test")
        if set(found.track_id.tolist()) != set(split.ids("test")):
            raise RecordError(f"{file}: is not of the tracks that fold {fold} is tested on; run the fold again")
        parts.append(found)
    return Predictions.concatenate(parts)


def _join_data(folds: Sequence[DataRecord]) -> DataRecord:
    """Count every fold's test part; training parts overlap, and are in the folds' own records."""

    def total(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
        return {genre: sum(count[genre] for count in counts) for genre in folds[0].genres}

    return replace(
        folds[0],
        tracks={"test": total([data.tracks["test"] for data in folds])},
        segments={"test": total([data.segments["test"] for data in folds])},
    )


def _join_training(options: Options, folds: Sequence[TrainingRecord]) -> TrainingRecord:
    """Add up steps and time; the curves are in the folds' own records."""
    return replace(
        folds[0],
        steps=sum(fold.steps for fold in folds),
        history=[],
        options=record.public_options(options.changed),
        resolved=record.public_options(options.resolved),
        seconds=sum(fold.seconds for fold in folds),
        resumed=any(fold.resumed for fold in folds),
    )
