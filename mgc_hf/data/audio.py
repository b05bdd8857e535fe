"""The only decoder: a file's path or bytes to finite float32 mono at one sampling rate, or one typed error.

Loading, training, evaluation and prediction all come through here. The content decides the format, never the file's
extension; lengths are counted from decoded samples, never read from a header; every channel layout goes through one
mono rule; nothing is clipped or scaled. `decode` is built on `stream`, which holds a few seconds at a time, so both
give the same samples. Decoding is libsndfile's (soundfile), resampling libsoxr's (soxr, quality HQ).
"""

import functools
import io
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np

from mgc_hf.data.containers import Container, SplicedFile, foreign_format, inspect
from mgc_hf.errors import AudioError

#: Part of every cache key that depends on decoded audio: raise it when the same file would give other samples or errors.
AUDIO_VERSION = 1
#: Sampling rates in Hz and channel counts beyond these are taken for a damaged header.
MIN_SAMPLING_RATE, MAX_SAMPLING_RATE, MAX_CHANNELS = 1_000, 768_000, 64
#: Audio that stays within one step of 16-bit sound on either side of a constant is silence (a constant is no sound).
SILENCE_RANGE = 2.0**-14
#: A header that promises more than is there by less than this (seconds) is rounding, not a cut file.
TRUNCATION_TOLERANCE = 0.05
#: Lossy formats overshoot full scale by less than this factor (3 dB); beyond it the level is worth a note.
LOUD_PEAK = 2.0**0.5
#: The mean of channels that keeps less than this fraction of the louder channel's energy has cancelled.
CANCELLED_ENERGY = 0.1

_READ_SAMPLES = 8_192  # read at a time, all channels together: where a decoder fails, so much is lost
_UNKNOWN_FRAMES = 2**62  # libsndfile reports 2**63 - 1 where it does not know
_MP3_SLACK = 2 * 1152  # samples: decoders differ by up to two frames at the end

_FORMATS_BY_SUFFIX = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".au": ("AU",),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".mp3": ("MP3",),
    ".aif": ("AIFF",),
    ".aiff": ("AIFF",),
}

AudioSource = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class Audio:
    """Decoded audio.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Mono, full scale at 1.0, finite, not clipped.
        sampling_rate (`int`): Rate of `samples` in Hz.
        source_sampling_rate (`int`): Rate of the file in Hz.
        channels (`int`): Channels of the file.
        notes (`tuple[str, ...]`): What is odd about the file, though it is usable (repaired or truncated, named for
            another format, channels that cancel, over full scale).
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
    audio = AudioStream(source, sampling_rate, name=name)
    blocks = list(audio)
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return Audio(samples, audio.sampling_rate, audio.source_sampling_rate, audio.channels, audio.notes)


def stream(
    source: AudioSource, sampling_rate: int | None = None, block_seconds: float = 10.0, name: str | None = None
) -> "AudioStream":
    """Decode a file block by block, in memory that does not grow with its length.

    Args:
        source (`str`, `PathLike` or `bytes`): As for [`decode`].
        sampling_rate (`int`, *optional*): Wanted rate in Hz; the file's own where not given.
        block_seconds (`float`, *optional*, defaults to 10.0): Length of every block but the last, in seconds.
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
    with _Reader(source, name) as reader:
        levels = _Levels(reader.channels)
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
    if sampling_rate and sampling_rate != source_sampling_rate:
        import soxr

        mono = soxr.resample(mono, source_sampling_rate, sampling_rate)
    if not len(mono):
        raise _too_short(name, len(array), source_sampling_rate, sampling_rate or source_sampling_rate)
    return Audio(mono, sampling_rate or source_sampling_rate, source_sampling_rate, channels, (note,) if note else ())


