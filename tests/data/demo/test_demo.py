"""The demo corpus as its users see it: shape, sameness, options, what is said when something is missing."""

import importlib.metadata
import importlib.util
import io
import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
import soundfile

from mgc_hf.data.demo import SAMPLING_RATE, DemoClip, generate_demo, render_clip
from mgc_hf.labels import GTZAN_GENRES

OFFLINE_HASHES = """
import hashlib, socket, ssl, sys

import mgc_hf.data.demo as demo

def refuse(*args, **kwargs):
    raise RuntimeError("the demo corpus reached for the network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
assert not {"symusic", "pretty_midi", "scipy", "soundfile"} & set(sys.modules), "heavy imports at import time"
for genre, index in [("rock", 3), ("jazz", 1), ("blues", 0)]:
    print(genre, index, hashlib.sha256(demo.render_clip(genre, index, 4.0, 7)).hexdigest())
assert "pretty_midi" not in sys.modules
"""


def decode(wav: bytes) -> np.ndarray:
    audio, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    assert rate == SAMPLING_RATE == 22050
    return audio


def test_shape_of_the_corpus():
    clips = list(generate_demo(clips_per_genre=2, seconds=1.5, seed=3))
    assert all(isinstance(clip, DemoClip) for clip in clips)
    assert [clip.track_id for clip in clips] == [f"{genre}.{index:05d}" for genre in GTZAN_GENRES for index in (0, 1)]
    assert all(clip.track_id.split(".")[0] == clip.genre for clip in clips)
    assert len({clip.wav for clip in clips}) == 20
    info = soundfile.info(io.BytesIO(clips[0].wav))
    assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 22050)
    assert {len(decode(clip.wav)) for clip in clips} == {33075}


@pytest.mark.parametrize(("seconds", "samples"), [(1.0, 22050), (2.34567, 51722), (30, 661500)])
def test_length_is_exact(seconds, samples):
    assert len(decode(render_clip("country", 0, seconds))) == samples


def test_same_bytes_in_another_process_and_another_order():
    wanted = [
        (genre, i, sha256(render_clip(genre, i, 4.0, 7)).hexdigest()) for genre, i in [("blues", 0), ("jazz", 1)]
    ]
    corpus = {clip.track_id: clip.wav for clip in generate_demo(2, 4.0, 7)}
    for genre, index, digest in wanted:
        assert sha256(corpus[f"{genre}.{index:05d}"]).hexdigest() == digest
    # glibc fills fresh memory with this byte: what is read unwritten (tried: it was) would change the sums
    environment = {**os.environ, "MALLOC_PERTURB_": "165"}
    command = [sys.executable, "-c", OFFLINE_HASHES]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    lines = {tuple(line.split()[:2]): line.split()[2] for line in run.stdout.splitlines()}
    assert len(lines) == 3
    for genre, index, digest in wanted:
        assert lines[genre, str(index)] == digest


CORPUS_HASH = """
import hashlib, sys
from mgc_hf.data.demo import generate_demo, render_clip
for seconds in map(float, sys.argv[1:]):
    render_clip("country", 0, seconds)
print(hashlib.sha256(b"".join(clip.wav for clip in generate_demo(4, 2.0))).hexdigest())
"""


def test_a_clip_is_the_same_whatever_was_rendered_before_it():
    """A synthesizer that is used again plays some pitches in another way, which depends on what it played first."""
    command = [sys.executable, "-c", CORPUS_HASH]
    found = [
        subprocess.run([*command, *first], capture_output=True, text=True, check=True).stdout
        for first in ([], ["2.34567"])
    ]
    assert found[0] == found[1] != ""


def test_every_argument_counts():
    first = render_clip("pop", 0, 2.0, 0)
    others = [render_clip("pop", 1, 2.0, 0), render_clip("pop", 0, 2.0, 1), render_clip("rock", 0, 2.0, 0)]
    assert first not in others
    assert len(set(others)) == 3


@pytest.mark.parametrize("genre", GTZAN_GENRES)
def test_sound_from_beginning_to_end(genre):
    for index in range(3):
        audio = decode(render_clip(genre, index, 12.0))
        assert 0.3 < np.abs(audio).max() < 1.0
        assert np.mean(np.abs(audio) > 0.99) == 0
        assert abs(audio.mean()) < 0.02
        seconds = audio[: 12 * SAMPLING_RATE].reshape(12, -1)
        loudness = 10 * np.log10(np.mean(seconds**2, axis=1))
        assert loudness.min() > -45, f"{genre} {index}: {loudness.round()} dB in each second"
        sounding = np.concatenate([[-1], np.flatnonzero(audio), [len(audio)]])
        assert np.diff(sounding).max() < SAMPLING_RATE / 10, "digital silence"


@pytest.mark.parametrize("genre", GTZAN_GENRES)
def test_shortest_clips_sound(genre):
    for index in range(6):
        audio = decode(render_clip(genre, index, 1.0))
        assert np.isfinite(audio).all()
        assert np.sqrt(np.mean(audio**2)) > 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips_per_genre": 0}, "clips_per_genre=0 must be 1 or more"),
        ({"seconds": 0.5}, "seconds=0.5 must be between 1 and 600"),
        ({"seconds": 600.1}, "seconds=600.1 must be between 1 and 600"),
        ({"seconds": float("nan")}, "seconds=nan must be between 1 and 600"),
    ],
)
def test_bad_options_are_refused_at_the_call(options, message):
    with pytest.raises(ValueError, match=message):
        generate_demo(**options)


def test_bad_clips_are_refused():
    with pytest.raises(ValueError, match="genre='techno' is not one of the demo corpus: blues, classical"):
        render_clip("techno", 0, 2.0)
    with pytest.raises(ValueError, match="index=-1"):
        render_clip("rock", -1, 2.0)
    with pytest.raises(ValueError, match="seconds=0"):
        render_clip("rock", 0, 0)


@pytest.mark.parametrize(
    ("found", "message"), [("0.6.0", "needs symusic 0.5.9, found 0.6.0"), (None, "symusic, which is not installed")]
)
def test_wrong_synthesizer_says_what_to_run(monkeypatch, found, message):
    def version(name):
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)
    for call in (generate_demo, lambda: render_clip("rock", 0, 1.0)):
        with pytest.raises(ImportError, match=message) as caught:
            call()
        assert 'pip install "symusic==0.5.9" "pretty_midi' in str(caught.value)


def test_missing_soundfont_says_what_to_run(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"soundfont TimGM6mb.sf2 that pretty_midi ships; run: pip install"):
        generate_demo()
