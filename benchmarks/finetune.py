"""What a training step costs: our loop against the defaults of transformers' audio classification example.

    python benchmarks/finetune.py                                              # three models, 10 s and 30 s, batch 2
    python benchmarks/finetune.py --models hubert --seconds 10 --profile       # and where our step goes
    python benchmarks/finetune.py --variants lora lower_half                   # rows for options of fine-tuning
    python benchmarks/finetune.py --device cuda --batch_size 16 --peak_tflops 989      # MFU against H100's dense bf16

Both sides train the same base-sized model from scratch, convolutions frozen, no layerdrop, the configuration's dropout
and SpecAugment, on the same clips, batch and number of threads. Ours is the recipe's step: `mgc_hf.training.train` over
`SegmentDataset`, random windows cut from int16 tracks, precision and attention as chosen for the device. The peer is
the example's, written against transformers' public API: its Trainer in float32, the model's default attention, a random
window and the feature extractor per batch, the collator that the Trainer picks. The peer's clips lie decoded in memory,
which spares it the decoding that the example does for each batch.

Blocks of both are run in turn; a block is a step to warm up and `--steps` timed ones, from the end of one step to the
end of the next, so that reading data counts. The ratio is that of the medians. Peak memory is what a step takes beyond
what imports took: on a CPU each side in a process of its own, on a GPU what torch allocated at most. Bars: 2 x on a CPU
with bfloat16 instructions and on a GPU, 0.95 x elsewhere.
"""

import argparse
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from memory import peak_mib
from transformers import AutoModelForAudioClassification, Trainer, TrainerCallback, TrainingArguments, set_seed

from mgc_hf.augment import Augmentation
from mgc_hf.data.segments import cut_segments
from mgc_hf.data.sources import load_gtzan
from mgc_hf.features import TrackReader, decode_tracks, prepare
from mgc_hf.models.build import plan_model
from mgc_hf.models.fine_tuning import FineTuning
from mgc_hf.options import TrainOptions
from mgc_hf.training import train

NAMES = {
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base",
    "wav2vec2": "facebook/wav2vec2-base",
}
VARIANTS = {"plain": {}, "lora": {"lora_rank": 8}, "lower_half": {"freeze_layers": 6}}
RATE = 16_000


