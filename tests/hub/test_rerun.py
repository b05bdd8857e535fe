"""Round trip: train, publish, and make the run again from its repository alone, each in a process of its own."""

import json
import shutil
from pathlib import Path

from mgc_hf.results import RunResult
from tests.hub.clients import MGC_HF, QUICK_PUSH, command, each, publish_clips
from tests.hub.conftest import ROOT
from tests.models.kinds import save_checkpoint

ID = "alice/model"


def test_a_run_of_the_demo_corpus_is_made_again_from_its_name_alone(client, hub, demo_run, tmp_path):
    client(*QUICK_PUSH, demo_run, ID, "--tag", "v1", check=0)
    shutil.copytree(demo_run, tmp_path / "later", ignore=shutil.ignore_patterns("checkpoint-*"))
    (tmp_path / "later" / "results.json").write_text("{}")
    client(*QUICK_PUSH, tmp_path / "later", ID, check=0)
    hub.log.clear()
    again = ("rerun", ID, "--revision", "v1", "--cache_dir", "data", "--json")
    done = client(*MGC_HF, *again, home="other", user=None, check=0)
    found = json.loads(done.out)
    assert [figure["difference"] for figure in found["figures"]] == [0, 0, 0, 0]
    assert (found["predictions_equal"], found["environment"]) == (True, {})
    assert found["output_dir"] == "outputs/rerun-model"
    assert len(found["commit"]) == 40
    folder = Path(tmp_path, found["output_dir"])
    published, now = (RunResult.load(where / "results.json") for where in (demo_run, folder))
    assert published.track == now.track
    assert published.segment == now.segment
    for name in ("predictions.parquet", "split.json", "recordings.json", "config.json"):
        assert (folder / name).read_bytes() == (demo_run / name).read_bytes()
    assert not [seen for seen in hub.log if "safetensors" in seen.path or seen.method in ("POST", "PUT")]
    done = client(*MGC_HF, *again, "--output_dir", folder, home="other", user=None, check=2)
    assert "not empty; name another folder" in done.err
    done = client(*MGC_HF, *again, home="other", user=None, check=0)
    assert json.loads(done.out)["output_dir"] == "outputs/rerun-model-2"


def test_data_and_base_checkpoint_are_found_on_the_hub(client, api, music_folder, tmp_path):
    save_checkpoint("hubert", tmp_path / "base")
    api().create_repo("alice/base")
    api().upload_folder(folder_path=tmp_path / "base", repo_id="alice/base")
    publish_clips(api, "alice/music", music_folder)
    recipe = (ROOT / "recipes" / "audio_model.py", "--model_name_or_path", "alice/base", "--dataset", "alice/music")
    quick = ("--segment_seconds", "1", "--num_train_epochs", "1", "--num_resamples", "100", "--pictures", "false")
    quick += ("--floor", "false")
    where = ("--output_dir", "run", "--push_to_hub", "--hub_model_id", "alice/tuned", "--bf16", "false")
    client(*recipe, *quick, *where, check=0, timeout=200)
    before = json.loads((tmp_path / "run" / "results.json").read_text())
    assert before["model"]["base_model"] == "alice/base"
    api().upload_file(path_or_fileobj=b"later", path_in_repo="README.md", repo_id="alice/music", repo_type="dataset")
    done = client(*MGC_HF, "rerun", "alice/tuned", "--output_dir", "again", home="other", check=0, timeout=200)
    assert "predictions: equal, bit for bit" in done.out
    assert "versions and hardware: as published" in done.out
    after = json.loads((tmp_path / "again" / "results.json").read_text())
    assert after["data"] == before["data"]  # its revision too
    assert after["model"] == before["model"]


def test_a_repository_that_is_no_run_or_not_there(client, api):
    api().create_repo("alice/empty")
    codes = {
        "empty": command("rerun", "alice/empty"),
        "gone": command("rerun", "alice/gone"),
        "revision": command("rerun", "alice/empty", "--revision", "v9"),
        "name": command("rerun", "alice/a--b..c"),
    }
    done = client(*each("import mgc_hf.rerunning", codes), check=0)
    assert "Traceback" not in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    told = (
        "has no results.json, so it is no run",
        "the Hub has no such model",
        "alice/empty@v9: no such revision",
        "",
    )
    assert len(errors) == len(codes), done.err
    assert all(text in error for text, error in zip(told, errors, strict=True))
