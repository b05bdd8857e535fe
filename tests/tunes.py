"""Made-up clips of three genres that a small model can tell apart."""

import numpy as np

SAMPLING_RATE = 22050
GENRES = ("blues", "jazz", "metal")


def tune(genre: str, index: int, seconds: float, sampling_rate: int = SAMPLING_RATE) -> np.ndarray:
    """Return a made-up clip: notes of a genre's own register and pulse, noise, and a level of its own."""
    rng = np.random.default_rng([GENRES.index(genre), index])
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    base, beats = {"blues": (110, 2.0), "jazz": (440, 3.0), "metal": (1500, 8.0)}[genre]
    notes = base * 2 ** (rng.integers(0, 12, size=int(seconds * beats) + 1) / 12)
    pitch = notes[(time * beats).astype(int)]
    envelope = np.exp(-3 * ((time * beats) % 1))
    clip = envelope * np.sin(2 * np.pi * np.cumsum(pitch) / sampling_rate) + 0.05 * rng.standard_normal(len(time))
    return (rng.uniform(0.2, 0.5) * clip).astype(np.float32)
