"""Hub ids: the three places where audio may be, what is remembered, and what a Hub that does not answer costs.

The clients read `HF_ENDPOINT` when they are imported, so each group of cases runs in a process of its own.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mgc_hf.data.hub import HubFile, _choose, has_hub_prefix, parse_hub_id
from mgc_hf.errors import SourceError
from tests import preloaded
from tests.data.hub_server import HubServer, Repository
from tests.data.parquet_files import parquet
from tests.data.waves import encode, tone

SOUND = encode(tone(seconds=0.6))
BAD = b"not audio"

#: Reads one source after the other and prints what came of each.
CLIENT = """
import json, logging, socket, sys, time
logging.disable(logging.INFO)
calls, cache, jobs = [], sys.argv[1], json.loads(sys.argv[2])
connect = socket.socket.connect
def counting(self, address):
    calls.append(address)
    return connect(self, address)
socket.socket.connect = counting
from mgc_hf.data.sources import read_corpus
from mgc_hf.errors import MgcHfError
results = []
for source, options in jobs:
    calls.clear()
    began = time.monotonic()
    try:
        corpus = read_corpus(source, cache_dir=cache, **options)
        data = corpus.dataset
        result = {
            "name": corpus.name, "revision": corpus.revision, "columns": data.column_names,
            "genres": data.features["genre"].names, "labels": data["genre"], "track_id": data["track_id"],
            "artist": data["artist"], "part": data["part"] if corpus.has_parts else None,
            "bytes": [len(row["bytes"] or b"") for row in data["audio"]],
            "paths": [row["path"] for row in data["audio"]],
            "skipped": [[file.file, file.reason] for file in corpus.skipped],
            "fingerprint": data._fingerprint,
        }
        result = {key: list(value) if hasattr(value, "tolist") or type(value).__name__ == "Column" else value
                  for key, value in result.items()}
    except MgcHfError as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    results.append(result | {"seconds": time.monotonic() - began, "connects": len(calls)})
