"""Round trip: what was loaded once loads again without a network, and what was not is one error at once.

Clients are processes of their own; off line every connection is refused and counted.
"""

import json
import shutil

import pytest

from tests.hub.clients import QUICK_PUSH, command, each, each_without_network, publish_clips
from tests.hub.conftest import last_json

ID, DATA = "alice/model", "alice/music"
#: What is imported before anything is timed, the parts that libraries load when they are first used too.
IMPORTS = """
import datasets, numpy, mgc_hf.cli.main, mgc_hf.rerunning, mgc_hf.training, mgc_hf.models.mel_lstm
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, Trainer
"""
LOADS = {
    "model": "from transformers import AutoModelForAudioClassification as Auto\n"
    f"value = Auto.from_pretrained('{ID}').config.model_type",
    "extractor": "from transformers import AutoFeatureExtractor as Auto\n"
    f"value = Auto.from_pretrained('{ID}').sampling_rate",
    "classifier": "import numpy, mgc_hf\n"
    f"classifier = mgc_hf.GenreClassifier.from_pretrained('{ID}')\n"
    "value = classifier(numpy.sin(numpy.arange(22050, dtype='f4')), 22050).probabilities",
    "load_gtzan": f"import mgc_hf\nvalue = len(mgc_hf.load_gtzan('{DATA}', cache_dir='prepared'))",
    "load_dataset": "from datasets import load_dataset, Audio\n"
    f"value = len(load_dataset('{DATA}', split='train').cast_column('audio', Audio(decode=False)))",
    "predict": command("predict", "clip.wav", "--model", ID, "--json"),
    "evaluate": command(
        *("evaluate", "--model", ID, "--dataset", f"hf://datasets/{DATA}", "--cache_dir", "prepared", "--json")
    ),
    "rerun": command("rerun", ID, "--cache_dir", "prepared", "--json"),
}


@pytest.fixture
def clip(music_folder, tmp_path):
    """A clip in the folder that clients run in."""
    shutil.copy(sorted(music_folder.glob("*/*.wav"))[0], tmp_path / "clip.wav")


@pytest.fixture
def published(client, api, demo_run, music_folder, clip):
    """A model and a data set on the Hub."""
    client(*QUICK_PUSH, demo_run, ID, check=0)
    publish_clips(api, DATA, music_folder)


def test_with_a_warm_cache_all_loads_again_without_a_connection(client, published, hub, tmp_path):
    """FC55."""
    before = last_json(client(*each(IMPORTS, LOADS), check=0).out)
    assert {name: found["error"] for name, found in before.items()} == dict.fromkeys(LOADS)
    assert json.loads(before["evaluate"]["out"])["leaky"] is False  # known from the repository's recordings
    shutil.rmtree(tmp_path / "outputs")
    requests = len(hub.log)
    done = client(*each_without_network(IMPORTS, LOADS), HF_HUB_OFFLINE="1", user=None, check=0)
    after = last_json(done.out)
    for name, found in after.items():
        assert (found["error"], found["tried"]) == (None, []), name
        assert found["value"] == before[name]["value"], name
        assert _figures(found["out"]) == _figures(before[name]["out"]), name
    assert len(hub.log) == requests


def _figures(text):
    """Return what a command printed but for the time of day and the time it took."""
    value = json.loads(text) if text.startswith(("{", "[")) else text
    return {**value, "created": None, "inference_seconds": None} if isinstance(value, dict) else value


def test_with_a_cold_cache_each_is_one_error_at_once_and_no_connection_is_tried(client, clip):
    """FC55."""
    done = client(*each_without_network(IMPORTS, LOADS), HF_HUB_OFFLINE="1", check=0)
    assert "Traceback" not in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert len(errors) == 3, done.err
    for text in errors:
        assert f"{ID}: the Hub is switched off by HF_HUB_OFFLINE, and it is not in the cache" in text
        assert "from_scratch" not in text
    found = last_json(done.out)
    assert {name: values["tried"] for name, values in found.items()} == {name: [] for name in LOADS}
    assert {name: values["seconds"] for name, values in found.items() if values["seconds"] > 5} == {}
    kinds = {name: values["error"][0] for name, values in found.items()}
    assert kinds.pop("load_dataset") in ("ConnectionError", "OfflineModeIsEnabled")
    assert kinds == {
        "model": "OSError",
        "extractor": "OSError",
        "classifier": "CheckpointError",
        "load_gtzan": "SourceError",
        **dict.fromkeys(("predict", "evaluate", "rerun"), "SystemExit"),
    }
    for name in ("classifier", "load_gtzan"):
        assert "HF_HUB_OFFLINE" in found[name]["error"][1]
        assert "\n" not in found[name]["error"][1]


def test_a_repository_of_which_only_the_model_is_in_the_cache_is_not_called_no_run(client, published):
    client("-c", LOADS["model"].replace("from", "import mgc_hf\nfrom", 1), check=0)
    code = {"rerun": LOADS["rerun"]}
    done = client(*each_without_network("import mgc_hf.rerunning", code), HF_HUB_OFFLINE="1", check=0)
    assert "the Hub is switched off by HF_HUB_OFFLINE, and it is not in the cache" in done.err
    assert last_json(done.out)["rerun"]["tried"] == []
