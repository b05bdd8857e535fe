"""`push` and `mgc-hf push` against a Hub: what goes, one commit, and every failure that a user can meet."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from mgc_hf.cards.card import address
from mgc_hf.cards.signature import sign
from mgc_hf.errors import MgcHfError, PublishError
from mgc_hf.hub import check_account, list_contents
from mgc_hf.hub.contents import PUBLISHED, is_published, refuse_secrets
from mgc_hf.hub.waiting import WaitedTooLong, _Patience
from tests.hub.app import USERS
from tests.hub.conftest import PUSH, QUICK, ROOT, assert_whole, commits, files, push_process
from tests.hub.faults import Fault

ID = "alice/model"


@pytest.fixture
def folder(demo_run, tmp_path):
    """A copy of the run's folder that a test may change."""
    return Path(shutil.copytree(demo_run, tmp_path / "my-run"))


@pytest.fixture
def push(client, folder):
    """Run `mgc-hf push` on the folder; the folder must stay as it is."""

    def run(*options, repo_id=ID, start=QUICK, **more):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        done = client(*start, folder, repo_id, *options, **more)
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        assert "Traceback" not in done.err
        assert not any(token in done.out + done.err for user in USERS.values() for token in user.values())
        return done

    return run


def test_what_goes_is_the_list_and_nothing_else(folder):
    """FC71: checkpoints, pickles, logs, secrets and what else lies about stay here."""
    (folder / "checkpoint-4").mkdir()
    for name in ("checkpoint-4/model.safetensors", "optimizer.pt", ".env", "__pycache__/modeling_mel_lstm.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    with (folder / "dummy.bin").open("wb") as file:
        file.truncate(30_000_000)
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "runs").mkdir()
    (folder / "runs" / "events.out.tfevents.1").write_bytes(b"x")
    (folder / "images" / "deeper").mkdir()
    (folder / "images" / "deeper" / "x.png").write_bytes(b"x")
    (folder / "images" / "mine.png").write_bytes(b"x")
    paths = {content.path for content in list_contents(folder)}
    assert {"model.safetensors", "config.json", "README.md", "results.json", "modeling_mel_lstm.py"} <= paths
    assert "images/confusion_matrix_track.png" in paths
    assert not any(
        path.startswith(("checkpoint-", "runs", "training_args", "images/deeper", "images/mine")) for path in paths
    )
    assert not {
        path for path in paths if Path(path).name.startswith(".env") or path.endswith((".pt", ".pyc", "dummy.bin"))
    }
    assert all(is_published(path) for path in paths)
    assert not is_published("optimizer.pt")
    assert len(set(PUBLISHED)) == len(PUBLISHED)


def test_links_are_named(folder):
    (folder / "LICENSE").unlink()
    (folder / "LICENSE").symlink_to("/etc/hostname")
    with pytest.raises(PublishError, match="LICENSE is a link"):
        list_contents(folder)


def test_code_that_the_configuration_names_must_be_there(folder):
    (folder / "pipeline_genre.py").unlink()
    (folder / "modeling_mel_lstm.py").unlink()
    with pytest.raises(PublishError, match=r"names modeling_mel_lstm\.py, pipeline_genre\.py, which are not there"):
        list_contents(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(PublishError, match=r"config\.json: is damaged"):
        list_contents(folder)


def test_a_track_that_is_named_by_an_absolute_path_is_refused(folder):
    split = json.loads((folder / "split.json").read_text())
    split["parts"]["train"][0] = "/mnt/music/jazz 1/a b.wav"
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(PublishError, match=r"split\.json, line 1: an absolute path"):
        refuse_secrets(list_contents(folder))


def test_a_folder_of_no_run_is_refused(tmp_path):
    with pytest.raises(PublishError, match="has no config.json"):
        list_contents(tmp_path)
    with pytest.raises(PublishError, match="is no folder"):
        list_contents(tmp_path / "gone")


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("hf_" + "a1B2" * 9, "a Hugging Face token"),
        ("AKIA" + "ABCD1234" * 2, "an AWS access key"),
        ("aws_secret_access_key = " + "abcd/1234+" * 4, "an AWS secret key"),
        ("/home/alice/music/x.wav", "a home folder"),
        ("/Users/alice/x", "a home folder"),
        ("/root/data/x", "a home folder"),
        ("C:\\\\Users\\\\alice\\\\x", "a home folder"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ],
)
def test_secrets_are_found_by_file_and_line_and_not_shown(folder, secret, told):
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(f"{text}\nline {secret}\n")
    number = text.count("\n") + 2
    with pytest.raises(PublishError, match=rf"README\.md, line {number}: {told}") as caught:
        refuse_secrets(list_contents(folder))
    assert secret not in str(caught.value)


