import pytest

from mgc_hf.errors import OptionError
from mgc_hf.training.arguments import trainer_arguments
from tests.training.stand_ins import make_options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto_find_batch_size", True),
        ("dataloader_drop_last", True),
        ("prediction_loss_only", True),
        ("batch_eval_metrics", True),
        ("eval_do_concat_batches", False),
        ("bf16_full_eval", True),
        ("fp16_full_eval", True),
        ("save_only_model", True),
        ("ignore_data_skip", True),
        ("eval_on_start", True),
        ("train_sampling_strategy", "group_by_length"),
        ("train_sampling_strategy", "batch_rebalance"),
        ("metric_for_best_model", "f1"),
    ],
)
def test_what_the_loop_cannot_honour_is_refused(tmp_path, name, value):
    options = make_options(tmp_path)
    setattr(options, name, value)
    with pytest.raises(OptionError, match=f"--{name} is {value!r}; it must be"):
        trainer_arguments(options, has_validation=True)


def test_all_refusals_come_at_once(tmp_path):
    options = make_options(tmp_path)
    options.auto_find_batch_size = options.save_only_model = True
    with pytest.raises(OptionError, match=r"--auto_find_batch_size .*; --save_only_model "):
        trainer_arguments(options, has_validation=True)


def test_the_options_themselves_stay_as_they_are(tmp_path):
    options = make_options(tmp_path, save_total_limit=2)
    before = dict(vars(options))
    args = trainer_arguments(options, has_validation=False)
    assert vars(options) == before
    assert args.save_total_limit is None
    assert args.metric_for_best_model is None
    assert args.eval_strategy == "no"
    assert args.label_names == ["labels"]
    assert not args.logging_nan_inf_filter


def test_the_trainer_itself_never_pushes(tmp_path):
    options = make_options(tmp_path)
    options.push_to_hub = True
    assert not trainer_arguments(options, has_validation=False).push_to_hub


@pytest.mark.parametrize(
    ("metric", "greater"), [("segment_accuracy", True), ("track_accuracy", True), ("loss", False)]
)
def test_the_direction_of_the_metric_follows_from_its_name(tmp_path, metric, greater):
    args = trainer_arguments(make_options(tmp_path, metric_for_best_model=metric), has_validation=True)
    assert args.greater_is_better is greater
    assert args.eval_strategy == "epoch"


def test_trackio_is_private_by_default(tmp_path):
    options = make_options(tmp_path)
    options.report_to = ["trackio"]
    assert trainer_arguments(options, has_validation=True).hub_private_repo is True
    options.hub_private_repo = False
    assert trainer_arguments(options, has_validation=True).hub_private_repo is False


def test_unused_weights_are_looked_for_in_many_processes(tmp_path):
    """FC38."""
    for checkpointing in (False, True):
        args = trainer_arguments(make_options(tmp_path, activation_checkpointing=checkpointing), has_validation=True)
        assert args.ddp_find_unused_parameters is True
    asked = make_options(tmp_path, ddp_find_unused_parameters=False)
    assert trainer_arguments(asked, has_validation=True).ddp_find_unused_parameters is False


def test_reentrant_checkpointing_is_refused(tmp_path):
    options = make_options(tmp_path, activation_checkpointing_kwargs={"use_reentrant": True})
    with pytest.raises(OptionError, match="asks for use_reentrant; leave it out"):
        trainer_arguments(options, has_validation=True)
