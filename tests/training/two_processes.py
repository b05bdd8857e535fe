"""Trains tiny models of every kind in each of several processes; started by torchrun from `test_two_processes.py`.

Every case is a model type as a run builds it, with activation checkpointing or without, with layers left out at random
or not, and some with masks or LoRA: two steps through the loop's Trainer. The main process writes what came of them as JSON to the file named on the command line.
"""

import gc
import json
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.distributed as dist
import transformers

from mgc_hf.models.build import ModelPlan
from mgc_hf.models.fine_tuning import FineTuning
from mgc_hf.models.window import masks_time
from mgc_hf.training.arguments import trainer_arguments
from mgc_hf.training.trainer import GenreTrainer
from tests.training.stand_ins import make_extractor, make_options

TRANSFORMER = {
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "num_labels": 3,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
}
CONVOLUTIONS = {
    "conv_dim": (4, 4),
    "conv_stride": (5, 4),
    "conv_kernel": (5, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 4,
}
#: Model type -> class prefix, configuration, shape of a row.
MODELS = {
    "hubert": ("Hubert", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "wavlm": ("WavLM", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "wav2vec2": ("Wav2Vec2", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "unispeech": ("UniSpeech", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "unispeech-sat": ("UniSpeechSat", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "sew": ("SEW", {**TRANSFORMER, **CONVOLUTIONS, "squeeze_factor": 2}, (400,)),
    "data2vec-audio": ("Data2VecAudio", {**TRANSFORMER, **CONVOLUTIONS, "num_conv_pos_embeddings": 2}, (400,)),
    "wav2vec2-conformer": ("Wav2Vec2Conformer", {**TRANSFORMER, **CONVOLUTIONS}, (400,)),
    "wav2vec2-bert": (
        "Wav2Vec2Bert",
        {**TRANSFORMER, "feature_projection_input_dim": 6, "classifier_proj_size": 4},
        (20, 6),
    ),
    "whisper": (
        "Whisper",
        {
            "d_model": 8,
            "encoder_layers": 3,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 8,
            "num_mel_bins": 6,
            "max_source_positions": 10,
            "classifier_proj_size": 4,
            "num_labels": 3,
        },
        (6, 20),
    ),
    "audio-spectrogram-transformer": (
        "AST",
        {**TRANSFORMER, "patch_size": 4, "frequency_stride": 4, "time_stride": 4, "max_length": 20, "num_mel_bins": 8},
        (20, 8),
    ),
}
HEADS = {"Whisper": "ForAudioClassification", "AST": "ForAudioClassification"}


class Rows(torch.utils.data.Dataset):
    """Eight rows of noise in the shape of a model's input."""

    def __init__(self, name, shape):
        self.name = name
        self.values = torch.from_numpy(np.random.default_rng(0).normal(size=(8, *shape)).astype(np.float32))

    def __len__(self):
        return len(self.values)

    def __getitems__(self, indices):
        return {self.name: self.values[indices], "labels": torch.tensor(indices) % 3}


#: Name -> model type, activation checkpointing, layerdrop, further configuration values, what is fine-tuned.
CASES = {
    f"{kind}-{'checkpointing' if checkpointing else 'plain'}-{layerdrop}": (kind, checkpointing, layerdrop, {}, {})
    for kind in MODELS
    for checkpointing in (False, True)
    for layerdrop in (0.0, 0.5)
}
for _kind in ("hubert", "wavlm", "wav2vec2"):
    CASES[f"{_kind}-masked"] = (_kind, False, 0.0, {"mask_time_prob": 0.5, "mask_time_length": 2}, {})
    CASES[f"{_kind}-lora"] = (_kind, False, 0.0, {}, {"lora_rank": 2})


def make_model(kind, layerdrop, values, tuning):
    """Build a tiny model as a run does: its dropout, its attention, what is trained of it."""
    prefix, sizes, shape = MODELS[kind]
    config = getattr(transformers, f"{prefix}Config")(**{**sizes, **values})
    drops = any(hasattr(config, name) for name in ("layerdrop", "encoder_layerdrop"))
    tuned = FineTuning(layerdrop=layerdrop if drops else 0.0, **tuning)
    tuned.configure(config, kind)
    model_class = getattr(transformers, prefix + HEADS.get(prefix, "ForSequenceClassification"))
    whisper = SimpleNamespace(nb_max_frames=20)
    plan = ModelPlan(kind, config, whisper, tuned, tuned.attention(model_class, config, kind), pretrained=False)
    transformers.set_seed(0)
    model, _ = plan.build(("blues", "jazz", "metal"))
    return model, Rows(model.main_input_name, shape)


def run_case(kind, checkpointing, layerdrop, values, tuning, folder):
    """Train two steps; return what the test looks at."""
    model, rows = make_model(kind, layerdrop, values, tuning)
    options = make_options(
        folder,
        max_steps=2,
        per_device_train_batch_size=2,
        gradient_checkpointing=checkpointing,
        save_strategy="no",
        weight_averaging=0.0,
        ddp_timeout=60,
    )
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trainer = GenreTrainer(model, trainer_arguments(options, False), make_extractor(), rows)
    # each process has draws of its own, so that each leaves other layers out
    trainer.add_callback(OtherDraws(trainer.args.process_index))
    trainer.train()
    weights = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    theirs = [torch.zeros_like(weights) for _ in range(trainer.args.world_size)]
    dist.all_gather(theirs, weights)
    return {
        "world_size": trainer.args.world_size,
        "steps": trainer.state.global_step,
        "equal": all(torch.equal(weights, other) for other in theirs),
        "finite": bool(torch.isfinite(weights).all()),
        "masks": masks_time(model.config),
        "lora": sum("lora_" in name for name, _ in model.named_parameters()),
        "moved": sum(not torch.equal(before[name], weight) for name, weight in model.named_parameters()),
    }


class OtherDraws(transformers.TrainerCallback):
    """Gives each process a seed of its own."""

    def __init__(self, rank):
        self.rank = rank

    def on_train_begin(self, *_, **__):
        torch.manual_seed(self.rank)


def main(result):
    """Run every case."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    gc.freeze()  # the Trainer collects garbage at the beginning of each training
    came_of = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            came_of[name] = run_case(*case, Path(folder))
    if dist.get_rank() == 0:
        Path(result).write_text(json.dumps(came_of))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