@pytest.mark.parametrize("broken", ["license: [apache-2.0", None])
def test_a_card_whose_header_is_broken_is_refused_before_anything_is_sent(push, hub, folder, broken):
    """FC49."""
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text.replace("license: apache-2.0", broken) if broken else "# No header\n")
    done = push()
    assert done.status == 1
    assert len(done.err.strip().splitlines()) == 1
    assert "README.md: the card's header is no valid metadata" in done.err
    assert not hub.log


def test_a_header_that_the_hub_alone_refuses_is_one_line(push, api, folder):
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text.replace("license: apache-2.0", "license: 5"))
    done = push()
    assert done.status == 1
    assert "the Hub does not take the card's header" in done.err.strip().splitlines()[-1]
    assert "mend README.md" in done.err
    assert files(api) == set()


def test_a_secret_across_two_steps_is_found(folder, monkeypatch):
    from mgc_hf.hub import contents

    monkeypatch.setattr(contents, "_STEP", 1000)
    monkeypatch.setattr(contents, "_OVERLAP", 100)
    (folder / "README.md").write_text("x\n" * 490 + "hf_" + "a" * 34 + "\n")
    with pytest.raises(PublishError, match=r"README\.md, line 491: a Hugging Face token"):
        refuse_secrets(list_contents(folder))


def test_the_runs_own_files_hold_no_secret(demo_run):
    refuse_secrets(list_contents(demo_run))


def test_dry_run_needs_neither_network_nor_token(push, hub):
    done = push("--dry-run", user=None, check=0, HF_ENDPOINT="http://127.0.0.1:9")
    assert "model.safetensors" in done.out
    assert "checkpoint" not in done.out
    assert "bytes in" in done.out
    assert not hub.log
    for name in ("model", "alice/my model", "https://huggingface.co/alice/model"):
        assert push("--dry-run", repo_id=name, user=None).status == 1


def test_one_commit_and_none_where_nothing_has_changed(push, api, hub, folder):
    """FC71: what goes is listed before it is sent; the same again makes no commit."""
    done = push("--tag", "v1", start=PUSH, check=0)
    for content in list_contents(folder):
        assert re.search(rf"^ +[\d,]+  {re.escape(content.path)}$", done.err, re.MULTILINE)
    assert re.search(rf"bytes in \d+ files go to {ID}$", done.err, re.MULTILINE)
    assert f"{hub.endpoint}/{ID}/commit/" in done.out
    assert files(api) == {content.path for content in list_contents(folder)}
    assert len(commits(api)) == 2
    assert [tag.name for tag in api().list_repo_refs(ID).tags] == ["v1"]
    for content in list_contents(folder):
        stored = hub.store.get("model", ID).resolve("main").tree[content.path]
        local = content.file.read_bytes()
        if content.path == "README.md":  # its examples name the repository
            local = address(local.decode(), ID, hub.endpoint).encode()
            assert f'model = "{ID}"'.encode() in local
        assert hub.store.read(stored) == local
    puts = len([seen for seen in hub.log if seen.method == "PUT"])
    assert "nothing has changed" in push("--tag", "v1", check=0).out
    assert len(commits(api)) == 2
    assert len([seen for seen in hub.log if seen.method == "PUT"]) == puts


