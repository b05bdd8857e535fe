"""Log-mel spectrograms of many clips, on the CPU, in chunks that stay in its cache.

The numbers are those of `librosa.power_to_db(librosa.feature.melspectrogram(...), ref=reference, top_db=None)`. librosa
transforms in float64; this does it in float32, five times faster, and needs two measures to stay as exact in bands far
below the loudest, where the rounding of a float32 transform (about 1.2e-7 of the frame's norm in every bin) is no
longer small beside the signal:

- Frames are pre-emphasised, `d[n] = v[n] - 0.75 v[n + 1]` for a windowed frame `v` (cyclic), and the filters divided
  by that filter's power response. On paper this changes nothing. In floating point the loud bass of music no longer
  drowns the faint treble, so that 0.1 % of the frames of music are in need of the second measure instead of 20 %.
- A frame with a band too faint for its norm is computed again in float64 (`_exact`): pure tones, mostly.

A frame's numbers do not depend on the frames that it is computed with, so the features of a clip are the same bits
whatever other clips are in the batch and however many threads there are.
"""

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from .audio_input_mel_lstm import FULL_SCALE
from .settings_mel_lstm import LogMelSettings, frame_window, mel_filters
from .workers_mel_lstm import run_parts

PRE_EMPHASIS = 0.75
#: Values in the frames of a chunk, five megabytes: five clips of three seconds. Smaller chunks would stay in a nearer
#: cache, but the calls themselves weigh more there, above all with several threads (all of this measured).
CHUNK_VALUES = 650 * 2048
#: Bands that are multiplied together: wider blocks hold more zeros, narrower ones need more calls.
BLOCK_BANDS = 16
# A band is exact enough while `power / (largest filter weight * squared norm of the frame)` is above these, to 0.01 dB
# and to 0.001 dB: more than five standard deviations of the rounding error of a transform of 2,048 values, measured.
FAINT = 3e-7
FAINT_FINE = 6e-5
#: Bands within 60 dB of the loudest of their frame are held to 0.001 dB.
FINE_RANGE = 1e-6
#: Beyond this the squares of float32 numbers overflow; nothing that is audio comes near.
LARGEST_SAMPLE = 1e15


class _Block(NamedTuple):
    """Filters of neighbouring bands, without the bins where they are all zero."""

    bands: slice
    bins: slice
    weights: torch.Tensor  # (bins, bands)


@dataclass(frozen=True)
class _Plan:
    """What is computed once for all clips under the same settings.

    There are `bands` filters: `num_mel_bins`, and empty ones that fill the last block.
    """

    settings: LogMelSettings
    frames_per_chunk: int
    window: torch.Tensor  # (n_fft,)
    slope: torch.Tensor  # (n_fft,): -0.75 times the step of the window to the next sample
    wrap: float  # 0.75 times the window's first value
    blocks: tuple[_Block, ...]  # over pre-emphasised bins; for power 2, over their real and imaginary parts in turn
    exact_window: torch.Tensor  # (n_fft,) float64
    exact_blocks: tuple[_Block, ...]  # float64, over the bins of the window alone
    energy_weights: torch.Tensor  # (2 * (n_fft // 2 + 1),): a frame's squared norm from the squares of its spectrum
    weight: np.ndarray  # (bands,) of float32: the scale of the rounding error in each band
    inverse_weight: torch.Tensor  # (bands,): 0 for an empty filter
    empty: torch.Tensor  # (bands,): infinity for an empty filter, which is never faint, else 0
    faint: float
    faint_fine: float


@functools.lru_cache(maxsize=16)
def _plan(settings: LogMelSettings) -> _Plan:
    window, filters = frame_window(settings), mel_filters(settings)
    # Whole blocks, so that each row of powers begins on a cache line: where it begins may decide how products round.
    filters = np.pad(filters, ((0, 0), (0, -filters.shape[1] % BLOCK_BANDS)))
    angle = 2.0 * np.pi * np.arange(filters.shape[0]) / settings.n_fft
    response = 1.0 + PRE_EMPHASIS**2 - 2.0 * PRE_EMPHASIS * np.cos(angle)  # of power, (n_fft // 2 + 1,)
    emphasised = filters / response[:, None] ** (settings.power / 2.0)
    largest = emphasised.max(axis=0)
    # Magnitudes add up linearly: there the error of a band follows from the sum of its weights too.
    weight = largest if settings.power == 2.0 else np.sqrt(largest * emphasised.sum(axis=0))
    # The error of a transform grows with the square root of the number of its stages.
    stages = np.log2(settings.n_fft) / 11.0
    following = np.append(window[1:], 0.0)
    return _Plan(
        settings=settings,
        frames_per_chunk=max(2, CHUNK_VALUES // max(settings.n_fft, settings.hop_length)),
        window=_float32(window),
        slope=_float32(-PRE_EMPHASIS * (following - window)),
        wrap=float(PRE_EMPHASIS * window[0]),
        blocks=_blocks(emphasised, parts=2 if settings.power == 2.0 else 1, dtype=torch.float32),
        exact_window=torch.from_numpy(window),
        exact_blocks=_blocks(filters, parts=1, dtype=torch.float64),
        # Parseval's sum, counting the lowest and the highest bin twice: a bound is enough.
        energy_weights=_float32(np.full(2 * len(filters), 2.0 / settings.n_fft)),
        weight=weight.astype(np.float32),
        inverse_weight=_float32(np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0)),
        empty=_float32(np.where(weight > 0, 0.0, np.inf)),
        faint=float((FAINT * stages) ** (settings.power / 2.0)),
        faint_fine=float((FAINT_FINE * stages) ** (settings.power / 2.0)),
    )


