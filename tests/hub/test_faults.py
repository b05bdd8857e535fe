"""Hard faults of a push: a kill in the middle of a large file, a full disk, two people at the same moment."""

import hashlib
import json
import random
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from mgc_hf.cards.signature import sign
from tests.hub.conftest import ID, QUICK, assert_whole, commits, push_process
from tests.hub.faults import Fault

#: What is left of it at the last moment of a kill is more than the kernel takes in ahead of a server that reads slowly.
LARGE = 16_000_000


def run_like(folder, seed, weights=10_000):
    """Make a folder that has what a push asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(random.Random(seed).randbytes(weights))
    for name in ("config.json", "preprocessor_config.json", "results.json"):
        (folder / name).write_text(json.dumps({"seed": seed, "name": name}))
    (folder / "README.md").write_text(sign(f"---\nlicense: apache-2.0\n---\n\n# Run {seed}\n"))
    return folder


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def head_of(hub, repo_id=ID):
    repo = hub.store.get("model", repo_id)
    return repo.refs["refs/heads/main"]


def stored(hub, repo_id=ID, revision="main"):
    tree = hub.store.get("model", repo_id).resolve(revision).tree
    return {path: hub.store.read(entry) for path, entry in tree.items() if path != ".gitattributes"}


@pytest.fixture
def push(hub, tmp_path):
    """Push to the end; status and what was said."""

    def run(folder, repo_id=ID, *options, user="alice", home="home", **more):
        before = content_of(folder)
        with push_process(hub, folder, repo_id, tmp_path / home, *options, user=user, **more) as process:
            out, err = process.communicate(timeout=120)
        assert content_of(folder) == before
        assert "Traceback" not in err
        return process.returncode, out, err

    return run


@pytest.mark.parametrize(
    ("chunk", "moments"),
    [(None, (0.05, 0.2, 0.4, 0.55, 0.7)), (6_000_000, (0.05, 0.5, 0.9))],
    ids=["whole", "in parts"],
)
def test_a_kill_inside_a_large_file_leaves_whole_commits_and_the_same_command_finishes(
    hub, api, push, tmp_path, chunk, moments
):
    before = run_like(tmp_path / "before", 0)
    assert push(before)[0] == 0
    hub.lfs_chunk = chunk
    for done, moment in enumerate(moments, start=1):
        folder = run_like(tmp_path / f"run-{moment}", moment, LARGE)
        sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        head = head_of(hub)
        hub.faults = [Fault("slow", "PUT", "/_lfs/", values={"rate": 20e6})]
        _kill_after(hub, folder, tmp_path / "home", LARGE * moment)
        assert not hub.store.has(sha256), f"moment {moment}: the file had come as a whole"
        assert_whole(hub)
        assert head_of(hub) == head
        assert stored(hub) == content_of(before)
        hub.faults = []
        assert push(folder)[0] == 0
        assert_whole(hub)
        assert stored(hub) == content_of(folder)
        assert len(commits(api)) == 2 + done
        before = folder


def _kill_after(hub, folder, home, wanted):
    """Push, and kill the process when the server has read so many bytes of large files."""
    came: dict[str, int] = {}
    with push_process(hub, folder, ID, home) as process:

        def progress(method, path, count):
            if method == "PUT":
                came[path] = count
                if sum(came.values()) >= wanted:
                    process.kill()

        hub.on_bytes = progress
        assert process.wait(timeout=60) == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while hub.open:  # what the kernel had taken from the process is still read
        assert time.monotonic() < deadline
        time.sleep(0.01)
    hub.on_bytes = None


#: No file of the process may be larger than this.
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "


@contextmanager
def small_disk(where, *, read_only):
    """A file system of 64 KiB, where this machine lets one mount it."""
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,ro" if read_only else "size=64k", "tmpfs", where]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


@pytest.fixture(params=["full", "read-only", "a limit for files", "a file where a folder should be"])
def bad_home(request, tmp_path):
    """Where a client cannot keep its files: its home, how it starts, what is to be told."""
    where = tmp_path / "bad"
    if request.param in ("full", "read-only"):
        with small_disk(where, read_only=request.param == "read-only") as disk:
            yield disk / "home", QUICK, f"the disk is {request.param}"
    elif request.param == "a limit for files":
        yield where, (QUICK[0], LIMITED + QUICK[1], QUICK[2]), "not allowed to grow so large"
    else:
        where.write_text("x")
        yield where / "home", QUICK, "what should be a folder is a file"


def test_a_disk_that_takes_nothing_is_one_error_and_the_same_command_finishes(hub, api, push, tmp_path, bad_home):
    home, start, told = bad_home
    first, second = run_like(tmp_path / "first", 1), run_like(tmp_path / "second", 2)
    assert push(first)[0] == 0
    edited = (
        b"---\ntags: [x]\n---\n" + b"edited\n" * 20_000
    )  # the card on the Hub is looked at, and for that it is kept
    api().upload_file(path_or_fileobj=edited, path_in_repo="README.md", repo_id=ID)
    head = head_of(hub)
    status, _, err = push(second, ID, "--card", "overwrite", home=home, start=start)
    errors = [line for line in err.splitlines() if line.startswith("mgc-hf: error:")]
    assert status == 1
    assert len(errors) == 1, err
    assert told in errors[0]
    assert "HF_HOME" in errors[0]
    assert head_of(hub) == head
    assert push(second, ID, "--card", "overwrite")[0] == 0
    assert_whole(hub)
    assert stored(hub) == content_of(second)


def both(hub, tmp_path, *pushes):
    """Let `(user, folder, repo_id, *options)` push at the same moment; for each its status and errors."""
    started = [
        push_process(hub, folder, repo_id, tmp_path / f"home-{number}", *options, user=user)
        for number, (user, folder, repo_id, *options) in enumerate(pushes)
    ]
    ended = []
    for process in started:
        _, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        ended.append((process.returncode, err))
    return ended


def at_the_same_moment(*paths):
    """Both clients' first such request has come before either is answered."""
    return [Fault("meet", "POST", path, times=2, values={"count": 2}) for path in paths]


