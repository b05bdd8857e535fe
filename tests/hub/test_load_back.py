"""What was pushed comes back to people who have transformers and not mgc_hf, each in a process of its own."""

import json

import numpy as np
import pytest
import soundfile
import yaml

from mgc_hf.results import RunResult
from tests.hub.clients import without_mgc_hf
from tests.hub.conftest import QUICK, client_of, last_json
from tests.hub.server import running
from tests.tunes import SAMPLING_RATE, tune

ID = "studio/small-lstm"
LOGITS = """
import json, sys
import numpy as np, torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
name, clip, trust = sys.argv[1], np.load(sys.argv[2]), json.loads(sys.argv[3])
model = AutoModelForAudioClassification.from_pretrained(name, trust_remote_code=trust).eval()
extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=trust)
with torch.no_grad():
    logits = model(**extractor(clip, sampling_rate=extractor.sampling_rate, return_tensors="pt")).logits
if len(sys.argv) > 4:
    model.save_pretrained(sys.argv[4])
    extractor.save_pretrained(sys.argv[4])
print(json.dumps({"logits": logits.numpy().tobytes().hex(), "module": type(model).__module__}))
"""
#: What the Hub's page prints for a model of this library, on the files named.
SNIPPET = """
import json, os, sys
os.environ["PATH"] = ""  # no ffmpeg
from transformers import pipeline
pipe = pipeline("audio-classification", model=sys.argv[1], trust_remote_code=True)
print(json.dumps([pipe(file) for file in sys.argv[2:]]))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """One Hub for all tests here, with a model that alice has pushed."""
    with running(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="module")
def published(hub, finished_run, tmp_path_factory):
    """Its id."""
    client_of(hub, tmp_path_factory.mktemp("alice"))(*QUICK, finished_run, ID, check=0)
    return ID


@pytest.fixture
def clip(tmp_path):
    """A file of one window."""
    np.save(tmp_path / "clip.npy", tune("jazz", 7, 3.0))
    return tmp_path / "clip.npy"


def test_logits_are_the_local_ones_bit_for_bit(client, published, finished_run, clip, tmp_path):
    """FC46, FC53."""
    local = last_json(client("-c", "import mgc_hf\n" + LOGITS, finished_run, clip, "null", check=0).out)
    assert local["module"].startswith("mgc_hf.")
    again = tmp_path / "again"
    words = without_mgc_hf(LOGITS)
    loaded = last_json(client(*words, published, clip, "true", again, user=None, check=0).out)
    assert loaded["module"].startswith("transformers_modules.")
    assert loaded["logits"] == local["logits"]
    code = {path.name for path in finished_run.glob("*.py")}
    assert {path.name for path in again.glob("*.py")} == code
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (finished_run, again))
    # transformers puts the repository that the code came from before each name, unless it saves the code too
    assert {name: value.split("--")[-1] for name, value in after["auto_map"].items()} == before["auto_map"]
    second = last_json(client(*words, again, clip, "true", tmp_path / "third", user=None, check=0).out)
    assert second["logits"] == local["logits"]
    assert {path.name for path in (tmp_path / "third").glob("*.py")} == code


def test_without_trust_it_is_refused_in_words(client, published, clip):
    refused = client(*without_mgc_hf(LOGITS), published, clip, "null", user=None)
    assert refused.status == 1
    assert "trust_remote_code=True" in refused.err.strip().splitlines()[-1]


def test_the_hubs_snippet_reads_any_file(client, published, finished_run, tmp_path):
    stereo = np.stack([tune("jazz", 3, 7.5), tune("metal", 3, 7.5)], axis=1)
    files = []
    for name, samples, rate in (
        ("song.wav", stereo, SAMPLING_RATE),
        ("song.flac", np.repeat(stereo, 2, axis=0), 2 * SAMPLING_RATE),
        ("song.mp3", stereo, SAMPLING_RATE),
        ("song.ogg", stereo[:, 0], 48_000),
    ):
        soundfile.write(tmp_path / name, samples, rate)
        files.append(tmp_path / name)
    answers = last_json(client(*without_mgc_hf(SNIPPET), published, *files, user=None, check=0).out)
    ours = client(
        "-c", "from mgc_hf.cli.main import main; main()", "predict", *files, "--model", finished_run, "--json", check=0
    )
    for answer, expected in zip(answers, json.loads(ours.out), strict=True):
        found = {row["label"]: row["score"] for row in answer}
        assert found == pytest.approx(expected["probabilities"], abs=1e-4)
        assert answer[0]["label"] == expected["genre"]


def test_the_cards_figures_are_those_of_the_pushed_weights(
    client, hub, published, finished_run, music_folder, tmp_path
):
    split = finished_run / "split.json"
    options = ("--model", published, "--dataset", music_folder, "--split", split, "--output_dir", tmp_path / "again")
    client("-c", "from mgc_hf.cli.main import main; main()", "evaluate", *options, user=None, check=0)
    again = RunResult.load(tmp_path / "again" / "results.json")
    card = hub.store.read(hub.store.get("model", published).resolve("main").tree["README.md"]).decode()
    said = {row["name"]: row["value"] for row in _header(card)["model-index"][0]["results"][0]["metrics"]}
    assert said == {
        "Accuracy (tracks)": pytest.approx(again.track.accuracy.value, abs=5e-5),
        "Macro F1 (tracks)": pytest.approx(again.track.macro_f1.value, abs=5e-5),
        "Accuracy (segments)": pytest.approx(again.segment.accuracy.value, abs=5e-5),
        "Macro F1 (segments)": pytest.approx(again.segment.macro_f1.value, abs=5e-5),
    }
    for level in (again.track, again.segment):
        assert f"{100 * level.accuracy.value:.1f} %" in card.split("\n## ")[0]
        for genre, scores in level.per_genre.items():
            recall = f"{scores.recall:.2f} [{scores.recall_ci95[0]:.2f}, {scores.recall_ci95[1]:.2f}]"
            assert f"| {genre} | {scores.precision:.2f} | {recall} | {scores.f1:.2f} |" in card


def _header(card):
    return yaml.safe_load(card.split("---\n", 2)[1])
