"""A checkpoint of every kind of model is read back whole: the best epoch's weights are those that were judged."""

import pytest
import torch

from mgc_hf.models.build import build_model
from mgc_hf.models.fine_tuning import FineTuning
from mgc_hf.options import parse_options
from mgc_hf.training.arguments import trainer_arguments
from mgc_hf.training.trainer import GenreTrainer
from tests.models.kinds import KINDS, save_checkpoint


@pytest.mark.parametrize("lora_rank", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_back(kind, lora_rank, tmp_path):
    """FC46."""
    folder = str(save_checkpoint(kind, tmp_path / "model"))
    targets = ["q_proj", "linear_q", "query_proj"]
    names = dict(build_model(folder, ["a", "b"], segment_seconds=1.0)[0].named_modules())
    target = next(t for t in targets if any(name.endswith(f".{t}") for name in names))
    tuning = FineTuning(lora_rank=lora_rank, lora_target_modules=target)
    model, extractor = build_model(folder, ["a", "b"], segment_seconds=1.0, tuning=tuning)
    options = parse_options(argv=[], values={"output_dir": str(tmp_path / "run"), "use_cpu": True}).train
    trainer = GenreTrainer(model, trainer_arguments(options, False), extractor, train_data=[])
    trainer.save_model(str(tmp_path / "checkpoint"), _internal_call=True)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    trainer._load_from_checkpoint(str(tmp_path / "checkpoint"))
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