class Clock(TrainerCallback):
    """Notes when steps end; waits for a GPU after the first and at the last one alone."""

    def __init__(self, profiler: Any = None):
        self.profiler = profiler
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time."""
        is_edge = state.global_step in (1, state.max_steps)
        if is_edge and torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        if is_edge and self.profiler is not None:
            self.profiler.start() if state.global_step == 1 else self.profiler.stop()

    @property
    def seconds_per_step(self) -> float:
        """Mean over the timed steps."""
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


class Ours:
    """Our loop."""

    def __init__(self, kind: str, seconds: float, tracks: Any, arguments: argparse.Namespace, variant: str = "plain"):
        self.arguments = arguments
        tuning = FineTuning(freeze_feature_encoder=True, **VARIANTS[variant])
        plan = plan_model(NAMES[kind], segment_seconds=seconds, from_scratch=True, tuning=tuning)
        set_seed(0)
        self.model, self.extractor = plan.build([f"genre {index}" for index in range(10)])
        lengths = TrackReader(tracks).num_samples
        rows = cut_segments(
            tracks["track_id"], tracks["genre"], lengths, RATE, segment_seconds=seconds, hop_seconds=seconds
        )
        whole = rows.take(rows.num_samples == round(seconds * RATE))
        self.data = prepare(
            tracks,
            whole,
            self.extractor,
            num_labels=10,
            augmentation=Augmentation(random_offset=True),
            whole_tracks=True,
        )

    def block(self, steps: int, profiler: Any = None) -> float:
        """Train a step to warm up and `steps` more; return the seconds of one of those."""
        clock = Clock(profiler)
        with tempfile.TemporaryDirectory() as folder:
            options = TrainOptions(
                output_dir=folder,
                max_steps=1 + steps,
                per_device_train_batch_size=self.arguments.batch_size,
                learning_rate=1e-4,
                head_learning_rate=1e-3,
                weight_averaging=0.0,
                bf16=None,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=self.arguments.device == "cpu",
            )
            genres = [f"genre {index}" for index in range(10)]
            train(self.model, self.extractor, self.data, None, None, genres, options, callbacks=[clock])
        self.precision = options.mixed_precision
        return clock.seconds_per_step


def count_flops(side: Any, batch: dict[str, torch.Tensor]) -> int:
    """Count the floating-point operations of a step's forward and backward pass: products and convolutions.

    A product that is added in place (WavLM's scores on a CPU, 1 % of a step) is not in torch's list.
    """
    from torch.utils.flop_counter import FlopCounterMode

    inputs = {name: value.to(side.model.device) for name, value in batch.items()}
    labels = inputs.pop("labels")
    side.model.train()
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(side.model(**inputs).logits, labels).backward()
    side.model.zero_grad()
    return counter.get_total_flops()


class PeerClips(torch.utils.data.Dataset):
    """A random window of each clip and the feature extractor, per batch, as the example's `train_transforms`."""

    def __init__(self, clips: list[np.ndarray], labels: list[int], extractor: Any, num_samples: int):
        self.clips, self.labels, self.extractor, self.num_samples = clips, labels, extractor, num_samples

    def __len__(self) -> int:
        return len(self.clips)

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        windows = []
        for index in indices:
            start = np.random.randint(0, len(self.clips[index]) - self.num_samples + 1)
            windows.append(self.clips[index][start : start + self.num_samples])
        name = self.extractor.model_input_names[0]
        values = self.extractor(windows, sampling_rate=RATE)[name]
        return [{name: value, "labels": self.labels[i]} for value, i in zip(values, indices, strict=True)]


class Peer:
    """The example's loop."""

    def __init__(self, kind: str, seconds: float, tracks: Any, arguments: argparse.Namespace):
        self.arguments = arguments
        plan = plan_model(NAMES[kind], segment_seconds=seconds, from_scratch=True)
        config = copy.deepcopy(plan.config)
        config.num_labels = 10
        config._attn_implementation = None  # the model's default
        set_seed(0)
        self.model = AutoModelForAudioClassification.from_config(config)
        self.model.freeze_feature_encoder()
        self.extractor = plan.extractor
        reader = TrackReader(tracks)
        needed = round(seconds * RATE)
        clips = [reader.read(row) for row in range(len(tracks)) if reader.num_samples[row] >= needed]
        self.data = PeerClips(clips, [index % 10 for index in range(len(clips))], self.extractor, needed)

    def block(self, steps: int) -> float:
        """Train a step to warm up and `steps` more; return the seconds of one of those."""
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            args = TrainingArguments(
                output_dir=folder,
                max_steps=1 + steps,
                per_device_train_batch_size=self.arguments.batch_size,
                remove_unused_columns=False,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=self.arguments.device == "cpu",
            )
            Trainer(
                self.model, args, train_dataset=self.data, processing_class=self.extractor, callbacks=[clock]
            ).train()
        return clock.seconds_per_step


def make_tracks(arguments: argparse.Namespace, seconds: float, folder: Path) -> Any:
    """Decode the clips of `--audio`, or write and decode noise: enough for a block without a second epoch."""
    import soundfile

    if arguments.audio is None:
        rng = np.random.default_rng(0)
        for index in range(arguments.batch_size * (1 + arguments.steps)):
            genre = folder / f"genre {index % 10}"
            genre.mkdir(exist_ok=True)
            samples = 0.1 * rng.standard_normal(round((seconds + 1) * RATE))
            soundfile.write(genre / f"{index}.wav", samples, RATE, subtype="PCM_16")
    return decode_tracks(load_gtzan(arguments.audio or folder, cache_dir=str(folder)), RATE)


def child(arguments: argparse.Namespace) -> None:
    """Run one side alone and print its peak memory beyond that of the imports, MiB."""
    [kind], [seconds], [variant] = arguments.models, arguments.seconds, arguments.variants
    with tempfile.TemporaryDirectory() as folder:
        tracks = make_tracks(arguments, seconds, Path(folder))
        before = psutil.Process().memory_info().rss / 2**20
        if arguments.child == "ours":
            Ours(kind, seconds, tracks, arguments, variant).block(2)
        else:
            Peer(kind, seconds, tracks, arguments).block(2)
    print(json.dumps(peak_mib() - before))


def peak_memory(arguments: argparse.Namespace, side: str, kind: str, seconds: float, variant: str) -> float:
    """Return the peak memory of one side in a process of its own, MiB."""
    command = [sys.executable, __file__, "--child", side, "--models", kind, "--seconds", str(seconds)]
    command += ["--variants", variant, "--batch_size", str(arguments.batch_size), "--steps", "2"]
    command += ["--threads", str(arguments.threads)] + (["--audio", arguments.audio] if arguments.audio else [])
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    return float(done.stdout.splitlines()[-1])


def measured(side: Any, steps: int, on_gpu: bool) -> tuple[float, float]:
    """Run a block; return its seconds per step, and on a GPU what torch allocated at most, MiB."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = side.block(steps)
    return seconds, torch.cuda.max_memory_allocated() / 2**20 if on_gpu else 0.0


def compare(arguments: argparse.Namespace, kind: str, seconds: float) -> None:
    """Run the blocks of one model and window, and print a row for each variant."""
    on_gpu = arguments.device == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        tracks = make_tracks(arguments, seconds, Path(folder))
        peer = Peer(kind, seconds, tracks, arguments)
        ours = {variant: Ours(kind, seconds, tracks, arguments, variant) for variant in arguments.variants}
        sides: dict[str, Any] = {"peer": peer, **ours}
        blocks: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for _ in range(arguments.rounds):
            for name, side in sides.items():
                blocks[name].append(measured(side, arguments.steps, on_gpu))
        times = {name: statistics.median(seconds for seconds, _ in rounds) for name, rounds in blocks.items()}
        memory = {name: max(memory for _, memory in rounds) for name, rounds in blocks.items()}
        if not on_gpu and arguments.memory:
            memory["peer"] = peak_memory(arguments, "peer", kind, seconds, "plain")
            memory |= {name: peak_memory(arguments, "ours", kind, seconds, name) for name in ours}
        batch = ours[arguments.variants[0]].data.__getitems__(range(arguments.batch_size))
        teraflops = {name: count_flops(side, batch) / 1e12 for name, side in sides.items()}
        for name, side in ours.items():
            ratios = [theirs / mine for (theirs, _), (mine, _) in zip(blocks["peer"], blocks[name], strict=True)]
            row = (
                f"{kind:9s} {seconds:4g} s  {name:10s}  ours {times[name]:.3f} s a step ({side.precision}), "
                f"{1 / times[name]:.2f} steps/s, {arguments.batch_size / times[name]:.2f} clips/s   peer "
                f"{times['peer']:.3f} s   ratio {times['peer'] / times[name]:.2f} ({min(ratios):.2f} to "
                f"{max(ratios):.2f})   {teraflops[name]:.2f} TFLOP a step"
            )
            if memory["peer"]:
                row += f"   peak memory {memory[name]:,.0f} MiB, peer {memory['peer']:,.0f} MiB"
            if arguments.peak_tflops:
                use = [100 * teraflops[which] / times[which] / arguments.peak_tflops for which in (name, "peer")]
                row += f"   MFU {use[0]:.1f} %, peer {use[1]:.1f} %"
            print(row, flush=True)
        if arguments.profile:
            show_profile(ours[arguments.variants[0]], arguments)


def show_profile(side: Ours, arguments: argparse.Namespace) -> None:
    """Print where the time of our steps goes."""
    from torch.profiler import ProfilerActivity, profile

    on_gpu = arguments.device == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_gpu else [])
    profiler = profile(activities=activities)
    side.block(arguments.steps, profiler)
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    print(profiler.key_averages().table(sort_by=order, row_limit=30, max_name_column_width=60))


def main() -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0, 30.0])
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=["plain"])
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a block")
    parser.add_argument("--rounds", type=int, default=3, help="blocks of each side")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--audio", help="folder <genre>/<file> of clips at least as long as the window")
    parser.add_argument("--peak_tflops", type=float, default=0.0, help="of the device in bf16, dense, for the MFU")
    parser.add_argument("--no_memory", dest="memory", action="store_false", help="CPU: do not measure peak memory")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--child", choices=["ours", "peer"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        child(arguments)
        return
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {arguments.threads} threads"
    print(f"torch {torch.__version__}, {where}, batch {arguments.batch_size}, convolutions frozen in both")
    for kind in arguments.models:
        for seconds in arguments.seconds:
            compare(arguments, kind, seconds)


if __name__ == "__main__":
    main()