def _empty(*shape: int) -> torch.Tensor:
    # Named, because the default device and type are the user's.
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _blocks(filters: np.ndarray, parts: int, dtype: torch.dtype) -> tuple[_Block, ...]:
    """Cut filters `(bins, bands)` into blocks of bands; every bin counts `parts` times."""
    blocks = []
    for first in range(0, filters.shape[1], BLOCK_BANDS):
        bands = slice(first, first + BLOCK_BANDS)
        used = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(used[0], used[-1] + 1) if len(used) else slice(0, 1)
        weights = torch.from_numpy(np.repeat(filters[bins, bands], parts, axis=0)).to(dtype)
        blocks.append(_Block(bands, slice(parts * bins.start, parts * bins.stop), weights))
    return tuple(blocks)


class _Part(NamedTuple):
    """Some frames of one clip, and where their features go."""

    number: int  # of the clip
    clip: np.ndarray  # (num_samples,)
    first: int  # frame
    output: np.ndarray  # (frames, num_mel_bins)


def log_mel(clips: Sequence[np.ndarray], outputs: Sequence[np.ndarray], settings: LogMelSettings) -> None:
    """Write the log-mel spectrogram of each clip, dB.

    Args:
        clips (`Sequence[np.ndarray]`): Mono clips `(num_samples,)`: floats, or int16 or int32, which are divided by
            their full scale.
        outputs (`Sequence[np.ndarray]`): For each clip a float32 array `(num_frames, num_mel_bins)`; with fewer frames
            than the clip has, only the first are computed.
        settings (`LogMelSettings`): What to compute.

    Raises:
        ValueError: A sample is not finite, or so large that its square overflows.
    """
    plan = _plan(settings)

    def work(chunks: Iterator[list[_Part]]) -> None:
        # What the caller set for its models must not reach the features: gradients, and products in bfloat16.
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            worker = _worker(plan)
            for chunk in chunks:
                worker.compute(chunk)

    run_parts(work, _chunks(clips, outputs, plan.frames_per_chunk))


