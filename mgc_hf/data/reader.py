"""An audio file opened by its content, read front to back in small steps, or refused by one typed error.

What libsndfile needs (corrected headers, no file name) and what it hides (that a part is missing) is put right here,
with the help of `containers`.
"""

import functools
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np

from mgc_hf.data import ffmpeg
from mgc_hf.data.containers import Container, SplicedFile, foreign_format, inspect
from mgc_hf.errors import AudioError
from mgc_hf.libraries import why_hidden

#: Sampling rates in Hz and channel counts beyond these are taken for a damaged header.
MIN_SAMPLING_RATE, MAX_SAMPLING_RATE, MAX_CHANNELS = 1_000, 768_000, 64
#: Samples beyond this, full scale at 1.0, are damage: their energy is more than features in float32 can hold.
MAX_LEVEL = 1e8
#: A header that promises more than is there by less than this (seconds) is rounding, not a cut file;
TRUNCATION_TOLERANCE = 0.05
#: ... and by no more than this part of it.
TRUNCATION_SHARE = 0.01

# Samples read at a time, all channels together: where a decoder fails, so much is lost. Sound that is merely stored
# cannot fail part-way; few large steps cost little and leave the interpreter's lock to other threads.
_DECODED_SAMPLES, _STORED_SAMPLES = 8_192, 131_072
_STORED = (
    ("WAV", "WAVEX", "RF64", "AU", "AIFF"),
    ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"),
)
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


class Reader:
    """A file opened at its own rate: `blocks` gives `(num_frames, channels)`, then `num_frames` and `truncation` hold."""

    def __init__(self, source: AudioSource, name: str | None = None):
        self.name = name or ("audio bytes" if isinstance(source, bytes) else os.fspath(source))
        self.num_frames = 0
        #: Set when the container shows that audio is missing.
        self.truncation: str | None = None
        self._stopped_by = ""
        self._foreign = False
        sound_file, self._error_type = _import_libsndfile(self.name)
        self._file = _open(source, self.name)
        try:
            self._decode_foreign()
            self._container, self._spliced = self._inspect()
            self._sound = sound_file(self._spliced)
        except self._error_type as error:
            raise self._refusal(error) from error
        except OSError as error:
            self._file.close()
            raise _os_error(self.name, error) from error
        self.sampling_rate, self.channels = int(self._sound.samplerate), int(self._sound.channels)
        self._check_header()
        mismatch = None if self._foreign else _suffix_note(self.name, self._sound.format)
        self.notes = tuple(note for note in (self._container.note, mismatch) if note)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._sound.close()
        self._file.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield `float32` arrays `(num_frames, channels)`, all finite, at least one."""
        stored = self._sound.format in _STORED[0] and self._sound.subtype in _STORED[1]
        length = max(1, (_STORED_SAMPLES if stored else _DECODED_SAMPLES) // self.channels)
        # 16-bit steps are read as they are: libsndfile's own conversion gives the same and takes four times as long
        dtype = np.int16 if self._sound.subtype == "PCM_16" else np.float32
        while True:
            try:
                block = self._sound.read(out=np.empty((length, self.channels), dtype))
            except self._error_type as error:
                self._stop_at(error)
                break
            if self._spliced.error:
                raise _os_error(self.name, self._spliced.error) from self._spliced.error
            if not len(block):
                break
            if dtype == np.int16:
                block = block.astype(np.float32)
                block *= np.float32(2.0**-15)
            elif not np.isfinite(block).all():
                at = self.num_frames + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
                reason = (
                    f"holds NaN or infinite samples (first at {at / self.sampling_rate:.2f} s); write the file again"
                )
                raise AudioError(self.name, reason, "not_finite")
            elif np.abs(block).max() > MAX_LEVEL:
                reason = f"holds samples of {np.abs(block).max():.0e} times full scale; write the file again"
                raise AudioError(self.name, reason, "not_finite")
            self.num_frames += len(block)
            yield block
        if not self.num_frames:
            raise AudioError(self.name, "empty: the header is there, but no samples", "empty")
        self.truncation = self._find_truncation()

    def _decode_foreign(self) -> None:
        """Put what ffmpeg makes of the file in its place, where it is of a format that is read so."""
        foreign = foreign_format(self._file)
        if foreign is not None and foreign[0] in ffmpeg.DEMUXERS and ffmpeg.program():
            file = self._file
            with file:
                self._file = ffmpeg.to_wave(file, foreign[0], self.name)
            self._foreign = True

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
            cure = "convert it to WAV or FLAC (ffmpeg -i INPUT OUTPUT.wav)"
            if foreign[0] in ffmpeg.DEMUXERS:
                cure = f"install ffmpeg, which reads it (apt-get install ffmpeg), or {cure}"
            reason = f"{foreign[0]} is not supported; {cure}"
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
        if promised is not None:
            tolerance = min(tolerance, TRUNCATION_SHARE * promised)
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


def _suffix_note(name: str, format_name: str) -> str | None:
    suffix = PurePath(name).suffix
    expected = _FORMATS_BY_SUFFIX.get(suffix.lower())
    return f"named {suffix}, but the content is {format_name}" if expected and format_name not in expected else None


def _open(source: AudioSource, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        mode = os.stat(source).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe may wait for ever
            raise AudioError(name, "is a pipe or a device; write the audio to a file first")
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
    soundfile = import_soundfile(name)
    return _sequential_sound_file(soundfile), soundfile.LibsndfileError


def import_soundfile(name: str) -> Any:
    """Return the module.

    Args:
        name (`str`): What is to be read or written, for the error.

    Raises:
        AudioError: Of kind `environment`: it is not there or does not load.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:
        told = why_hidden("soundfile") or error
        reason = (
            f"audio cannot be decoded here, since libsndfile does not load ({told}); install it with "
            "`pip install --force-reinstall soundfile` or `apt-get install libsndfile1`"
        )
        raise AudioError(name, reason, "environment") from error
    return soundfile


@functools.cache
def _sequential_sound_file(soundfile: Any) -> Any:
    class SequentialSoundFile(soundfile.SoundFile):
        # soundfile seeks after every read of a seekable file: slow for FLAC, an error for FLAC of unstated length.
        def seekable(self) -> bool:
            return False

    return SequentialSoundFile
