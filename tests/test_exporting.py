"""An exported file says what the model says, or is not there."""

import json
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import torch

from mgc_hf import exporting
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.inference import GenreClassifier
from mgc_hf.models.build import build_model
from tests.cli.test_predict import mgc_hf  # noqa: F401
from tests.tunes import GENRES, SAMPLING_RATE, tune

for _name in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(_name)

EXAMPLE = Path(__file__).parents[1] / "docs" / "export.md"


@pytest.fixture(scope="module", autouse=True)
def one_graph(finished_run):
    """The model's graph is made once: it takes ten seconds, whatever becomes of it."""
    graph, make = exporting._Graph(GenreClassifier.from_pretrained(finished_run, device="cpu")), exporting._Graph
    made = lambda classifier: graph if classifier.revision == graph.classifier.revision else make(classifier)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_Graph", made)
        yield make


@pytest.fixture(scope="module")
def exported(one_graph, finished_run, music_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "onnx"
    return folder, exporting.export_onnx(finished_run, folder, dataset=str(music_folder), int8=True)


def test_the_figures_are_those_of_the_file(exported, music_folder):
    folder, figures = exported
    assert json.loads((folder / "export.json").read_text()) == figures
    assert sorted(file.name for file in folder.iterdir()) == ["export.json", "model.onnx", "model_int8.onnx"]
    assert figures["files"] == {name: (folder / name).stat().st_size for name in ("model.onnx", "model_int8.onnx")}
    noise, heard = figures["checked_on_noise"], figures["checked_on_dataset"]
    assert len(figures["lengths"]) == 5
    assert noise["equal_labels"] == noise["num_windows"] == 9
    assert heard["equal_labels"] == heard["num_windows"] > 30
    assert 0 < max(noise["max_difference"], heard["max_difference"]) <= 1e-4
    assert figures["int8"]["is_kept"]
    assert figures["int8"]["equal_labels_share"] >= 0.98
    assert figures["int8"]["max_difference"] > heard["max_difference"]
    assert figures["files"]["model_int8.onnx"] < figures["files"]["model.onnx"]
    assert figures["labels"] == list(GENRES)
    assert "/" not in json.dumps(figures)  # of local paths the last component alone


def test_a_folder_that_holds_anything_else_is_never_replaced(finished_run, tmp_path):
    before = sorted(finished_run.rglob("*"))
    for overwrite in (False, True):
        with pytest.raises(OptionError, match="which is of no export; name a folder of its own"):
            exporting.export_onnx(finished_run, finished_run, overwrite=overwrite)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OptionError, match="is a file; name a folder"):
        exporting.export_onnx(finished_run, tmp_path / "file", overwrite=True)
    assert sorted(finished_run.rglob("*")) == before


def run_example(exported: Path, clip: Path) -> dict:
    """Run the page's own code, with these paths in place of its own; return its variables."""
    (example,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text(), flags=re.DOTALL)
    assert not re.search(r"import (torch|transformers|mgc_hf)", example)
    paths = '"outputs/demo/onnx", "clip.wav"'
    assert paths in example
    values: dict = {}
    exec(compile(example.replace(paths, f"{str(exported)!r}, {str(clip)!r}"), "export.md", "exec"), values)
    return values


@pytest.mark.parametrize("seconds", [7.3, 0.4, 0.02], ids="{} s".format)
def test_the_example_of_the_docs_names_the_genre(seconds, exported, finished_run, tmp_path, capsys):
    soundfile.write(tmp_path / "clip.wav", tune("jazz", 3, seconds), SAMPLING_RATE)
    values = run_example(exported[0], tmp_path / "clip.wav")
    expected = GenreClassifier.from_pretrained(finished_run).predict_file(tmp_path / "clip.wav")
    assert values["genre"] == expected.genre
    for genre, probability in zip(GENRES, values["probabilities"], strict=True):
        assert probability == pytest.approx(expected.probabilities[genre], abs=1e-5)


