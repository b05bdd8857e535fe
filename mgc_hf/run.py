"""The walk of the data, written once: options -> data -> split -> segments -> features -> model -> record -> folder.

`run` trains and judges; `evaluate` judges a finished model on other data. Both end in one `RunResult`, from which
pictures and card are drawn. The test part is opened once, after the weights have been chosen on validation.
"""

import datetime
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf import outputs, record
from mgc_hf.augment import Augmentation
from mgc_hf.cards.card import render_card
from mgc_hf.data.protocols import Split
from mgc_hf.data.segments import assign_parts, windowing
from mgc_hf.data.sources import read_corpus
from mgc_hf.division import (
    Part,
    cut_tracks,
    decode,
    divide,
    label_ids,
    leak_statement,
    read_corpora,
    recordings,
    training_augmentation,
)
from mgc_hf.errors import CheckpointError, LabelError
from mgc_hf.evaluation.score import score
from mgc_hf.features import TrackReader, prepare
from mgc_hf.files import write_text
from mgc_hf.options import Options, parse_options
from mgc_hf.pictures import GenreClips, draw_all
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult, SplitRecord, TrainingRecord

logger = logging.getLogger(__name__)


def fine_tune(**options: Any) -> RunResult:
    """Train, evaluate and document a model: what a recipe does, from Python.

    Args:
        options: Any option of the recipes by name (`mgc_hf.options`), such as `dataset="demo"` and
            `output_dir="outputs/lstm"`; those not named keep the defaults of the LSTM's recipe.

    Returns:
        [`RunResult`]: The record; the model lies in `output_dir`.

    Raises:
        MgcHfError: Anything that the user can mend: a wrong option, source, label, checkpoint.
    """
    return run(parse_options(argv=[], values=options), recipe="mgc_hf.fine_tune")


def run(options: Options, recipe: str) -> RunResult:
    """Train a model by one set of options and write its folder.

    Args:
        options ([`Options`]): From `parse_options`.
        recipe (`str`): The recipe's file, for the record.

    Returns:
        [`RunResult`]

    Raises:
        MgcHfError: Anything that the user can mend.
    """
    from transformers import set_seed

    from mgc_hf.models.build import finish_model, plan_model
    from mgc_hf.models.fine_tuning import FineTuning
    from mgc_hf.training import find_resumable, predict, save_model_folder, train

    folder = Path(str(options.train.output_dir))
    outputs.check_folder(folder, resume=options.train.resume, overwrite=options.train.overwrite_output_dir)
    plan = plan_model(
        options.model.model_name_or_path,
        segment_seconds=options.data.segment_seconds,
        hop_seconds=options.data.eval_hop_seconds,
        model_values=options.model.model_values,
        feature_values=options.model.feature_values,
        tuning=FineTuning.from_values({**vars(options.model), **vars(options.train)}),
        from_scratch=options.model.from_scratch,
        size=options.model.size,
    )
    corpus, test_corpus = read_corpora(options)
    genres = list(corpus.dataset.features["genre"].names)
    if options.train.resume:
        _check_labels(folder, genres)

    set_seed(options.train.seed)
    model, extractor = plan.build(genres)
    split, parts = divide(options, corpus, test_corpus, genres, extractor)
    signature = {"genres": genres, "split": split.hash, "options": _training_signature(options)}
    if options.train.resume:
        finished = _finished_run(folder, split, options)
        if finished is not None:
            return finished
        # what cannot be resumed is told before features are extracted and before anything is written
        find_resumable(folder, {"labels": genres, **signature})
    trained = recordings(parts["train"]) | (recordings(parts["validation"]) if "validation" in parts else {})
    tested = recordings(parts["test"]) if test_corpus is not None else {}
    leak = sorted(name for digest, name in tested.items() if digest in trained)
    if "test_fraction" in options.changed:
        if test_corpus is not None:
            logger.warning("--test_fraction has no effect with --test_dataset, which is the whole test part")
        elif options.data.train_tracks_per_genre or options.data.test_tracks_per_genre:
            logger.warning("--test_fraction has no effect beside numbers of tracks per genre")
    if options.train.early_stopping_patience and "validation" not in parts:
        logger.warning("--early_stopping_patience has no effect without a validation part")
    if options.train.overwrite_output_dir:
        outputs.clear_folder(folder)
    split.save(folder / outputs.SPLIT)

    def inputs(part: str, augmentation: Augmentation | None = None) -> Any:
        return parts[part].inputs(extractor, len(genres), augmentation, options.train.seed)

    if hasattr(model, "fit_statistics") and _base_model(options) is None:
        model.fit_statistics(inputs("train").batches(options.train.per_device_eval_batch_size))
    outcome = train(
        model,
        extractor,
        inputs("train", training_augmentation(options)),
        inputs("validation") if "validation" in parts else None,
        parts["validation"].rows if "validation" in parts else None,
        genres,
        options.train,
        signature=signature,
    )
    model = finish_model(model)
    predictions = _joined(
        [
            predict(outcome.trainer, inputs(part), parts[part].rows, genres)
            for part in ("validation", "test")
            if part in parts
        ]
    )
    track, segment = score(
        predictions.of_part("test"), seed=options.train.seed, num_resamples=options.evaluation.num_resamples
    )
    result = RunResult(
        name=folder.resolve().name,
        protocol=split.protocol,
        leaky=split.leaky or bool(leak),
        seed=options.train.seed,
        track=track,
        segment=segment,
        data=record.data_record(
            corpus,
            test_corpus,
            {part: held.rows for part, held in parts.items()},
            genres,
            segment_seconds=options.data.segment_seconds,
            hop_seconds=_test_hop(options, split, extractor),
            sampling_rate=extractor.sampling_rate,
        ),
        split=SplitRecord(
            split.unit, split.seed, split.hash, leak_statement(split.statement, leak, test_corpus is not None)
        ),
        model=record.model_record(model, extractor, _base_model(options)),
        training=TrainingRecord(
            recipe=Path(recipe).name,
            epochs=outcome.epochs,
            steps=outcome.steps,
            selected=outcome.selected,
            selected_epoch=outcome.selected_epoch,
            weight_averaging=options.train.weight_averaging > 0,
            history=outcome.history,
            options=record.public_options(options.changed),
            resolved=record.public_options(options.resolved),
            seconds=outcome.seconds,
            resumed=outcome.resumed,
        ),
        environment=record.environment_record(
            str(options.train.device), options.train.world_size, record.precision(options)
        ),
        **_stamp(),
    )
    if options.train.should_save:
        save_model_folder(model, extractor, folder)
        outputs.save_recordings(folder, int(extractor.sampling_rate), trained)
        clips = _clips(parts["train"], genres, extractor) if options.evaluation.pictures else None
        _write(result, predictions, folder, clips)
    return result


