import errno
import json
import os
import stat

import pytest
import torch
from safetensors.torch import load_file

from mgc_hf.errors import CheckpointError
from mgc_hf.training import save_model_folder
from tests.training.stand_ins import TinyClassifier, make_extractor, make_model

FILES = ["config.json", "model.safetensors", "pipeline_genre.py", "preprocessor_config.json"]


def test_the_folder_loads_and_others_may_read_it(tmp_path):
    model = make_model()
    (tmp_path / "results.json").write_text("{}")
    save_model_folder(model, make_extractor(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*FILES, "results.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES} == {0o666 & ~umask}
    loaded = TinyClassifier.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def test_a_full_disk_leaves_the_earlier_model(tmp_path, monkeypatch):
    save_model_folder(make_model(0), make_extractor(), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}

    def refuse(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr("transformers.SequenceFeatureExtractor.save_pretrained", refuse)
    with pytest.raises(CheckpointError, match=rf"{tmp_path}: could not be written .*No space left.*MiB are free"):
        save_model_folder(make_model(1), make_extractor(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_cut_off_in_the_middle_it_is_no_model_folder(tmp_path, monkeypatch):
    save_model_folder(make_model(0), make_extractor(), tmp_path)
    replace, calls = os.replace, []

    def cut_off(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save_model_folder(make_model(1), make_extractor(), tmp_path)
    assert not (tmp_path / "config.json").exists()
    monkeypatch.setattr(os, "replace", replace)
    save_model_folder(make_model(1), make_extractor(), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "tiny_lstm_for_tests"
    expected = make_model(1).state_dict()["classifier.weight"]
    assert torch.equal(load_file(tmp_path / "model.safetensors")["classifier.weight"], expected)


def test_other_errors_pass_through(tmp_path, monkeypatch):
    def fail(self, folder):
        raise RuntimeError("a bug")

    monkeypatch.setattr("transformers.SequenceFeatureExtractor.save_pretrained", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        save_model_folder(make_model(), make_extractor(), tmp_path)
    assert list(tmp_path.iterdir()) == []
