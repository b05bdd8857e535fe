"""The only decoder: a file's path or bytes to finite float32 mono at one sampling rate, or one typed error.

Loading, training, evaluation and prediction all come through here. The content decides the format, never the file's
extension; lengths are counted from decoded samples, never read from a header; every channel layout goes through one
mono rule; nothing is clipped or scaled. `decode` is built on `stream`, which holds a few seconds at a time, so both
give the same samples. Decoding is libsndfile's (soundfile), resampling libsoxr's (soxr, quality HQ).
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc_hf.data.mono import SILENCE_RANGE, Levels, mix, to_mono
from mgc_hf.data.reader import MAX_CHANNELS, MAX_LEVEL, MAX_SAMPLING_RATE, MIN_SAMPLING_RATE, AudioSource, Reader
from mgc_hf.errors import AudioError

#: Part of every cache key that depends on decoded audio: raise it when the same file would give other samples or errors.
AUDIO_VERSION = 2
_HELD_SAMPLES = 2**22  # all channels together
#: Lossy formats overshoot full scale by less than this factor (3 dB); beyond it the level is worth a note.
LOUD_PEAK = 2.0**0.5


@dataclass(frozen=True)
class Audio:
    """Decoded audio.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Mono, full scale at 1.0, finite, not clipped.
        sampling_rate (`int`): Rate of `samples` in Hz.
        source_sampling_rate (`int`): Rate of the file in Hz.
        channels (`int`): Channels of the file.
        notes (`tuple[str, ...]`): What is odd about the file, though it is usable (repaired or truncated, named for
            another format, channels that cancel, silent, over full scale).
    """

    samples: np.ndarray
    sampling_rate: int
    source_sampling_rate: int
    channels: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sampling_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give the samples as [`stream`] does, in one block."""
        yield self.samples


def decode(source: AudioSource, sampling_rate: int | None = None, name: str | None = None) -> Audio:
    """Decode a whole file.

    Args:
        source (`str`, `PathLike` or `bytes`): A path (taken literally: no `~` or `$` is expanded) or a file's content.
        sampling_rate (`int`, *optional*): Wanted rate in Hz; the file's own where not given.
        name (`str`, *optional*): What messages call the file; defaults to the path.

    Returns:
        [`Audio`]: At least one sample. A truncated file gives what is there, and a note.

    Raises:
        AudioError: The file cannot be read, is of a format that cannot, is empty, or holds NaN or infinite samples.
    """
    audio = AudioStream(source, sampling_rate, None, name)
    blocks = list(audio)
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return Audio(samples, audio.sampling_rate, audio.source_sampling_rate, audio.channels, audio.notes)


def stream(
    source: AudioSource, sampling_rate: int | None = None, block_seconds: float | None = 10.0, name: str | None = None
) -> "AudioStream":
    """Decode a file block by block, in memory that does not grow with its length.

    Args:
        source (`str`, `PathLike` or `bytes`): As for [`decode`].
        sampling_rate (`int`, *optional*): Wanted rate in Hz; the file's own where not given.
        block_seconds (`float`, *optional*, defaults to 10.0): Length of every block but the last, in seconds; with
            `None` they are as long as it comes, which saves copies.
        name (`str`, *optional*): What messages call the file; defaults to the path.

    Returns:
        [`AudioStream`]: An iterator over `float32` arrays `(num_samples,)` whose concatenation equals
        `decode(...).samples` exactly.

    Raises:
        AudioError: As for [`decode`], here or while iterating.
    """
    return AudioStream(source, sampling_rate, block_seconds, name)


def verify(source: AudioSource, min_seconds: float = 0.0, name: str | None = None) -> float:
    """Decode a file once, in bounded memory and at its own rate, and refuse what is of no use as a labelled clip.

    Args:
        source (`str`, `PathLike` or `bytes`): As for [`decode`].
        min_seconds (`float`, *optional*, defaults to 0.0): Shortest length accepted, in seconds.
        name (`str`, *optional*): What messages call the file; defaults to the path.

    Returns:
        `float`: Length in seconds.

    Raises:
        AudioError: As for [`decode`] and [`check`], and of kind `truncated` where the container shows that a part is
            missing.
    """
    with Reader(source, name) as reader:
        levels = Levels(reader.channels)
        for block in reader.blocks():
            levels.add(block)
        if reader.truncation:
            raise AudioError(reader.name, reader.truncation, "truncated")
        seconds = reader.num_frames / reader.sampling_rate
        _judge(reader.name, reader.num_frames, seconds, min_seconds, levels.low, levels.high)
        return seconds


