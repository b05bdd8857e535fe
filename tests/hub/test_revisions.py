"""`mgc-hf predict` and `evaluate` with a model on the Hub, at any of its revisions."""

import json
import shutil

import pytest
from safetensors.numpy import load_file, save_file

from tests.hub.clients import QUICK_PUSH, command, each
from tests.hub.conftest import last_json
from tests.hub.faults import Fault

ID = "alice/model"
IMPORTS = "import mgc_hf.cli.main, mgc_hf.training, mgc_hf.models.mel_lstm"


@pytest.fixture
def heard(demo_run, tmp_path, tmp_path_factory):
    """The clips that the run was made with, in the folder `music` that clients see."""
    from mgc_hf import load_gtzan

    clips = load_gtzan("demo", demo_clips_per_genre=4, demo_seconds=2.0, cache_dir=tmp_path_factory.mktemp("cache"))
    names = clips.features["genre"].names
    for clip in clips:
        path = tmp_path / "music" / names[clip["genre"]] / f"{clip['track_id'].replace('/', '-')}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip["audio"]["bytes"])
    return tmp_path / "music"


def test_each_revision_is_the_model_that_it_was(client, demo_run, heard, tmp_path):
    later = shutil.copytree(demo_run, tmp_path / "later", ignore=shutil.ignore_patterns("checkpoint-*"))
    weights = load_file(later / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"][::-1] * 9 + 1
    save_file(weights, later / "model.safetensors", metadata={"format": "pt"})
    (later / "recordings.json").unlink()
    client(*QUICK_PUSH, demo_run, ID, "--tag", "v1", check=0)
    client(*QUICK_PUSH, later, ID, check=0)
    clip = str(next(heard.glob("jazz/*.wav")))
    evaluate = ("evaluate", "--dataset", "music", "--cache_dir", "prepared", "--json", "--model")
    predict = ("predict", clip, "--json", "--model")
    codes = {
        "predict": command(*predict, ID),
        "predict v1": command(*predict, ID, "--revision", "v1"),
        "predict here": command(*predict, str(demo_run)),
        "predict later here": command(*predict, str(later)),
        "evaluate": command(*evaluate, ID),
        "evaluate v1": command(*evaluate, ID, "--revision", "v1"),
        "evaluate here": command(*evaluate, str(demo_run)),
        "wrong revision": command(*predict, ID, "--revision", "v9"),
        "evaluate wrong revision": command(*evaluate, ID, "--revision", "v9"),
        "wrong name": command(*predict, "alice/gone"),
        "local": command(*predict, str(demo_run), "--revision", "v1"),
        "evaluate local": command(*evaluate, str(demo_run), "--revision", "v1"),
    }
    done = client(*each(IMPORTS, codes), check=0)
    found = last_json(done.out)
    values = {name: json.loads(came["out"]) for name, came in found.items() if came["error"] is None}
    revisions = {name: [row.pop("revision") for row in values[name]] for name in values if name.startswith("predict")}
    assert len(revisions["predict"][0]) == len(revisions["predict v1"][0]) == 40  # commits
    assert revisions["predict"] != revisions["predict v1"]
    assert revisions["predict here"][0].startswith("sha256:")
    assert values["predict v1"] == values["predict here"]
    assert values["predict"] == values["predict later here"]
    assert values["predict"] != values["predict v1"]
    assert (values["evaluate v1"]["leaky"], values["evaluate"]["leaky"]) == (True, None)
    assert values["evaluate v1"]["segment"] == values["evaluate here"]["segment"]
    assert values["evaluate"]["segment"] != values["evaluate v1"]["segment"]
    assert {name: came["error"] for name, came in found.items() if came["error"]} == {
        "wrong revision": ["SystemExit", "1"],
        "evaluate wrong revision": ["SystemExit", "1"],
        "wrong name": ["SystemExit", "1"],
        "local": ["SystemExit", "2"],
        "evaluate local": ["SystemExit", "2"],
    }
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert len(errors) == 5, done.err
    assert all(f"{ID}@v9: no such revision" in text for text in errors[:2])
    assert "alice/gone: the Hub has no such model" in errors[2]
    assert all("--revision v1: " in text and "has no revisions" in text for text in errors[3:])


def test_a_hub_that_is_busy_for_long_is_not_waited_for(client, hub, demo_run):
    client(*QUICK_PUSH, demo_run, ID, check=0)
    hub.faults = [Fault("rate_limited", "HEAD", "/resolve/", values={"retry_after": 3600})]
    codes = {
        "predict": command("predict", "x.wav", "--model", ID),
        "evaluate": command("evaluate", "--dataset", "demo", "--model", ID),
        "rerun": command("rerun", ID),
    }
    done = client(*each(IMPORTS, codes), check=0)
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert len(errors) == 3, done.err
    assert all("is busy (status 429); it asks to come back in 60 minutes" in text for text in errors)
    assert all(came["seconds"] < 30 for came in last_json(done.out).values())
