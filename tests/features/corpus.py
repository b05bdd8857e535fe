"""A small corpus and what the tests of the data path share."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from mgc_hf.augment import Augmentation
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

RATE = 8000
GENRES = ("blues", "jazz", "rock")
SETTINGS = {"sampling_rate": RATE, "n_fft": 256, "hop_length": 128, "num_mel_bins": 16, "segment_seconds": 1.0}


EVERYTHING = Augmentation(
    random_offset=True,
    time_shift_seconds=0.1,
    gain_db=6.0,
    noise_snr_db=10.0,
    spec_time_masks=2,
    spec_time_width=10,
    spec_frequency_masks=1,
    spec_frequency_width=4,
    mixup_alpha=0.4,
)
ON_SPECTROGRAMS = replace(EVERYTHING, random_offset=False, time_shift_seconds=0, gain_db=0, noise_snr_db=None)


def extractor(**changes):
    return LogMelFeatureExtractor(**{**SETTINGS, **changes})


def write_corpus(folder, shortest=0.6):
    """Four noisy clips per genre, 16-bit at `RATE`, of 2.0 to 3.5 s; the last of them shorter than a segment."""
    for number, genre in enumerate(GENRES):
        (folder / genre).mkdir(parents=True)
        for clip in range(4):
            rng = np.random.default_rng((number, clip))
            seconds = shortest if (number, clip) == (2, 3) else 2.0 + clip / 2
            wave = 0.1 * rng.standard_normal(round(seconds * RATE))
            soundfile.write(folder / genre / f"{genre}.{clip:05d}.wav", wave, RATE, subtype="PCM_16")
    return folder


def refuse(*_, **__):
    raise AssertionError("computed again instead of read from the cache")


def equal(one, two):
    assert set(one) == set(two)
    for name in one:
        assert torch.equal(one[name], two[name]), name


def in_mapping(array, file):
    """Whether an array's memory is a mapping of a file."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(value, 16) for value in line.split()[0].split("-"))
        if first <= address and address + array.nbytes <= last:
            return line.endswith(os.path.realpath(file))
    return False