SHARED_ID = "studio/shared"


@pytest.mark.parametrize("is_new", [True, False], ids=["new repository", "published before"])
def test_two_people_publish_different_runs_at_the_same_moment(hub, api, push, tmp_path, is_new):
    """FC52."""
    runs = {user: run_like(tmp_path / user, number) for number, user in enumerate(("alice", "bob"))}
    if not is_new:
        assert push(run_like(tmp_path / "old", 7), SHARED_ID)[0] == 0
    hub.faults = at_the_same_moment("/commit/", *(["/api/repos/create"] if is_new else []))
    ended = dict(zip(runs, both(hub, tmp_path, *((user, runs[user], SHARED_ID) for user in runs)), strict=True))
    assert sorted(status for status, _ in ended.values()) == [0, 1]
    assert all(fault.seen >= 2 for fault in hub.faults)
    winner, loser = sorted(runs, key=lambda user: ended[user][0])
    assert "somebody else has changed README.md, config.json, model.safetensors," in ended[loser][1]
    assert_whole(hub, SHARED_ID)
    assert stored(hub, SHARED_ID) == content_of(runs[winner])
    assert len(commits(api, SHARED_ID)) == (2 if is_new else 3)
    first = head_of(hub, SHARED_ID)
    assert push(runs[loser], SHARED_ID, user=loser)[0] == 0  # "push again to replace it"
    assert stored(hub, SHARED_ID) == content_of(runs[loser])
    assert stored(hub, SHARED_ID, first) == content_of(runs[winner])
    assert_whole(hub, SHARED_ID)


def test_two_people_publish_the_same_run_at_the_same_moment(hub, api, tmp_path):
    folder = run_like(tmp_path / "run", 1)
    hub.faults = at_the_same_moment("/commit/")
    ended = both(hub, tmp_path, ("alice", folder, SHARED_ID), ("bob", folder, SHARED_ID))
    assert [status for status, _ in ended] == [0, 0], ended
    assert len(commits(api, SHARED_ID)) == 2
    assert stored(hub, SHARED_ID) == content_of(folder)
    assert_whole(hub, SHARED_ID)


def test_two_people_publish_to_branches_of_their_own_at_the_same_moment(hub, tmp_path):
    runs = {user: run_like(tmp_path / user, number) for number, user in enumerate(("alice", "bob"))}
    hub.faults = at_the_same_moment("/commit/")
    ended = both(hub, tmp_path, *((user, runs[user], SHARED_ID, "--revision", user) for user in runs))
    assert [status for status, _ in ended] == [0, 0], ended
    for user, folder in runs.items():
        assert stored(hub, SHARED_ID, user) == content_of(folder)
    assert_whole(hub, SHARED_ID)


