"""`mgc-hf push --with_space`: the Space beside a model, and that it answers where mgc_hf is not installed."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from configparser import ConfigParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import yaml

from mgc_hf.app import genre_app
from mgc_hf.errors import PublishError
from mgc_hf.hub.committing import git_and_lfs_ids
from mgc_hf.hub.space import (
    GRADIO_VERSION,
    PACKAGES,
    PYTHON_VERSION,
    SPACE_FILES,
    _refuse_foreign,
    check_space,
    list_space,
)
from tests.hub.conftest import ROOT, environment_of
from tests.hub.faults import Fault
from tests.hub.test_push import ID, QUICK
from tests.tunes import GENRES, SAMPLING_RATE, tune

SPACE = f"{ID}-demo"


@pytest.fixture
def folder(finished_run, tmp_path):
    """A copy of the run's folder that a test may change."""
    return Path(shutil.copytree(finished_run, tmp_path / "my-run"))


@pytest.fixture
def push(client, folder):
    """Run `mgc-hf push --with_space` on the folder."""

    def run(*options, **more):
        done = client(*QUICK, folder, ID, "--with_space", *options, **more)
        assert "Traceback" not in done.err
        return done

    return run


def commits(api, repo_id=SPACE, repo_type="space"):
    return [commit.title for commit in api().list_repo_commits(repo_id, repo_type=repo_type)]


def read(hub, path, head="main"):
    return hub.store.read(hub.store.get("space", SPACE).resolve(head).tree[path]).decode()


def upload(api, path, text):
    api().upload_file(path_or_fileobj=text.encode(), path_in_repo=path, repo_id=SPACE, repo_type="space")


def test_a_space_is_made_once_and_hears_the_commit_of_the_push(push, api, hub):
    done = push(check=0)
    assert f"4 files written: {hub.endpoint}/spaces/{SPACE}/commit/" in done.out
    assert hub.store.get("space", SPACE).sdk == "gradio"
    assert set(api().list_repo_files(SPACE, repo_type="space")) - {".gitattributes"} == set(SPACE_FILES)
    assert read(hub, "app.py") == Path(genre_app.__file__).read_text()
    of = json.loads(read(hub, "model.json"))
    assert (of["model"], of["revision"]) == (ID, api().model_info(ID).sha)
    assert len(commits(api)) == 2
    again = push(check=0)
    assert again.out.count("nothing has changed") == 2
    assert f"{hub.endpoint}/spaces/{SPACE}" in again.out
    assert len(commits(api)) == 2


def test_the_next_model_is_heard_and_edits_to_the_readme_are_kept(push, api, hub, folder):
    push(check=0)
    upload(api, "README.md", read(hub, "README.md").replace("emoji: 🎵", "emoji: 🥁"))
    (folder / "split.json").write_text((folder / "split.json").read_text() + " ")
    done = push(check=0)
    assert done.out.count("1 file written") == 2
    assert "the card was edited on the Hub, and was left as it is there" in done.out
    assert "🥁" in read(hub, "README.md")
    assert json.loads(read(hub, "model.json"))["revision"] == api().model_info(ID).sha
    assert len(commits(api)) == 4


def test_its_readme_says_what_the_hub_needs_and_what_a_reader_wants(tmp_path):
    list_space(ID, "0" * 40, tmp_path)
    readme = (tmp_path / "README.md").read_text()
    header = yaml.safe_load(readme.split("---\n")[1])
    assert header["sdk"] == "gradio"
    assert header["sdk_version"] == GRADIO_VERSION
    assert header["python_version"] == PYTHON_VERSION
    assert re.search(r"^python_version: ['\"]3\.1[1-9]['\"]$", readme, re.MULTILINE)  # quoted: a number would be 3.1
    assert header["app_file"] == "app.py"
    assert header["models"] == [ID]
    assert header["license"] == "apache-2.0"
    assert len(header["short_description"]) <= 60
    assert "runs the code of that repository at that commit" in readme
    assert not re.search(r"[0-9a-f]{40}\b", readme.split("<!--")[0])  # else edits could not be kept at the next push


def test_what_it_installs_is_what_the_package_is_tested_with():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = re.findall(r"^([\w-]+)(>=[\d.]+)", config["options"]["install_requires"], re.MULTILINE)
    assert {re.sub(",.*", "", package) for package in PACKAGES} <= {name + least for name, least in required}
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert pinned["gradio"] == GRADIO_VERSION
    assert int(pinned["pillow"].split(".")[0]) < 13


def test_it_is_private_as_the_model_is(push, api, hub):
    push("--private", check=0)
    assert api().space_info(SPACE).private
    api().delete_repo(SPACE, repo_type="space")
    push(check=0)  # without the option: the model is private already
    assert api().space_info(SPACE).private
    created = [seen.number for seen in hub.log if seen.path == "/api/repos/create"]
    assert len(created) == 3
    assert not [seen for seen in hub.log if seen.path.endswith("/settings")]


def test_dry_run_lists_both(push, hub):
    done = push("--dry_run", user=None, check=0, HF_ENDPOINT="http://127.0.0.1:9")
    assert "model.safetensors" in done.out
    assert f"bytes in 4 files would go to the Space {SPACE}" in done.out
    assert all(f"  {name}\n" in done.out for name in SPACE_FILES)
    assert not hub.log


