"""Augmentation of training segments: every draw is a pure function of (seed, epoch, row).

So a row looks the same in whatever batch, order, worker, process or resumed run it is read, and differs from epoch to
epoch. Draws of one kind come from one stream per epoch, of which row r takes the r-th item; noise, which needs as many
draws as samples, has a generator per row. Each kind has a stream of its own: switching one option on or off changes
nothing about the others. No global generator is read or moved. `docs/augmentation.md` explains every operation.
"""

import hashlib
import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from mgc_hf.errors import OptionError

# First numbers of the generators' seeds, from 1: `SeedSequence` pads with zeros, so a 0 would not tell them apart.
_WAVEFORM, _SPECTROGRAM, _PARTNER, _WEIGHT, _NOISE, _COPY = range(1, 7)

#: Width of the interval that the signal-to-noise ratio is drawn from, dB: `noise_snr_db` and up.
SNR_RANGE_DB = 30.0

#: Source samples beyond the exact number that time stretch is given, so that rounding never leaves it short.
_STRETCH_MARGIN = 4


class WaveformDraw(NamedTuple):
    """What one row draws for its waveform: numbers in [0, 1), one per operation, and the seed of its noise."""

    offset: float
    shift: float
    stretch: float
    pitch: float
    snr: float
    gain: float
    noise_seed: tuple[int, ...]


@dataclass(frozen=True)
class EpochDraws:
    """What every row of a data set draws in one epoch.

    Args:
        waveform (`np.ndarray` of `float64`, shape `(num_rows, 6)`): Uniform draws, columns as in `WaveformDraw`.
        masks (`np.ndarray` of `float64`, shape `(num_rows, num_masks, 2)`): Uniform draws for width and start of each
            SpecAugment mask, those in time first.
        partner (`np.ndarray` of `int64`, shape `(num_rows,)`): The row that mixup mixes in.
        weight (`np.ndarray` of `float32`, shape `(num_rows,)`): Mixup's lambda, the weight of the row itself.
        seed (`int`), epoch (`int`): What they were drawn for.
    """

    waveform: np.ndarray
    masks: np.ndarray
    partner: np.ndarray
    weight: np.ndarray
    seed: int
    epoch: int

    def of_row(self, row: int) -> WaveformDraw:
        """Return what one row draws for its waveform."""
        return WaveformDraw._make([*self.waveform[row].tolist(), (_NOISE, self.seed, self.epoch, row)])


