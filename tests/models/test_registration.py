"""A model folder in the hands of others: with mgc_hf, without it, with and without trust in its code."""

import json
import os

import numpy as np
import pytest

from mgc_hf.inference import GenreClassifier
from mgc_hf.models.mel_lstm import MelLstmConfig, MelLstmForAudioClassification
from tests import preloaded
from tests.tunes import SAMPLING_RATE, tune

#: Any import of the package then fails.
HIDDEN = "import sys; sys.modules['mgc_hf'] = None\n"
BEGIN = """
import json, sys
import numpy as np
from transformers import AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, pipeline
folder, clip = sys.argv[1], np.load(sys.argv[2])
said = {}
def hear(**trust):
    classifier = pipeline("audio-classification", model=folder, **trust)
    scores = {row["label"]: row["score"] for row in classifier(clip, top_k=None)}
    return {"scores": scores, "model": type(classifier.model).__module__, "pipeline": type(classifier).__module__}
try:
    hear()
except ValueError as error:
    said["refusal"] = str(error)
said["trusted"] = hear(trust_remote_code=True)
"""
AUTO_CLASSES = """
model = AutoModelForAudioClassification.from_pretrained(folder).eval()
inputs = AutoFeatureExtractor.from_pretrained(folder)(clip, sampling_rate=22050, return_tensors="pt")
probabilities = model(**inputs).logits.softmax(dim=-1)[0].tolist()
scores = {model.config.id2label[index]: probability for index, probability in enumerate(probabilities)}
said["auto"] = {"scores": scores, "model": type(model).__module__}
"""
BASE = """
said["base"] = type(AutoModel.from_pretrained(folder, trust_remote_code=True)).__name__
"""
END = "print()\nprint(json.dumps(said))"  # after a question that nobody answers


def _load(code, folder, tmp_path):
    np.save(tmp_path / "clip.npy", tune("jazz", 7, 3.0))
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    done = preloaded.run(["-c", code, folder, tmp_path / "clip.npy"], env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


@pytest.fixture(scope="module")
def expected(finished_run):
    probabilities = GenreClassifier.from_pretrained(finished_run)(tune("jazz", 7, 3.0), SAMPLING_RATE).probabilities
    return pytest.approx(probabilities, abs=1e-5)


def test_where_mgc_hf_is_imported_the_model_needs_no_trust_and_the_pipeline_does(finished_run, expected, tmp_path):
    said, _ = _load("import mgc_hf\n" + BEGIN + AUTO_CLASSES + END, finished_run, tmp_path)
    assert said["auto"]["scores"] == expected
    assert said["auto"]["model"].startswith("mgc_hf.")
    assert "set the option `trust_remote_code=True`" in said["refusal"]
    assert said["trusted"]["scores"] == expected
    assert said["trusted"]["pipeline"].startswith("transformers_modules.")


def test_where_it_is_not_installed_the_folders_code_runs_if_trusted_and_is_refused_if_not(
    finished_run, expected, tmp_path
):
    """FC53."""
    said, printed = _load(HIDDEN + BEGIN + BASE + END, finished_run, tmp_path)
    assert "trust_remote_code" in said["refusal"]
    assert said["trusted"]["scores"] == expected
    assert said["trusted"]["model"].startswith("transformers_modules.")
    assert said["base"] == "MelLstmModel"
    assert "UNEXPECTED" not in printed


def test_weights_are_readable_by_others(tmp_path):
    (tmp_path / "any").write_text("")
    MelLstmForAudioClassification(MelLstmConfig(hidden_size=4)).save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode
    assert not list((tmp_path / "model").glob("*.bin"))
