"""Landmarks: what a recording survives, and that other music does not pass for it."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from mgc_hf.data.audio import decode, from_array
from mgc_hf.data.demo import render_clip
from mgc_hf.data.fingerprint import FINGERPRINT_RATE, fingerprint, same_recordings

SECONDS, RATE = 8.0, 22_050
GENRES = ("blues", "classical", "disco", "hiphop", "metal", "reggae")


@pytest.fixture(scope="module")
def music():
    return [soundfile.read(io.BytesIO(render_clip(genre, 0, SECONDS)), dtype="float32") for genre in GENRES]


@pytest.fixture(scope="module")
def prints(music):
    return [landmarks(samples, rate) for samples, rate in music]


def landmarks(samples, rate):
    return fingerprint(from_array(samples, rate, FINGERPRINT_RATE).samples)


def mp3(samples, rate):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.575)
    audio = decode(content.getvalue())
    return audio.samples, audio.sampling_rate


def clicked(samples, rate):
    samples, rng = samples.copy(), np.random.default_rng(0)
    samples[rng.integers(0, len(samples), len(samples) // rate * 4)] = 0.8
    return samples, rate


CHANGES = {
    "gain": lambda samples, rate: (0.3 * samples, rate),
    "mp3": mp3,
    "16 kHz": lambda samples, rate: (soxr.resample(samples, rate, 16_000), 16_000),
    "shift": lambda samples, rate: (samples[round(1.713 * rate) :], rate),
    "clicks": clicked,
    "excerpt": lambda samples, rate: (samples[2 * rate : 7 * rate], rate),
}


def changed(music, names):
    found = []
    for samples, rate in music:
        for name in names:
            samples, rate = CHANGES[name](samples, rate)
        found.append(landmarks(samples, rate))
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_every_clip_is_found_after_one_change_and_no_other_is(music, prints, change):
    count = len(GENRES)
    found = {(match.first, match.second) for match in same_recordings(prints + changed(music, [change]))}
    assert found == {(index, index + count) for index in range(count)}


def test_clips_are_found_after_all_changes_at_once(music, prints):
    count = len(GENRES)
    soiled = changed(music, ["excerpt", "gain", "clicks", "16 kHz", "mp3"])
    found = {(match.first, match.second) for match in same_recordings(prints + soiled)}
    assert found <= {(index, index + count) for index in range(count)}
    assert len(found) >= count - 1


def test_a_match_says_where_and_how_long(music, prints):
    (match,) = same_recordings([prints[0], landmarks(*CHANGES["shift"](*music[0]))])
    assert (match.first, match.second) == (0, 1)
    assert match.offset_seconds == pytest.approx(1.713, abs=0.02)
    assert match.overlap_seconds == pytest.approx(SECONDS - 1.713, abs=0.2)
    assert match.share > 0.8


def test_the_level_is_of_no_consequence(prints, music):
    samples, rate = music[1]
    quiet = landmarks(1e-3 * samples, rate)
    assert np.array_equal(quiet.frames, prints[1].frames)
    assert np.array_equal(quiet.bins, prints[1].bins)


def test_about_thirty_peaks_a_second(prints):
    for one in prints:
        assert 10 * SECONDS <= len(one.frames) <= 30 * (SECONDS + 1)
        assert (np.diff(one.frames) >= 0).all()


def test_silence_and_next_to_nothing_match_nothing():
    nothing = [fingerprint(np.zeros(length, np.float32)) for length in (0, 100, 1_024, 40_000)]
    assert [len(one.frames) for one in nothing] == [0, 0, 0, 0]
    assert same_recordings(nothing) == same_recordings([]) == []


def test_noise_of_other_seeds_is_other_noise():
    rng = np.random.default_rng(0)
    assert same_recordings([fingerprint(rng.standard_normal(40_000).astype(np.float32)) for _ in range(20)]) == []