def test_what_the_folder_no_longer_has_goes_away_and_what_is_not_ours_stays(push, api, folder):
    push(check=0)
    api().upload_file(path_or_fileobj=b"x", path_in_repo="notes.md", repo_id=ID)
    (folder / "images" / "waveforms.png").unlink()
    assert "0 files written, 1 taken away" in push(check=0).out
    assert "notes.md" in files(api)
    assert "images/waveforms.png" not in files(api)


def test_somebodys_licence_stays_until_there_is_another_of_their_own(push, api, hub, folder):
    def licence():
        commit = hub.store.get("model", ID).resolve("main")
        return hub.store.read(commit.tree["LICENSE"]) if "LICENSE" in commit.tree else None

    push(check=0)
    ours = (folder / "LICENSE").read_bytes()
    assert licence() == ours
    api().upload_file(path_or_fileobj=b"mine", path_in_repo="LICENSE", repo_id=ID)
    assert "nothing has changed" in push(check=0).out
    (folder / "LICENSE").unlink()
    assert "nothing has changed" in push(check=0).out
    assert licence() == b"mine"
    (folder / "LICENSE").write_text("ours, at last")
    push(check=0)
    assert licence() == b"ours, at last"
    (folder / "LICENSE").write_bytes(ours)
    api().upload_file(path_or_fileobj=ours, path_in_repo="LICENSE", repo_id=ID)
    (folder / "LICENSE").unlink()
    push(check=0)
    assert licence() is None


def test_private_is_in_force_from_the_beginning_and_never_changed(push, api, hub):
    """FC71."""
    push("--private", check=0)
    assert api().model_info(ID).private
    created = next(seen for seen in hub.log if seen.path == "/api/repos/create")
    assert all(seen.number >= created.number for seen in hub.log if seen.method in ("POST", "PUT"))
    push(check=0)  # without the option it stays
    assert api().model_info(ID).private
    api().create_repo("alice/public")
    done = push("--private", repo_id="alice/public", check=1)
    assert "is public, so --private would not hide it" in done.err
    assert not api().model_info("alice/public").private
    assert not files(api, "alice/public")


def test_a_repository_that_somebody_makes_public_meanwhile_is_not_taken_for_private(push, api, hub):
    def make_public(seen):
        if seen.path == "/api/repos/create":
            hub.on_arrival = None
            hub.store.create("model", ID, "alice", private=False)

    hub.on_arrival = make_public
    done = push("--private", check=1)
    assert "is public, so --private would not hide it" in done.err
    assert not files(api)


def test_a_repository_of_other_files_is_not_taken_over(push, api):
    api().create_repo(ID)
    api().upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=ID)
    done = push(check=1)
    assert "holds config.json and no card, so it was not published from here" in done.err
    assert files(api) == {"config.json"}
    push("--card", "overwrite", check=0)
    assert "README.md" in files(api)


def test_files_that_others_add_stay(push, api):
    push(check=0)
    theirs = {".eval_results/community.yaml", "images/banner.png", "onnx/model_quantized.onnx", "widget/mine.mp3"}
    for path in theirs:
        api().upload_file(path_or_fileobj=b"x", path_in_repo=path, repo_id=ID)
    assert "nothing has changed" in push(check=0).out
    assert theirs <= files(api)


