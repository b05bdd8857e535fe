"""The walk of the data, written once: options -> data -> split -> segments -> features -> model -> record -> folder.

It ends in one `RunResult`, from which pictures and card are drawn. The test part is opened once, after the weights have
been chosen on validation.
"""

import logging
import time
from pathlib import Path
from typing import Any

from mgc_hf import outputs, record, resuming
from mgc_hf.augment import Augmentation
from mgc_hf.contamination import check_base
from mgc_hf.cross_validation import Begin, cross_validate, fold_sentence, is_cross_validation
from mgc_hf.data.protocols import PROTOCOLS, Split
from mgc_hf.data.segments import windowing
from mgc_hf.distributed import check_launch, contact, in_turn, on_main, same_everywhere
from mgc_hf.division import Part, check_augmentation, divide, read_corpora, recordings, training_augmentation
from mgc_hf.errors import OptionError, PublishError
from mgc_hf.evaluation.score import score
from mgc_hf.floor import fit_floor, judge_floor
from mgc_hf.hub import check_account, push
from mgc_hf.leaks import artists_of, judge_split, leak_of_base, leak_of_split, tell_verdict
from mgc_hf.options import Options, parse_options
from mgc_hf.predictions import Predictions
from mgc_hf.report import first_clips, write_report
from mgc_hf.results import FLOOR_MODEL, RunResult, SplitRecord, TrainingRecord

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


@contact(lambda: "before or after training")
def run(options: Options, recipe: str) -> RunResult:
    """Train a model by one set of options and write its folder.

    Several processes walk side by side. What reads or writes the output folder is done by the main process alone
    (`on_main`), and every process gets what came of it, the error too.

    Args:
        options ([`Options`]): From `parse_options`.
        recipe (`str`): The recipe's file, for the record.

    Returns:
        [`RunResult`]: In every process.

    Raises:
        MgcHfError: Anything that the user can mend; with `push_to_hub` also that the finished folder was not published.
    """
    train = options.train
    if is_cross_validation(options):
        return cross_validate(options, recipe, _walk)
    if not train.push_to_hub:
        return _walk(options, recipe)
    if train.hub_model_id is None:
        raise OptionError("--push_to_hub needs a repository: give --hub_model_id ORG/NAME")
    folder, repo_id, token = str(train.output_dir), train.hub_model_id, train.hub_token
    private, revision = bool(train.hub_private_repo), train.hub_revision
    on_main(lambda: check_account(repo_id, token))
    result = _walk(options, recipe)

    def publish() -> None:
        try:
            done = push(folder, repo_id, private=private, revision=revision, token=token)
        except PublishError as error:
            told = PublishError(
                f"{error}. The run is finished and lies in {folder}; `mgc-hf push {folder} ORG/NAME` publishes it"
            )
            told.attached = error.attached
            raise told from error
        logger.info("published: %s", done.url)

    on_main(publish)
    return result