@dataclass(frozen=True)
class Augmentation:
    """The operations and their strengths; all are off by default. True in a condition if any is on.

    Args:
        random_offset (`bool`): Start each segment anywhere in its track.
        time_shift_seconds (`float`): Shift by up to this much either way, seconds.
        gain_db (`float`): Change the level by up to this much either way, dB.
        noise_snr_db (`float`, *optional*): Add white noise at a signal-to-noise ratio of at least this, dB.
        pitch_shift_semitones (`float`): Shift the pitch by up to this much either way, semitones.
        time_stretch (`float`): Change the tempo by up to this fraction either way.
        spec_time_masks (`int`), spec_time_width (`int`): SpecAugment: number of time masks and their largest width,
            frames.
        spec_frequency_masks (`int`), spec_frequency_width (`int`): SpecAugment: number of frequency masks and their
            largest width, bands.
        mixup_alpha (`float`): Parameter of mixup's Beta distribution.
        mixup_waveforms (`bool`): Mix the waveforms instead of the model's inputs.

    Raises:
        OptionError: Values out of range, all of them in one message.
    """

    random_offset: bool = False
    time_shift_seconds: float = 0.0
    gain_db: float = 0.0
    noise_snr_db: float | None = None
    pitch_shift_semitones: float = 0.0
    time_stretch: float = 0.0
    spec_time_masks: int = 0
    spec_time_width: int = 0
    spec_frequency_masks: int = 0
    spec_frequency_width: int = 0
    mixup_alpha: float = 0.0
    mixup_waveforms: bool = False

    def __post_init__(self) -> None:
        upper = {"pitch_shift_semitones": 24, "time_stretch": 0.5}
        wrong = []
        for name, value in asdict(self).items():
            if name in ("random_offset", "noise_snr_db", "mixup_waveforms"):
                if value is not None and not math.isfinite(value):
                    wrong.append(f"{name} is {value}; it must be a finite number")
            elif not 0 <= value <= upper.get(name, math.inf) or not math.isfinite(value):
                allowed = f"from 0 to {upper[name]}" if name in upper else "0 or more"
                wrong.append(f"{name} is {value}; it must be {allowed}")
        if self.mixup_waveforms and not self.mixes:
            wrong.append(
                f"mixup_waveforms is on and mixup_alpha is {self.mixup_alpha}; it must be above 0, such as 0.4"
            )
        if wrong:
            raise OptionError("; ".join(wrong))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Take the fields of this class from a mapping, such as `vars` of the recipes' `AugmentOptions`."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def __bool__(self) -> bool:
        return self.changes_waveform or self.changes_spectrogram or self.mixes

    @property
    def changes_waveform(self) -> bool:
        """Whether a row's samples change, so that its features must be computed anew each epoch."""
        return (
            self.random_offset
            or self.noise_snr_db is not None
            or self.needs_audiomentations
            or self._moves
            or self.mixup_waveforms
        )

    @property
    def _moves(self) -> bool:
        return self.time_shift_seconds > 0 or self.gain_db > 0

    @property
    def needs_audiomentations(self) -> bool:
        """Whether the optional package is needed."""
        return self.pitch_shift_semitones > 0 or self.time_stretch > 0

    @property
    def changes_spectrogram(self) -> bool:
        """Whether SpecAugment is on."""
        return self.spec_time_masks * self.spec_time_width + self.spec_frequency_masks * self.spec_frequency_width > 0

    @property
    def mixes(self) -> bool:
        """Whether mixup is on, and labels are therefore soft."""
        return self.mixup_alpha > 0

    def check(self, *, has_spectrograms: bool, whole_tracks: bool) -> None:
        """Refuse what cannot be done, before any time is spent.

        Args:
            has_spectrograms (`bool`): Whether the model takes spectrograms.
            whole_tracks (`bool`): Whether each track lies in one part.

        Raises:
            OptionError: SpecAugment without spectrograms, `random_offset` where tracks are split, or pitch shift or time
                stretch without `audiomentations`.
        """
        if self.random_offset and not whole_tracks:
            raise OptionError(
                "--random_offset would take samples of other segments of the track, which are in validation or test "
                "when segments are split: use --protocol track, or --time_shift_seconds"
            )
        if self.changes_spectrogram and not has_spectrograms:
            raise OptionError(
                "--spec_time_masks and --spec_frequency_masks need a model that takes spectrograms, which this one does not: "
                "set both to 0 (a model of waveforms may mask by itself, with --mask_time_prob)"
            )
        if self.needs_audiomentations:
            _load_audiomentations()

    def draw(self, seed: int, epoch: int, num_rows: int) -> EpochDraws:
        """Draw for all rows of an epoch at once; row r's numbers depend on (seed, epoch, r) alone.

        Only mixup's partner depends on `num_rows` as well, since it may be any row.

        Args:
            seed (`int`): At least 0.
            epoch (`int`): At least 0.
            num_rows (`int`): Rows of the data set.
        """

        def stream(kind: int) -> np.random.Generator:
            return np.random.default_rng((kind, seed, epoch))

        masks = self.spec_time_masks + self.spec_frequency_masks
        # a zero alpha is the limit of the Beta distribution without mixing: the weight of the row itself is one
        weight = (
            stream(_WEIGHT).beta(self.mixup_alpha, self.mixup_alpha, num_rows) if self.mixes else np.ones(num_rows)
        )
        return EpochDraws(
            waveform=stream(_WAVEFORM).random((num_rows, 6)),
            masks=stream(_SPECTROGRAM).random((num_rows, masks, 2)),
            partner=(stream(_PARTNER).random(num_rows) * num_rows).astype(np.int64),
            weight=weight.astype(np.float32),
            seed=seed,
            epoch=epoch,
        )

    def waveform(
        self, track: np.ndarray, scale: float, start: int, num_samples: int, sampling_rate: int, draw: WaveformDraw
    ) -> np.ndarray:
        """Read a segment of a track and augment it: offset, shift, time stretch, pitch shift, noise, gain.

        Where the track is longer than the segment, offset and shift move the window, so that all samples are the
        track's own (a shift beyond its end goes the other way); where it is not, the shift rolls the segment around.
        Where a faster tempo needs more samples than there are, the segment is filled from its own beginning.

        Args:
            track (`np.ndarray` of `int16`, shape `(track_samples,)`): All that may be read.
            scale (`float`): What a step of the integers is worth.
            start (`int`): First sample of the segment.
            num_samples (`int`): Its length.
            sampling_rate (`int`): Hz.
            draw ([`WaveformDraw`]): What the row drew.

        Returns:
            `np.ndarray` of `float32`, shape `(num_samples,)`.
        """
        room = len(track) - num_samples
        shift = round(_symmetric(draw.shift) * self.time_shift_seconds * sampling_rate)
        if room > 0:
            if self.random_offset:
                start = int(draw.offset * (room + 1))
            shift = shift if 0 <= start + shift <= room else -shift
            start = min(max(start + shift, 0), room)
        rate = 1 + _symmetric(draw.stretch) * self.time_stretch
        length = math.ceil(num_samples * rate) + _STRETCH_MARGIN if self.time_stretch else num_samples
        start = max(min(start, len(track) - length), 0)
        samples = track[start : start + length].astype(np.float32) * np.float32(scale)
        if room <= 0 and shift:
            samples = np.roll(samples, shift)
        if self.needs_audiomentations:
            samples = self._stretch_and_pitch(samples, num_samples, rate, sampling_rate, draw)
        if self.noise_snr_db is not None:
            samples += self._noise(samples, draw)
        if self.gain_db:
            samples *= np.float32(10 ** (_symmetric(draw.gain) * self.gain_db / 20))
        return samples

    def _noise(self, samples: np.ndarray, draw: WaveformDraw) -> np.ndarray:
        assert self.noise_snr_db is not None
        power = float(np.square(samples, dtype=np.float64).mean())
        deviation = math.sqrt(power * 10 ** (-(self.noise_snr_db + draw.snr * SNR_RANGE_DB) / 10))
        noise = np.random.default_rng(draw.noise_seed).standard_normal(len(samples), dtype=np.float32)
        return noise * np.float32(deviation)

    def _stretch_and_pitch(
        self, samples: np.ndarray, num_samples: int, rate: float, sampling_rate: int, draw: WaveformDraw
    ) -> np.ndarray:
        library = _load_audiomentations()
        if self.time_stretch:
            transform = library.TimeStretch(leave_length_unchanged=False, p=1.0)
            samples = _apply_frozen(transform, samples, sampling_rate, rate=rate)
            samples = np.resize(samples, num_samples)  # cuts, or repeats from the beginning
        if self.pitch_shift_semitones:
            semitones = _symmetric(draw.pitch) * self.pitch_shift_semitones
            samples = _apply_frozen(library.PitchShift(p=1.0), samples, sampling_rate, num_semitones=semitones)
        return np.array(samples, dtype=np.float32)

    def mask(self, spectrograms: torch.Tensor, num_frames: np.ndarray, draws: np.ndarray) -> None:
        """Apply SpecAugment's time and frequency masks in place (Park et al. 2019, without time warping).

        A mask's width is uniform over 0..width and its start uniform over where it fits. Masked values become the mean
        of that spectrogram's frames: the paper masks with zero after normalising to zero mean, which is the same, and
        our models normalise later. A time mask covers at most half of a row's frames (the paper's bound p).

        Args:
            spectrograms (`torch.Tensor` of `float32`, shape `(batch_size, num_frames, num_bands)`): On the CPU.
            num_frames (`np.ndarray` of `int64`, shape `(batch_size,)`): Frames that are not padding; the rest stays.
            draws (`np.ndarray`, shape `(batch_size, num_masks, 2)`): `EpochDraws.masks` of the rows.
        """
        values = spectrograms.numpy()
        bands = values.shape[2]
        room = np.empty(draws.shape[:2], dtype=np.int64)
        room[:, : self.spec_time_masks] = num_frames[:, None]
        room[:, self.spec_time_masks :] = bands
        widest = np.empty_like(room)
        widest[:, : self.spec_time_masks] = np.minimum(self.spec_time_width, num_frames // 2)[:, None]
        widest[:, self.spec_time_masks :] = min(self.spec_frequency_width, bands)
        width = (draws[..., 0] * (widest + 1)).astype(np.int64)
        start = (draws[..., 1] * (room - width + 1)).astype(np.int64)
        # slices of single rows touch a tenth of the batch: five times faster than one vectorised `where` over it
        for row, (frames, starts, stops) in enumerate(
            zip(num_frames.tolist(), start.tolist(), (start + width).tolist(), strict=True)
        ):
            valid = values[row, :frames]
            mean = valid.mean()
            for index, (first, stop) in enumerate(zip(starts, stops, strict=True)):
                if index < self.spec_time_masks:
                    valid[first:stop] = mean
                else:
                    valid[:, first:stop] = mean

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


#: What is done to the augmented copies of the paper's pool ("segmenting and augmenting", no details given): moderate.
COPY_AUGMENTATION = Augmentation(time_shift_seconds=0.5, gain_db=6.0, noise_snr_db=20.0)


def copy_draw(seed: int, segment_id: str) -> WaveformDraw:
    """Return what an augmented copy draws, once and for all: a pure function of the seed and the copy's id.

    Args:
        seed (`int`): At least 0.
        segment_id (`str`): Track, segment and number of the copy, such as `blues.00000#3+1` (`SegmentTable.ids`).
    """
    words = np.frombuffer(hashlib.sha256(segment_id.encode()).digest(), dtype="<u4").tolist()
    uniform = np.random.default_rng((_COPY, seed, *words)).random(6)
    return WaveformDraw._make([*uniform.tolist(), (_NOISE, _COPY, seed, *words)])


def mix(features: torch.Tensor, partners: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mix rows with their partners in place, `weight * row + (1 - weight) * partner` (mixup; Zhang et al. 2018).

    Args:
        features (`torch.Tensor` of `float32`, shape `(batch_size, ...)`): The rows; changed and returned.
        partners (`torch.Tensor` of `float32`, same shape): Their partners; overwritten.
        weight (`torch.Tensor` of `float32`, shape `(batch_size,)`): Weight of the row itself.
    """
    weight = weight.view(-1, *[1] * (features.dim() - 1))
    # two products and a sum, each rounded once, give the same bits whatever the batch; a fused `lerp` need not
    return features.mul_(weight).add_(partners.mul_(1 - weight))


def mix_waveforms(samples: np.ndarray, partner: np.ndarray, weight: np.float32) -> np.ndarray:
    """Mix a waveform with its partner, `weight * samples + (1 - weight) * partner`, where both have samples.

    Beyond the end of a shorter partner the waveform keeps its own samples; of a longer one the rest is left out.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): The waveform; changed and returned.
        partner (`np.ndarray` of `float32`, shape `(partner_samples,)`): Its partner.
        weight (`np.float32`): Weight of the waveform itself.
    """
    both = min(len(samples), len(partner))
    samples[:both] *= weight
    samples[:both] += (1 - weight) * partner[:both]
    return samples


def soft_labels(labels: torch.Tensor, partners: torch.Tensor, weight: torch.Tensor, num_labels: int) -> torch.Tensor:
    """Return mixup's targets, float32 `(batch_size, num_labels)`, from two label vectors `(batch_size,)`."""
    targets = torch.zeros(len(labels), num_labels)
    targets.scatter_add_(1, labels[:, None], weight[:, None])
    return targets.scatter_add_(1, partners[:, None], 1 - weight[:, None])


def _symmetric(uniform: float) -> float:
    return 2 * uniform - 1


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _load_audiomentations() -> Any:
    try:
        with _global_generators_kept():  # librosa's lazy imports draw from `random`
            import audiomentations
    except ImportError as error:
        raise OptionError(
            "pitch_shift_semitones and time_stretch need the package audiomentations, which is not installed: "
            "pip install audiomentations"
        ) from error
    return audiomentations


def _apply_frozen(transform: Any, samples: np.ndarray, sampling_rate: int, **parameters: float) -> np.ndarray:
    """Run a transform of audiomentations with given parameters, so that it draws none from global generators."""
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    with _global_generators_kept():
        return transform(samples, sampling_rate)