def test_a_published_folder_under_another_name(push, api, client, folder, tmp_path):
    push(check=0)
    api().snapshot_download(ID, local_dir=tmp_path / "copy")
    client(*QUICK, tmp_path / "copy", "alice/other", check=0)
    card = Path(api().hf_hub_download("alice/other", "README.md", cache_dir=tmp_path / "cards")).read_text()
    assert 'model = "alice/other"' in card
    assert "/alice/other/resolve/main/widget/jazz.mp3" in card
    assert f'"{ID}"' not in card
    assert f"/{ID}/" not in card


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tag", "v 1"), "is no name that git takes"),
        (("--tag", "v1", "--create_pr"), "tag it when it is merged"),
        (("--revision", "a b"), "is no name that git takes"),
        (("--with_space", "--create_pr"), "the Space hears what is on main"),
        (("--with_space", "--revision", "try"), "the Space hears what is on main"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_sent(push, hub, options, told):
    done = push(*options)
    assert done.status in (1, 2)
    assert told in done.err
    assert not hub.log


def test_one_pull_request_however_often_it_is_asked_for(push, api, hub):
    api().create_repo(ID)
    hub.faults = [Fault("lost_reply", "POST", "/commit/", times=1)]
    done = push("--create_pr", check=0)
    assert "/discussions/1" in done.out
    hub.faults = []
    assert "/discussions/1" in push("--create_pr", check=0).out
    assert [one.num for one in api().get_repo_discussions(ID)] == [1]
    assert not files(api)


def test_branches_and_pull_requests(push, api):
    push("--revision", "try/one", check=0)
    assert not files(api)
    assert "model.safetensors" in files(api, revision="try/one")
    done = push("--create_pr", check=0)
    assert "/discussions/1" in done.out
    assert not files(api)
    assert "model.safetensors" in files(api, revision="refs/pr/1")


def test_a_broken_folder_is_never_published(push, api, folder, hub):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = push(start=PUSH, check=1)
    assert "could not be loaded and heard in a new process" in done.err
    assert not hub.log


def test_code_that_fails_for_others_is_never_published(push, folder, hub):
    """What is loaded is the folder's own code, as where mgc_hf is not installed."""
    code = folder / "pipeline_genre.py"
    code.write_text(code.read_text().replace("from transformers import Pipeline", "from mgc_hf import Pipeline"))
    done = push(start=PUSH, check=1)
    assert "could not be loaded and heard in a new process" in done.err
    assert "mgc_hf" in done.err
    assert not hub.log


FAILURES = [
    ({"user": None}, [], "hf auth login"),
    ({"HF_TOKEN": "hf_" + "x" * 34, "user": None}, [], "does not know the token"),
    ({}, [Fault("expired_token", "POST", "/preupload/")], "it may have expired"),
    ({"user": "bob"}, [], "no right to write there"),
    ({}, [Fault("quota", "POST", "/commit/")], "no storage left"),
    ({}, [Fault("no_right", "POST", "/preupload/")], "no right to write there"),
    ({}, [Fault("too_large", "POST", "/commit/")], "too large"),
    ({}, [Fault("not_found", "POST", "/commit/")], "no such repository or revision"),
    ({}, [Fault("taken", "POST", "/api/repos/create")], "the name is taken"),
    ({}, [Fault("rate_limited", "POST", "/commit/", values={"retry_after": 3600})], "come back in 60 minutes"),
    ({}, [Fault("unavailable", "POST", "/commit/")], "is busy (status 503)"),
    ({}, [Fault("unavailable", "PUT", "/_lfs/", values={"status": 502})], "is busy (status 502)"),
    ({}, [Fault("cut", "PUT", "/_lfs/", values={"after": 1000})], "does not answer"),
    ({}, [Fault("slow_reply", "GET", "/api/models/", values={"after": 60})], "does not answer"),
    ({}, [Fault("slow_reply", "POST", "/commit/", values={"after": 60})], "does not answer"),
    ({"HF_ENDPOINT": "http://127.0.0.1:9"}, [], "cannot be reached"),
    ({"HF_HUB_OFFLINE": "1"}, [], "HF_HUB_OFFLINE is set"),
]


@pytest.mark.parametrize(("environment", "faults", "told"), FAILURES, ids=[told for *_, told in FAILURES])
def test_each_failure_is_one_line_and_the_same_command_finishes(push, api, hub, environment, faults, told):
    hub.faults = faults
    done = push("--timeout", "2", check=1, **environment)
    errors = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
    assert len(errors) == 1, done.err
    assert told in errors[0]
    assert done.seconds < 60
    hub.faults = []
    if api().repo_exists(ID):
        assert not files(api)
        assert len(commits(api)) == 1
    push(check=0)
    assert len(commits(api)) == 2


def test_short_faults_are_waited_out(push, api, hub):
    """FC52: 429 with Retry-After among them."""
    hub.faults = [
        Fault("rate_limited", "POST", "/commit/", times=1, values={"retry_after": 1}),
        Fault("cut", "PUT", "/_lfs/", times=1, values={"after": 1000}),
        Fault("unavailable", "POST", "/objects/batch", times=1),
        Fault("rate_limited", "POST", "/api/repos/create", times=1, values={"retry_after": 1}),
        Fault("lost_reply", "POST", "/tag/", times=1),
    ]
    push("--tag", "v1", check=0)
    assert len(commits(api)) == 2
    assert [tag.name for tag in api().list_repo_refs(ID).tags] == ["v1"]


def test_a_taken_tag_is_seen_before_there_is_a_commit(push, api, folder):
    push("--tag", "v1", check=0)
    (folder / "split.json").write_text((folder / "split.json").read_text() + " ")
    done = push("--tag", "v1", check=1)
    assert "the tag v1 is there and names another commit" in done.err
    assert len(commits(api)) == 2


def test_a_lost_reply_to_the_commit_is_no_failure(push, api, hub, folder):
    hub.faults = [Fault("lost_reply", "POST", "/commit/", times=1)]
    assert f"{len(list_contents(folder))} files written" in push(check=0).out
    assert files(api) == {content.path for content in list_contents(folder)}
    assert len(commits(api)) == 2


@pytest.mark.parametrize(("races", "status"), [(2, 0), (99, 1)], ids=["twice", "for ever"])
def test_lost_races(push, api, hub, folder, tmp_path, races, status):
    """FC52: two commits come first and the third try is taken; one that always does is one error within a minute."""
    hub.on_arrival = _first(hub, races)
    done = push()
    hub.on_arrival = None
    assert done.status == status
    assert done.seconds < 60
    refused = [seen for seen in hub.log if seen.method == "POST" and "/commit/" in seen.path and seen.status == 412]
    if status:
        (told,) = [line for line in done.err.splitlines() if line.startswith("mgc-hf: error:")]
        assert "others commit to main all the time" in told
        assert len(refused) == 4
        assert files(api) == {f"notes/{number}.md" for number in range(4)}
    else:
        assert len(refused) == 2
        assert {"notes/0.md", "notes/1.md", "model.safetensors"} <= files(api)
        assert _card(api, tmp_path) == address((folder / "README.md").read_text(), ID, hub.endpoint)
    assert_whole(hub)


def _first(hub, times):
    """Let somebody else commit a file of their own just before each of so many commits of a push."""
    done = []

    def arrived(seen):
        if seen.method == "POST" and "/commit/" in seen.path and len(done) < times:
            repo = hub.store.get("model", ID)
            entry = (f"notes/{len(done)}.md", hub.entry(b"theirs"))
            done.append(hub.store.commit(repo, "refs/heads/main", [entry], "theirs", author="bob"))

    return arrived


def test_a_lost_race_for_our_files_is_told(push, api, hub):
    push(check=0)
    api().upload_file(path_or_fileobj=b"old", path_in_repo="split.json", repo_id=ID)
    hub.on_arrival = _once(hub, "results.json", b"{}")
    assert "somebody else has changed results.json" in push(check=1).err
    assert hub.store.read(hub.store.get("model", ID).resolve("main").tree["results.json"]) == b"{}"


def _once(hub, path, content):
    """Let somebody else commit just before the first commit of a push is looked at."""
    done = []

    def arrived(seen):
        if seen.method == "POST" and "/commit/" in seen.path and not done:
            done.append(path)
            repo = hub.store.get("model", ID)
            hub.store.commit(repo, "refs/heads/main", [(path, hub.entry(content))], "theirs", author="bob")

    return arrived


def test_edits_to_the_card_are_kept_or_reported(push, api, folder, tmp_path):
    """FC52: another person's edits."""
    push(check=0)
    text = _card(api, tmp_path)
    edited = text.replace("## How to use it", "By Alice.\n\n## How to use it")
    api().upload_file(path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id=ID)
    done = push(check=0)
    assert "was left as it is there" in done.out
    assert "By Alice." in _card(api, tmp_path)
    local = (folder / "README.md").read_text()
    (folder / "README.md").write_text(sign(local.partition("\n<!-- generated")[0] + "\nAnother run.\n"))
    done = push(check=1)
    assert "its card was edited on the Hub" in done.err
    shown = done.err[done.err.index("+++ on the Hub") :].splitlines()[
        2:
    ]  # the edit alone, not what the runs differ in
    assert sorted(line for line in shown if line[:1] in "+-") == ["+", "+By Alice."]
    assert "left as it is" in push("--card", "keep", check=0).out
    assert "By Alice." in _card(api, tmp_path)
    push("--card", "overwrite", check=0)
    assert "Another run." in _card(api, tmp_path)
    assert "By Alice." not in _card(api, tmp_path)


def _card(api, tmp_path):
    return Path(api().hf_hub_download(ID, "README.md", cache_dir=tmp_path / "cards")).read_text()


def test_a_kill_at_any_request_leaves_whole_commits_and_the_same_command_finishes(hub, api, folder, tmp_path):
    requests = _requests_of_a_push(hub, folder, tmp_path)
    assert requests > 5
    for number in range(1, requests + 1):
        repo_id = f"alice/killed-{number}"
        for stored in hub.store.objects.iterdir():
            shutil.rmtree(stored)  # or large files would be there from the push before, and not be sent
        killed = _push_process(hub, folder, repo_id, tmp_path, kill_at=number)
        assert killed == -signal.SIGKILL, number
        hub.on_arrival = None
        if api().repo_exists(repo_id):
            assert_whole(hub, repo_id)
            assert len(commits(api, repo_id)) in (1, 2)
        assert _push_process(hub, folder, repo_id, tmp_path) == 0
        assert files(api, repo_id) == {content.path for content in list_contents(folder)}
        assert len(commits(api, repo_id)) == 2


def _push_process(hub, folder, repo_id, tmp_path, kill_at=None):
    """Push in a process of its own; its status."""
    with push_process(hub, folder, repo_id, tmp_path / "home") as process:
        start = len(hub.log)

        def arrived(seen):
            if kill_at is not None and seen.number - start == kill_at:
                os.kill(process.pid, signal.SIGKILL)

        hub.on_arrival = arrived
        status = process.wait(timeout=120)
    hub.on_arrival = None
    return status


def _requests_of_a_push(hub, folder, tmp_path):
    before = len(hub.log)
    assert _push_process(hub, folder, "alice/counted", tmp_path) == 0
    return len(hub.log) - before


def test_a_push_is_taken_back_by_pushing_the_one_before(push, api, client, folder, tmp_path):
    push(check=0)
    first = api().model_info(ID).sha
    (folder / "images" / "waveforms.png").unlink()
    (folder / "split.json").write_text((folder / "split.json").read_text() + " ")
    push(check=0)
    assert api().model_info(ID).sha != first
    before = tmp_path / "before"
    api().snapshot_download(ID, revision=first, local_dir=before)
    client(*QUICK, before, ID, "--card", "overwrite", check=0)
    trees = [api().list_repo_tree(ID, revision=revision, recursive=True) for revision in (first, "main")]
    held, now = ({item.path: getattr(item, "blob_id", None) for item in tree} for tree in trees)
    assert held == now


RECIPE = (
    ROOT / "recipes" / "lstm.py", "--dataset", "demo", "--demo_clips_per_genre", "4", "--demo_seconds", "2",
    "--segment_seconds", "1", "--model_config", '{"hidden_size": 8}', "--num_train_epochs", "1", "--num_resamples", "100",
    "--pictures", "false", "--floor", "false", "--disable_tqdm", "true", "--bf16", "false", "--output_dir", "run", "--push_to_hub",
)  # fmt: skip


def test_a_recipe_publishes_what_it_made(client, api, hub, tmp_path):
    where = ("--hub_model_id", ID, "--hub_private_repo", "true", "--cache_dir", "cache")
    done = client(*RECIPE, *where, check=0, timeout=200)
    assert f"published: {ID}" in done.out
    assert api().model_info(ID).private
    assert files(api) == {content.path for content in list_contents(tmp_path / "run")}
    assert not any("checkpoint" in path or path.endswith(".bin") for path in files(api))
    resolved = json.loads((tmp_path / "run" / "results.json").read_text())["training"]["resolved"]
    assert not {"push_to_hub", "hub_model_id", "hub_token"} & set(resolved)
    hub.log.clear()
    again = client(*RECIPE, *where, "--resume", check=0, timeout=200)  # a push that failed is done again in this way
    assert "nothing left to train" in again.err
    assert len(commits(api)) == 2


@pytest.mark.parametrize(
    ("repo_id", "token", "told"),
    [
        (None, USERS["alice"]["token"], "--hub_model_id ORG/NAME"),
        ("model", USERS["alice"]["token"], "name the user or organisation"),
        (ID, None, "hf auth login"),
        (ID, USERS["alice"]["read_token"], "may only read"),
        ("bob/model", USERS["alice"]["token"], "is of alice, who has no place in bob"),
        (ID, "hf_" + "x" * 34, "does not know the token"),
    ],
)
def test_a_run_that_could_not_be_published_says_so_before_it_trains(
    hub, tmp_path, monkeypatch, run_values, repo_id, token, told
):
    from mgc_hf import fine_tune

    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    where = {"push_to_hub": True, "hub_model_id": repo_id, "hub_token": token, "output_dir": str(tmp_path / "run")}
    with pytest.raises(MgcHfError, match=told):
        fine_tune(**run_values, **where)
    assert not (tmp_path / "run").exists()


def test_a_hub_that_is_away_at_the_start_is_only_warned_of(monkeypatch, caplog):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    check_account(ID, USERS["alice"]["token"])
    assert "cannot be reached" in caplog.text
    assert "publishing is tried when it has finished" in caplog.text


def test_pushing_does_not_import_torch():
    code = "import sys, mgc_hf.hub.pushing, mgc_hf.cli.main; print(any(n in sys.modules for n in ('torch', 'transformers')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_waits_add_up_and_parallel_ones_count_once():
    clock = [0.0]
    patience = _Patience(10, lambda: clock[0])
    patience.failed("PUT", "a", 503, None)  # 1 s
    patience.failed("PUT", "b", 503, None)  # the same second
    clock[0] = 5.0
    patience.failed("PUT", "a", 503, None)  # 2 s
    patience.succeeded("PUT", "a")
    clock[0] = 20.0
    with pytest.raises(WaitedTooLong) as caught:
        patience.failed("PUT", "a", 429, 8.0)  # 9 s after 3
    assert (caught.value.status, caught.value.seconds, caught.value.waited) == (429, 9.0, 3.0)
    patience.failed("PUT", "a", 429, 3.0)


def test_json_of_the_log_is_there_for_foreign_clients(hub, api):
    import urllib.request

    api().whoami()
    with urllib.request.urlopen(f"{hub.endpoint}/_control") as answer:
        assert json.load(answer)[0] == ["GET", "/api/whoami-v2", "alice", 200]