def _walk(options: Options, recipe: str, begin: Begin = outputs.begin) -> RunResult:
    from transformers import set_seed

    from mgc_hf.models.build import finish_model, is_fitted, plan_model
    from mgc_hf.models.fine_tuning import FineTuning
    from mgc_hf.training import find_resumable, predict, save_model_folder, train, trainer_arguments
    from mgc_hf.training.fitting import check_training_rows, warn_of_idle

    check_launch(options.train.world_size)
    folder, resume = Path(str(options.train.output_dir)), options.train.resume
    overwrite = options.train.overwrite_output_dir
    on_main(lambda: outputs.check_folder(folder, resume=resume, overwrite=overwrite))
    with in_turn():
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
    if PROTOCOLS[options.data.protocol].unit == "segment" and options.train.metric_for_best_model == "track_accuracy":
        raise OptionError(
            f"--metric_for_best_model track_accuracy: is not defined under --protocol {options.data.protocol}, where "
            "segments of one track are trained on and validated on; give segment_accuracy or loss"
        )
    check_augmentation(options, plan.extractor)
    trainer_arguments(options.train, has_validation=options.data.validation_fraction > 0)
    with in_turn():
        corpus, test_corpus = read_corpora(options)
    genres = list(corpus.dataset.features["genre"].names)
    contamination = None
    if plan.pretrained:
        base, insists = options.model.model_name_or_path, options.model.allow_contaminated
        contamination = on_main(lambda: check_base(base, test_corpus or corpus, insists))
    if resume:
        on_main(lambda: resuming.check_labels(folder, genres))

    set_seed(options.train.seed)
    with in_turn():
        model, extractor = plan.build(genres)
    with in_turn():
        split, parts = divide(options, corpus, test_corpus, genres, extractor)
    signature = {"genres": genres, "split": split.hash, "options": resuming.training_signature(options)}
    same_everywhere({**signature, "rows": {name: len(part.rows) for name, part in parts.items()}})
    if resume:
        finished = on_main(lambda: resuming.finished_run(folder, split, options))
        if finished is not None:
            return finished
        # what cannot be resumed is told before features are extracted and before anything is written
        on_main(lambda: find_resumable(folder, {"labels": genres, **signature}))
    verdict = judge_split(split, corpus, test_corpus)
    has_floor = options.evaluation.floor and plan.config.model_type != FLOOR_MODEL
    if has_floor:
        check_training_rows(parts["train"].rows.label, "give more data, or leave the floor out with --floor false")
    if options.train.should_save:
        _warn_of_idle_options(options, parts)
        if is_fitted(model):
            warn_of_idle(list(options.changed), plan.config.model_type)
        tell_verdict(folder.name, verdict, split)
    on_main(lambda: begin(folder, split, overwrite))

    def inputs(part: str, augmentation: Augmentation | None = None) -> Any:
        return parts[part].inputs(extractor, len(genres), augmentation, options.train.seed)

    with in_turn():
        if hasattr(model, "fit_statistics") and not plan.pretrained:
            model.fit_statistics(inputs("train").batches(options.train.per_device_eval_batch_size))
        train_data = inputs("train", training_augmentation(options))
        held_out = {name: inputs(name) for name in ("validation", "test") if name in parts}
    outcome = train(
        model,
        extractor,
        train_data,
        held_out.get("validation"),
        parts["validation"].rows if "validation" in parts else None,
        genres,
        options.train,
        whole_tracks=parts["train"].whole_tracks,
        signature=signature,
    )
    model = finish_model(model)
    judged, inference_seconds = [], 0.0
    for name, data in held_out.items():  # the test part comes last
        started = time.perf_counter()
        judged.append(predict(outcome.trainer, data, parts[name].rows, genres))
        inference_seconds = time.perf_counter() - started
    predictions = Predictions.concatenate(judged)

    def document() -> RunResult:
        leaky: bool | None
        heard = {name: recordings(part) for name, part in parts.items()}
        trained = {digest for name in heard if name != "test" for digest in heard[name].values()}
        repeated = sorted(name for name, digest in heard["test"].items() if digest in trained)
        test = predictions.of_part("test")
        track, segment = score(
            test,
            validation=predictions.of_part("validation"),
            artist_of=artists_of(test_corpus or corpus, set(test.track_id)),
            seed=options.train.seed,
            num_resamples=options.evaluation.num_resamples,
        )
        leaky, statement = leak_of_split(split, verdict, repeated, test_corpus is not None)
        leaky, of_base = leak_of_base(leaky, contamination)
        statement += of_base
        if options.data.fold is not None:
            statement = f"{statement} {fold_sentence(options.data)}"
        floor_predictions, floor = None, None
        if has_floor:
            floor_predictions, seconds = fit_floor(parts, genres, extractor, seed=options.train.seed)
            floor = judge_floor(
                predictions.of_part("test"),
                floor_predictions,
                split.unit,
                seconds=seconds,
                seed=options.train.seed,
                num_resamples=options.evaluation.num_resamples,
            )
        result = RunResult(
            name=folder.resolve().name,
            protocol=split.protocol,
            leaky=leaky,
            seed=options.train.seed,
            track=track if split.unit == "track" else None,
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
                split.unit,
                split.seed,
                split.hash,
                f"{statement} {verdict.statement}",
                verdict=verdict.to_record(),
                fold=options.data.fold,
            ),
            model=record.model_record(
                model,
                extractor,
                (options.model.base_model or outputs.display_name(plan.name)) if plan.pretrained else None,
                contamination,
            ),
            training=_training_record(outcome, options, recipe),
            environment=record.environment_record(
                str(options.train.device), options.train.world_size, record.precision(options)
            ),
            floor=floor,
            inference_seconds=inference_seconds,
            **record.stamp(),
        )
        save_model_folder(model, extractor, folder)
        outputs.save_recordings(folder, int(extractor.sampling_rate), heard)
        outputs.save_resolved(folder, record.public_options({**options.resolved, **options.changed}))
        clips = first_clips(parts["train"], genres, extractor) if options.evaluation.pictures else None
        write_report(result, predictions, folder, clips, floor_predictions)
        return result

    return on_main(document)


def _warn_of_idle_options(options: Options, parts: dict[str, Part]) -> None:
    protocol = options.data.protocol
    if PROTOCOLS[protocol].listed is not None:
        for name in ("test_fraction", "validation_fraction", "split_seed"):
            if name in options.changed:
                logger.warning("--%s has no effect with --protocol %s, whose parts are lists", name, protocol)
    elif "test_fraction" in options.changed:
        if options.data.test_dataset is not None:
            logger.warning("--test_fraction has no effect with --test_dataset, which is the whole test part")
        elif options.data.train_tracks_per_genre or options.data.test_tracks_per_genre:
            logger.warning("--test_fraction has no effect beside numbers of tracks per genre")
    if options.train.early_stopping_patience and "validation" not in parts:
        logger.warning("--early_stopping_patience has no effect without a validation part")


def _training_record(outcome: Any, options: Options, recipe: str) -> TrainingRecord:
    return TrainingRecord(
        recipe=Path(recipe).name,
        epochs=outcome.epochs,
        steps=outcome.steps,
        selected=outcome.selected,
        selected_epoch=outcome.selected_epoch,
        weight_averaging=options.train.weight_averaging > 0 and outcome.selected != "fitted",
        history=outcome.history,
        options=record.public_options(options.changed),
        resolved=record.public_options(options.resolved),
        seconds=outcome.seconds,
        resumed=outcome.resumed,
    )


def _test_hop(options: Options, split: Split, extractor: Any) -> float:
    """From one test segment to the next, seconds: those of a pool that is split by segment are cut like its others."""
    if split.unit == "segment":
        return options.data.train_hop_seconds or options.data.segment_seconds
    return windowing(extractor)[1]