def _chunks(clips: Sequence[np.ndarray], outputs: Sequence[np.ndarray], largest: int) -> list[list[_Part]]:
    """Cut clips into equally long chunks of up to `largest` frames, as many for each thread."""
    threads, total = torch.get_num_threads(), sum(map(len, outputs))
    count = -(-total // (largest * threads)) * threads
    size = max(-(-total // count), largest // 4)
    chunks: list[list[_Part]] = [[]]
    room = size
    for number, (clip, output) in enumerate(zip(clips, outputs, strict=True)):
        first = 0
        while first < len(output):
            if not room:
                chunks.append([])
                room = size
            part = _Part(number, clip, first, output[first : first + room])
            chunks[-1].append(part)
            first += len(part.output)
            room -= len(part.output)
    return chunks


def _products_are_float32() -> bool:
    """Whether torch multiplies float32 matrices as such (`set_float32_matmul_precision("medium")` allows less)."""
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is None:  # torch before 2.9
        return torch.get_float32_matmul_precision() == "highest"
    return matmul.fp32_precision in ("none", "ieee")


class _PartViews(NamedTuple):
    """Views of a thread's buffers for a part of some number of frames."""

    samples: np.ndarray  # (num_samples,): one more than the frames hold, for the pre-emphasis
    current: torch.Tensor  # samples without the last
    following: torch.Tensor  # samples without the first
    emphasised: torch.Tensor  # (num_samples - 1,)
    emphasised_frames: torch.Tensor  # (frames, n_fft), overlapping
    following_frames: torch.Tensor  # (frames, n_fft), overlapping


class _ChunkViews(NamedTuple):
    """Views of a thread's buffers for a chunk of some number of frames."""

    frames: torch.Tensor  # (frames, n_fft)
    powers: torch.Tensor  # (frames, bands)
    powers_of_blocks: tuple[torch.Tensor, ...]  # for each block (frames, BLOCK_BANDS)


class _Worker:
    """The buffers of one thread, and the computation of chunks in them.

    Operations take tens of microseconds here. Every call of torch, be it for a view, is a moment at which another
    thread may have to be waited for; so views are made once, and what is cut anew for each clip is cut by numpy.
    """

    def __init__(self, plan: _Plan):
        settings, size = plan.settings, plan.frames_per_chunk
        self.plan = plan
        self.samples = _empty((size - 1) * settings.hop_length + settings.n_fft + 1)
        self.emphasised = _empty(len(self.samples) - 1)
        self.frames = _empty(size, settings.n_fft)
        self.powers = _empty(size, len(plan.weight))
        self.part_views: dict[int, _PartViews] = {}
        self.chunk_views: dict[int, _ChunkViews] = {}

    def compute(self, chunk: Sequence[_Part]) -> None:
        """Compute some parts, at most `frames_per_chunk` frames in all."""
        plan, settings = self.plan, self.plan.settings
        firsts = np.cumsum([0, *(len(part.output) for part in chunk)]).tolist()
        frames = self.frames.numpy()
        for part, first in zip(chunk, firsts, strict=False):
            self._window(part, torch.from_numpy(frames[first : first + len(part.output)]))
        count = firsts[-1]
        if count == 1:  # a product with a single row is rounded in another way
            self.frames[1], count = 0.0, 2
        views = self._views_of_chunk(count)

        values = torch.view_as_real(torch.fft.rfft(views.frames)).flatten(1)  # (count, 2 * (n_fft // 2 + 1))
        values.mul_(values)
        energy = torch.mv(values, plan.energy_weights).numpy()  # squared norms of the pre-emphasised frames, (count,)
        if not energy.max() < LARGEST_SAMPLE**2:
            _refuse(chunk)
        full_precision = _products_are_float32()
        if settings.power == 1.0:
            values = torch.add(values[:, 0::2], values[:, 1::2]).sqrt_()
        columns = values.numpy()  # numpy slices in a third of the time that torch takes
        for block, powers in zip(plan.blocks, views.powers_of_blocks, strict=True):
            if full_precision:
                torch.mm(torch.from_numpy(columns[:, block.bins]), block.weights, out=powers)
            else:
                powers.copy_(torch.mm(values[:, block.bins].double(), block.weights.double()))

        faint = _faint_frames(views.powers, energy, plan)
        logarithms = views.powers.clamp_(min=settings.amin).log10_().numpy()
        for part, first in zip(chunk, firsts, strict=False):
            stop = first + len(part.output)
            np.multiply(logarithms[first:stop, : settings.num_mel_bins], np.float32(10.0), out=part.output)
            rows = faint[(faint >= first) & (faint < stop)] - first
            if len(rows):
                part.output[rows] = _exact(part, rows, plan)
            if settings.reference_db:
                np.subtract(part.output, np.float32(settings.reference_db), out=part.output)

    def _window(self, part: _Part, frames: torch.Tensor) -> None:
        """Fill `frames` `(count, n_fft)` with those of a part, windowed and pre-emphasised.

        `w[n] x[n] - a w[n + 1] x[n + 1] = w[n] (x[n] - a x[n + 1]) - a (w[n + 1] - w[n]) x[n + 1]`: in this form no
        large products cancel, and the difference of the samples is taken once, not in each frame that holds them.
        """
        settings = self.plan.settings
        views = self._views_of_part(len(part.output))
        _load(part.clip, part.first * settings.hop_length - settings.edge, views.samples, settings)
        torch.add(views.current, views.following, alpha=-PRE_EMPHASIS, out=views.emphasised)
        torch.mul(views.emphasised_frames, self.plan.window, out=frames)
        frames.addcmul_(views.following_frames, self.plan.slope)
        if self.plan.wrap:  # the windows that do not begin with 0
            first = torch.from_numpy(views.samples[: len(frames) * settings.hop_length : settings.hop_length])
            frames[:, -1].sub_(first, alpha=self.plan.wrap)

    def _views_of_part(self, count: int) -> _PartViews:
        if count not in self.part_views:
            settings = self.plan.settings
            samples = self.samples[: (count - 1) * settings.hop_length + settings.n_fft + 1]
            emphasised, following = self.emphasised[: len(samples) - 1], samples[1:]
            shape, stride = (count, settings.n_fft), (settings.hop_length, 1)
            self.part_views[count] = _PartViews(
                samples.numpy(),
                samples[:-1],
                following,
                emphasised,
                emphasised.as_strided(shape, stride),
                following.as_strided(shape, stride),
            )
        return self.part_views[count]

    def _views_of_chunk(self, count: int) -> _ChunkViews:
        if count not in self.chunk_views:
            powers = self.powers[:count]
            blocks = tuple(powers[:, block.bands] for block in self.plan.blocks)
            self.chunk_views[count] = _ChunkViews(self.frames[:count], powers, blocks)
        return self.chunk_views[count]


_of_thread = threading.local()


def _worker(plan: _Plan) -> _Worker:
    """Return the thread's worker: its buffers (some 11 MB) are kept, since to get them anew takes 7 % of the time."""
    worker = getattr(_of_thread, "worker", None)
    if worker is None or worker.plan is not plan:
        worker = _of_thread.worker = _Worker(plan)
    return worker


def _faint_frames(powers: torch.Tensor, energy: np.ndarray, plan: _Plan) -> np.ndarray:
    """Return the indices of the frames in which a band is too faint to be told from rounding."""
    settings = plan.settings
    norm = energy if settings.power == 2.0 else np.sqrt(energy)
    least = torch.addcmul(plan.empty, powers, plan.inverse_weight).amin(dim=1).numpy()
    loudest = powers.amax(dim=1).numpy()
    fine_possible = loudest * FINE_RANGE < plan.faint_fine * norm * plan.weight.max()
    rows = np.flatnonzero((least < plan.faint * norm) | ((least < plan.faint_fine * norm) & fine_possible))
    power = powers[torch.from_numpy(rows)].numpy()
    scale = norm[rows, None] * plan.weight
    faint = power < plan.faint * scale
    faint |= (power < plan.faint_fine * scale) & (power > FINE_RANGE * loudest[rows, None])
    # Under the floor an error is of no account, unless it is so large that it could have hidden the band there.
    audible = (power > settings.amin / 4.0) | (plan.faint * scale > 1e2**settings.power * settings.amin)
    return rows[(faint & audible).any(axis=1)]


def _load(clip: np.ndarray, start: int, samples: np.ndarray, settings: LogMelSettings) -> None:
    """Fill `samples` with those of the clip from `start` on, as floats; before and after the clip with its padding."""
    before = min(max(0, -start), len(samples))
    stop = max(before, min(len(samples), len(clip) - start))
    inside = samples[before:stop]
    with np.errstate(over="ignore"):  # float64 beyond float32: found as infinite
        inside[:] = clip[start + before : start + stop]
    if settings.pad_mode == "reflect" and (before or stop < len(samples)):
        outside = np.r_[0:before, stop : len(samples)]
        period = max(1, 2 * (len(clip) - 1))
        position = np.abs((start + outside + len(clip) - 1) % period - (len(clip) - 1))
        samples[outside] = clip[position]
    else:
        samples[:before] = 0.0
        samples[stop:] = 0.0
    if clip.dtype in FULL_SCALE:
        samples /= FULL_SCALE[clip.dtype]


def _exact(part: _Part, rows: np.ndarray, plan: _Plan) -> np.ndarray:
    """Compute the frames `rows` of a part in float64; return `10 * log10` of their mel powers."""
    settings, count = plan.settings, len(rows)
    if count == 1:  # as in `_Worker.compute`
        rows = np.repeat(rows, 2)
    span = (int(rows[-1]) - int(rows[0])) * settings.hop_length + settings.n_fft
    samples = np.empty(span, dtype=np.float64)
    _load(part.clip, (part.first + int(rows[0])) * settings.hop_length - settings.edge, samples, settings)
    frames = torch.from_numpy(samples).unfold(0, settings.n_fft, settings.hop_length)
    spectrum = torch.fft.rfft(frames[torch.from_numpy(rows - rows[0])] * plan.exact_window)
    values = torch.add(spectrum.real.square(), spectrum.imag.square())
    if settings.power == 1.0:
        values.sqrt_()
    powers = torch.cat([torch.mm(values[:, bins], weights) for _, bins, weights in plan.exact_blocks], dim=1)
    return powers[:count, : settings.num_mel_bins].clamp(min=settings.amin).log10_().mul_(10.0).numpy()


def _refuse(parts: Sequence[_Part]) -> None:
    """Raise the error for the first clip with samples that cannot be computed with."""
    for part in parts:
        finite = np.isfinite(part.clip)
        if not finite.all():
            where = int(np.flatnonzero(~finite)[0])
            raise ValueError(
                f"clip {part.number} of raw_speech holds {len(finite) - int(finite.sum())} samples that are not finite "
                f"(the first, {part.clip[where]}, at sample {where}); repair or leave out the clip"
            )
    largest = max(parts, key=lambda part: np.abs(part.clip).max())
    raise ValueError(
        f"clip {largest.number} of raw_speech holds samples as large as {np.abs(largest.clip).max():.3g}; audio as "
        "floats lies between -1 and 1: divide it by its full scale"
    )