def to_mono(samples: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Mix channels to one by the one rule that every file goes through.

    Mono is the mean of the channels that are not silent; where that mean has lost more than 90 % of the energy of the
    loudest channel (an inverted channel cancels), it is the loudest channel instead.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples, channels)`): All channels.

    Returns:
        `tuple[np.ndarray, str | None]`: `float32` samples of shape `(num_samples,)`, and a note where the plain mean
        of all channels was not taken.
    """
    levels = _Levels(samples.shape[1])
    levels.add(samples)
    weights, note = levels.mono_rule()
    return _mix(samples, weights), note


class AudioStream:
    """An iterator over mono blocks of one file; made by [`stream`].

    A file of several channels is decoded twice: the mono rule needs the levels of the whole file first.

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
        block_seconds: float = 10.0,
        name: str | None = None,
    ):
        self._reader = _Reader(source, name)
        self.source_sampling_rate = self._reader.sampling_rate
        self.sampling_rate = sampling_rate or self.source_sampling_rate
        self.channels = self._reader.channels
        self.notes = self._reader.notes
        self._block_length = max(1, round(block_seconds * self.sampling_rate))
        self._blocks = self._generate(source, name)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        return next(self._blocks)

    def close(self) -> None:
        """Close the file before the iterator has ended."""
        self._blocks.close()
        self._reader.close()

    def _generate(self, source: AudioSource, name: str | None) -> Generator[np.ndarray, None, None]:
        with self._reader:
            weights = np.ones(1)
            if self.channels > 1:
                with _Reader(source, name) as survey:
                    levels = _Levels(self.channels)
                    for block in survey.blocks():
                        levels.add(block)
                weights, note = levels.mono_rule()
                self.notes += (note,) if note else ()
            pieces: list[np.ndarray] = []
            length = total = 0
            for piece in self._resampled(weights):
                pieces.append(piece)
                length, total = length + len(piece), total + len(piece)
                if length >= self._block_length:
                    joined = np.concatenate(pieces)
                    whole = length - length % self._block_length
                    yield from np.split(joined[:whole], whole // self._block_length)
                    pieces, length = [joined[whole:]], length - whole
            if length:
                yield np.concatenate(pieces)
            if not total:
                frames = self._reader.num_frames
                raise _too_short(self._reader.name, frames, self.source_sampling_rate, self.sampling_rate)

    def _resampled(self, weights: np.ndarray) -> Iterator[np.ndarray]:
        resampler: Any = None
        if self.sampling_rate != self.source_sampling_rate:
            import soxr

            resampler = soxr.ResampleStream(self.source_sampling_rate, self.sampling_rate, 1, dtype="float32")
        peak = 0.0
        for block in self._reader.blocks():
            mono = _mix(block, weights)
            peak = max(peak, float(np.abs(mono).max()))
            yield resampler.resample_chunk(mono) if resampler else mono
        if resampler:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        if self._reader.truncation:
            self.notes += (self._reader.truncation,)
        if peak > LOUD_PEAK:
            self.notes += (f"over full scale: peak {peak:.1f}",)


class _Reader:
    """A file opened at its own rate: `blocks` gives `(num_frames, channels)`, then `num_frames` and `truncation` hold."""

    def __init__(self, source: AudioSource, name: str | None = None):
        self.name = name or ("audio bytes" if isinstance(source, bytes) else os.fspath(source))
        self.num_frames = 0
        #: Set when the container shows that audio is missing.
        self.truncation: str | None = None
        self._stopped_by = ""
        sound_file, self._error_type = _import_libsndfile(self.name)
        self._file = _open(source, self.name)
        try:
            self._container, self._spliced = self._inspect()
            self._sound = sound_file(self._spliced)
        except self._error_type as error:
            raise self._refusal(error) from error
        except OSError as error:
            self._file.close()
            raise _os_error(self.name, error) from error
        self.sampling_rate, self.channels = int(self._sound.samplerate), int(self._sound.channels)
        self._check_header()
        mismatch = _suffix_note(self.name, self._sound.format)
        self.notes = tuple(note for note in (self._container.note, mismatch) if note)

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sound.close()
        self._file.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield `float32` arrays `(num_frames, channels)`, all finite, at least one."""
        length = max(1, _READ_SAMPLES // self.channels)
        while True:
            out = np.empty((length, self.channels), np.float32)
            try:
                block = self._sound.read(out=out)
            except self._error_type as error:
                self._stop_at(error)
                break
            if self._spliced.error:
                raise _os_error(self.name, self._spliced.error) from self._spliced.error
            if not len(block):
                break
            if not np.isfinite(block).all():
                at = self.num_frames + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
                reason = (
                    f"holds NaN or infinite samples (first at {at / self.sampling_rate:.2f} s); write the file again"
                )
                raise AudioError(self.name, reason, "not_finite")
            self.num_frames += len(block)
            yield block
        if not self.num_frames:
            raise AudioError(self.name, "empty: the header is there, but no samples", "empty")
        self.truncation = self._find_truncation()

    def _inspect(self) -> tuple[Container, SplicedFile]:
        if not self._file.seek(0, io.SEEK_END):
            self._file.close()
            raise AudioError(self.name, "empty (0 bytes)", "empty")
        container = inspect(self._file)
        return container, SplicedFile(self._file, container.head, container.offset)

    def _refusal(self, error: Any) -> AudioError:
        if self._spliced.error:
            self._file.close()
            return _os_error(self.name, self._spliced.error)
        foreign = foreign_format(self._file)
        self._file.close()
        if foreign and foreign[1]:
            reason = f"{foreign[0]} is not supported; convert it to WAV or FLAC (ffmpeg -i INPUT OUTPUT.wav)"
            return AudioError(self.name, reason, "unsupported")
        if foreign:
            return AudioError(self.name, f"this is {foreign[0]}, not audio", "unreadable")
        if "unsupported" in str(error).lower() or "unimplemented" in str(error).lower():
            reason = f"its encoding is not supported ({error.error_string}); convert it to 16-bit WAV or FLAC"
            return AudioError(self.name, reason, "unsupported")
        return AudioError(self.name, f"not readable as audio ({error.error_string.rstrip('.')})", "unreadable")

    def _check_header(self) -> None:
        rate, channels = self.sampling_rate, self.channels
        if MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE and 1 <= channels <= MAX_CHANNELS:
            return
        self.close()
        raise AudioError(
            self.name,
            f"its header says {rate} Hz and {channels} channels; {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE} Hz and "
            f"1 to {MAX_CHANNELS} channels are accepted",
        )

    def _promised_frames(self) -> float | None:
        container = self._container
        if container.promised_bytes and container.available_bytes:
            return self.num_frames * container.promised_bytes / container.available_bytes
        if container.promises_frames and self._sound.frames < _UNKNOWN_FRAMES:
            return float(self._sound.frames)
        return None

    def _find_truncation(self) -> str | None:
        seconds = self.num_frames / self.sampling_rate
        promised = self._promised_frames()
        tolerance = TRUNCATION_TOLERANCE * self.sampling_rate
        if self._sound.format == "MP3":
            tolerance = max(tolerance, _MP3_SLACK)
        if promised is not None and promised - self.num_frames > tolerance:
            return f"truncated: {seconds:.1f} of {promised / self.sampling_rate:.1f} s{self._stopped_by}"
        return f"truncated: no end of stream after {seconds:.1f} s" if self._container.cut_short else None

    def _stop_at(self, error: Any) -> None:
        """A decoder that stops with an error part-way: what came before is used if the header says that it is a part."""
        if self.num_frames and self._promised_frames() is not None:
            self._stopped_by = f" ({error.error_string.rstrip('.')})"
            return
        at = f" after {self.num_frames / self.sampling_rate:.1f} s" if self.num_frames else ""
        raise AudioError(self.name, f"damaged{at} ({error.error_string.rstrip('.')})") from error


class _Levels:
    """Running minimum and maximum per channel, and the channels' products, in float64."""

    def __init__(self, channels: int):
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)
        self.products = np.zeros((channels, channels))

    def add(self, block: np.ndarray) -> None:
        if not len(block):
            return
        rows = np.ascontiguousarray(block.T)  # (channels, num_frames): reductions along memory are ten times faster
        self.low, self.high = np.minimum(self.low, rows.min(axis=1)), np.maximum(self.high, rows.max(axis=1))
        if len(rows) > 1:
            wide = rows.astype(np.float64)
            self.products += wide @ wide.T

    def mono_rule(self) -> tuple[np.ndarray, str | None]:
        """Return the weight of each channel `(channels,)` by the rule of [`to_mono`], and a note."""
        count = len(self.low)
        live = self.high - self.low > SILENCE_RANGE
        if count == 1 or not live.any():
            return np.full(count, 1 / count), None
        weights = live / live.sum()
        energy = self.products.diagonal()
        loudest = int(energy.argmax())
        if weights @ self.products @ weights < CANCELLED_ENERGY * energy[loudest]:
            return np.eye(count)[
                loudest
            ], f"channels cancel each other: channel {loudest + 1} of {count} is used alone"
        if live.all():
            return weights, None
        silent = ", ".join(_channel_name(int(index), count) for index in np.flatnonzero(~live))
        return weights, f"silent channel left out of the mix: {silent}"


def _channel_name(index: int, count: int) -> str:
    return ("left", "right")[index] if count == 2 else str(index + 1)


def _mix(block: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weigh and add channels, `(num_frames, channels)` -> `(num_frames,)`, one at a time: the same for every block length."""
    if len(weights) == 1:
        return block[:, 0]
    mono = np.zeros(len(block), np.float32)
    for channel in np.flatnonzero(weights):
        mono += block[:, channel] * np.float32(weights[channel])
    return mono


def _judge(name: str, num_samples: int, seconds: float, min_seconds: float, low: np.ndarray, high: np.ndarray) -> None:
    if not num_samples:
        raise AudioError(name, "empty: no samples", "empty")
    if seconds < min_seconds:
        raise AudioError(name, f"too short ({seconds:.2f} s; at least {min_seconds:g} s are needed)", "too_short")
    if (high - low <= SILENCE_RANGE).all():
        level = float(high[np.abs(high).argmax()])
        constant = abs(level) > SILENCE_RANGE
        raise AudioError(name, f"silent (a constant of {level:.2f})" if constant else "silent", "silent")


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
    return floats


def _suffix_note(name: str, format_name: str) -> str | None:
    suffix = PurePath(name).suffix
    expected = _FORMATS_BY_SUFFIX.get(suffix.lower())
    return f"named {suffix}, but the content is {format_name}" if expected and format_name not in expected else None


def _open(source: AudioSource, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as error:
        raise _os_error(name, error) from error


def _os_error(name: str, error: OSError | ValueError) -> AudioError:
    if isinstance(error, FileNotFoundError):
        return AudioError(name, "no such file")
    if isinstance(error, IsADirectoryError):
        return AudioError(name, "is a folder, not a file")
    return AudioError(name, f"cannot be read ({getattr(error, 'strerror', None) or error})")


def _import_libsndfile(name: str) -> tuple[Any, type[Exception]]:
    """Return the class that reads files front to back, and the error that it raises."""
    try:
        return _sequential_sound_file()
    except (ImportError, OSError) as error:
        reason = (
            f"audio cannot be decoded here, since libsndfile does not load ({error}); install it with "
            "`pip install --force-reinstall soundfile` or `apt-get install libsndfile1`"
        )
        raise AudioError(name, reason, "environment") from error


@functools.cache
def _sequential_sound_file() -> tuple[Any, type[Exception]]:
    import soundfile

    class SequentialSoundFile(soundfile.SoundFile):
        # soundfile seeks after every read of a seekable file: slow for FLAC, an error for FLAC of unstated length.
        def seekable(self) -> bool:
            return False

    return SequentialSoundFile, soundfile.LibsndfileError
