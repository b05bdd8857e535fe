"""Odd audio as people met it, heard by models: FC05, FC08, FC10, FC14, FC16, FC17, FC19, FC20, FC22, FC28, FC29.

What the decoder makes of these files is tested in `tests/data/test_field_cases.py`; here the same files go through every
kind of model, in `mgc-hf predict` and in a step of training.
"""

import json
import os

import numpy as np
import pytest
import torch

from mgc_hf.data.audio import decode
from mgc_hf.inference import GenreClassifier
from mgc_hf.models.build import build_model
from tests.cli.test_predict import mgc_hf

__all__ = ["mgc_hf"]
GENRES = ["blues", "jazz", "rock"]
KINDS = {
    "lstm": "mel_lstm",
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base",
    "wav2vec2": "facebook/wav2vec2-base",
    "ast": "MIT/ast-finetuned-audioset-10-10-0.4593",
}
SHORT = [f"FC20/n{count}.wav" for count in (1, 100, 399, 400)]
SILENT = [f"FC19/{name}.wav" for name in ("zeros", "one_lsb", "dc")]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def classifier(kind):
    torch.manual_seed(0)
    new = {} if kind == "lstm" else {"from_scratch": True, "size": "tiny"}
    model, extractor = build_model(KINDS[kind], GENRES, segment_seconds=1.0, **new)
    return GenreClassifier(model, extractor, revision="of this test")


@pytest.fixture(scope="module")
def folder(classifier, tmp_path_factory):
    """The same model, saved."""
    folder = tmp_path_factory.mktemp("model")
    classifier.model.save_pretrained(folder)
    classifier.feature_extractor.save_pretrained(folder)
    return folder


def _scores(classifier, path):
    found = classifier.predict_file(path).probabilities
    return [found[genre] for genre in GENRES]


@pytest.mark.parametrize(
    ("case", "one", "other"),
    [("FC16", "inverted.wav", "left_only_reference.wav"), ("FC17", "left_live_right_dead.wav", "mono.wav")],
)
def test_a_channel_that_cancels_or_is_dead_changes_nothing(classifier, field_cases, case, one, other):
    heard, reference = (field_cases / case / name for name in (one, other))
    assert _scores(classifier, heard) == pytest.approx(_scores(classifier, reference), abs=1e-3)
    assert any("channel" in note for note in classifier.predict_file(heard).notes)


def test_fc08_the_level_means_nothing_to_a_speech_model(kind, classifier, field_cases):
    """Five times louder and over full scale: speech models hear waveforms of unit variance, the LSTM decibels."""
    loud, quiet = (
        _scores(classifier, field_cases / "FC08" / name) for name in ("loud_float64.wav", "same_at_half.wav")
    )
    assert sum(loud) == pytest.approx(1, abs=1e-5)
    if kind in ("hubert", "wavlm", "wav2vec2"):
        assert loud == pytest.approx(quiet, abs=1e-3)


def test_fc22_the_encoder_of_an_mp3_changes_nothing(classifier, field_cases):
    wav, mp3, bare = (
        classifier.predict_file(field_cases / "FC22" / name)
        for name in ("burst.wav", "burst.mp3", "burst_no_info_frame.mp3")
    )
    assert mp3.windows == wav.windows == 1
    assert mp3.genre == wav.genre == bare.genre
    assert (wav.seconds, mp3.seconds) == (1.0, 1.0)
    assert 1.0 <= bare.seconds <= 1.11
    assert bare.windows <= 2


def test_silence_and_crumbs_are_answered_one_by_one(folder, field_cases, mgc_hf):
    """FC19, FC20 and FC05: finite scores that add to 1, one row each, and the row says what is odd."""
    names = [*SILENT, *SHORT, "FC05/cut_download.wav"]
    status, out, _ = mgc_hf("predict", *(field_cases / name for name in names), "--model", folder, "--json")
    rows = json.loads(out)
    assert status == 0
    assert [row["path"] for row in rows] == [str(field_cases / name) for name in names]
    for row in rows:
        assert all(np.isfinite(value) for value in row["probabilities"].values())
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["error"] is None
    notes = {name: " ".join(row["notes"]) for name, row in zip(names, rows, strict=True)}
    assert all("silent" in notes[name] for name in SILENT)
    assert "0.25" in notes["FC19/dc.wav"]
    assert all("short" in notes[name] for name in SHORT)
    assert "truncated: 1.5 of 30.0 s" in notes["FC05/cut_download.wav"]
    assert rows[-1]["seconds"] == 1.5


def test_a_step_of_training_on_them_is_finite(classifier, field_cases):
    clips = [decode(field_cases / name, classifier.sampling_rate).samples for name in (*SILENT, *SHORT)]
    features, _ = classifier.extractor(clips)
    batch = {classifier.extractor.name: torch.from_numpy(features)}
    model = classifier.model
    try:
        model.train()
        loss = model(**batch, labels=torch.tensor([0, 1, 2, 0, 1, 2, 0])).loss
        loss.backward()
        gradients = [value.grad for value in model.parameters() if value.grad is not None]
        assert torch.isfinite(loss)
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
    finally:
        model.zero_grad()
        model.eval()


def test_names_of_any_spelling_are_labelled(finished_run, field_cases, mgc_hf):
    """FC28 and FC29: extensions in any case; unicode, quotes, $HOME, long names, a name that begins with a dash."""
    status, out, _ = mgc_hf("predict", field_cases / "FC28", "--model", finished_run, "--json")
    assert (status, len(json.loads(out))) == (0, 7)
    files = [path for path in (field_cases / "FC29").rglob("*") if path.is_file()]
    status, out, _ = mgc_hf("predict", *files, "--model", finished_run, "--json")
    assert status == 0
    assert [row["path"] for row in json.loads(out)] == [os.fsdecode(path) for path in files]
    assert len(files) == 9


def test_fc29_a_name_like_an_option(finished_run, field_cases, mgc_hf, monkeypatch):
    (dashed,) = (path for path in (field_cases / "FC29").rglob("-*") if path.is_file())
    monkeypatch.chdir(dashed.parent)
    status, out, _ = mgc_hf("predict", "--model", finished_run, "--json", "--", dashed.name)
    assert status == 0
    assert [row["path"] for row in json.loads(out)] == [dashed.name]


def test_fc14_formats_that_need_ffmpeg_are_not_called_corrupt(finished_run, field_cases, mgc_hf, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    files = [field_cases / "FC14" / f"song.{kind}" for kind in ("m4a", "aac", "wma")]
    status, out, _ = mgc_hf(
        "predict", *files, field_cases / "FC10/country.00003.au", "--model", finished_run, "--json"
    )
    *unread, read = json.loads(out)
    assert status == 1
    assert read["error"] is None
    for row, name in zip(unread, ("M4A", "AAC", "WMA"), strict=True):
        assert name in row["error"]
        assert "ffmpeg" in row["error"]
        assert "corrupt" not in row["error"]
