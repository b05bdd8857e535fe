import ast
import copy
import inspect
import json
import os
import pickle
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoFeatureExtractor, pipeline

from mgc_hf.models.mel_lstm import (
    LogMelFeatureExtractor,
    MelLstmConfig,
    MelLstmForAudioClassification,
    feature_extraction_mel_lstm,
    log_mel_mel_lstm,
    workers_mel_lstm,
)
from mgc_hf.models.mel_lstm.feature_extraction_mel_lstm import FEATURES_VERSION
from mgc_hf.models.mel_lstm.settings_mel_lstm import LogMelSettings, frame_window, mel_filters
from tests import preloaded

RATE = 22050
ROOT = Path(__file__).parents[3]
FOLDER = Path(feature_extraction_mel_lstm.__file__).parent
#: Every option with a value that is not its default.
OTHER_OPTIONS = {
    "num_mel_bins": 40,
    "sampling_rate": 16000,
    "n_fft": 1024,
    "hop_length": 200,
    "win_length": 800,
    "window_name": "hamming",
    "power": 1.0,
    "fmin": 30.0,
    "fmax": 7600.5,
    "norm": None,
    "htk": True,
    "amin": 1e-9,
    "reference": 2.5,
    "center": False,
    "pad_mode": "reflect",
    "segment_seconds": 5.25,
    "hop_seconds": 2.5,
    "padding_value": -77.5,
    "padding_side": "left",
    "return_attention_mask": False,
}


