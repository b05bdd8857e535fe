"""The one rule by which channels become one, and the levels that it goes by."""

import numpy as np

#: Audio that stays within one step of 16-bit sound on either side of a constant is silence (a constant is no sound).
SILENCE_RANGE = 2.0**-14
#: The mean of channels that keeps less than this fraction of the louder channel's energy has cancelled.
CANCELLED_ENERGY = 0.1


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
    levels = Levels(samples.shape[1])
    levels.add(samples)
    weights, note = levels.mono_rule()
    return mix(samples, weights), note


class Levels:
    """Running minimum and maximum per channel, and the channels' products, in float64."""

    def __init__(self, channels: int):
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)
        self.products = np.zeros((channels, channels))

    def add(self, block: np.ndarray) -> None:
        """Take in the next samples, `(num_frames, channels)`."""
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
            note = f"channels cancel each other: channel {loudest + 1} of {count} is used alone"
            return np.eye(count)[loudest], note
        if live.all():
            return weights, None
        silent = ", ".join(_channel_name(int(index), count) for index in np.flatnonzero(~live))
        return weights, f"silent channel left out of the mix: {silent}"


def _channel_name(index: int, count: int) -> str:
    return ("left", "right")[index] if count == 2 else str(index + 1)


def mix(block: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weigh and add channels, `(num_frames, channels)` -> `(num_frames,)`, one at a time: the same for every block length."""
    if len(weights) == 1:
        return block[:, 0]
    mono = np.zeros(len(block), np.float32)
    for channel in np.flatnonzero(weights):
        mono += block[:, channel] * np.float32(weights[channel])
    return mono
