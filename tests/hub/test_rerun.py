"""Round trip: train, publish, and make the run again from its repository alone, each in a process of its own."""

import json
import shutil
from pathlib import Path

import pytest

from mgc_hf.results import RunResult
from tests.hub.clients import MGC_HF, QUICK_PUSH

ID = "alice/model"


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory):
    """The folder of a tiny run on the demo corpus."""
    from mgc_hf import fine_tune

    folder = tmp_path_factory.mktemp("finished") / "my-run"
    fine_tune(
        dataset="demo",
        demo_clips_per_genre=4,
        demo_seconds=2.0,
        segment_seconds=1.0,
        model_config='{"hidden_size": 8}',
        num_train_epochs=2,
        num_resamples=100,
        pictures=False,
        disable_tqdm=True,
        cache_dir=str(tmp_path_factory.mktemp("cache")),
        output_dir=str(folder),
    )
    return folder


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
    done = client(*MGC_HF, *again, home="other", user=None, check=2)
    assert "not empty; name another folder" in done.err


def test_a_repository_that_is_no_run_or_not_there(client, api):
    api().create_repo("alice/empty")
    for name, told in {
        "alice/empty": "has no results.json and no split.json",
        "alice/gone": "the Hub has no such model",
    }.items():
        done = client(*MGC_HF, "rerun", name, check=1)
        assert told in done.err
        assert len(_errors(done.err)) == 1
        assert "Traceback" not in done.err
    done = client(*MGC_HF, "rerun", "alice/empty", "--revision", "v9", check=1)
    assert "alice/empty@v9: no such revision" in done.err


def _errors(text):
    return [line for line in text.splitlines() if line.startswith("mgc-hf: error:")]