def test_two_people_write_different_files_at_the_same_moment(hub, api, push, tmp_path):
    folder, notes = run_like(tmp_path / "run", 1), {"notes.md": b"by Bob", "data/take.wav": bytes(5000)}
    api().create_repo(SHARED_ID)
    for path, content in notes.items():
        (tmp_path / "notes" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / path).write_bytes(content)
    code = "import sys, huggingface_hub as h; h.upload_folder(repo_id=sys.argv[2], folder_path=sys.argv[1])"
    hub.faults = at_the_same_moment("/commit/")
    with push_process(hub, tmp_path / "notes", SHARED_ID, tmp_path / "b", user="bob", start=("-c", code)) as other:
        status, _, err = push(folder, SHARED_ID)
        assert other.wait(timeout=60) == 0, other.stderr.read()
    assert status == 0, err
    assert stored(hub, SHARED_ID) == content_of(folder) | notes
    assert len(commits(api, SHARED_ID)) == 3
    assert_whole(hub, SHARED_ID)


def test_a_gitignore_that_names_our_files_stops_the_push_before_the_commit(hub, api, push, tmp_path):
    folder = run_like(tmp_path / "run", 1)
    api().create_repo(ID)
    api().upload_file(path_or_fileobj=b"*.tmp\n*.json\n", path_in_repo=".gitignore", repo_id=ID)
    head = head_of(hub)
    status, _, err = push(folder)
    assert status == 1
    assert "its .gitignore leaves out config.json, preprocessor_config.json, results.json;" in err
    assert head_of(hub) == head
    api().upload_file(path_or_fileobj=b"*.tmp\n", path_in_repo=".gitignore", repo_id=ID)
    assert push(folder)[0] == 0
    assert stored(hub) == content_of(folder) | {".gitignore": b"*.tmp\n"}


WITH_XET = {"HF_HUB_DISABLE_XET": "0"}


def test_large_files_come_by_xet_too(hub, api, push, tmp_path):
    """An unmodified client has Xet on: one commit, whole, and from the same home a file that has changed a little."""
    folder = run_like(tmp_path / "run", 1, 3_000_000)
    assert push(folder, **WITH_XET)[0] == 0
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2_000_000] + b"other" + weights.read_bytes()[2_000_000:])
    assert push(folder, **WITH_XET)[0] == 0
    assert stored(hub) == content_of(folder)
    assert_whole(hub)
    assert len(commits(api)) == 3
    assert not [seen for seen in hub.log if "/_lfs/" in seen.path]
    assert len([seen for seen in hub.log if "/xet-write-token/" in seen.path]) == 2


XET_FAILURES = [
    (Fault("no_right", "GET", "/xet-write-token/"), QUICK, "no right to write there"),
    (Fault("unavailable", "GET", "/xet-write-token/"), QUICK, "is busy (status 503"),
    (Fault("cut", "GET", "/xet-write-token/"), QUICK, "was lost"),
    (None, (QUICK[0], LIMITED + QUICK[1], QUICK[2]), "not allowed to grow so large"),
]


@pytest.mark.parametrize(("fault", "start", "told"), XET_FAILURES, ids=[told for *_, told in XET_FAILURES])
def test_a_failure_of_xet_is_one_error_within_the_limit_and_the_same_command_finishes(
    hub, push, tmp_path, fault, start, told
):
    folder = run_like(tmp_path / "run", 1, 3_000_000)
    hub.faults = [fault] if fault else []
    began = time.monotonic()
    status, _, err = push(folder, ID, "--timeout", "4", start=start, **WITH_XET)
    errors = [line for line in err.splitlines() if line.startswith("mgc-hf: error:")]
    assert status == 1
    assert len(errors) == 1, err
    assert told in errors[0]
    assert time.monotonic() - began < 60
    assert not stored(hub)
    hub.faults = []
    assert push(folder, **WITH_XET)[0] == 0
    assert stored(hub) == content_of(folder)
    assert_whole(hub)


def test_a_data_set_comes_by_xet_too(hub, api, client):
    code = (
        "import datasets; rows = {'n': list(range(20_000)), 'text': [str(n) * 20 for n in range(20_000)]}; "
        "datasets.Dataset.from_dict(rows).push_to_hub('alice/data', num_shards=3); "
        "assert datasets.load_dataset('alice/data', split='train').to_dict() == rows"
    )
    client("-c", code, check=0, **WITH_XET)
    assert_whole(hub, "alice/data", "dataset")
    assert len(list(api().list_repo_commits("alice/data", repo_type="dataset"))) == 2
    assert len([path for path in api().list_repo_files("alice/data", repo_type="dataset") if ".parquet" in path]) == 3
    assert not [seen for seen in hub.log if "/_lfs/" in seen.path]