def check(audio: Audio, min_seconds: float = 0.0, name: str = "audio") -> None:
    """Refuse audio that holds nothing to classify.

    Args:
        audio ([`Audio`]): Decoded audio.
        min_seconds (`float`, *optional*, defaults to 0.0): Shortest length accepted, in seconds.
        name (`str`, *optional*): What messages call the file.

    Raises:
        AudioError: Of kind `empty`, `too_short` or `silent`.
    """
    low, high = (audio.samples.min(), audio.samples.max()) if len(audio.samples) else (0.0, 0.0)
    _judge(name, len(audio.samples), audio.seconds, min_seconds, np.array([low]), np.array([high]))


def from_array(
    samples: np.ndarray, source_sampling_rate: int, sampling_rate: int | None = None, name: str = "array"
) -> Audio:
    """Bring an array that a caller holds to what [`decode`] gives for a file.

    Args:
        samples (`np.ndarray`, shape `(num_samples,)`, `(num_samples, channels)` or `(channels, num_samples)`): Audio;
            floats with full scale at 1.0, or integers of 8 (unsigned), 16 or 32 bits. Of two axes the shorter is the
            channels.
        source_sampling_rate (`int`): Its rate in Hz.
        sampling_rate (`int`, *optional*): Wanted rate in Hz; that of the array where not given.
        name (`str`, *optional*, defaults to `"array"`): What messages call it.

    Returns:
        [`Audio`]: At least one sample; the caller's array is not changed.

    Raises:
        AudioError: The array is empty, holds NaN or infinite values, or has a shape, type or rate that is no audio.
    """
    array = np.asarray(samples)
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    channels = array.shape[1] if array.ndim == 2 else 1
    if array.ndim not in (1, 2) or (array.size and channels > MAX_CHANNELS):
        raise AudioError(
            name,
            f"shape {array.shape} is no audio; wanted is (num_samples,) or (num_samples, channels)",
            "unsupported",
        )
    if not array.size:
        raise AudioError(name, "empty: no samples", "empty")
    if not MIN_SAMPLING_RATE <= (source_sampling_rate or 0) <= MAX_SAMPLING_RATE:
        reason = (
            f"sampling rate {source_sampling_rate}; {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} Hz is wanted: pass the "
            "rate at which it was recorded"
        )
        raise AudioError(name, reason, "unsupported")
    mono, note = to_mono(_to_float32(array, name).reshape(-1, channels))
    notes = (*([note] if note else []), *_level_notes(float(mono.min()), float(mono.max())))
    if sampling_rate and sampling_rate != source_sampling_rate:
        import soxr

        mono = soxr.resample(mono, source_sampling_rate, sampling_rate)
    if not len(mono):
        raise _too_short(name, len(array), source_sampling_rate, sampling_rate or source_sampling_rate)
    return Audio(mono, sampling_rate or source_sampling_rate, source_sampling_rate, channels, notes)