def test_an_empty_space_is_filled_and_what_others_change_in_it_then_is_left_alone(push, api, folder):
    api().create_repo(SPACE, repo_type="space", space_sdk="gradio")
    push(check=0)
    assert len(commits(api)) == 2
    upload(api, "app.py", "print('mine')")
    (folder / "split.json").write_text((folder / "split.json").read_text() + " ")
    done = push(check=1)
    assert f"{SPACE}: this Space holds what `mgc-hf push` has not written (app.py)" in done.err
    assert "the model is published, its Space is not" in done.err
    assert "rename it" in done.err
    assert len(commits(api)) == 3


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("app.py", "print('mine')", "(app.py)"),
        ("requirements.txt", "mine", "(requirements.txt)"),
        ("notes.md", "mine", "(notes.md)"),
        ("README.md", "mine", "(README.md)"),
        ("model.json", '{"model": "bob/x", "written": {}}', "(app.py, model.json, requirements.txt)"),
        ("model.json", "{", "(app.py, model.json, requirements.txt)"),
        ("model.json", "[]", "(app.py, model.json, requirements.txt)"),
        (".gitattributes", "*.x filter=lfs", None),
        ("README.md", None, None),
    ],
)
def test_which_files_are_not_ours(tmp_path, path, text, named):
    list_space(ID, "0" * 40, tmp_path)
    if text is None:  # an edit that leaves the mark at the end
        text = (tmp_path / path).read_text().replace("blue", "red")
    (tmp_path / path).write_text(text)
    tree = {file.name: SimpleNamespace(lfs=None, blob_id=git_and_lfs_ids(file)[0]) for file in tmp_path.iterdir()}
    if named is None:
        _refuse_foreign(SPACE, ID, tree, tmp_path.joinpath)
    else:
        with pytest.raises(PublishError, match=re.escape(named)):
            _refuse_foreign(SPACE, ID, tree, tmp_path.joinpath)


def test_a_space_of_somebody_else_is_left_alone(push, api):
    api().create_repo(SPACE, repo_type="space", space_sdk="gradio")
    upload(api, "app.py", "print('mine')")
    assert "has not written (README.md, app.py)" in push(check=1).err
    assert len(commits(api)) == 2


def test_a_failure_is_told_as_the_spaces_own_and_the_same_command_finishes(push, api, hub):
    hub.faults = [Fault("unavailable", "POST", f"/api/spaces/{SPACE}/commit/")]
    done = push("--timeout", "2", check=1)
    (line,) = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert "the model is published, its Space is not" in line
    assert "is busy (status 503)" in line
    hub.faults = []
    push(check=0)
    assert len(commits(api)) == 2
    assert len(commits(api, ID, "model")) == 2


def test_a_model_that_a_space_could_not_hear_is_refused_before_anything_is_sent(push, hub, folder):
    config = json.loads((folder / "config.json").read_text())
    del config["custom_pipelines"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "names no pipeline_genre.GenrePipeline" in push(check=1).err
    assert not hub.log
    with pytest.raises(PublishError, match="-demo"):
        check_space(folder, "alice/" + "x" * 95)


#: A process in which mgc_hf cannot be imported, whatever is installed, runs a Space's `app.py` as a Space does.
WITHOUT_US = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mgc_hf":
            raise ImportError("mgc_hf is not installed here")

sys.meta_path.insert(0, Refuse())
sys.path[0] = ""
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_space_runs_and_answers_where_mgc_hf_is_not_installed(push, api, hub, finished_run, tmp_path):
    from gradio_client import Client, handle_file

    from mgc_hf.inference import GenreClassifier

    push(check=0)
    head = api().model_info(ID).sha
    space = tmp_path / "space"
    api().snapshot_download(SPACE, repo_type="space", local_dir=space)
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, tune(GENRES[0], 0, 5.0), SAMPLING_RATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(tmp_path / "sent"), "PYTHONPATH": ""}
    environment = environment_of(hub, tmp_path / "clean", None, **own)
    before = len(hub.log)
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", WITHOUT_US], cwd=space, env=environment, stdout=output, stderr=output
        ) as app,
    ):
        try:
            client = _client(Client, f"http://127.0.0.1:{port}/", app, log)
            said, label, along, spectrogram = client.predict(handle_file(clip), api_name="/name_genre")
        finally:
            app.terminate()
    theirs = GenreClassifier.from_pretrained(finished_run).predict_file(clip)
    assert f"<strong>{theirs.genre}</strong>" in str(said)
    shown = {row["label"]: row["confidence"] for row in label["confidences"]}
    assert shown == pytest.approx(theirs.probabilities, abs=1e-4)
    assert all(os.path.getsize(_path(picture)) > 1000 for picture in (along, spectrogram))
    asked = {seen.path for seen in hub.log[before:] if "/resolve/" in seen.path}
    assert any("pipeline_genre.py" in path for path in asked)
    assert all(f"/resolve/{head}/" in path for path in asked)


def _path(value):
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _client(make, address, app, log):
    end = time.monotonic() + 60
    while True:
        try:
            return make(address, verbose=False)
        except Exception:
            assert app.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
