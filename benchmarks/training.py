"""What the Trainer costs: an epoch of the LSTM's recipe against a bare PyTorch loop over the same batches.

    python benchmarks/training.py                      # 1,000 segments of the demo corpus, five pairs, one thread
    python benchmarks/training.py --profile            # and where the Trainer's epoch goes

Both train the same LSTM (batch 32, AdamW, clipping, label smoothing) on one thread. The Trainer's epoch is that of
`mgc_hf.training.train` through the package's own data path: features cached in an Arrow file, served by
`SegmentDataset`. The bare loop indexes the same features as one tensor in memory. After each epoch of the Trainer comes
one of the bare loop, with the same rows in the same order: that is a pair. Set-up and first epoch are left out;
augmentation, logging, evaluation, checkpoints and weight averaging are off. Bar: a median ratio of at most 1.2.
"""

import argparse
import copy
import cProfile
import os
import pstats
import statistics
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import torch
from transformers import TrainerCallback, set_seed

from mgc_hf.data.segments import cut_segments
from mgc_hf.data.sources import load_gtzan
from mgc_hf.features import decode_tracks, prepare
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.models.build import build_model
from mgc_hf.options import TrainOptions
from mgc_hf.training import train
from mgc_hf.training.sampling import EpochSampler

SEED = 0


def make_data(extractor, num_segments: int):
    """Return `num_segments` segments of the demo corpus as `SegmentDataset`."""
    clips_per_genre = -(-num_segments // 100)
    tracks = decode_tracks(load_gtzan("demo", demo_clips_per_genre=clips_per_genre), extractor.sampling_rate)
    lengths = [len(row) for row in tracks.with_format("arrow")["samples"]]
    rows = cut_segments(
        tracks["track_id"], tracks["genre"], lengths, extractor.sampling_rate, segment_seconds=3.0, hop_seconds=3.0
    )
    rows = rows.take(np.arange(len(rows)) < num_segments)
    return prepare(tracks, rows, extractor, num_labels=len(GTZAN_GENRES))


class BareLoop:
    """The same training without the Trainer: what an epoch costs at least."""

    def __init__(self, model: torch.nn.Module, data, options: TrainOptions):
        self.model = model.train()
        batch = data.__getitems__(range(len(data)))
        self.labels = batch.pop("labels")
        self.inputs = batch
        self.options = options
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        self.sampler = EpochSampler(len(data), SEED)

    def epoch(self, number: int) -> float:
        """Train one epoch and return its seconds."""
        began = time.perf_counter()
        self.sampler.set_epoch(number)
        order = torch.tensor(list(self.sampler))
        for rows in order.split(self.options.per_device_train_batch_size):
            inputs = {name: value[rows] for name, value in self.inputs.items()}
            logits = self.model(**inputs).logits
            loss = torch.nn.functional.cross_entropy(
                logits, self.labels[rows], label_smoothing=self.options.label_smoothing_factor
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.max_grad_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return time.perf_counter() - began


class Pairs(TrainerCallback):
    """Times each epoch of the Trainer, and one of the bare loop right after it."""

    def __init__(self, bare: BareLoop, profile: cProfile.Profile | None):
        self.bare, self.profile = bare, profile
        self.pairs: list[tuple[float, float]] = []
        self.began = 0.0

    def on_epoch_begin(self, *_, **__):
        """Start the clock."""
        if self.profile is not None and self.pairs:
            self.profile.enable()
        self.began = time.perf_counter()

    def on_epoch_end(self, *_, **__):
        """Stop it, and run the other half of the pair."""
        seconds = time.perf_counter() - self.began
        if self.profile is not None:
            self.profile.disable()
        self.pairs.append((seconds, self.bare.epoch(len(self.pairs))))


def main() -> None:
    """Run the pairs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    set_seed(SEED)
    model, extractor = build_model("mel_lstm", GTZAN_GENRES, segment_seconds=3.0)
    data = make_data(extractor, arguments.segments)
    shape = tuple(data.__getitems__([0])["input_features"].shape[1:])
    model.fit_statistics(data.batches(64))
    with tempfile.TemporaryDirectory() as folder:
        options = TrainOptions(
            output_dir=folder,
            num_train_epochs=1 + arguments.pairs,
            weight_averaging=0.0,
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
        )
        profile = cProfile.Profile() if arguments.profile else None
        pairs = Pairs(BareLoop(copy.deepcopy(model), data, options), profile)
        train(model, extractor, data, None, None, GTZAN_GENRES, options, callbacks=[pairs])
    timed = pairs.pairs[1:]
    ratios = [trainer / bare for trainer, bare in timed]
    print(f"{len(data)} segments of {shape[0]} x {shape[1]}, batch {options.per_device_train_batch_size}, one thread")
    for trainer, bare in timed:
        print(f"  Trainer {trainer:.3f} s   bare loop {bare:.3f} s   ratio {trainer / bare:.3f}")
    print(f"ratio: median {statistics.median(ratios):.3f} (range {min(ratios):.3f} to {max(ratios):.3f}); bar 1.2")
    if profile is not None:
        pstats.Stats(profile).sort_stats("cumtime").print_stats(40)


if __name__ == "__main__":
    main()
