"""Prediction and evaluation as people met them: FC56, FC58, FC59 (one input in many clothes), FC61, FC62."""

import copy
import io
import json

import numpy as np
import pytest
import soundfile
from transformers import pipeline

from mgc_hf import fine_tune
from mgc_hf.errors import AudioError, LabelError, OptionError
from mgc_hf.evaluating import evaluate
from mgc_hf.inference import GenreClassifier
from mgc_hf.models.build import build_model
from tests.cli.test_predict import mgc_hf  # noqa: F401
from tests.tunes import tune

RATE = 16_000


@pytest.fixture(scope="module", params=["facebook/wav2vec2-base", "MIT/ast-finetuned-audioset-10-10-0.4593"])
def speech_model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    model, extractor = build_model(
        request.param, ["blues", "jazz", "rock"], segment_seconds=5.0, from_scratch=True, size="tiny"
    )
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def test_fc56_the_whole_file_counts(speech_model, tmp_path, mgc_hf):  # noqa: F811
    """Two files with the same first 15 s and another end: both are heard to 20.0 s, and they score differently."""
    same = 0.3 * np.sin(np.arange(15 * RATE) * 0.17)
    for name, tail in (("silent", np.zeros(5 * RATE)), ("tone", 0.3 * np.sin(np.arange(5 * RATE) * 0.5))):
        soundfile.write(tmp_path / f"tail_{name}.flac", np.concatenate([same, tail]), RATE)
    status, out, _ = mgc_hf(
        "predict", tmp_path / "tail_silent.flac", tmp_path / "tail_tone.flac", "--model", speech_model, "--json"
    )
    silent, tone = json.loads(out)
    assert status == 0
    for row in (silent, tone):
        assert (row["seconds"], row["windows"]) == (20.0, 4)  # of 5 s each: the last one ends at 20.0 s
        assert row["aggregation"] == "mean of the windows' probabilities"
    assert (
        max(abs(silent["probabilities"][genre] - tone["probabilities"][genre]) for genre in tone["probabilities"])
        > 1e-4
    )


def test_fc58_top_k(finished_run, tmp_path, mgc_hf):  # noqa: F811
    soundfile.write(tmp_path / "a.wav", tune("jazz", 0, 2.0), 22_050)
    found = {}
    for given in ("99", "1", "2"):
        status, out, _ = mgc_hf("predict", tmp_path / "a.wav", "--model", finished_run, "--json", "--top-k", given)
        assert status == 0
        found[given] = json.loads(out)[0]["probabilities"]
    values = list(found["99"].values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert [len(found[given]) for given in ("99", "1", "2")] == [3, 1, 2]
    for given in ("0", "-1"):
        status, out, err = mgc_hf("predict", tmp_path / "a.wav", "--model", finished_run, "--top-k", given)
        assert (status, out) == (2, "")
        assert "top" in err
    heard = pipeline("audio-classification", model=str(finished_run), trust_remote_code=True)
    assert [len(heard(str(tmp_path / "a.wav"), top_k=k)) for k in (1, 2, 99)] == [1, 2, 3]


def test_fc59_one_input_in_many_clothes(finished_run, tmp_path):
    classifier = GenreClassifier.from_pretrained(finished_run)
    clip = np.round(tune("jazz", 0, 1.0, RATE) * 20_000).astype(np.int16)
    stereo = np.stack([clip, clip // 2], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, RATE)
    floats, _ = soundfile.read(tmp_path / "stereo.wav")
    expected = classifier(floats, RATE).probabilities
    content = (tmp_path / "stereo.wav").read_bytes()
    row = {"array": floats, "sampling_rate": RATE, "path": "elsewhere.wav"}
    kept = copy.deepcopy(row)
    for given in (
        (floats.T, RATE),
        (stereo, RATE),
        (floats.astype(np.float32), RATE),
        (row,),
        ({"raw": stereo, "sampling_rate": RATE},),
        (content,),
        (io.BytesIO(content),),
        ({"bytes": content, "path": None},),
        (tmp_path / "stereo.wav",),
        (str(tmp_path / "stereo.wav"),),
    ):
        assert classifier(*given).probabilities == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(row["array"], kept["array"])
    assert {**row, "array": None} == {**kept, "array": None}
    with pytest.raises(OptionError, match="an array says nothing of its rate: pass sampling_rate"):
        classifier(floats)
    with pytest.raises(OptionError, match="a dict with text: give array and sampling_rate, bytes, or path"):
        classifier({"text": "x"})
    with pytest.raises(AudioError, match="empty"):
        classifier(np.zeros(0), RATE)
    with pytest.raises(AudioError, match="sampling rate"):
        classifier(floats, 0)


def test_fc61_missing_and_extra_classes(finished_run, music_folder, tmp_path, cache_dir):
    """A genre without test clips has support 0 and is in no average; one that the model does not know is an error."""
    common = {"cache_dir": str(cache_dir), "num_resamples": 100}
    for genre in ("blues", "metal"):
        (tmp_path / "missing" / genre).mkdir(parents=True)
        for clip in sorted((music_folder / genre).iterdir())[:2]:
            (tmp_path / "missing" / genre / f"other{clip.name}").write_bytes(clip.read_bytes())
    result = evaluate(finished_run, str(tmp_path / "missing"), output_dir=tmp_path / "report", **common)
    assert {genre: scores.support for genre, scores in result.track.per_genre.items()} == {
        "blues": 2,
        "jazz": 0,
        "metal": 2,
    }
    assert np.shape(result.track.confusion_matrix) == (3, 3)
    assert "jazz" in (tmp_path / "report" / "README.md").read_text()
    (tmp_path / "missing" / "metal").rename(tmp_path / "missing" / "polka")
    with pytest.raises(LabelError, match="polka"):
        evaluate(finished_run, str(tmp_path / "missing"), output_dir=tmp_path / "again", **common)
    assert not (tmp_path / "again").exists()


def test_fc62_segments_of_one_track_stay_together(tmp_path, run_values):
    """Pieces that somebody cut (genre.NNNNN.s.wav) are one track: in one part, and one answer of the evaluation."""
    for genre in ("blues", "rock"):
        (tmp_path / "cut" / genre).mkdir(parents=True)
        for number in range(4):
            for piece in range(3):
                name = tmp_path / "cut" / genre / f"{genre}.{number:05d}.{piece}.wav"
                soundfile.write(name, tune("jazz" if genre == "blues" else "metal", 10 * number + piece, 1.0), 22_050)
    values = {**run_values, "dataset": str(tmp_path / "cut"), "segment_seconds": 0.5, "num_train_epochs": 1}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    split = json.loads((tmp_path / "run" / "split.json").read_text())["parts"]
    sides = {part: {name.rsplit(".", 1)[0] for name in names} for part, names in split.items()}
    assert not sides["train"] & sides["test"]
    assert not sides["train"] & sides["validation"]
    assert not sides["validation"] & sides["test"]
    assert result.split.seed == 0
    assert result.track.n == len(sides["test"])  # a track is one answer, however many pieces it was cut into
    assert result.segment.n == 2 * len(split["test"])
    card = (tmp_path / "run" / "README.md").read_text()
    assert "Seed of the split | 0" in card
