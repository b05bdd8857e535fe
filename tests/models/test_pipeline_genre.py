"""The pipeline that lies beside the weights says what the command line says, of anything that holds sound."""

import json
import os

import numpy as np
import pytest
import soundfile
import torch
from transformers import pipeline

from mgc_hf.inference import GenreClassifier
from mgc_hf.models.build import plan_model
from mgc_hf.models.mel_lstm.pipeline_genre import GenrePipeline
from mgc_hf.models.pipelines import OWN_TASK, PIPELINE_FILE, STOCK_TASK, pipeline_task
from mgc_hf.training import save_model_folder
from tests import preloaded
from tests.models.kinds import save_checkpoint
from tests.tunes import GENRES, SAMPLING_RATE, tune


@pytest.fixture(scope="module")
def ours(finished_run):
    return GenreClassifier.from_pretrained(finished_run)


@pytest.fixture(scope="module")
def pipe(ours):
    return GenrePipeline(model=ours.model, feature_extractor=ours.feature_extractor, task=STOCK_TASK)


def _scores(answer):
    return {row["label"]: row["score"] for row in answer}


def _clips(folder):
    """Write clips of every form that a user has; name -> file."""
    mono, other = tune("jazz", 3, 8.4), tune("metal", 4, 8.4)
    stereo = np.stack([mono, other], axis=1)
    return {
        "mono": _write(folder / "mono.wav", mono, SAMPLING_RATE),
        "stereo at 44.1 kHz": _write(folder / "stereo.flac", np.repeat(stereo, 2, axis=0), 2 * SAMPLING_RATE),
        "mp3": _write(folder / "clip.mp3", stereo, SAMPLING_RATE),
        "ogg": _write(folder / "clip.ogg", mono, 48_000),
        "one channel inverted": _write(folder / "inverted.wav", np.stack([mono, -0.9 * mono], axis=1), SAMPLING_RATE),
        "one channel silent": _write(folder / "half.wav", np.stack([0 * mono, mono], axis=1), SAMPLING_RATE),
        "shorter than a window": _write(folder / "short.wav", mono[: SAMPLING_RATE // 2], SAMPLING_RATE),
        "hardly anything": _write(folder / "tiny.wav", mono[:500], SAMPLING_RATE),
    }


def _write(path, samples, rate):
    soundfile.write(path, samples, rate)
    return path


def test_files_get_what_the_command_line_says(pipe, ours, tmp_path):
    for name, file in _clips(tmp_path).items():
        expected = ours.predict_file(file).probabilities
        found = pipe(str(file), top_k=None)
        assert _scores(found) == pytest.approx(expected, abs=1e-6), name
        assert [row["label"] for row in found] == list(expected), name
        assert pipe(file.read_bytes(), top_k=1) == pipe(file, top_k=1) == found[:1], name


def test_arrays_of_every_shape(pipe, tmp_path):
    clip, right = tune("jazz", 3, 7.0), tune("metal", 3, 7.0)
    stereo = np.stack([clip, right], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, SAMPLING_RATE, subtype="FLOAT")
    expected = _scores(pipe(tmp_path / "stereo.wav", top_k=None))
    rate = {"sampling_rate": SAMPLING_RATE}
    for given in (
        {"raw": stereo, **rate},
        {"array": stereo.T, **rate, "path": None},
        {"raw": torch.from_numpy(stereo), **rate},
        {"bytes": (tmp_path / "stereo.wav").read_bytes(), "path": "stereo.wav"},
        {"path": str(tmp_path / "stereo.wav"), "bytes": None},
    ):
        assert _scores(pipe(given, top_k=None)) == pytest.approx(expected, abs=1e-6)
    mono = _scores(pipe({"raw": clip, **rate}, top_k=None))
    integers = (clip * 2**15).round().astype(np.int16)
    assert _scores(pipe({"raw": integers, **rate}, top_k=None)) == pytest.approx(mono, abs=0.02)
    bytes_ = ((clip + 1) * 128).clip(0, 255).astype(np.uint8)
    assert _scores(pipe({"raw": bytes_, **rate}, top_k=None)) == pytest.approx(mono, abs=0.3)
    row = {"audio": {"array": clip, **rate}, "genre": 1, "track_id": "jazz.00001"}
    assert _scores(pipe(row, top_k=None)) == mono
    own_rate = pipe.feature_extractor.sampling_rate
    assert own_rate == SAMPLING_RATE
    assert pipe(clip, top_k=None) == pipe({"raw": clip, **rate}, top_k=None)


def test_several_at_once_and_options(pipe):
    clips = [tune("jazz", 1, 9.0), tune("metal", 2, 4.0)]
    one_by_one = [pipe(clip) for clip in clips]
    assert pipe(clips) == one_by_one
    assert list(pipe(clip for clip in clips)) == one_by_one
    many = pipe(clips, batch_size=2)
    assert [_scores(row) for row in many] == [pytest.approx(_scores(row), abs=1e-5) for row in one_by_one]
    assert len(pipe(clips[0], top_k=2)) == 2
    assert len(pipe(clips[0], top_k=100)) == len(GENRES)
    with pytest.raises(TypeError, match="unknown option top"):
        pipe(clips[0], top=2)


def test_windows_in_time(pipe):
    answer = pipe(tune("jazz", 1, 8.0), top_k=None, return_windows=True)
    assert [(row["start"], row["end"]) for row in answer["windows"]] == [(0, 3), (3, 6), (5, 8)]
    mean = {genre: np.mean([_scores(row["labels"])[genre] for row in answer["windows"]]) for genre in GENRES}
    assert _scores(answer["labels"]) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("no such file.wav", "no such file.wav: there is no such file"),
        (b"no sound at all", "audio bytes: cannot be read as audio"),
        (np.zeros(0, np.float32), "array: holds no audio"),
        (np.full(9000, np.nan, np.float32), "not finite"),
        (np.zeros((2, 2, 2), np.float32), r"shape \(2, 2, 2\)"),
        ({"raw": np.zeros(9000)}, "needs .sampling_rate."),
        ({}, "or .bytes. or .path."),
        (7, "int is no audio"),
    ],
)
def test_what_cannot_be_heard_is_named(pipe, given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        pipe(given)


def _folder(kind, tmp_path):
    checkpoint = save_checkpoint(kind, tmp_path / "checkpoint")
    model, extractor = plan_model(str(checkpoint), segment_seconds=1.0).build(GENRES)
    folder = tmp_path / kind
    save_model_folder(model, extractor, folder)
    return folder


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm", "whisper", "audio-spectrogram-transformer"])
def test_speech_models_carry_it_under_a_name_of_its_own(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    folder = _folder(kind, tmp_path)
    assert pipeline_task(kind) == OWN_TASK
    clips = _clips(tmp_path)
    expected = GenreClassifier.from_pretrained(folder)
    own = pipeline(OWN_TASK, model=str(folder), trust_remote_code=True)
    for name in ("stereo at 44.1 kHz", "shorter than a window", "hardly anything"):
        found = _scores(own(str(clips[name]), top_k=None))
        assert found == pytest.approx(expected.predict_file(clips[name]).probabilities, abs=1e-5), name
    stock = pipeline(STOCK_TASK, model=str(folder))
    assert len(stock(np.zeros(16_000, np.float32))) == min(5, len(GENRES))


RESAVE = """
import json, sys
sys.modules["mgc_hf"] = None
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline
folder, target, other, clip = sys.argv[1:]
model = AutoModelForAudioClassification.from_pretrained(folder, trust_remote_code=True)
model.save_pretrained(target)
AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True).save_pretrained(target)
first = pipeline("audio-classification", model=target, trust_remote_code=True)
first.save_pretrained(other)
second = pipeline("audio-classification", model=other, trust_remote_code=True)
print(json.dumps([first(clip), second(clip)]))
"""


def test_a_folder_saved_by_others_is_whole(finished_run, pipe, tmp_path):
    """FC53."""
    clip = _clips(tmp_path)["mono"]
    arguments = [finished_run, tmp_path / "again", tmp_path / "third", clip]
    done = preloaded.run(["-c", RESAVE, *arguments], env={**os.environ, "HF_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    assert first == second
    assert _scores(first) == pytest.approx(_scores(pipe(str(clip))), abs=1e-6)
    code = {path.name for path in finished_run.glob("*.py")}
    assert PIPELINE_FILE in code
    for folder in (tmp_path / "again", tmp_path / "third"):
        assert {path.name for path in folder.glob("*.py")} == code
        for name in ("config.json", "preprocessor_config.json"):
            before, after = (json.loads((of / name).read_text())["auto_map"] for of in (finished_run, folder))
            assert after == before  # no repository's name before a class, and none twice
            assert "--" not in str(after)
