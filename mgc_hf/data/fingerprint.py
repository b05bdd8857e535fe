"""Landmark fingerprints: which clips are one recording, however it was written, resampled, cut or soiled.

After Wang, "An industrial-strength audio search algorithm", ISMIR 2003: the peaks of a spectrogram survive a codec and
noise, and two of them with the time between them are a hash that few recordings share. Clips of one recording share many
hashes at one and the same distance in time. What so many votes propose is then tried on the peaks themselves: at the
right distance a good part of the peaks of two clips coincide, also of those that made no common hash.

A fingerprint tells a recording, not a piece of music: another take, a transposed or stretched copy is not found, and two
excerpts of one recording that do not overlap have nothing in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgc_hf.data.threads import count_threads, map_in_order

#: Rate of the audio that is fingerprinted, Hz.
FINGERPRINT_RATE = 8_000
_WINDOW, _HOP = 1_024, 128  # samples: bins of 7.8 Hz, frames of 16 ms
_BLOCK_FRAMES = 512  # looked at together: what is held does not grow with a clip's length, and stays in the cache
_LOWEST, _HIGHEST = 20, 480  # bins: 156 to 3,750 Hz, which every codec and rate keeps
_PEAKS_PER_SECOND = 30
#: A peak is the largest value so many frames and bins around it.
_NEAR_FRAMES, _NEAR_BINS = 7, 12
#: Peaks lower than this below a clip's highest are noise of the format, dB.
_RANGE_DB = 70.0
#: A peak is paired with so many of the next ones, at most so many frames later and bins away.
_PARTNERS, _PAIR_FRAMES, _PAIR_BINS = 10, 63, 127
#: Common hashes at one distance that make two clips worth a closer look.
_LEAST_VOTES = 8
#: Two clips are one recording where so many peaks, this share of them, coincide, and either the distance has twice the
#: votes of any other (music that repeats, and two pieces of one pattern, agree at many distances), or far more coincide.
_LEAST_PEAKS, _LEAST_SHARE, _LEAD, _LARGE_SHARE = 15, 0.18, 2.0, 0.5
#: Distances so many frames apart are one.
_SAME_DISTANCE = 3
#: They overlap by so many seconds; a short clip by so much of itself, but not less than 2 s.
_OVERLAP_SECONDS, _OVERLAP_SHARE, _LEAST_SECONDS = 5.0, 0.6, 2.0


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is kept of a clip.

    Args:
        frames (`np.ndarray` of `int32`, shape `(num_peaks,)`): Time of each peak in frames of 16 ms, ascending.
        bins (`np.ndarray` of `int32`, shape `(num_peaks,)`): Its frequency in bins of 7.8 Hz.
        num_frames (`int`): Length of the clip, frames.
    """

    frames: np.ndarray
    bins: np.ndarray
    num_frames: int


@dataclass(frozen=True)
class Match:
    """Two clips of one recording.

    Args:
        first, second (`int`): Their places in the sequence that was searched, `first` below `second`.
        offset_seconds (`float`): Where the second begins within the first, seconds; negative: before it.
        overlap_seconds (`float`): How long they sound together, seconds.
        share (`float`): Share of the peaks of the overlap that coincide, 0 to 1.
    """

    first: int
    second: int
    offset_seconds: float
    overlap_seconds: float
    share: float


def fingerprint(samples: np.ndarray) -> Fingerprint:
    """Find the peaks of a clip's spectrogram, about 30 a second.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Mono audio at 8 kHz; its level is of no consequence.

    Returns:
        [`Fingerprint`]: Without peaks for silence and for less than a window (0.128 s).
    """
    if len(samples) < _WINDOW:
        nothing = np.zeros(0, np.int32)
        return Fingerprint(nothing, nothing, 0)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    found = [_peaks(windows, start) for start in range(0, len(windows), _BLOCK_FRAMES)]
    frames, bins, power = (np.concatenate(column) for column in zip(*found, strict=True))
    loud = power > power.max(initial=0.0) * 10 ** (-_RANGE_DB / 10)
    frames, bins, power = frames[loud], bins[loud], power[loud]
    # of each second the highest peaks, so that quiet music has its own
    second = frames // round(FINGERPRINT_RATE / _HOP)
    order = np.lexsort((-power, second))
    first = np.searchsorted(second, second)  # `frames` ascend: where each second begins
    kept = np.sort(order[np.arange(len(order)) - first[order] < _PEAKS_PER_SECOND])
    return Fingerprint(frames[kept].astype(np.int32), bins[kept].astype(np.int32), len(windows))