class AudioStream:
    """An iterator over mono blocks of one file; made by [`stream`].

    The mono rule needs the levels of a whole file first: of several channels, up to 4 million samples (47 s of stereo
    at 44.1 kHz) are held meanwhile; a longer file is decoded twice.

    Attributes:
        sampling_rate (`int`): Rate of the blocks in Hz.
        source_sampling_rate (`int`): Rate of the file in Hz.
        channels (`int`): Channels of the file.
        notes (`tuple[str, ...]`): As in [`Audio`]; complete once the iterator has ended.
    """

    def __init__(
        self,
        source: AudioSource,
        sampling_rate: int | None = None,
        block_seconds: float | None = 10.0,
        name: str | None = None,
    ):
        self._reader = Reader(source, name)
        self.source_sampling_rate = self._reader.sampling_rate
        self.sampling_rate = sampling_rate or self.source_sampling_rate
        self.channels = self._reader.channels
        self.notes = self._reader.notes
        self._blocks = self._generate(source, name)
        if block_seconds is not None:
            self._blocks = _cut(self._blocks, max(1, round(block_seconds * self.sampling_rate)))

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        return next(self._blocks)

    def close(self) -> None:
        """Close the file before the iterator has ended."""
        self._blocks.close()
        self._reader.close()

    def _generate(self, source: AudioSource, name: str | None) -> Generator[np.ndarray, None, None]:
        try:
            weights, blocks = np.ones(1), self._reader.blocks()
            if self.channels > 1:
                weights, blocks = self._survey(source, name)
            total = 0
            for piece in self._resampled(blocks, weights):
                if len(piece):
                    total += len(piece)
                    yield piece
            if not total:
                frames = self._reader.num_frames
                raise _too_short(self._reader.name, frames, self.source_sampling_rate, self.sampling_rate)
        finally:
            self._reader.close()  # of a long file another one than at the start

    def _survey(self, source: AudioSource, name: str | None) -> tuple[np.ndarray, Iterator[np.ndarray]]:
        """Return the channels' weights and all blocks: those that were read for it, or of a long file a second reading."""
        levels, held = Levels(self.channels), []
        for block in self._reader.blocks():
            levels.add(block)
            held.append(block)
            if self._reader.num_frames * self.channels > _HELD_SAMPLES:
                held.clear()
        weights, note = levels.mono_rule()
        self.notes += (note,) if note else ()
        if held:
            return weights, iter(held)
        self._reader.close()
        self._reader = Reader(source, name)
        return weights, self._reader.blocks()

    def _resampled(self, blocks: Iterator[np.ndarray], weights: np.ndarray) -> Iterator[np.ndarray]:
        resampler: Any = None
        if self.sampling_rate != self.source_sampling_rate:
            import soxr

            resampler = soxr.ResampleStream(self.source_sampling_rate, self.sampling_rate, 1, dtype="float32")
        low, high = np.inf, -np.inf  # before resampling, which rings where a constant begins
        for block in blocks:
            mono = mix(block, weights)
            low, high = min(low, float(mono.min())), max(high, float(mono.max()))
            yield resampler.resample_chunk(mono) if resampler else mono
        if resampler:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        if self._reader.truncation:
            self.notes += (self._reader.truncation,)
        self.notes += _level_notes(low, high)


def _cut(pieces: Iterator[np.ndarray], block_length: int) -> Generator[np.ndarray, None, None]:
    """Join pieces to blocks of one length; the last may be shorter."""
    held: list[np.ndarray] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= block_length:
            joined = np.concatenate(held)
            whole = length - length % block_length
            yield from np.split(joined[:whole], whole // block_length)
            held, length = [joined[whole:]], length - whole
    if length:
        yield np.concatenate(held)


def _judge(name: str, num_samples: int, seconds: float, min_seconds: float, low: np.ndarray, high: np.ndarray) -> None:
    if not num_samples:
        raise AudioError(name, "empty: no samples", "empty")
    if seconds < min_seconds:
        raise AudioError(name, f"too short ({seconds:.2f} s; at least {min_seconds:g} s are needed)", "too_short")
    if (high - low <= SILENCE_RANGE).all():
        raise AudioError(name, _silence(float(high[np.abs(high).argmax()])), "silent")


def _silence(level: float) -> str:
    return f"silent (a constant of {level:.2f})" if abs(level) > SILENCE_RANGE else "silent"


def _level_notes(low: float, high: float) -> tuple[str, ...]:
    """Return what is odd about audio between two levels."""
    if high - low <= SILENCE_RANGE:
        return (_silence(high),)
    peak = max(high, -low)
    return (f"over full scale: peak {peak:.1f}",) if peak > LOUD_PEAK else ()


def _too_short(name: str, num_samples: int, source_sampling_rate: int, sampling_rate: int) -> AudioError:
    reason = f"too short ({num_samples} samples at {source_sampling_rate} Hz give none at {sampling_rate} Hz)"
    return AudioError(name, reason, "too_short")


def _to_float32(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype in (np.int16, np.int32):
        return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    if array.dtype.kind != "f":
        reason = f"type {array.dtype} is no audio; wanted are floats, or integers of 8 (unsigned), 16 or 32 bits"
        raise AudioError(name, reason, "unsupported")
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    if not np.isfinite(floats).all():
        raise AudioError(name, "holds NaN or infinite values", "not_finite")
    if floats.size and np.abs(floats).max() > MAX_LEVEL:
        raise AudioError(name, f"holds values of {np.abs(floats).max():.0e} times full scale", "not_finite")
    return floats