def _test_hop(options: Options, split: Split, extractor: Any) -> float:
    """From one test segment to the next, seconds: those of a pool that is split by segment are cut like its others."""
    if split.unit == "segment":
        return options.data.train_hop_seconds or options.data.segment_seconds
    return windowing(extractor)[1]


def _base_model(options: Options) -> str | None:
    from mgc_hf.models.build import OWN_MODELS

    name = options.model.model_name_or_path
    return None if name in OWN_MODELS or options.model.from_scratch else outputs.display_name(name)


def evaluate(
    model: str | Path,
    dataset: str,
    *,
    output_dir: str | Path | None = None,
    split: str | Path | None = None,
    batch_size: int = 64,
    cache_dir: str | None = None,
    on_bad_audio: str = "skip",
    min_seconds: float = 0.5,
    revision: str | None = None,
    columns: dict[str, str] | None = None,
    num_resamples: int = 2000,
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
        min_seconds (`float`, *optional*, defaults to 0.5): Clips shorter than this are left out, seconds.
        revision, columns (*optional*): Revision and column names of a Hub data set, as for `load_gtzan`.
        num_resamples (`int`, *optional*, defaults to 2000): Bootstrap resamples behind each interval.

    Returns:
        [`RunResult`]: Without a training part.

    Raises:
        CheckpointError: The model cannot be loaded.
        SourceError, AudioError: The data cannot be read.
        LabelError: The data has genres that the model does not know.
        SplitError: The split file does not fit the data.
    """
    from mgc_hf.models.build import load_model
    from mgc_hf.training import predict

    if output_dir is not None:
        outputs.check_folder(Path(output_dir), ways="name another folder")
    classifier, extractor = load_model(model)
    segment_seconds, hop_seconds = windowing(extractor)
    genres = [classifier.config.id2label[index] for index in range(classifier.config.num_labels)]
    corpus = read_corpus(
        dataset,
        cache_dir=cache_dir,
        on_bad_audio=on_bad_audio,
        min_seconds=min_seconds,
        revision=revision,
        columns=columns,
    )
    tracks = decode(corpus, extractor.sampling_rate)
    rows = cut_tracks(tracks, label_ids(corpus, genres), extractor, hop_seconds)
    given = Split.load(split) if split is not None else None
    if given is not None:
        given.check(rows.ids if given.unit == "segment" else rows.track_id.tolist())
    rows = assign_parts(rows, given or "test").of_part("test")
    known = outputs.load_recordings(Path(model), int(extractor.sampling_rate))
    tested = recordings(Part("test", tracks, rows, whole_tracks=True))
    leak = sorted(name for digest, name in tested.items() if digest in (known or ()))
    leaky: bool | None
    if given is not None:
        protocol, leaky = given.protocol, given.leaky or bool(leak)
        statement = given.statement if given.leaky else leak_statement(given.statement, leak, known is not None)
        division = SplitRecord(given.unit, given.seed, given.hash, statement)
    else:
        protocol, leaky = EXTERNAL, None if known is None else bool(leak)
        statement = "All of the data was evaluated."
        if known is None:
            statement += " Which recordings the model was trained on is not known, so neither is whether this leaks."
        division = SplitRecord("track", None, None, leak_statement(statement, leak, known is not None))
    data = prepare(tracks, rows, extractor, num_labels=len(genres))
    predictions = predict(classifier, data, rows, genres, batch_size=batch_size)
    track, segment = score(predictions, num_resamples=num_resamples)
    result = RunResult(
        name=f"{outputs.display_name(str(model))} on {corpus.name}",
        protocol=protocol,
        leaky=leaky,
        seed=None,
        track=track,
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
        model=record.model_record(classifier, extractor, None),
        training=None,
        environment=record.environment_record(str(classifier.device), 1, "float32"),
        **_stamp(),
    )
    if output_dir is not None:
        _write(result, predictions, Path(output_dir), None)
    return result


#: Protocol name of an evaluation of all of some other data; nothing was divided.
EXTERNAL = "external"


def _check_labels(folder: Path, genres: list[str]) -> None:
    """Refuse to go on with a run that was made for other genres.

    Raises:
        LabelError: Both lists are shown.
    """
    from mgc_hf.training import find_resumable

    find_resumable(folder, {"labels": genres})
    if not (folder / outputs.RESULTS).is_file():
        return
    before = RunResult.load(folder / outputs.RESULTS).data.genres
    if before != genres:
        raise LabelError(
            f"--resume {folder}: the run was made for the genres {before}, the data has {genres}",
            sorted(set(genres) - set(before)),
            sorted(set(before) - set(genres)),
        )


def _finished_run(folder: Path, split: Split, options: Options) -> RunResult | None:
    """Return the record of a run that is complete and was asked to go on without changes, else `None`.

    Raises:
        CheckpointError: It is complete, but other clips are to be used now.
    """
    if not (folder / outputs.RESULTS).is_file():
        return None
    result = RunResult.load(folder / outputs.RESULTS)
    if result.training is None or result.training.resolved != record.public_options(options.resolved):
        return None
    if result.split.hash != split.hash:
        raise CheckpointError(
            f"--resume {folder}: the run is finished, and was made with other clips than the data now has (its split "
            "differs); start anew with --overwrite_output_dir, or in another folder"
        )
    logger.warning("%s: the run is finished; nothing left to train", folder)
    return result


def _training_signature(options: Options) -> dict[str, Any]:
    """Return what a resumed run must share with the one that it goes on from.

    Of the arithmetic that is what was chosen, not what was asked for, which may leave it to the device.
    """
    free = {"save_strategy", "save_steps", "save_total_limit", "report_to", "num_resamples", "pictures"}
    shared = {
        name: value
        for name, value in record.public_options(options.resolved).items()
        if name not in free | {"bf16", "fp16"}
    }
    return {**shared, "precision": record.precision(options)}


def _joined(several: Sequence[Predictions]) -> Predictions:
    columns = ("track_id", "segment", "start_s", "part", "label", "logits")
    joined = {name: np.concatenate([getattr(one, name) for one in several]) for name in columns}
    return Predictions(**joined, genres=several[0].genres)


def _stamp() -> dict[str, Any]:
    from mgc_hf import __version__

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"created": now, "mgc_hf_version": __version__}


def _clips(part: Part, genres: Sequence[str], extractor: Any, seconds: float = 10.0) -> GenreClips:
    """Take the first seconds of one training track per genre, with its spectrogram, for the pictures of sound."""
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

    rate = int(extractor.sampling_rate)
    if not isinstance(extractor, LogMelFeatureExtractor):
        extractor = LogMelFeatureExtractor(sampling_rate=rate)
    reader, waveforms = TrackReader(part.tracks), {}
    for label, genre in enumerate(genres):
        rows = np.flatnonzero(part.rows.label == label)
        if len(rows):
            samples = reader.read(int(part.rows.track[rows[0]]))[: round(seconds * rate)]
            waveforms[genre] = (samples, rate)
    mels = {
        genre: extractor(samples, sampling_rate=rate, return_tensors="np")["input_features"][0]
        for genre, (samples, _) in waveforms.items()
    }
    return GenreClips(waveforms, mels, extractor.hop_length, extractor.fmin, extractor.fmax or rate / 2)


def _write(result: RunResult, predictions: Predictions, folder: Path, clips: GenreClips | None) -> None:
    """Write all that documents a run; the record comes last, so that a folder with it is complete."""
    predictions.save(folder / outputs.PREDICTIONS)
    draw_all(result, clips, folder)
    write_text(folder / outputs.CARD, render_card(result))
    result.save(folder / outputs.RESULTS)