def _peaks(windows: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frame, bin and power of the peaks in one block of frames; those around it are looked at too."""
    from scipy.fft import rfft
    from scipy.ndimage import maximum_filter1d

    begin = max(0, start - _NEAR_FRAMES)
    block = windows[begin : start + _BLOCK_FRAMES + _NEAR_FRAMES]
    spectrum = rfft(block * np.hanning(_WINDOW).astype(np.float32), axis=1)[:, _LOWEST:_HIGHEST]
    power = spectrum.real**2 + spectrum.imag**2
    around = maximum_filter1d(power, 2 * _NEAR_FRAMES + 1, axis=0, mode="nearest")
    around = maximum_filter1d(around, 2 * _NEAR_BINS + 1, axis=1, mode="nearest")
    own = slice(start - begin, start - begin + _BLOCK_FRAMES)
    frames, bins = np.nonzero((power[own] == around[own]) & (power[own] > 0))
    return frames + start, bins + _LOWEST, power[own][frames, bins]


def _hashes(clip: Fingerprint) -> tuple[np.ndarray, np.ndarray]:
    """Return the hash of every pair of near peaks, and the frame of its first peak."""
    hashes, times = [], []
    for step in range(1, min(_PARTNERS, len(clip.frames) - 1) + 1):
        after = clip.frames[step:] - clip.frames[:-step]
        up = clip.bins[step:] - clip.bins[:-step]
        near = (after > 0) & (after <= _PAIR_FRAMES) & (np.abs(up) <= _PAIR_BINS)
        bins = clip.bins[:-step][near].astype(np.int64)
        hashes.append((bins << 14) | ((up[near] + _PAIR_BINS) << 6).astype(np.int64) | after[near])
        times.append(clip.frames[:-step][near])
    if not hashes:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    return np.concatenate(hashes), np.concatenate(times)


def same_recordings(clips: Sequence[Fingerprint]) -> list[Match]:
    """Find all pairs of clips that are of one recording.

    All hashes are looked up in one sorted table, so that the time grows with the hashes that clips share, not with the
    number of pairs.

    Args:
        clips (`Sequence[Fingerprint]`): Of all clips.

    Returns:
        `list[Match]`: In the order of the clips.
    """
    made = [_hashes(clip) for clip in clips]
    if not made:
        return []
    keys = np.concatenate([hashes * len(clips) + index for index, (hashes, _) in enumerate(made)])
    times = np.concatenate([times for _, times in made])
    order = np.argsort(keys)
    keys, times = keys[order], times[order]

    def matches_of(index: int) -> list[Match]:
        hashes, frames = made[index]
        proposals = _proposals(index, hashes, frames, keys, times, len(clips))
        tried = ((_verified(clips, index, other, offset), leads) for other, offset, leads in proposals)
        return [match for match, leads in tried if match and (leads or match.share >= _LARGE_SHARE)]

    return [match for _, found in map_in_order(matches_of, range(len(clips)), count_threads()) for match in found]


def _proposals(
    index: int, hashes: np.ndarray, frames: np.ndarray, keys: np.ndarray, times: np.ndarray, num_clips: int
) -> list[tuple[int, int, bool]]:
    """Return the later clips that share hashes with one at one distance, that distance in frames, and whether it leads.

    `keys` are hash and clip as one number, ascending, so that the later clips with a hash lie side by side.
    """
    left = np.searchsorted(keys, hashes * num_clips + index + 1)
    counts = np.searchsorted(keys, (hashes + 1) * num_clips) - left
    rows = np.arange(counts.sum()) + np.repeat(left - np.cumsum(counts) + counts, counts)
    offsets = np.repeat(frames, counts).astype(np.int64) - times[rows]
    cells, votes = np.unique(((keys[rows] % num_clips) << 32) + (offsets + 2**31), return_counts=True)
    # a distance that is no whole number of frames divides its votes between two
    beside = np.flatnonzero(np.diff(cells) == 1)
    joined = votes.copy()
    joined[beside] += votes[beside + 1]
    order = np.flatnonzero(joined >= _LEAST_VOTES)
    order = order[np.argsort(-joined[order], kind="stable")]
    cells, joined = cells[order], joined[order]
    others, best, its = np.unique(cells >> 32, return_index=True, return_inverse=True)
    elsewhere = np.abs(cells - cells[best][its]) > _SAME_DISTANCE
    rival = np.zeros(len(others), joined.dtype)
    np.maximum.at(rival, its[elsewhere], joined[elsewhere])
    leads = joined[best] >= _LEAD * rival
    distances = (cells[best] & (2**32 - 1)) - 2**31
    return list(zip(others.tolist(), distances.tolist(), leads.tolist(), strict=True))


def _verified(clips: Sequence[Fingerprint], index: int, other: int, offset: int) -> Match | None:
    """Lay two clips over each other and count the peaks that coincide, to a frame and a bin."""
    first, second = clips[index], clips[other]
    begin, end = max(0, offset), min(first.num_frames, second.num_frames + offset)
    seconds = (end - begin) * _HOP / FINGERPRINT_RATE
    shorter = min(first.num_frames, second.num_frames) * _HOP / FINGERPRINT_RATE
    if seconds < max(_LEAST_SECONDS, min(_OVERLAP_SECONDS, _OVERLAP_SHARE * shorter)):
        return None
    few, many = sorted(
        (_within(first, 0, begin, end), _within(second, offset, begin, end)), key=lambda peaks: len(peaks[0])
    )
    grid = np.zeros((end - begin + 2, _HIGHEST + 2), bool)
    for later in (0, 1, 2):
        for higher in (0, 1, 2):
            grid[many[0] + later, many[1] + higher] = True
    coinciding = int(grid[few[0] + 1, few[1] + 1].sum())
    if coinciding < max(_LEAST_PEAKS, _LEAST_SHARE * len(few[0])):
        return None
    return Match(index, other, offset * _HOP / FINGERPRINT_RATE, seconds, coinciding / len(few[0]))


def _within(clip: Fingerprint, offset: int, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the peaks of a clip, which starts at `offset`, that lie from `begin` to `end`; frames count from `begin`."""
    frames = clip.frames + offset
    inside = (frames >= begin) & (frames < end)
    return frames[inside] - begin, clip.bins[inside]