@pytest.mark.parametrize("name", ["microsoft/wavlm-base", "openai/whisper-tiny", "stats_floor"])
def test_models_of_other_kinds(name, tmp_path):
    """Waveforms of any length; features, where they are computed outside of the file, at any batch size."""
    values = {} if name == "stats_floor" else {"from_scratch": True, "size": "tiny"}
    model, extractor = build_model(name, ["jazz", "rock"], segment_seconds=1.0, **values)
    if name == "stats_floor":
        size = extractor.feature_size
        rng = np.random.default_rng(0)
        model.set_discriminants(
            *(torch.zeros(size), torch.ones(size)),
            torch.from_numpy(1e-5 * rng.standard_normal((2, size))).float(),
            torch.zeros(2),
        )
    if "wavlm" in name:  # one layer has all there is to export, in a third of the time
        model.wavlm.encoder.layers, model.config.num_hidden_layers = model.wavlm.encoder.layers[:1], 1
    model.save_pretrained(tmp_path / "m")
    extractor.save_pretrained(tmp_path / "m")
    figures = exporting.export_onnx(tmp_path / "m")
    assert (tmp_path / "m" / "onnx" / "model.onnx").is_file()
    assert figures["checked_on_noise"]["num_windows"] == 9
    assert len(figures["lengths"]) == (1 if name == "stats_floor" else 5)
    if name == "stats_floor":
        assert figures["input"]["what"] == "what StatsFeatureExtractor gives for a window"
    else:
        soundfile.write(tmp_path / "clip.wav", tune("jazz", 1, 2.5, 16_000), 16_000)
        expected = GenreClassifier.from_pretrained(tmp_path / "m").predict_file(tmp_path / "clip.wav").probabilities
        found = run_example(tmp_path / "m" / "onnx", tmp_path / "clip.wav")["probabilities"]
        assert found == pytest.approx([expected["jazz"], expected["rock"]], abs=1e-5)
    assert figures["input"]["shape"] == [
        "batch_size",
        extractor.feature_size if name == "stats_floor" else "num_samples",
    ]


def test_what_does_not_say_the_same_is_not_written(one_graph, finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(one_graph, "run", lambda self, session, clips: self.expected(clips) + 2e-4)
    with pytest.raises(CheckpointError, match=r"on noise: 9 of 9 labels are the same, .* 0.0002 off; nothing was"):
        exporting.export_onnx(finished_run, tmp_path / "onnx")
    assert not list(tmp_path.iterdir())


def test_what_exporter_or_runtime_refuse_is_one_error(one_graph, finished_run, monkeypatch):
    from transformers.exporters.exporter_onnx import OnnxExporter

    classifier = GenreClassifier.from_pretrained(finished_run, device="cpu")
    with (
        monkeypatch.context() as patch,
        pytest.raises(
            CheckpointError, match=r"a mel_lstm cannot be exported to ONNX \(NotImplementedError: aten::fold\)"
        ),
    ):
        patch.setattr(OnnxExporter, "export", Mock(side_effect=NotImplementedError("aten::fold\nmore")))
        one_graph(classifier)
    session = Mock(run=Mock(side_effect=RuntimeError("Mul:\n 73 by 98")))
    graph = exporting._Graph(classifier)  # made by the fixture
    with pytest.raises(CheckpointError, match=r"does not run on 1 clips of 9 samples \(Mul: 73 by 98\); nothing was"):
        graph.run(session, [np.zeros(9, np.float32)])


def test_eight_bits_that_change_labels_are_not_kept(mgc_hf, finished_run, music_folder, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(exporting, "INT8_EQUAL_LABELS", 1.01)
    words = ("export", finished_run, "--output-dir", tmp_path / "o", "--dataset", music_folder, "--int8")
    status, out, err = mgc_hf(*words)
    assert (status, "--int8: fewer than 98 %" in err) == (1, True)
    assert sorted(file.name for file in (tmp_path / "o").iterdir()) == ["export.json", "model.onnx"]
    assert "labels as the model's" in out


def test_wrong_usage(finished_run, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="--int8: is judged by labels of audio; name some by --dataset"):
        exporting.export_onnx(finished_run, tmp_path / "o", int8=True)
    with pytest.raises(OptionError, match="name one for the export by --output_dir"):
        exporting.export_onnx("org/name")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "model.onnx").touch()
    with pytest.raises(OptionError, match="is there already; --overwrite"):
        exporting.export_onnx(finished_run, tmp_path / "o")
    monkeypatch.setattr(exporting, "_NEEDED", ("no_such_package",))
    with pytest.raises(OptionError, match=r"needs no_such_package: pip install 'mgc_hf\[onnx\]'"):
        exporting.export_onnx(finished_run)
