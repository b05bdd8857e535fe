"""A tiny classifier, a tiny data set and options for them: enough to run the real loop in a fraction of a second."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from transformers import SequenceFeatureExtractor, set_seed
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.modeling_utils import PreTrainedModel

from mgc_hf.data.segments import SegmentTable
from mgc_hf.options import TrainOptions

GENRES = ["blues", "jazz", "rock"]
NUM_FRAMES, NUM_MEL_BINS = 6, 4


class TinyConfig(PreTrainedConfig):
    model_type = "tiny_lstm_for_tests"

    def __init__(self, hidden_size=8, dropout=0.2, **kwargs):
        self.hidden_size = hidden_size
        self.dropout = dropout
        super().__init__(**kwargs)


class TinyClassifier(PreTrainedModel):
    """LSTM, dropout, linear layer; `forward` knows no labels, as the loop never passes any."""

    config_class = TinyConfig
    main_input_name = "input_features"

    def __init__(self, config):
        super().__init__(config)
        self.lstm = torch.nn.LSTM(NUM_MEL_BINS, config.hidden_size, batch_first=True)
        self.dropout = torch.nn.Dropout(config.dropout)
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.1)
            torch.nn.init.zeros_(module.bias)

    def forward(self, input_features):
        # a processor without AVX-512 has no bfloat16 LSTM, which autocast would ask it for
        with torch.autocast("cpu", enabled=False):
            output, _ = self.lstm(input_features)
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(output[:, -1])))


class TinyData(torch.utils.data.Dataset):
    """Same interface as `SegmentDataset`: noise and mixup are pure functions of (seed, epoch, row)."""

    def __init__(self, rows: SegmentTable, augment: bool = False, seed: int = 0, num_labels: int = len(GENRES)):
        self.rows, self.augment, self.seed, self.num_labels = rows, augment, seed, num_labels
        self.epoch = 0
        self.epochs_seen: list[int] = []
        generator = np.random.default_rng(7)
        centres = generator.normal(size=(num_labels, NUM_FRAMES, NUM_MEL_BINS))
        noise = generator.normal(size=(len(rows), NUM_FRAMES, NUM_MEL_BINS))
        self.features = (centres[rows.label] + 1.5 * noise).astype(np.float32)

    def __len__(self):
        return len(self.rows)

    def set_epoch(self, epoch):
        self.epoch = epoch
        self.epochs_seen.append(epoch)

    def _one(self, row):
        label = np.eye(self.num_labels, dtype=np.float32)[self.rows.label[row]]
        if not self.augment:
            return self.features[row], label
        rng = np.random.default_rng((self.seed, self.epoch, row))
        share, other = rng.beta(0.4, 0.4), int(rng.integers(len(self)))
        noisy = self.features[row] + 0.1 * rng.normal(size=self.features[row].shape)
        mixed = share * noisy + (1 - share) * self.features[other]
        labels = share * label + (1 - share) * np.eye(self.num_labels)[self.rows.label[other]]
        return mixed.astype(np.float32), labels.astype(np.float32)

    def __getitems__(self, indices):
        features, labels = zip(*(self._one(int(index)) for index in indices), strict=True)
        targets = torch.from_numpy(np.stack(labels))
        return {
            "input_features": torch.from_numpy(np.stack(features)),
            "labels": targets if self.augment else targets.argmax(-1),
        }

    def __getitem__(self, index):
        return {name: value[0] for name, value in self.__getitems__([index]).items()}


def make_rows(num_tracks: int, part: str, segments: int = 2, num_labels: int = len(GENRES)) -> SegmentTable:
    """Rows of `num_tracks` tracks, `segments` each."""
    track = np.repeat(np.arange(num_tracks), segments)
    segment = np.tile(np.arange(segments), num_tracks)
    zeros = np.zeros(len(track), dtype=np.int64)
    return SegmentTable(
        track_id=[f"{part}.{number:05d}" for number in track],
        track=track,
        segment=segment,
        start=zeros,
        num_samples=zeros + 100,
        start_s=zeros.astype(float),
        part=[part] * len(track),
        label=track % num_labels,
        copy=zeros,
    )


def make_options(output_dir: Path, **values) -> TrainOptions:
    """Options of a run of a few steps, everything stateful switched on."""
    defaults = {
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "learning_rate": 2e-2,
        "weight_averaging": 0.9,
        "disable_tqdm": True,
        "use_cpu": True,
        "logging_strategy": "no",
    }
    return TrainOptions(output_dir=str(output_dir), **{**defaults, **values})


def make_model(seed: int = 0, num_labels: int = len(GENRES), **config) -> TinyClassifier:
    set_seed(seed)
    return TinyClassifier(TinyConfig(num_labels=num_labels, **config))


def make_extractor() -> SequenceFeatureExtractor:
    return SequenceFeatureExtractor(feature_size=NUM_MEL_BINS, sampling_rate=16000, padding_value=0.0)


def run_loop(
    output_dir: Path,
    *,
    validation: bool = True,
    augment: bool = True,
    dropout: float = 0.2,
    segments: int = 2,
    signature=None,
    genres=GENRES,
    callbacks=(),
    model=None,
    **values,
):
    """Train the tiny classifier through the real loop: 12 training tracks and 6 validation tracks of 2 segments."""
    from mgc_hf.training import train

    labels = len(genres)
    train_rows = make_rows(12, "train", num_labels=labels)
    validation_rows = make_rows(6, "validation", segments, num_labels=labels)
    return train(
        model or make_model(values.get("seed", 0), num_labels=labels, dropout=dropout),
        make_extractor(),
        TinyData(train_rows, augment, num_labels=labels),
        TinyData(validation_rows, num_labels=labels) if validation else None,
        validation_rows if validation else None,
        genres,
        make_options(output_dir, **values),
        signature=signature or {"split": "abc"},
        callbacks=callbacks,
    )


def run_real_loop(output_dir: Path, *, corpus: str, augmentation: dict, **values):
    """Train a small LSTM of the package through its own data path: a folder of clips, cached or augmented features."""
    from mgc_hf.augment import Augmentation
    from mgc_hf.data.segments import assign_parts, cut_segments
    from mgc_hf.data.sources import load_gtzan
    from mgc_hf.features import TrackReader, decode_tracks, prepare
    from mgc_hf.models.build import build_model
    from mgc_hf.training import train

    clips = load_gtzan(corpus, cache_dir=f"{corpus}-cache")
    genres = clips.features["genre"].names
    set_seed(0)
    model, extractor = build_model("mel_lstm", genres, segment_seconds=1.0, model_values={"hidden_size": 8})
    tracks = decode_tracks(clips, extractor.sampling_rate)
    lengths = [len(TrackReader(tracks).read(row)) for row in range(len(tracks))]
    cut = {"segment_seconds": 1.0, "hop_seconds": 1.0}
    rows = cut_segments(tracks["track_id"], tracks["genre"], lengths, extractor.sampling_rate, **cut)
    rows = assign_parts(rows, "train")
    validation_rows = assign_parts(rows.take(rows.segment == 0), "validation")
    plain = prepare(tracks, rows, extractor, num_labels=len(genres))
    model.fit_statistics(plain.batches(8))
    return train(
        model,
        extractor,
        prepare(
            tracks,
            rows,
            extractor,
            num_labels=len(genres),
            augmentation=Augmentation.from_values(augmentation),
            whole_tracks=True,
        ),
        prepare(tracks, validation_rows, extractor, num_labels=len(genres)),
        validation_rows,
        genres,
        make_options(output_dir, **values),
    )


def write_clips(folder: Path, clips_per_genre: int = 4, seconds: float = 3.0) -> None:
    """Write clips of tones in noise, one pitch range per genre."""
    import soundfile

    generator = np.random.default_rng(3)
    time = np.arange(round(22050 * seconds)) / 22050
    for index, genre in enumerate(GENRES):
        (folder / genre).mkdir(parents=True)
        for number in range(clips_per_genre):
            tone = np.sin(2 * np.pi * 200 * (index + 1 + generator.random()) * time)
            samples = 0.2 * tone + 0.05 * generator.normal(size=len(time))
            soundfile.write(folder / genre / f"{genre}.{number:05d}.wav", samples, 22050)


def as_record(outcome) -> dict:
    """What two runs must share to be the same run: weights, averaged weights and figures, bit for bit."""
    trainer = outcome.trainer
    weights = {name: value.numpy().tobytes().hex() for name, value in outcome.model.state_dict().items()}
    averages = {}
    if trainer.average is not None:
        averages = {name: value.numpy().tobytes().hex() for name, value in trainer.average.state_dict().items()}
    return {
        "weights": weights,
        "averages": averages,
        "history": [dataclasses.asdict(record) for record in outcome.history],
        "selected": [outcome.selected, outcome.selected_epoch],
        "steps": outcome.steps,
        "epochs": outcome.epochs,
    }
