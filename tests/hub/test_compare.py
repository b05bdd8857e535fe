"""Two published runs compared by their names alone."""

import json

from mgc_hf.comparison.pair import compare
from tests.comparison.test_pair import pair, save_run
from tests.hub.clients import MGC_HF, command, each
from tests.hub.conftest import last_json


def test_published_runs_are_compared_from_their_records_alone(client, api, hub, tmp_path):
    first, second = pair(10, 5, 1, 4)
    folders = [save_run(tmp_path / name, right) for name, right in (("lstm", first), ("hubert", second))]
    for folder in folders:
        (folder / "model.safetensors").write_bytes(b"weights")
        api().create_repo(f"alice/{folder.name}")
        api().upload_folder(folder_path=folder, repo_id=f"alice/{folder.name}")
    api().create_tag("alice/lstm", tag="v1")
    later = save_run(tmp_path / "later" / "lstm", second)
    api().upload_folder(folder_path=later, repo_id="alice/lstm")
    hub.log.clear()
    done = client(*MGC_HF, "compare", "alice/lstm@v1", "alice/hubert", "--json", user=None, check=0)
    found, expected = json.loads(done.out), compare(*folders)
    assert done.err == ""
    assert found["tracks"] == expected.to_dict()["tracks"]
    assert found["difference"] == expected.to_dict()["difference"]
    assert found["first"]["name"] == "alice/lstm"
    assert found["first"]["commit"] == api().list_repo_refs("alice/lstm").tags[0].target_commit
    assert not [seen for seen in hub.log if "safetensors" in seen.path or seen.method in ("POST", "PUT")]
    codes = {
        "offline": command("compare", "alice/lstm@v1", "alice/hubert", "--json"),
        "mixed": command("compare", "alice/lstm@v1", str(folders[1]), "--json"),
    }
    done = client(*each("import mgc_hf.comparison.pair", codes), user=None, check=0, HF_HUB_OFFLINE="1")
    offline = {name: json.loads(came["out"]) for name, came in last_json(done.out).items()}
    assert offline["offline"] == found
    assert offline["mixed"]["tracks"] == found["tracks"]
    codes = {
        "main": command("compare", "alice/lstm", "alice/hubert", "--json"),
        "gone": command("compare", "alice/gone", "alice/hubert"),
        "revision": command("compare", "alice/lstm@v9", "alice/hubert"),
    }
    done = client(*each("import mgc_hf.comparison.pair", codes), user=None, check=0)
    came = last_json(done.out)
    assert json.loads(came["main"]["out"])["tracks"]["p_value"] == 1  # what was pushed later
    assert came["gone"]["error"] == came["revision"]["error"] == ["SystemExit", "1"]
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert len(errors) == 2, done.err
    assert "alice/gone: the Hub has no such model" in errors[0]
    assert "alice/lstm@v9: no such revision" in errors[1]
