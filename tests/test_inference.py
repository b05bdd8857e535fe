import itertools
import json

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgc_hf.data.segments import window_starts
from mgc_hf.errors import AudioError, CheckpointError
from mgc_hf.inference import GenreClassifier, windows
from mgc_hf.predictions import Predictions, softmax
from tests.models.kinds import save_checkpoint
from tests.tunes import SAMPLING_RATE, tune


@pytest.fixture(scope="module")
def classifier(finished_run):
    return GenreClassifier.from_pretrained(finished_run)


@given(
    total=st.integers(1, 60),
    length=st.integers(1, 20),
    hop_part=st.floats(0.01, 1),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_a_stream_is_cut_as_evaluation_cuts(total, length, hop_part, cuts):
    hop = max(1, int(length * hop_part))
    samples = np.arange(total, dtype=np.float32)
    edges = sorted({0, total, *(cut for cut in cuts if cut < total)})
    blocks = [samples[first:stop] for first, stop in itertools.pairwise(edges)]
    found = [window.tolist() for window in windows(blocks, length, hop)]
    assert found == [samples[start : start + length].tolist() for start in window_starts(total, length, hop)]


def test_no_audio_no_windows():
    assert list(windows([], 4, 4)) == []
    assert list(windows([np.zeros(0, np.float32)], 4, 4)) == []


def test_files_get_the_scores_of_evaluation(classifier, finished_run, music_folder):
    predictions = Predictions.load(finished_run / "predictions.parquet")
    tracks = predictions.to_tracks()
    assert len(tracks.track_id) > 3
    for track_id, probabilities in zip(tracks.track_id, tracks.probabilities, strict=True):
        prediction = classifier.predict_file(music_folder / f"{track_id}.wav")
        found = [prediction.probabilities[genre] for genre in predictions.genres]
        np.testing.assert_allclose(found, probabilities, atol=1e-5)
        assert prediction.windows == (predictions.track_id == track_id).sum()
        assert prediction.genre == predictions.genres[probabilities.argmax()]


def test_array_and_file_agree(classifier, tmp_path):
    clip = tune("jazz", 9, 7.3)
    soundfile.write(tmp_path / "clip.wav", clip, SAMPLING_RATE, subtype="FLOAT")
    from_file, from_array = classifier.predict_file(tmp_path / "clip.wav"), classifier(clip, SAMPLING_RATE)
    assert from_file == from_array
    assert from_array.seconds == pytest.approx(7.3)
    assert from_array.windows == 3
    assert sum(from_array.probabilities.values()) == pytest.approx(1)
    assert list(from_array.probabilities.values()) == sorted(from_array.probabilities.values(), reverse=True)


def test_another_rate_stereo_and_int16_are_understood(classifier):
    clip = tune("blues", 9, 4.0)
    plain = classifier(clip, SAMPLING_RATE).probabilities
    stereo = classifier(np.stack([clip, clip], axis=1), SAMPLING_RATE).probabilities
    integers = classifier(np.round(clip * 32767).astype(np.int16), SAMPLING_RATE).probabilities
    for genre, probability in plain.items():
        assert stereo[genre] == pytest.approx(probability, abs=1e-5)
        assert integers[genre] == pytest.approx(probability, abs=0.05)
    faster = classifier(tune("blues", 9, 4.0, 44100), 44100)
    assert faster.seconds == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("kind", ["mel_lstm", "wav2vec2"])
def test_what_reaches_a_model_is_float32_whatever_came_in(kind, bfloat16, finished_run, tmp_path):
    """FC70: int16, float64 and float32 arrays; of a model in bfloat16 the scores are plain numbers too."""
    if kind == "mel_lstm":
        classifier = GenreClassifier.from_pretrained(finished_run)
    else:
        labels = {
            "num_labels": 3,
            "id2label": dict(enumerate("abc")),
            "label2id": dict(zip("abc", range(3), strict=True)),
        }
        folder = save_checkpoint(kind, tmp_path / kind, head=True, **labels)
        settings = json.loads((folder / "preprocessor_config.json").read_text()) | {"segment_seconds": 1.0}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        classifier = GenreClassifier.from_pretrained(folder)
    seen, rate = set(), classifier.sampling_rate
    classifier.model.register_forward_pre_hook(
        lambda _, args, given: seen.update(value.dtype for value in (*args, *given.values()) if value is not None),
        with_kwargs=True,
    )
    clip = np.round(tune("jazz", 9, 1.0, rate) * 32767).astype(np.int16)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16 and kind != "mel_lstm"):
        found = [classifier(array, rate).probabilities for array in (clip, clip / 32768, (clip / 32768).astype("f4"))]
    assert {dtype for dtype in seen if dtype.is_floating_point} == {torch.float32}
    for probabilities in found:
        assert {type(value) for value in probabilities.values()} == {float}
        assert probabilities == pytest.approx(found[0], abs=1e-6)


def test_scores_do_not_depend_on_batch_size(finished_run):
    clip = tune("metal", 9, 13.0)
    scores = [
        GenreClassifier.from_pretrained(finished_run, batch_size=size)(clip, SAMPLING_RATE) for size in (1, 2, 8)
    ]
    for other in scores[1:]:
        for genre, probability in scores[0].probabilities.items():
            assert other.probabilities[genre] == pytest.approx(probability, abs=1e-6)


def test_scores_do_not_depend_on_neighbours(classifier):
    """A short segment beside long ones, alone, and in another order."""
    short, long = tune("jazz", 1, 1.0), [tune("metal", index, 3.0) for index in range(3)]
    alone = softmax(classifier.logits([short]))[0]
    np.testing.assert_allclose(softmax(classifier.logits([short, *long]))[0], alone, atol=1e-5)
    np.testing.assert_allclose(softmax(classifier.logits([*long, short]))[3], alone, atol=1e-5)


def test_a_clip_under_one_window_gives_one(classifier):
    prediction = classifier(tune("jazz", 3, 0.7), SAMPLING_RATE)
    assert prediction.windows == 1
    assert prediction.seconds == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.full(SAMPLING_RATE, np.nan, np.float32)])
def test_useless_arrays_are_refused(classifier, samples):
    with pytest.raises(AudioError):
        classifier(samples, SAMPLING_RATE)


def test_a_missing_or_broken_folder_is_named(tmp_path, finished_run):
    with pytest.raises(CheckpointError, match="does not exist"):
        GenreClassifier.from_pretrained(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        GenreClassifier.from_pretrained(tmp_path / "empty")
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / "empty" / name).write_bytes((finished_run / name).read_bytes())
    with pytest.raises(CheckpointError, match="empty"):
        GenreClassifier.from_pretrained(tmp_path / "empty")
    (tmp_path / "empty" / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CheckpointError, match="empty"):
        GenreClassifier.from_pretrained(tmp_path / "empty")


def test_missing_weights_are_an_error(tmp_path, finished_run):
    from safetensors.torch import load_file, save_file

    for path in finished_run.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(finished_run / "model.safetensors")
    weights.pop(sorted(name for name in weights if "classifier" in name)[0])
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="not in the checkpoint"):
        GenreClassifier.from_pretrained(tmp_path)