print(json.dumps(results))
"""


def run_client(home: Path, endpoint: str, jobs: list[tuple[str, dict[str, Any]]], **more: str) -> list[dict[str, Any]]:
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": "",
        **more,
    }
    run = preloaded.run(["-c", CLIENT, home / "cache", json.dumps(jobs)], env=environment, cwd=home, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def genres_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("genres/blues/blues.00000.au", "genres/jazz/jazz.00000.au", "../escape.au"):
            entry = tarfile.TarInfo(name)
            entry.size = len(SOUND)
            tar.addfile(entry, io.BytesIO(SOUND))
    return buffer.getvalue()


def repositories() -> dict[str, Repository]:
    script = {"README.md": b"# x", "gtzan.py": b"raise SystemExit('never run')", "data/genres.tar.gz": genres_tar()}
    gtzan = parquet([SOUND, SOUND], [0, 1], paths=["blues.00000.wav", "rock.00001.wav"], names=["blues", "rock"])
    train = parquet([SOUND, BAD, SOUND], [0, 1, 1], names=["blues", "rock"])
    test = parquet([SOUND], [1], names=["blues", "rock"])
    other = parquet([SOUND, SOUND], ["Polka", "Ska"], audio="sound", label="style", who=["A", "B"])
    return {
        "user/parquet": Repository(
            {"main": {**script, "data/train-00000-of-00001.parquet": train, "data/test-00000-of-00001.parquet": test}}
        ),
        "user/converted": Repository({"main": script, "refs/convert/parquet": {"all/train/0000.parquet": gtzan}}),
        "marsyas/gtzan": Repository({"main": script}),
        "user/other": Repository({"main": {"x.parquet": other}, "old": {"x.parquet": gtzan}}),
        "user/empty": Repository({"main": {"README.md": b"# x"}}),
        "user/configs": Repository({"main": {"a/train.parquet": gtzan, "b/train.parquet": other}}),
        "user/gated": Repository(error=(403, "GatedRepo")),
        "user/down": Repository(error=(503, "")),
        "user/secret": Repository(error=(401, "")),
    }


JOBS: list[tuple[str, dict[str, Any]]] = [
    ("user/parquet", {}),
    ("user/converted", {}),
    ("marsyas/gtzan", {}),
    ("user/other", {}),
    ("user/other", {"columns": {"audio": "sound", "genre": "style", "artist": "who"}}),
    ("hf://datasets/user/other", {"revision": "old"}),
    ("user/other", {"revision": "none"}),
    ("user/empty", {}),
    ("user/configs", {}),
    ("user/configs", {"config": "a"}),
    ("user/none", {}),
    ("user/gated", {}),
    ("user/down", {}),
    ("user/secret", {}),
    ("marsyas/gtzan", {}),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], str]:
    home = tmp_path_factory.mktemp("hub")
    server = HubServer(repositories())
    results = run_client(home, server.endpoint, JOBS)
    server.close()
    return home, results, server.endpoint


def test_parquet_in_the_repository_comes_first(loaded: Any) -> None:
    result = loaded[1][0]
    assert result["columns"] == ["audio", "genre", "track_id", "artist", "part"]
    assert (result["genres"], result["labels"]) == (["blues", "rock"], [1, 0, 1])
    assert result["part"] == ["test", "train", "train"]
    assert result["track_id"] == ["test/00000/0", "train/00000/0", "2"]
    assert result["skipped"] == [["1.wav", "not readable as audio (Format not recognised)"]]
    assert result["bytes"] == [len(SOUND)] * 3
    assert len(result["revision"]) == 40


def test_then_the_hubs_own_conversion(loaded: Any) -> None:
    result = loaded[1][1]
    assert result["track_id"] == ["blues.00000", "rock.00001"]
    assert result["artist"][0] == "John Lee Hooker"
    assert (result["part"], result["skipped"]) == (None, [])
    assert result["paths"] == ["blues.00000.wav", "rock.00001.wav"]


def test_then_the_archive(loaded: Any) -> None:
    for result in (loaded[1][2], loaded[1][-1]):
        assert result["name"] == "marsyas/gtzan"
        assert result["track_id"] == ["blues.00000", "jazz.00000"]
        assert result["columns"] == ["audio", "genre", "track_id", "artist"]
        assert result["skipped"] == [["../escape.au", "leads out of the archive's folder; not unpacked"]]
        assert result["fingerprint"] == loaded[1][2]["fingerprint"]
        assert all(Path(path).is_file() for path in result["paths"])


def test_columns_of_another_repository(loaded: Any) -> None:
    assert "which column is genre? Say it by columns=" in loaded[1][3]["error"]
    assert "its columns are: sound (struct" in loaded[1][3]["error"]
    assert loaded[1][4]["genres"] == ["Polka", "Ska"]
    assert loaded[1][4]["artist"] == ["A", "B"]
    assert loaded[1][5]["genres"] == ["blues", "rock"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (6, "user/other: no such revision"),
        (7, "holds neither Parquet files nor data/genres.tar.gz"),
        (8, "several configurations; give config as one of: a, b"),
        (10, "user/none: the Hub has no such data set, or it is private"),
        (11, "user/gated: access is gated; accept its conditions"),
        (12, "answers HTTP 503, and it is not in the cache; instead, give a local folder"),
        (13, "user/secret: the Hub refuses access (HTTP 401)"),
    ],
)
def test_what_the_hub_refuses(loaded: Any, job: int, words: str) -> None:
    result = loaded[1][job]
    assert result["error"].startswith("SourceError: ")
    assert words in result["error"]
    assert "\n" not in result["error"]
    assert result["seconds"] < 5


def test_a_chosen_configuration(loaded: Any) -> None:
    assert loaded[1][9]["genres"] == ["blues", "rock"]


def test_a_hub_that_went_away(loaded: Any) -> None:
    """What was loaded before is used again; anything else is one error, at once, that says what to do instead."""
    home, before, endpoint = loaded
    results = run_client(home, endpoint, [("user/parquet", {}), ("marsyas/gtzan", {}), ("user/new", {})])
    assert [result.get("fingerprint") for result in results[:2]] == [before[n]["fingerprint"] for n in (0, 2)]
    assert results[2]["error"].startswith(f"SourceError: user/new: the Hub at {endpoint} cannot be reached (")
    for cure in ("a local folder", "genres.tar.gz", "--dataset demo"):
        assert cure in results[2]["error"]
    assert results[2]["seconds"] < 5


def test_offline_no_connection_is_tried(loaded: Any) -> None:
    home, before, endpoint = loaded
    jobs = [("user/converted", {}), ("user/new", {})]
    known, new = run_client(home, endpoint, jobs, HF_HUB_OFFLINE="1")
    assert known["fingerprint"] == before[1]["fingerprint"]
    assert "user/new: the Hub is switched off by HF_HUB_OFFLINE, and it is not in the cache" in new["error"]
    assert (known["connects"], new["connects"]) == (0, 0)
    assert new["seconds"] < 5


def test_what_spells_a_hub_id() -> None:
    assert parse_hub_id("marsyas/gtzan") == "marsyas/gtzan"
    assert parse_hub_id("hf://datasets/marsyas/gtzan") == "marsyas/gtzan"
    assert parse_hub_id("https://huggingface.co/datasets/marsyas/gtzan") == "marsyas/gtzan"
    for other in ("gtzan", "a/b/c", "./a", "/a", "a/", "~/a", "a\\b", "a b/c", "a--b/c", "a/..", "", "a/" + "b" * 100):
        assert parse_hub_id(other) is None
    assert has_hub_prefix("hf://datasets/x")
    assert not has_hub_prefix("x/y")


@pytest.mark.parametrize(
    ("names", "config", "expected"),
    [
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], None, ["train", "train"]),
        (["default/partial-train/0000.parquet", "default/test/0000.parquet"], None, ["train", "test"]),
        (["train.parquet", "validation.parquet"], None, ["train", "validation"]),
        (["all/train/0000.parquet", "tiny/train/0000.parquet"], None, ["train"]),
        (["all/train/0000.parquet", "tiny/test/0000.parquet"], "tiny", ["test"]),
    ],
)
def test_layouts_of_parquet_files(names: list[str], config: str | None, expected: list[str]) -> None:
    assert [file.split for file in _choose("user/x", names, config)] == expected


def test_an_unknown_configuration() -> None:
    with pytest.raises(SourceError, match="no configuration 'c'; give config as one of: a, b"):
        _choose("user/x", ["a/train.parquet", "b/train.parquet"], "c")
    assert _choose("user/x", ["a/train.parquet"], None) == (HubFile("a/train.parquet", "train"),)