@pytest.fixture
def extractor():
    return LogMelFeatureExtractor()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def noise(num_samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


def tone(frequency=440.0, num_samples=RATE):
    return np.sin(2 * np.pi * frequency / RATE * np.arange(num_samples)).astype(np.float32)


def features(extractor, clip, **options):
    """Features of one clip, `(num_frames, num_mel_bins)`."""
    return extractor(clip, sampling_rate=extractor.sampling_rate, return_tensors="np", **options).input_features[0]


def librosa_features(extractor, clip):
    """What librosa gives for the extractor's options, `(num_frames, num_mel_bins)`."""
    power = librosa.feature.melspectrogram(
        y=clip,
        sr=extractor.sampling_rate,
        n_fft=extractor.n_fft,
        hop_length=extractor.hop_length,
        win_length=extractor.win_length,
        window=extractor.window_name,
        center=extractor.center,
        pad_mode=extractor.pad_mode,
        power=extractor.power,
        n_mels=extractor.num_mel_bins,
        fmin=extractor.fmin,
        fmax=extractor.fmax,
        htk=extractor.htk,
        norm=extractor.norm,
    )
    return librosa.power_to_db(power, ref=extractor.reference, amin=extractor.amin, top_db=None).T


def assert_equals_librosa(extractor, clip):
    ours, theirs = features(extractor, clip), librosa_features(extractor, clip)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    difference, loud = np.abs(ours - theirs), theirs > theirs.max() - 60
    assert difference[loud].max() < 1e-3
    assert difference[~loud].max(initial=0.0) < 1e-2


def run_python(code, *arguments, hidden=False, **environment):
    """Run code in a process of its own, with the package importable or hidden; return what it printed."""
    head = "import sys\n"
    if hidden:
        head += "sys.modules['mgc_hf'] = None\n"
    else:
        head += f"sys.path.insert(0, {str(ROOT)!r})\n"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    done = preloaded.run(["-c", head + textwrap.dedent(code), *arguments], cwd="/", env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- equal to librosa ------------------------------------------------------------------------------------------------


@st.composite
def audio_parts(draw):
    """A sum of up to three signals: noise, filtered noise, sines, chirps, clicks, squares, a constant, silence."""
    unit = st.floats(0, 1)
    kinds = st.sampled_from(["noise", "brown", "hiss", "sine", "chirp", "clicks", "square", "constant", "silence"])
    level = st.floats(-100, 10)
    part = st.tuples(kinds, level, unit, unit, st.integers(0, 2**32 - 1))
    return draw(st.lists(part, min_size=1, max_size=3))


def render(parts, num_samples):
    """Each part is (kind, level in dB, two numbers from 0 to 1, seed)."""
    clip, step = np.zeros(num_samples), np.arange(num_samples)
    for kind, level, first, second, seed in parts:
        rng = np.random.default_rng(seed)
        white = rng.standard_normal(num_samples)
        clicks = np.zeros(num_samples)
        clicks[rng.integers(0, num_samples, 3)] = 1
        phase = np.pi * step * (first + (second - first) * step / (2 * num_samples))
        part = {
            "noise": white,
            "brown": np.cumsum(white) / 30,
            "hiss": np.diff(white, 4, prepend=np.zeros(4)),
            "sine": np.sin(np.pi * first * step + second),
            "chirp": np.sin(phase),
            "clicks": clicks,
            "square": np.sign(np.sin(np.pi * first / 10 * step + second)),
            "constant": np.ones(num_samples),
            "silence": np.zeros(num_samples),
        }[kind]
        clip += 10 ** (level / 20) * part
    return clip.astype(np.float32)


@st.composite
def extractors(draw):
    rate = draw(st.sampled_from([8000, 11025, 16000, 22050, 44100]))
    n_fft = draw(st.sampled_from([64, 256, 400, 512, 1023, 1024, 2048, 4096]))
    fmin = draw(st.floats(0, 500))
    return LogMelFeatureExtractor(
        sampling_rate=rate,
        n_fft=n_fft,
        hop_length=draw(st.integers(max(16, n_fft // 8), n_fft + 100)),
        win_length=draw(st.none() | st.integers(2, n_fft)),
        window_name=draw(st.sampled_from(["hann", "hann", "hamming", "boxcar"])),
        num_mel_bins=draw(st.integers(1, 140)),
        fmin=fmin,
        fmax=draw(st.none() | st.floats(fmin + 100, rate / 2)),
        htk=draw(st.booleans()),
        norm=draw(st.sampled_from(["slaney", None])),
        power=draw(st.sampled_from([2.0, 2.0, 1.0])),
        center=draw(st.booleans()),
        pad_mode=draw(st.sampled_from(["constant", "reflect"])),
        segment_seconds=1.0,
    )


@pytest.mark.filterwarnings("ignore:Empty filters", "ignore:n_fft=")
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(extractor=extractors(), parts=audio_parts(), length=st.integers(1, 30000))
def test_equals_librosa_for_any_audio_and_settings(extractor, parts, length):
    num_samples = length if extractor.center else max(length, extractor.n_fft)
    assert_equals_librosa(extractor, render(parts, num_samples))


@pytest.mark.parametrize(
    "clip",
    [
        noise(RATE),
        tone(440.0),
        tone(10_900.0),
        librosa.chirp(fmin=20, fmax=11_000, sr=RATE, length=3 * RATE).astype(np.float32),
        librosa.chirp(fmin=20, fmax=11_000, sr=RATE, length=3 * RATE, linear=True).astype(np.float32),
        (0.5 + 1e-4 * tone(8000.0)).astype(np.float32),
        np.eye(1, RATE, 9000, dtype=np.float32)[0],
        noise(1),
        noise(700),
    ],
    ids=["noise", "bass", "treble", "chirp", "linear chirp", "offset", "click", "one sample", "under a frame"],
)
@pytest.mark.parametrize("power", [2.0, 1.0])
@pytest.mark.filterwarnings("ignore:n_fft=")
def test_equals_librosa_at_the_default_settings(clip, power):
    assert_equals_librosa(LogMelFeatureExtractor(power=power), clip)


def test_equals_librosa_on_real_music(gtzan_subset, extractor):
    files = sorted(gtzan_subset.rglob("*.flac"))[::7]
    assert len(files) == 10
    for file in files:
        assert_equals_librosa(extractor, soundfile.read(file, dtype="float32")[0][: 8 * RATE])


def test_float32_alone_would_not_be_exact(extractor, monkeypatch):
    """The tests above do test that faint frames are computed again: without it they fail."""
    monkeypatch.setattr(log_mel_mel_lstm, "_faint_frames", lambda *arguments: np.zeros(0, dtype=int))
    assert np.abs(features(extractor, tone()) - librosa_features(extractor, tone())).max() > 0.1


def test_music_is_hardly_ever_computed_twice(gtzan_subset, extractor, monkeypatch):
    counted, find = [], log_mel_mel_lstm._faint_frames

    def count(powers, *arguments):
        rows = find(powers, *arguments)
        counted.append((len(rows), len(powers)))
        return rows

    monkeypatch.setattr(log_mel_mel_lstm, "_faint_frames", count)
    for file in sorted(gtzan_subset.rglob("*.flac"))[::7]:
        features(extractor, soundfile.read(file, dtype="float32")[0])
    twice, frames = np.sum(counted, axis=0)
    assert frames > 5000
    assert twice / frames < 0.02


@pytest.mark.parametrize("rate", [11025, 22050])
@pytest.mark.parametrize("n_fft", [1023, 2048])
@pytest.mark.parametrize(("htk", "norm"), [(False, "slaney"), (True, None)])
def test_filters_equal_librosas(rate, n_fft, htk, norm):
    ours = mel_filters(LogMelSettings(sampling_rate=rate, n_fft=n_fft, num_mel_bins=40, htk=htk, norm=norm, fmin=30.0))
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=40, htk=htk, norm=norm, fmin=30.0, dtype=np.float64)
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["hann", "hamming", "boxcar"])
@pytest.mark.parametrize("length", [2, 31, 64, None])
def test_windows_equal_librosas(name, length):
    theirs = librosa.util.pad_center(librosa.filters.get_window(name, length or 64), size=64)
    np.testing.assert_allclose(
        frame_window(LogMelSettings(n_fft=64, win_length=length, window_name=name)), theirs, atol=1e-15
    )


def test_reference_is_fixed(extractor):
    clip = noise(RATE)
    np.testing.assert_allclose(features(extractor, 10 * clip), features(extractor, clip) + 20, atol=1e-4)
    half = LogMelFeatureExtractor(reference=0.5)
    np.testing.assert_allclose(features(half, clip), features(extractor, clip) + 10 * np.log10(2), atol=1e-4)


def test_silence_is_the_floor_and_the_padding_value(extractor):
    assert extractor.padding_value == -100.0
    assert (features(extractor, np.zeros(5000)) == -100.0).all()
    other = LogMelFeatureExtractor(amin=1e-6, reference=0.01)
    assert other.padding_value == pytest.approx(-40.0)
    np.testing.assert_allclose(features(other, np.zeros(5000)), -40.0, atol=1e-5)


def test_bands_without_bins_are_silent_and_said_to_be(caplog):
    with caplog.at_level("WARNING", logger=feature_extraction_mel_lstm.logger.name):
        feature_extraction_mel_lstm.logger.propagate = True
        few_bins = LogMelFeatureExtractor(n_fft=256, num_mel_bins=97)
    empty = mel_filters(few_bins.settings).max(axis=0) == 0
    assert 0 < empty.sum() < 97
    assert (features(few_bins, noise(RATE))[:, empty] == -100.0).all()


# --- neighbours, padding, threads ------------------------------------------------------------------------------------


def test_neighbours_and_padding_do_not_change_the_features(extractor):
    """Beyond the rounding of a product, which on some processors depends on how many rows it has."""
    clips = [noise(66150), tone(num_samples=1), noise(700, 1), tone(num_samples=30000), noise(150_000, 2)]
    batch = extractor(clips, sampling_rate=RATE, return_tensors="np")
    assert batch.input_features.shape == (5, 293, 128)
    for row, mask, clip in zip(batch.input_features, batch.attention_mask, clips, strict=True):
        length = 1 + len(clip) // 512
        assert mask.tolist() == [1] * length + [0] * (293 - length)
        np.testing.assert_allclose(row[:length], features(extractor, clip), rtol=0, atol=1e-5)
        assert (row[length:] == -100.0).all()


@pytest.mark.parametrize("num_mel_bins", [13, 40, 128])
def test_threads_do_not_change_the_features(one_thread, num_mel_bins):
    """Not a bit with 128 bands; with others the products' rounding depends on where in a cache line a row begins."""
    extractor = LogMelFeatureExtractor(num_mel_bins=num_mel_bins)
    clips = [noise(200_000), tone(num_samples=50_000), *(noise(5000, seed) for seed in range(20))]
    alone = extractor(clips, sampling_rate=RATE).input_features
    for threads in (2, 3):
        torch.set_num_threads(threads)
        shared = extractor(clips, sampling_rate=RATE).input_features
        np.testing.assert_allclose(shared, alone, rtol=0, atol=0 if num_mel_bins == 128 else 2e-5)
        assert torch.get_num_threads() == threads


def test_calls_from_several_threads_at_once(extractor):
    clips = [noise(30_000, seed) for seed in range(24)]
    expected = [features(extractor, clip) for clip in clips]
    with ThreadPoolExecutor(6) as executor:
        for ours, theirs in zip(executor.map(lambda clip: features(extractor, clip), clips), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_one_thread_starts_no_other(extractor, one_thread, monkeypatch):
    monkeypatch.setattr(workers_mel_lstm, "_start", lambda size: pytest.fail("a thread was started"))
    features(extractor, noise(RATE))


def number_in_a_new_thread():
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(torch.get_num_threads).result()


def test_threads_run_torch_on_one_core_each(one_thread):
    torch.set_num_threads(3)
    seen = []

    def work(parts):
        for _ in parts:
            torch.mm(torch.ones(64, 64), torch.ones(64, 64))
            seen.append((threading.get_ident(), torch.get_num_threads()))
            meeting.wait(30)

    meeting = threading.Barrier(3)
    workers_mel_lstm.run_parts(work, range(6))
    assert len({thread for thread, _ in seen}) == 3
    assert {number for _, number in seen} == {1}
    assert torch.get_num_threads() == number_in_a_new_thread() == 3


def test_threads_started_meanwhile_have_the_users_number(one_thread):
    torch.set_num_threads(3)
    seen = []

    def work(parts):
        for _ in parts:
            for _ in range(100):  # the number is set by another thread, so it may take a moment
                seen.append(number_in_a_new_thread())
                if seen[-1] == 3:
                    break
                time.sleep(0.01)

    workers_mel_lstm.run_parts(work, range(1))
    assert seen[-1] == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_child_has_threads_of_its_own():
    """A data loader or `map` with processes forks after the parent has used its threads."""
    printed = run_python("""
        import os
        import numpy as np
        import torch
        from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

        torch.set_num_threads(2)
        extractor, clips = LogMelFeatureExtractor(), [np.ones(66150, dtype=np.float32)] * 4
        extractor(clips, sampling_rate=22050)
        child = os.fork()
        if not child:
            extractor(clips, sampling_rate=22050)
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert printed.split() == ["7"]


def test_left_padding():
    extractor = LogMelFeatureExtractor(padding_side="left")
    batch = extractor([noise(5000), noise(2000)], sampling_rate=RATE, return_tensors="np")
    assert batch.attention_mask.tolist() == [[1] * 10, [0] * 6 + [1] * 4]
    np.testing.assert_array_equal(batch.input_features[1, 6:], features(extractor, noise(2000)))
    assert (batch.input_features[1, :6] == -100.0).all()


def test_padding_options(extractor):
    clips = [noise(5000), noise(2000)]  # 10 and 4 frames

    def lengths(**options):
        batch = extractor(clips, sampling_rate=RATE, **options)
        return [len(row) for row in batch.input_features], [int(mask.sum()) for mask in batch.attention_mask]

    assert lengths() == lengths(padding="longest") == ([10, 10], [10, 4])
    assert lengths(padding=False) == lengths(padding="do_not_pad") == ([10, 4], [10, 4])
    assert lengths(pad_to_multiple_of=8) == ([16, 16], [10, 4])
    assert lengths(padding="max_length", max_length=12) == ([12, 12], [10, 4])
    assert lengths(padding="max_length") == ([130, 130], [10, 4])  # a segment of three seconds
    assert lengths(max_length=6, truncation=True) == ([6, 6], [6, 4])
    assert lengths(max_length=6, truncation=True, pad_to_multiple_of=4) == ([8, 8], [8, 4])
    assert lengths(padding=False, max_length=6, truncation=True) == ([6, 4], [6, 4])
    whole = features(extractor, clips[0])
    np.testing.assert_allclose(features(extractor, clips[0], max_length=6, truncation=True), whole[:6], atol=1e-4)


def test_pad_of_the_base_class_agrees(extractor):
    clips = [noise(5000), noise(2000)]
    ours = extractor(clips, sampling_rate=RATE, return_tensors="np")
    theirs = extractor.pad(extractor(clips, sampling_rate=RATE, padding=False), return_tensors="np")
    for name in extractor.model_input_names:
        np.testing.assert_array_equal(ours[name], theirs[name])
        assert ours[name].dtype == theirs[name].dtype


def test_what_is_returned(extractor):
    clip = noise(5000)
    assert (
        list(extractor(clip, sampling_rate=RATE))
        == ["input_features", "attention_mask"]
        == extractor.model_input_names
    )
    assert list(extractor(clip, sampling_rate=RATE, return_attention_mask=False)) == ["input_features"]
    assert list(LogMelFeatureExtractor(return_attention_mask=False)(clip, sampling_rate=RATE)) == ["input_features"]
    tensors = extractor(clip, sampling_rate=RATE, return_tensors="pt")
    assert tensors.input_features.dtype == torch.float32
    assert tensors.attention_mask.dtype == torch.int32
    assert tensors.input_features.shape == (1, 10, 128)
    assert not tensors.input_features.is_inference()  # a model can be trained on it
    np.testing.assert_array_equal(tensors.input_features, extractor(clip, sampling_rate=RATE).input_features)


@pytest.mark.parametrize("center", [True, False])
def test_num_frames_is_what_comes_out(center):
    extractor = LogMelFeatureExtractor(n_fft=400, hop_length=160, center=center, num_mel_bins=20)
    for num_samples in (400, 401, 559, 560, 561, 4000):
        assert len(features(extractor, noise(num_samples))) == extractor.num_frames(num_samples)
    assert extractor.num_frames(399) == (3 if center else 0)
    assert extractor.segment_samples == 66150


# --- what the user's settings of torch must not change ---------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_lower_matmul_precision_does_not_reach_the_features(extractor, one_thread, threads):
    torch.set_num_threads(threads)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")  # bfloat16 products where the processor has them
    try:
        assert_equals_librosa(extractor, noise(66150))
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_defaults_of_torch_do_not_reach_the_features(extractor, one_thread, threads):
    torch.set_num_threads(threads)
    expected = features(extractor, noise(RATE))
    log_mel_mel_lstm._plan.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16):
            np.testing.assert_array_equal(features(extractor, noise(RATE)), expected)
    finally:
        torch.set_default_dtype(torch.float32)


# --- input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "same",
    [
        lambda clip: clip.tolist(),
        lambda clip: tuple(clip.tolist()),
        lambda clip: clip.astype(np.float64),
        lambda clip: clip.astype(">f4"),
        lambda clip: torch.from_numpy(clip),
        lambda clip: torch.from_numpy(clip).requires_grad_(),
        lambda clip: np.repeat(clip, 2)[::2],
        lambda clip: [clip],
        lambda clip: [clip.tolist()],
        lambda clip: (torch.from_numpy(clip),),
    ],
)
def test_same_samples_in_another_container(extractor, same):
    clip = noise(3000)
    np.testing.assert_array_equal(features(extractor, same(clip)), features(extractor, clip))


def test_rows_of_an_array_are_clips(extractor):
    clips = np.stack([noise(3000, seed) for seed in range(3)])
    batch = extractor(clips, sampling_rate=RATE).input_features
    assert batch.shape == (3, 6, 128)
    np.testing.assert_array_equal(batch, extractor(list(clips), sampling_rate=RATE).input_features)
    np.testing.assert_array_equal(batch, extractor(torch.from_numpy(clips), sampling_rate=RATE).input_features)


@pytest.mark.parametrize("dtype", ["int16", "int32", ">i2"])
def test_integers_are_divided_by_their_full_scale(extractor, dtype):
    scale = 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    clip = np.round(noise(3000) * scale).astype(dtype)
    expected = features(extractor, (clip / scale).astype(np.float32))
    np.testing.assert_array_equal(features(extractor, clip), expected)


def test_integers_are_exact_in_faint_bands_too(extractor):
    clip = np.round(30000 * tone()).astype(np.int16)
    assert np.abs(features(extractor, clip) - librosa_features(extractor, clip / 2**15)).max() < 1e-2


@pytest.mark.parametrize(
    ("given_rate", "words"),
    [
        (None, ["missing", "22050", "resample"]),
        (44100, ["44100 Hz", "22050 Hz", "soxr.resample(array, 44100, 22050)", "librosa.resample", "decode("]),
    ],
)
def test_wrong_sampling_rate_is_refused_with_the_fix(extractor, given_rate, words):
    with pytest.raises(ValueError, match="sampling_rate") as caught:
        extractor(noise(3000), sampling_rate=given_rate)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("shape", [(2, 3000), (3000, 2), (1, 3000), (3000, 1), (2, 2)])
@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy, lambda clip: [clip, clip], lambda clip: clip.tolist()])
def test_what_could_be_stereo_is_refused_with_the_fix(extractor, shape, wrap):
    clip = noise(int(np.prod(shape))).reshape(shape)
    if isinstance(wrap(clip), list) and not isinstance(wrap(clip)[0], np.ndarray):
        return  # a list of lists of numbers is a list of clips
    axis = 0 if shape[0] <= shape[1] else 1
    with pytest.raises(ValueError, match=rf"mix it to mono, array.mean\(axis={axis}\).*list of arrays") as caught:
        extractor(wrap(clip), sampling_rate=RATE)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize(
    ("raw_speech", "error", "words"),
    [
        ([], ValueError, "empty list"),
        (np.zeros(0, dtype=np.float32), ValueError, "clip 0 of raw_speech is empty"),
        ([np.ones(9), np.ones(0)], ValueError, "clip 1 of raw_speech is empty"),
        ([np.ones(9), []], ValueError, "clip 1 of raw_speech is empty"),
        (np.float32(1.0), ValueError, r"shape \(\)"),
        (np.zeros((3, 3, 3)), ValueError, r"shape \(3, 3, 3\)"),
        ([np.ones(9), np.ones((4, 9))], ValueError, r"clip 1 of raw_speech has the shape \(4, 9\)"),
        (
            [np.ones(9), np.array([0.0, np.nan, np.inf])],
            ValueError,
            "clip 1 .* 2 samples that are not finite .* sample 1",
        ),
        (np.array([0.0, 1e39]), ValueError, "as large as 1e.39"),
        (np.full(9, 1e18), ValueError, "clip 0 of raw_speech holds samples as large as 1e.18"),
        (np.arange(9), TypeError, "int64 values, whose full scale is not certain"),
        ([1, 2, 3], TypeError, "int64 values"),
        (np.zeros(9, dtype=np.uint8), TypeError, "uint8 values"),
        (np.zeros(9, dtype=bool), TypeError, "bool values"),
        (np.zeros(9, dtype=complex), TypeError, "complex128 values"),
        (["a", "b"], TypeError, "is a str"),
        ("clip.wav", TypeError, "raw_speech is a str"),
        (None, TypeError, "NoneType"),
        ({"array": np.ones(9), "sampling_rate": RATE}, TypeError, r'row\["audio"\]\["array"\]'),
        ([0.5, [1.0, 2.0]], TypeError, "no array of numbers"),
    ],
)
def test_what_is_no_audio_is_refused(extractor, raw_speech, error, words):
    with pytest.raises(error, match=words):
        extractor(raw_speech, sampling_rate=RATE)


@pytest.mark.parametrize("threads", [1, 2])
def test_bad_clip_in_the_middle_of_many_is_named(extractor, one_thread, threads):
    torch.set_num_threads(threads)
    clips = [noise(66150, seed) for seed in range(30)]
    clips[17][60_000] = np.inf
    with pytest.raises(ValueError, match=r"clip 17 .* \(the first, inf, at sample 60000\)"):
        extractor(clips, sampling_rate=RATE)
    assert np.isfinite(features(extractor, clips[0])).all()  # the threads are there as before


def test_without_center_a_clip_must_hold_a_frame():
    extractor = LogMelFeatureExtractor(center=False)
    assert features(extractor, noise(2048)).shape == (1, 128)
    with pytest.raises(ValueError, match=r"clip 0 of raw_speech has 2047 samples.*n_fft \(2048\).*center=True"):
        extractor(noise(2047), sampling_rate=RATE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"padding": "shortest"}, "longest"),
        ({"max_length": 5}, "nothing is cut or padded"),
        ({"max_length": 0, "truncation": True}, "max_length is 0"),
        ({"max_length": 2.5, "truncation": True}, "max_length is 2.5"),
        ({"pad_to_multiple_of": True}, "pad_to_multiple_of is True"),
        ({"padding": False, "return_tensors": "pt"}, "from 4 to 10 frames, which make no tensor"),
        ({"return_tensors": "tf"}, "tf"),
    ],
)
def test_options_of_a_call_that_cannot_be_are_refused(extractor, options, words):
    with pytest.raises(ValueError, match=words):
        extractor([noise(5000), noise(2000)], sampling_rate=RATE, **options)
    with pytest.raises(TypeError, match="paddding"):
        extractor(noise(5000), sampling_rate=RATE, paddding=True)


# --- options, saving, loading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_mel_bins": 0}, "num_mel_bins is 0; it must be 1 or more"),
        ({"num_mel_bins": 2.5}, "num_mel_bins is 2.5, which is not a whole number"),
        ({"num_mel_bins": True}, "num_mel_bins is True"),
        ({"sampling_rate": "22050"}, "sampling_rate is '22050', which is not a whole number"),
        ({"sampling_rate": -1}, "sampling_rate is -1"),
        ({"n_fft": 3}, "n_fft is 3"),
        ({"hop_length": 0}, "hop_length is 0"),
        ({"win_length": 2049}, r"win_length is 2049; it must be from 2 samples to n_fft \(2048\)"),
        ({"window_name": "kaiser"}, "window_name is 'kaiser'; it must be one of hann, hamming, boxcar"),
        ({"power": 3}, r"power is 3.0; it must be 1 \(magnitude\) or 2 \(power\)"),
        ({"fmin": 11025.0}, "fmin is 11025.0"),
        ({"fmin": float("nan")}, "fmin is nan"),
        ({"fmax": 11026.0}, "fmax is 11026.0; .*at most half the sampling rate"),
        ({"fmin": 500.0, "fmax": 400.0}, r"fmax is 400.0; it must be above fmin \(500 Hz\)"),
        ({"norm": "l2"}, "norm is 'l2'"),
        ({"htk": 1}, "htk is 1, which is not a true or false value"),
        ({"amin": 0.0}, "amin is 0.0"),
        ({"reference": -1.0}, "reference is -1.0"),
        ({"reference": "max"}, "reference is 'max'"),
        ({"pad_mode": "edge"}, "pad_mode is 'edge'; it must be one of constant, reflect"),
        ({"segment_seconds": 0.0}, "segment_seconds is 0.0"),
        ({"segment_seconds": 0.05, "center": False}, "a frame of 2048 samples"),
        ({"segment_seconds": None}, "segment_seconds is None"),
        ({"hop_seconds": 0.0}, "hop_seconds is 0.0"),
        ({"hop_seconds": 3.5}, r"hop_seconds is 3.5; .*at most segment_seconds \(3\)"),
        ({"padding_value": float("inf")}, "padding_value is inf"),
        ({"padding_side": "both"}, "padding_side is 'both'"),
        ({"num_mel_bins": 64, "feature_size": 128}, "two names of one number"),
    ],
)
def test_option_out_of_range_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        LogMelFeatureExtractor(**options)


def test_all_faults_come_in_one_message():
    with pytest.raises(ValueError, match=r"n_fft is 1;.*power is 5.0;.*norm is 'x';"):
        LogMelFeatureExtractor(n_fft=1, power=5, norm="x")


def test_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match="'hop_lenght'; did you mean hop_length"):
        LogMelFeatureExtractor(hop_lenght=256)
    with pytest.raises(TypeError, match="no option 'top_db'"):
        LogMelFeatureExtractor(top_db=80)


def test_other_options_are_all_and_none_is_a_default():
    named = set(inspect.signature(LogMelFeatureExtractor.__init__).parameters) - {"self", "kwargs", "feature_size"}
    default = LogMelFeatureExtractor().to_dict()
    assert set(OTHER_OPTIONS) == named == set(default) - {"feature_size", "feature_extractor_type"}
    assert all(default[name] != value for name, value in OTHER_OPTIONS.items())


@pytest.mark.parametrize("options", [{}, OTHER_OPTIONS])
def test_round_trip_is_exact(tmp_path, options):
    extractor = LogMelFeatureExtractor(**options)
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved == extractor.to_dict()
    assert {**saved, **options} == saved
    again = LogMelFeatureExtractor.from_pretrained(tmp_path)
    assert again.to_dict() == extractor.to_dict()
    again.save_pretrained(tmp_path / "again")
    first, second = (folder / "preprocessor_config.json" for folder in (tmp_path, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()
    clip = noise(20_000)
    np.testing.assert_array_equal(features(again, clip), features(extractor, clip))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda extractor: pickle.loads(pickle.dumps(extractor))])
def test_copies_after_use(copied):
    extractor = LogMelFeatureExtractor(**OTHER_OPTIONS)
    expected = features(extractor, noise(20_000))
    again = copied(extractor)
    assert again.to_dict() == extractor.to_dict()
    np.testing.assert_array_equal(features(again, noise(20_000)), expected)
    assert len(pickle.dumps(extractor)) < 2000  # options only


def test_either_name_of_the_number_of_bands_serves():
    for options in ({"num_mel_bins": 64}, {"feature_size": 64}, {"num_mel_bins": 64, "feature_size": 64}):
        extractor = LogMelFeatureExtractor(**options)
        assert extractor.num_mel_bins == extractor.feature_size == 64


def test_numpy_scalars_are_options_too():
    extractor = LogMelFeatureExtractor(sampling_rate=np.int64(16000), fmin=np.float32(50), center=np.bool_(True))
    assert json.loads(extractor.to_json_string())["sampling_rate"] == 16000


def test_option_changed_later_counts_and_is_checked(extractor):
    extractor.hop_length = 256
    np.testing.assert_array_equal(
        features(extractor, noise(5000)), features(LogMelFeatureExtractor(hop_length=256), noise(5000))
    )
    extractor.hop_length = 0
    with pytest.raises(ValueError, match="hop_length is 0"):
        features(extractor, noise(5000))


def test_features_config_is_the_same_for_the_same_features(tmp_path):
    fresh = LogMelFeatureExtractor()
    config = fresh.features_config()
    assert json.loads(json.dumps(config)) == config
    assert config["features_version"] == FEATURES_VERSION
    assert isinstance(FEATURES_VERSION, int)
    fresh.save_pretrained(tmp_path)
    assert LogMelFeatureExtractor.from_pretrained(tmp_path).features_config() == config
    fresh.auto_map = {"AutoFeatureExtractor": "feature_extraction_mel_lstm.LogMelFeatureExtractor"}
    assert fresh.to_dict() != LogMelFeatureExtractor().to_dict()
    assert json.dumps(fresh.features_config()) == json.dumps(config)
    same = LogMelFeatureExtractor(fmax=11025.0, win_length=2048, power=2)
    assert json.dumps(same.features_config()) == json.dumps(config)


def test_features_do_not_depend_on_where_clips_are_cut():
    assert LogMelFeatureExtractor(hop_seconds=1.0).features_config() == LogMelFeatureExtractor().features_config()


@pytest.mark.parametrize("name", sorted(set(OTHER_OPTIONS) - {"hop_seconds"}))
def test_features_config_differs_with_every_option(name):
    value = OTHER_OPTIONS[name]
    changed = LogMelFeatureExtractor(**{name: value})
    assert changed.features_config() != LogMelFeatureExtractor().features_config()


# --- with the package hidden, in a pipeline, on long audio -----------------------------------------------------------

FILES = {
    "audio_input_mel_lstm.py",
    "feature_extraction_mel_lstm.py",
    "log_mel_mel_lstm.py",
    "settings_mel_lstm.py",
    "workers_mel_lstm.py",
}


def test_files_import_only_what_remote_code_may():
    for name in FILES:
        roots = set()
        for node in ast.walk(ast.parse((FOLDER / name).read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1  # `from .sibling import x`, which alone is followed
                assert f"{node.module}.py" in FILES
            elif isinstance(node, ast.ImportFrom):
                roots.add(node.module.split(".")[0])
        assert roots - sys.stdlib_module_names <= {"numpy", "torch", "transformers"}, name


def test_saved_with_its_code_it_loads_where_the_package_is_not(tmp_path):
    run_python(
        """
        from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

        LogMelFeatureExtractor.register_for_auto_class()
        LogMelFeatureExtractor(num_mel_bins=40).save_pretrained(sys.argv[1])
        """,
        tmp_path / "model",
    )
    assert {path.name for path in (tmp_path / "model").iterdir()} == {*FILES, "preprocessor_config.json"}
    clip = noise(66150)
    np.save(tmp_path / "clip.npy", clip)
    load = """
        import numpy as np
        from transformers import AutoFeatureExtractor

        facts = []
        try:
            import mgc_hf
        except ImportError:
            facts.append("hidden")
        try:
            AutoFeatureExtractor.from_pretrained(sys.argv[1])
        except ValueError as error:
            facts.append("refused" if "trust_remote_code=True" in str(error) else str(error))
        extractor = AutoFeatureExtractor.from_pretrained(sys.argv[1], trust_remote_code=True)
        batch = extractor(np.load(sys.argv[2]), sampling_rate=22050, return_tensors="np")
        np.save(sys.argv[3], batch.input_features[0])
        print("\\n", *facts, type(extractor).__name__)
    """
    paths = tmp_path / "model", tmp_path / "clip.npy", tmp_path / "features.npy"
    printed = run_python(load, *paths, hidden=True, HF_MODULES_CACHE=str(tmp_path / "modules"))
    assert printed.splitlines()[-1].split() == ["hidden", "refused", "LogMelFeatureExtractor"]
    expected = features(LogMelFeatureExtractor(num_mel_bins=40), clip)
    np.testing.assert_allclose(np.load(tmp_path / "features.npy"), expected, rtol=0, atol=2e-5)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = MelLstmConfig(
        num_mel_bins=40, hidden_size=8, id2label={0: "blues", 1: "jazz"}, label2id={"blues": 0, "jazz": 1}
    )
    MelLstmForAudioClassification(config).save_pretrained(folder)
    LogMelFeatureExtractor(num_mel_bins=40).save_pretrained(folder)
    return folder


def test_stock_pipeline_classifies_an_array(model_folder):
    extractor = AutoFeatureExtractor.from_pretrained(model_folder)
    assert type(extractor) is LogMelFeatureExtractor
    model = MelLstmForAudioClassification.from_pretrained(model_folder).eval()
    with torch.inference_mode():
        expected = model(**extractor(noise(66150), sampling_rate=RATE, return_tensors="pt")).logits.softmax(-1)[0]
    scores = pipeline("audio-classification", model=str(model_folder))(noise(66150))
    assert {score["label"] for score in scores} == {"blues", "jazz"}
    for score in scores:
        assert score["score"] == pytest.approx(float(expected[model.config.label2id[score["label"]]]), abs=1e-6)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_long_audio_takes_little_memory_beside_itself_and_its_features():
    printed = run_python("""
        import numpy as np
        from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

        def mebibytes(field):
            lines = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

        extractor = LogMelFeatureExtractor()
        extractor(np.ones(100_000, dtype=np.float32), sampling_rate=22050)
        clip = np.random.default_rng(0).standard_normal(3600 * 22050, dtype=np.float32)
        before = mebibytes("VmRSS")
        batch = extractor(clip, sampling_rate=22050, return_tensors="pt")
        print(clip.nbytes / 2**20, batch.input_features.nbytes / 2**20, mebibytes("VmHWM") - before)
    """)
    clip, result, more = map(float, printed.split())
    assert clip > 300  # an hour
    assert more < result + 50
