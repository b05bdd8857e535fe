"""The recording: parts are balanced and mixed, then go through a room, an equaliser, tape and a noise floor.

All of it is drawn for each clip from the same distributions whatever the genre, so that the average spectrum tells of
the recording as well as of the music.
"""

import io
from random import Random

import numpy as np

from mgc_hf.data.demo.score import Piece
from mgc_hf.data.demo.synth import play_part
from mgc_hf.data.reader import import_soundfile

SAMPLING_RATE = 22050

# Tunings: samples per second to render at; played at 22,050 they sound up to 12 cents flat or sharp.
_RATES = (21898, 22050, 22203)
# Keeps divisions finite where nothing sounds.
_LEAST = 1e-9
_EQ_HZ = (40.0, 120.0, 350.0, 1000.0, 2500.0, 5000.0, 10000.0)
_EQ_SPREAD_DB = (2.5, 2.0, 2.0, 2.0, 2.0, 2.5, 2.5)


def record(piece: Piece, rng: Random) -> np.ndarray:
    """Play a piece and record it.

    Args:
        piece ([`score.Piece`]): The piece.
        rng (`Random`): Source of all chance.

    Returns:
        `np.ndarray`: float32 of shape `(num_samples,)` with `round(piece.seconds * 22050)` samples, peak from 0.4 to
        0.98.
    """
    count = round(piece.seconds * SAMPLING_RATE)
    noise = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    dry = _mix(piece, rng, count)
    audio = _room_and_equaliser(dry, rng, noise)
    drive = rng.uniform(0.3, 2.5)
    loud = float(np.percentile(np.abs(audio[::16]), 99.5))
    audio = np.tanh(audio * np.float32(drive / max(loud, _LEAST)))
    level = 10 ** (rng.uniform(-75.0, -50.0) / 20)
    audio += np.float32(level * np.sqrt(np.mean(audio**2, dtype=np.float64)) * 3) * (
        noise.random(count, np.float32) - 0.5
    )
    return audio * np.float32(rng.uniform(0.4, 0.98) / max(float(np.max(np.abs(audio))), _LEAST))


def _loudness(audio: np.ndarray) -> float:
    """Root mean square of the loud moments: the 90th percentile over frames of 50 ms; of few notes, near their own."""
    frame = SAMPLING_RATE // 20
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame)
    if not len(frames):
        frames = audio[None]
    powers = np.mean(frames**2, axis=1)
    return float(np.sqrt(max(np.percentile(powers, 90), powers.max() / 10, _LEAST)))


def _mix(piece: Piece, rng: Random, count: int) -> np.ndarray:
    """Bring each part to its level and add them up: float32 of shape `(count,)`."""
    rate = rng.choice(_RATES)
    out = np.zeros(count, np.float32)
    for part in piece.parts:
        stem = play_part(part, piece.seconds, rate)
        stem = stem[:count] if len(stem) >= count else np.pad(stem, (0, count - len(stem)))
        out += stem * np.float32(10 ** (part.level / 20) / _loudness(stem))
    return out


def _room_and_equaliser(audio: np.ndarray, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """A room and an equaliser in one pass through the spectrum.

    The room is noise that dies away exponentially (Moorer, "About this reverberation business", 1979); the equaliser a
    curve through random gains at fixed frequencies; then the band is limited as older recordings are.
    """
    from scipy import fft

    seconds = rng.uniform(0.15, 1.2)
    length = int(seconds * SAMPLING_RATE)
    time = np.arange(length, dtype=np.float32) / np.float32(length)
    tail = (noise.random(length, np.float32) - 0.5) * np.exp(np.float32(-6.9) * time)
    tail *= np.float32(10 ** (rng.uniform(-34.0, -14.0) / 20)) / np.sqrt(np.sum(tail**2))
    size = fft.next_fast_len(len(audio) + length, real=True)
    tail[0] += 1.0
    response = fft.rfft(tail, size)
    hertz = np.fft.rfftfreq(size, 1 / SAMPLING_RATE)
    gains = [rng.uniform(-spread, spread) for spread in _EQ_SPREAD_DB]
    curve = np.interp(np.log(np.maximum(hertz, 1.0)), np.log(_EQ_HZ), gains)
    low, high = rng.uniform(20.0, 60.0), 10 ** rng.uniform(np.log10(8000.0), np.log10(20000.0))
    curve -= 10 * np.log10(1 + (low / np.maximum(hertz, 1e-3)) ** 4) + 10 * np.log10(1 + (hertz / high) ** 6)
    response *= (10 ** (curve / 20)).astype(np.float32)
    return fft.irfft(fft.rfft(audio, size) * response, size)[: len(audio)]


def to_wav(audio: np.ndarray) -> bytes:
    """Write float audio as the bytes of a mono 16-bit PCM WAV file at 22,050 Hz."""
    soundfile = import_soundfile("the demo corpus")
    buffer = io.BytesIO()
    pcm = np.round(np.clip(audio, -1.0, 1.0) * 32767.0).astype(np.int16)
    soundfile.write(buffer, pcm, SAMPLING_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
