"""A running Hub, and clients in processes of their own."""

import hashlib
import json
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi, constants

from tests import preloaded
from tests.hub.app import USERS
from tests.hub.clients import MGC_HF
from tests.hub.clients import QUICK_PUSH as QUICK
from tests.hub.server import running

ROOT = Path(__file__).parents[2]
ID = "alice/model"
PUSH = (*MGC_HF, "push")


@pytest.fixture(autouse=True)
def loopback_alone(monkeypatch):
    """Clients in this process may go on line, as far as this machine; large files go by LFS."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    connect = socket.socket.connect

    def guarded(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost"):
            raise AssertionError(f"a test wants to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory):
    """The folder of a real run: a tiny LSTM on a tiny demo corpus, with checkpoints and pictures."""
    from mgc_hf import fine_tune

    folder = tmp_path_factory.mktemp("finished") / "my-run"
    fine_tune(
        dataset="demo",
        demo_clips_per_genre=4,
        demo_seconds=2.0,
        segment_seconds=1.0,
        model_config='{"hidden_size": 8}',
        num_train_epochs=1,
        num_resamples=100,
        floor=False,
        disable_tqdm=True,
        cache_dir=str(tmp_path_factory.mktemp("cache")),
        output_dir=str(folder),
    )
    return folder


@pytest.fixture
def hub(tmp_path):
    """A Hub of this test's own."""
    with running(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def api(hub):
    """Make a client of the Hub: `api("alice")`, `api("bob")`, `api(None)`."""
    return lambda user="alice": HfApi(endpoint=hub.endpoint, token=USERS[user]["token"] if user else False)


def environment_of(hub, home: Path, user: str | None = "alice", **more: str) -> dict[str, str]:
    """Return the environment of a client: this Hub, a cache of its own, no way to any other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    own = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent / "guard"), str(ROOT))),
    }
    if user is not None:
        own["HF_TOKEN"] = USERS[user]["token"]
    return {**kept, **own, **more}


@pytest.fixture
def client(hub, tmp_path):
    """Run a command as a client; what it came to, with the seconds that it took."""
    return client_of(hub, tmp_path)


def client_of(hub, tmp_path: Path):
    """Return what runs commands as clients of a Hub, in a folder."""

    def run(*words, user="alice", home="home", timeout=120, check=None, **more) -> SimpleNamespace:
        began = time.monotonic()
        environment = environment_of(hub, tmp_path / home, user, **more)
        done = preloaded.run(words, env=environment, cwd=tmp_path, timeout=timeout)
        assert check is None or done.returncode == check, f"{done.returncode}: {done.stdout}\n{done.stderr}"
        return SimpleNamespace(
            status=done.returncode, out=done.stdout, err=done.stderr, seconds=time.monotonic() - began
        )

    return run


def last_json(text: str):
    """Return what the last line of an output holds."""
    return json.loads(text.strip().splitlines()[-1])


def push_process(
    hub, folder, repo_id: str, home: Path, *options: str, user="alice", start=QUICK, **more: str
) -> preloaded.Program:
    """Start a push in a process of its own, without loading the model in yet another one."""
    return preloaded.start([*start, folder, repo_id, *options], env=environment_of(hub, home, user, **more))


def files(api, repo_id=ID, **more):
    return set(api().list_repo_files(repo_id, **more)) - {".gitattributes"}


def commits(api, repo_id=ID):
    return [commit.title for commit in api().list_repo_commits(repo_id)]


def assert_whole(hub, repo_id=ID, repo_type="model"):
    """Whatever any ref names is all there, with the bytes that it says."""
    repo = hub.store.get(repo_type, repo_id)
    for commit in repo.refs.values():
        for entry in repo.commits[commit].tree.values():
            content = hub.store.read(entry)
            assert hashlib.sha256(content).hexdigest() == entry.sha256
            assert len(content) == entry.size
