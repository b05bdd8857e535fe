"""Small sounds and files for the tests of this folder; everything is synthesised."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

#: libsndfile's format and subtype by extension.
FORMATS = {".wav": "WAV", ".au": "AU", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}


def tone(frequency: float = 440.0, seconds: float = 1.0, sampling_rate: int = 8000, peak: float = 0.5) -> np.ndarray:
    """Return a sine, float64 `(num_samples,)`."""
    time = np.arange(round(sampling_rate * seconds)) / sampling_rate
    return peak * np.sin(2 * np.pi * frequency * time)


def encode(samples: np.ndarray, sampling_rate: int = 8000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Return an audio file's content."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sampling_rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def write_tree(root: Path, files: Mapping[str, float | bytes], seconds: float = 1.0) -> Path:
    """Write files: a frequency becomes a tone in the extension's format, bytes are written as they are."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes(encode(tone(content, seconds), kind=FORMATS[path.suffix.lower()]))
    return root


def wave(samples: np.ndarray, sampling_rate: int = 8000, stated_bytes: int | None = None, after: bytes = b"") -> bytes:
    """Return a 16-bit mono WAV whose header may lie about its size."""
    data = np.round(samples * 32767).astype("<i2").tobytes()
    size = len(data) if stated_bytes is None else stated_bytes
    header = struct.pack("<HHIIHH", 1, 1, sampling_rate, 2 * sampling_rate, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", size) + data + after
    return b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFFFFFF)) + body


def loudest_frequency(samples: np.ndarray, sampling_rate: int) -> float:
    """Return the frequency of the largest peak of the spectrum, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * sampling_rate / len(samples))
