"""A model folder in the hands of others: with mgc_hf, without it, with and without trust in its code."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mgc_hf.inference import GenreClassifier
from mgc_hf.models.mel_lstm import MelLstmConfig, MelLstmForAudioClassification
from tests.tunes import SAMPLING_RATE, tune

HIDDEN = "import sys; sys.modules['mgc_hf'] = None\n"  # any import of the package then fails
LOAD = """
import json, sys
import numpy as np
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline
folder, clip, trust = sys.argv[1], np.load(sys.argv[2]), json.loads(sys.argv[3])
classifier = pipeline("audio-classification", model=folder, trust_remote_code=trust)
scores = {row["label"]: row["score"] for row in classifier(clip, top_k=None)}
print(json.dumps({"scores": scores, "module": type(classifier.model).__module__}))
"""


def _load(code, folder, tmp_path, trust=None):
    np.save(tmp_path / "clip.npy", tune("jazz", 7, 3.0))
    arguments = [sys.executable, "-c", code, str(folder), str(tmp_path / "clip.npy"), json.dumps(trust)]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    return subprocess.run(
        arguments, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def expected(finished_run):
    return GenreClassifier.from_pretrained(finished_run)(tune("jazz", 7, 3.0), SAMPLING_RATE).probabilities


def _agree(result, expected):
    assert result.returncode == 0, result.stderr
    value = json.loads(result.stdout.splitlines()[-1])
    assert value["scores"] == pytest.approx(expected, abs=1e-5)
    return value["module"]


AUTO_CLASSES = """
import json, sys
import mgc_hf
import numpy as np
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
folder, clip = sys.argv[1], np.load(sys.argv[2])
model = AutoModelForAudioClassification.from_pretrained(folder).eval()
inputs = AutoFeatureExtractor.from_pretrained(folder)(clip, sampling_rate=22050, return_tensors="pt")
probabilities = model(**inputs).logits.softmax(dim=-1)[0].tolist()
scores = {model.config.id2label[index]: probability for index, probability in enumerate(probabilities)}
print(json.dumps({"scores": scores, "module": type(model).__module__}))
"""


def test_where_mgc_hf_is_imported_no_trust_is_needed(finished_run, expected, tmp_path):
    module = _agree(_load(AUTO_CLASSES, finished_run, tmp_path), expected)
    assert module.startswith("mgc_hf.")


PIPELINES = """
import json, sys
import mgc_hf
import numpy as np
from transformers import pipeline
folder, clip = sys.argv[1], np.load(sys.argv[2])
try:
    pipeline("audio-classification", model=folder)
except ValueError as error:
    print(error)
classifier = pipeline("audio-classification", model=folder, trust_remote_code=True)
scores = {row["label"]: row["score"] for row in classifier(clip, top_k=None)}
print(json.dumps({"scores": scores, "module": type(classifier).__module__}))
"""


def test_the_pipeline_needs_trust_even_there(finished_run, expected, tmp_path):
    result = _load(PIPELINES, finished_run, tmp_path)
    assert _agree(result, expected).startswith("transformers_modules.")
    assert "set the option `trust_remote_code=True`" in result.stdout


def test_where_it_is_not_installed_the_folders_code_runs_if_trusted(finished_run, expected, tmp_path):
    module = _agree(_load(HIDDEN + LOAD, finished_run, tmp_path, trust=True), expected)
    assert module.startswith("transformers_modules.")


BASE = """
import sys
from transformers import AutoModel
print(type(AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)).__name__)
"""


def test_the_base_model_loads_from_the_same_folder(finished_run, tmp_path):
    result = _load(HIDDEN + BASE, finished_run, tmp_path, trust=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == "MelLstmModel"
    assert "UNEXPECTED" not in result.stdout + result.stderr


def test_and_is_refused_if_not(finished_run, tmp_path):
    result = _load(HIDDEN + LOAD, finished_run, tmp_path)
    assert result.returncode != 0
    assert "trust_remote_code" in result.stderr
    assert result.stdout.splitlines()[-1:] == [] or "scores" not in result.stdout


def test_weights_are_readable_by_others(tmp_path):
    (tmp_path / "any").write_text("")
    MelLstmForAudioClassification(MelLstmConfig(hidden_size=4)).save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode
    assert not list((tmp_path / "model").glob("*.bin"))
