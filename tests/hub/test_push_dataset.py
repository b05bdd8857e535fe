"""`mgc-hf push-dataset` and what comes back: `load_dataset` in another process, and `load_gtzan` joined to local audio."""

import json
import shutil
import tarfile

import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from mgc_hf.cards.card import snippets
from mgc_hf.cards.dataset_card import DatasetSummary, render_dataset_card
from mgc_hf.data.index import INDEX_COLUMNS
from mgc_hf.data.making_splits import make_split
from mgc_hf.errors import OptionError, PublishError
from mgc_hf.hub.dataset import check_audio, is_published, packed_dataset
from mgc_hf.results import SkippedFile
from tests.hub.conftest import last_json
from tests.hub.faults import Fault
from tests.tunes import GENRES, SAMPLING_RATE, tune

ID = "alice/music"
PUSH = ("-c", "from mgc_hf.cli.main import main; main()", "push-dataset")
DEMO = ("demo", ID, "--demo_clips_per_genre", 2, "--demo_seconds", 2)

#: Several commands in one process, since each would import as much again.
MANY = """
import contextlib, io, json, sys
from mgc_hf.cli.main import main
for words in json.loads(sys.argv[1]):
    out, sys.argv = io.StringIO(), ["mgc-hf", "push-dataset", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
    print(json.dumps([status, out.getvalue()]))
"""

#: What anybody does who has `datasets` alone.
LOAD = """
import json, sys
from datasets import load_dataset
data = load_dataset(sys.argv[1])
stream = load_dataset(sys.argv[1], streaming=True)
first = {name: next(iter(rows)) for name, rows in stream.items()}
for row in first.values():
    row["audio"] = len(row["audio"]["bytes"]) if "audio" in row else None
print(json.dumps({
    "columns": {name: rows.column_names for name, rows in data.items()},
    "ids": {name: list(rows["track_id"]) for name, rows in data.items()},
    "streamed": {name: [row["track_id"] for row in rows] for name, rows in stream.items()},
    "first": first,
    "features": {name: str(feature) for name, feature in data["train"].features.items()},
    "mgc_hf": "mgc_hf" in sys.modules,
}))
"""

#: What `load_gtzan` makes of it.
JOIN = """
import json, logging, sys
from mgc_hf.data.sources import read_corpus
from mgc_hf.errors import MgcHfError
for options in json.loads(sys.argv[2]):
    try:
        corpus = read_corpus(sys.argv[1], cache_dir="cache", **options)
    except MgcHfError as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        continue
    data = corpus.dataset
    print(json.dumps({
        "ids": list(data["track_id"]), "genres": [data.features["genre"].names[label] for label in data["genre"]],
        "artist": list(data["artist"]), "part": list(data["part"]) if corpus.has_parts else None, "demo": corpus.is_demo,
        "paths": [audio["path"] for audio in data["audio"]], "skipped": [[s.file, s.reason] for s in corpus.skipped],
        "name": corpus.name, "revision": corpus.revision,
    }))
"""


@pytest.fixture
def music(tmp_path):
    """A folder of 3 genres with 6 clips each, one of them unusable; none is named as GTZAN's are."""
    folder = tmp_path / "music"
    for genre in GENRES:
        (folder / genre).mkdir(parents=True)
        for index in range(6):
            soundfile.write(folder / genre / f"clip{index}.wav", tune(genre, index, 1.5), SAMPLING_RATE)
    (folder / GENRES[0] / "cut.wav").write_bytes(b"RIFF, and then nothing")
    return folder


@pytest.fixture
def split(music, tmp_path):
    """A split of it in which one track of each genre is in no part."""
    ids = [f"{genre}/clip{index}" for genre in GENRES for index in range(6)]
    genres = [one.split("/")[0] for one in ids]
    file = tmp_path / "split.json"
    made = make_split(ids, genres, validation_fraction=0.2, train_tracks_per_genre=3, test_tracks_per_genre=1)
    assert made.ids("unused")
    made.save(file)
    return file


@pytest.fixture
def push(client, tmp_path):
    """Run `mgc-hf push-dataset`."""

    def run(*words, **more):
        done = client(*PUSH, *words, "--cache_dir", tmp_path / "push-cache", **more)
        assert "Traceback" not in done.err, done.err
        return done

    return run


@pytest.fixture
def join(client):
    """Read a data set with each of some options, in one process; what came of each, and what was said."""

    def run(*options, **more):
        done = client("-c", JOIN, ID, json.dumps(options), check=0, **more)
        return [json.loads(line) for line in done.out.splitlines()], done.err

    return run


@pytest.fixture
def push_each(client, tmp_path):
    """Run `mgc-hf push-dataset` several times in one process, each with its exit status; what each said."""

    def run(*jobs, **more):
        words = [[*map(str, words), "--cache_dir", str(tmp_path / "push-cache")] for _, words in jobs]
        done = client("-c", MANY, json.dumps(words), check=0, **more)
        told = [json.loads(line) for line in done.out.splitlines()]
        for (wanted, _), (status, text) in zip(jobs, told, strict=True):
            assert status == wanted, text
            assert "Traceback" not in text
        return [text for _, text in told]

    return run


def stored(hub, repo_id=ID):
    """Return path and content of what a data set's repository holds."""
    tree = hub.store.get("dataset", repo_id).resolve("main").tree
    return {path: hub.store.read(entry) for path, entry in tree.items() if path != ".gitattributes"}


def commits(api):
    return len(api().list_repo_commits(ID, repo_type="dataset"))


def test_an_index_goes_without_audio_and_comes_back(push, push_each, client, hub, api, music, split, tmp_path):
    done = push(music, ID, "--split", split, "--tag", "v1", check=0)
    assert f"{hub.endpoint}/datasets/{ID}/commit/" in done.out
    files = stored(hub)
    shards = {f"data/{part}-00000-of-00001.parquet" for part in ("train", "validation", "test", "unused")}
    assert set(files) == {"README.md", *shards}
    assert all(map(is_published, files))
    sounds = [path.read_bytes() for path in music.rglob("*.wav")]
    for path in shards:
        (tmp_path / "shard.parquet").write_bytes(files[path])
        schema = pq.read_schema(tmp_path / "shard.parquet")
        assert tuple(schema.names) == INDEX_COLUMNS
        assert all(str(field.type) in ("string", "int64") for field in schema)
        assert len(files[path]) < 12_000
        assert not any(sound[2000:2100] in files[path] for sound in sounds if len(sound) > 2100)
        assert str(tmp_path).encode() not in files[path]
    assert str(tmp_path) not in files["README.md"].decode()

    loaded = last_json(client("-c", LOAD, ID, check=0).out)
    parts = json.loads(split.read_text())["parts"]
    assert list(loaded["ids"]) == ["train", "validation", "test", "unused"]
    assert {part: sorted(loaded["ids"][part]) for part in ("train", "validation", "test")} == {
        part: parts[part] for part in ("train", "validation", "test")
    }
    assert sorted(loaded["ids"]["unused"]) == sorted([*parts["unused"], f"{GENRES[0]}/cut"])
    assert loaded["streamed"] == loaded["ids"]
    assert loaded["features"]["genre"].startswith("ClassLabel")
    assert loaded["first"]["train"]["split"] == "train"
    assert not loaded["mgc_hf"]

    before = commits(api)
    assert "nothing has changed" in push(music, ID, "--split", split, check=0).out
    assert commits(api) == before == 2
    (music / GENRES[0] / "clip0.wav").write_bytes((music / GENRES[0] / "clip1.wav").read_bytes())
    told = push_each((0, [music, ID, "--split", split]), (0, [music, ID]))
    assert "written" in told[0]
    assert "taken away" in told[1]  # without a split only `train` is left, and what is unusable
    assert set(stored(hub)) == {
        "README.md",
        "data/train-00000-of-00001.parquet",
        "data/unused-00000-of-00001.parquet",
    }


def test_it_is_joined_to_audio_by_hash_under_any_name(push, join, client, hub, music, split, tmp_path):
    push(music, ID, "--split", split, check=0)
    parts = json.loads(split.read_text())["parts"]
    mine = tmp_path / "mine"
    (mine / "a" / "b").mkdir(parents=True)
    for number, path in enumerate(sorted(music.rglob("*.wav"))):
        path.rename(mine / "a" / "b" / f"{number}.WAV")
    shutil.rmtree(music)
    (without, joined), _ = join({}, {"audio": str(mine)})
    assert without["error"].startswith(f"SourceError: {ID}: is an index without audio")
    assert "--audio FOLDER" in without["error"]
    usable = sorted([*parts["train"], *parts["validation"], *parts["test"]])
    assert sorted(joined["ids"]) == usable
    assert joined["genres"] == [one.split("/")[0] for one in joined["ids"]]
    assert dict(zip(joined["ids"], joined["part"], strict=True)) == {
        one: part for part in ("train", "validation", "test") for one in parts[part]
    }
    assert len(joined["revision"]) == 40
    assert joined["name"] == ID
    skipped = dict(joined["skipped"])
    assert skipped.pop(f"{GENRES[0]}/cut").startswith("marked in the index: ")
    assert skipped == dict.fromkeys(parts["unused"], "in no part of the data set's split")

    # as FLAC, whose files have other hashes but whose samples have not, and one that is gone
    for path in sorted(mine.rglob("*.WAV"))[1:]:
        try:
            samples, rate = soundfile.read(path, dtype="int16")
        except soundfile.LibsndfileError:
            continue
        soundfile.write(path.with_suffix(".flac"), samples, rate)
        path.unlink()
    gone = usable[5]
    number = next(n for n, one in enumerate(sorted(everything())) if one == gone)
    (mine / "a" / "b" / f"{number}.flac").unlink()
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "x.wav", tune(GENRES[0], 99, 1.0), SAMPLING_RATE)
    with tarfile.open(tmp_path / "mine.tar", "w") as archive:
        archive.add(mine, "mine")
    places = [mine, tmp_path / "mine.tar", tmp_path / "other", tmp_path / "no"]
    strict = {"audio": str(mine), "on_bad_audio": "error"}
    code = snippets(stored(hub)["README.md"].decode())
    assert set(code) == {"load_dataset", "load_gtzan"}
    client("-c", "\n".join(code.values()).replace("path/to/audio", str(mine)), check=0)
    (again, packed, none, nowhere, refused), said = join(*({"audio": str(place)} for place in places), strict)
    assert sorted(again["ids"]) == sorted(set(usable) - {gone})
    assert packed["ids"] == again["ids"]
    assert dict(again["skipped"])[gone] == "its audio is missing: no file has its sha256 or audio_sha256"
    assert f"{gone}: its audio is missing" in said
    assert not any(str(tmp_path) in reason for _, reason in again["skipped"])
    assert "none of its 1 audio files is one of the" in none["error"]
    assert "no such folder" in nowhere["error"]
    assert refused["error"].startswith(f"AudioError: {gone}: ")
    seen = len(hub.log)
    (offline,), _ = join({"audio": str(mine)}, HF_HUB_OFFLINE="1")
    assert offline == again
    assert len(hub.log) == seen


def everything():
    """Names of the clips as they sort in the folder, the one that is cut among them."""
    return [f"{genre}/clip{index}" for genre in GENRES for index in range(6)] + [f"{GENRES[0]}/cut"]


def test_the_demo_corpus_with_audio_and_what_is_read_of_it(push, join, client, hub, tmp_path):
    push(*DEMO, "--with_audio", "--protocol", "track", "--validation_fraction", 0, check=0)
    files = stored(hub)
    header = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert header["license"] == "apache-2.0"
    assert header["task_categories"] == ["audio-classification"]
    loaded = last_json(client("-c", LOAD, ID, check=0).out)
    assert loaded["columns"]["train"] == ["audio", *INDEX_COLUMNS]
    assert loaded["features"]["audio"].startswith("Audio(")
    assert "decode=False" in loaded["features"]["audio"]
    assert loaded["first"]["train"]["audio"] == loaded["first"]["train"]["num_bytes"] > 50_000
    assert sum(map(len, loaded["ids"].values())) == 20
    code = snippets(files["README.md"].decode())
    assert set(code) == {"load_dataset", "load_gtzan"}
    client("-c", "\n".join(code.values()), check=0)
    (read, audio), _ = join({}, {"audio": str(tmp_path)})
    assert read["demo"]
    assert read["artist"] == [None] * 20  # the ids look like GTZAN's, and are not
    assert sorted(set(read["part"])) == ["test", "train"]
    assert audio["error"].startswith("OptionError: audio=")
    assert "has its audio itself" in audio["error"]


def test_a_tiny_run_on_an_index_and_its_audio(push, client, music, split, tmp_path):
    push(music, ID, "--split", split, check=0)
    run = """
import json, sys
from mgc_hf import evaluate, fine_tune
from mgc_hf.rerunning import rerun
options = json.loads(sys.argv[1])
result = fine_tune(**options)
again = evaluate(options["output_dir"], options["dataset"], audio=options["audio"], cache_dir=options["cache_dir"])
own = {name: options[name] for name in ("audio", "cache_dir")}
repeated = rerun(options["output_dir"], output_dir=options["output_dir"] + "-again", **own).to_dict()
print(json.dumps({"result": result.to_dict(), "n": again.track.n, "leaky": again.leaky, "rerun": repeated}))
"""
    moved = music.rename(tmp_path / "somewhere else")
    options = {
        "dataset": ID,
        "audio": str(moved),
        "segment_seconds": 1.0,
        "model_config": '{"hidden_size": 8}',
        "num_train_epochs": 1,
        "num_resamples": 100,
        "floor": False,
        "pictures": False,
        "disable_tqdm": True,
        "cache_dir": str(tmp_path / "cache"),
        "output_dir": str(tmp_path / "run"),
    }
    out = last_json(client("-c", run, json.dumps(options), check=0).out)
    data, parts = out["result"]["data"], json.loads(split.read_text())["parts"]
    assert data["source"] == ID
    assert len(data["revision"]) == 40
    assert {part: sum(data["tracks"][part].values()) for part in data["tracks"]} == {
        part: len(parts[part]) for part in ("train", "validation", "test")
    }
    assert {one["file"] for one in data["skipped"]} == {*parts["unused"], f"{GENRES[0]}/cut"}
    assert out["result"]["protocol"] == "source"
    assert out["leaky"]
    assert [figure["difference"] for figure in out["rerun"]["figures"]] == [0, 0, 0, 0]
    assert out["rerun"]["predictions_equal"]
    text = (tmp_path / "run" / "README.md").read_text() + (tmp_path / "run" / "results.json").read_text()
    assert str(tmp_path) not in text
    assert "audio='somewhere else'" in text


def test_audio_needs_a_licence_and_gtzan_is_refused(push, hub, api, music, gtzan_subset, tmp_path):
    done = push(music, ID, "--with_audio", check=2)
    assert "confirm it by naming it" in done.err
    assert not hub.log
    push(music, ID, "--with_audio", "--licence", "cc-by-4.0", check=0)
    header = yaml.safe_load(stored(hub)["README.md"].decode().split("---")[1])
    assert header["license"] == "cc-by-4.0"
    real = tmp_path / "real" / "genres"
    for genre in ("blues", "jazz"):
        (real / genre).mkdir(parents=True)
        for path in sorted((gtzan_subset / "genres" / genre).iterdir())[:2]:
            (real / genre / path.name).symlink_to(path.resolve())
    done = push(real, "alice/gtzan", "--with_audio", "--licence", "cc0-1.0", check=1)
    assert "blues.00000: is a track of GTZAN" in done.err
    assert not api().repo_exists("alice/gtzan", repo_type="dataset")
    push(real, "alice/gtzan", check=0)
    files = stored(hub, "alice/gtzan")
    assert sum(map(len, files.values())) < 30_000
    (tmp_path / "x.parquet").write_bytes(files["data/train-00000-of-00001.parquet"])
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert rows[0]["artist"] == "John Lee Hooker"
    assert "Its audio was never licensed" in files["README.md"].decode()
    # under another name it is GTZAN's still
    table = [
        "path,genre,track_id",
        *(f"{p.relative_to(real)},{p.parent.name},{n}" for n, p in enumerate(real.rglob("*.flac"))),
    ]
    (real / "metadata.csv").write_text("\n".join(table))
    assert "is a track of GTZAN" in push(real, "alice/gtzan", "--with_audio", "--licence", "cc0-1.0", check=1).err


def test_private_branches_and_pull_requests(push_each, api, music):
    api().create_repo("alice/public", repo_type="dataset")
    told = push_each(
        (0, [music, ID, "--private", "--revision", "try/one"]),
        (0, [music, ID, "--create_pr"]),
        (1, [music, "alice/public", "--private"]),
    )
    assert api().dataset_info(ID).private
    assert "README.md" not in api().list_repo_files(ID, repo_type="dataset")
    assert "README.md" in api().list_repo_files(ID, repo_type="dataset", revision="try/one")
    assert "/discussions/1" in told[1]
    assert "is public, so --private would not hide it" in told[2]


def test_dry_run_needs_neither_network_nor_token(push, hub, music):
    done = push(music, ID, "--dry-run", user=None, check=0, HF_ENDPOINT="http://127.0.0.1:9")
    assert "data/train-00000-of-00001.parquet" in done.out
    assert "bytes in 3 files" in done.out
    assert not hub.log


def test_failures_are_one_line(push, push_each, hub, music, split):
    assert "hf auth login" in push(music, ID, user=None, check=1).err
    assert not hub.log
    assert "no right to write there" in push(music, ID, user="bob", check=1).err
    segments = split.with_name("segments.json")
    make_split([f"{genre}/clip0#{n}" for genre in "ab" for n in range(9)], [*"a" * 9, *"b" * 9], "segment").save(
        segments
    )
    told = push_each(
        (1, [music, "music"]),
        (2, [music, ID, "--split", split, "--protocol", "track"]),
        (2, [music, ID, "--protocol", "segment"]),
        (2, [music, ID, "--split", segments]),
        (2, [music, ID, "--split_seed", 1]),
        (2, [music, ID, "--card", "burn"]),
        (2, [music, ID, "--protocol", "kfold"]),
        (2, [music, ID, "--protocol", "track", "--unknown_artist", "leave_out"]),
        (1, [music, ID, "--protocol", "course"]),
        (2, [music, ID, "--protocol", "artist", "--unknown_artist", "sometimes"]),
    )
    words = [
        "name the user or organisation",
        "leave protocol, seed and fractions out",
        "rows of a data set are tracks",
        "rows of a data set are tracks",
        "have no effect without protocol",
        "must be keep or overwrite",
        "has a split for each fold, but a data set has one",
        "it must be own_group unless --protocol artist",
        "GTZAN's own tracks, and cannot be had for music",
        "allowed are own_group, leave_out",
    ]
    for one, text in zip(words, told, strict=True):
        assert one in text
        assert len([line for line in text.splitlines() if line.startswith("mgc-hf: error:")]) == 1
    (music / GENRES[0] / "clip0.wav").unlink()
    assert "the split and the data do not fit" in push_each((1, [music, ID, "--split", split]))[0]


def test_faults_on_the_way_leave_one_commit(push, api, hub, music):
    hub.faults = [Fault("quota", "POST", "/commit/")]
    assert "no storage left" in push(music, ID, check=1).err
    assert commits(api) == 1
    hub.faults = [
        Fault("rate_limited", "GET", "/tree/", times=1, values={"retry_after": 1}),
        Fault("lost_reply", "POST", "/commit/", times=1),
    ]
    push(music, ID, check=0)
    assert commits(api) == 2
    assert "data/train-00000-of-00001.parquet" in stored(hub)


def test_edits_of_the_card_are_seen(push, push_each, api, hub, music):
    push(music, ID, check=0)
    text = stored(hub)["README.md"].decode()
    edited = text.replace("## Licence", "## A word of thanks\n\n## Licence")
    api().upload_file(path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id=ID, repo_type="dataset")
    told = push_each((0, [music, ID]), (1, [music, ID, "--protocol", "track"]))
    assert "left as it is there" in told[0]
    assert "A word of thanks" in told[1]
    push(music, ID, "--protocol", "track", "--card", "overwrite", check=0)
    assert "A word of thanks" not in stored(hub)["README.md"].decode()


def test_a_source_with_parts_keeps_them(music, tmp_path):
    for part in ("train", "test"):
        for genre in GENRES[:2]:
            (tmp_path / "parts" / part / genre).mkdir(parents=True)
            for index in range(2):
                target = tmp_path / "parts" / part / genre / f"{part}{index}.wav"
                shutil.copy(music / genre / f"clip{index + 2 * (part == 'test')}.wav", target)
    with packed_dataset(tmp_path / "parts", ID, cache_dir=tmp_path / "cache") as contents:
        paths = [content.path for content in contents]
        assert paths == ["README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"]
        card = contents[0].file.read_text()
        first = contents[0].file
    assert "The parts are those of the source" in card
    assert not first.exists()


def test_tracks_without_an_artist_are_unused_if_asked(music, tmp_path):
    rows = [
        f"{genre}/clip{index}.wav,{genre},{'' if index == 5 else genre + str(index // 2)}"
        for genre in GENRES
        for index in range(6)
    ]
    (music / "metadata.csv").write_text("\n".join(["path,genre,artist", *rows]))
    how = {"protocol": "artist", "cache_dir": tmp_path / "cache"}
    for unknown, unused in ((None, False), ("leave_out", True)):
        division = {} if unknown is None else {"unknown_artist": unknown}
        with packed_dataset(music, ID, division=division, **how) as contents:
            names = {content.path for content in contents}
            assert ("data/unused-00000-of-00001.parquet" in names) == unused


def test_secrets_in_labels_are_refused(music, tmp_path):
    rows = [f"{genre}/clip0.wav,{genre},/home/carol/{genre}" for genre in GENRES]
    (music / "metadata.csv").write_text("\n".join(["path,genre,artist", *rows]))
    with (
        pytest.raises(PublishError, match=r"data/train-.*parquet: a home folder"),
        packed_dataset(music, ID, cache_dir=tmp_path / "cache"),
    ):
        pass
    (music / "metadata.csv").write_text(
        "path,genre,track_id\n" + "\n".join(f"{g}/clip0.wav,{g},/srv/{g}" for g in GENRES)
    )
    with (
        pytest.raises(PublishError, match="is an absolute path"),
        packed_dataset(music, ID, cache_dir=tmp_path / "cache"),
    ):
        pass


def test_large_audio_goes_in_several_files(music, tmp_path, monkeypatch):
    monkeypatch.setattr("mgc_hf.hub.dataset._SHARD_BYTES", 150_000)
    monkeypatch.setattr("mgc_hf.hub.dataset._GROUP_ROWS", 2)
    options = {"with_audio": True, "licence": "cc-by-4.0", "cache_dir": tmp_path / "cache"}
    with packed_dataset(music, ID, **options) as contents:
        shards = [content for content in contents if content.path != "README.md"]
        assert len(shards) > 2
        assert [content.path for content in shards] == [
            f"data/train-{number:05d}-of-{len(shards):05d}.parquet" for number in range(len(shards))
        ]
        rows = [row for content in shards for row in pq.read_table(content.file).to_pylist()]
    assert len(rows) == 18
    for row in rows:
        assert row["audio"]["bytes"] == (music / f"{row['track_id']}.wav").read_bytes()
        assert row["audio"]["path"] == f"{row['track_id']}.wav"


@pytest.mark.parametrize("licence", [None, "unknown", "other", "CC BY", "x\ny"])
def test_what_is_no_licence(licence):
    with pytest.raises(OptionError, match="licence"):
        check_audio("folder", True, licence)


def test_the_card_escapes_what_users_wrote():
    bad = "a|b<script>\n---\n# x"
    summary = DatasetSummary(
        repo_id=ID,
        source=bad,
        is_demo=False,
        is_gtzan=False,
        with_audio=False,
        licence=None,
        tracks={"train": {bad: 2000, "jazz": 1}},
        split=None,
        has_parts=False,
        skipped=[SkippedFile(f"/home/carol/{bad}", f"no such file /home/carol/{bad}")],
        known_artists=0,
        repeats=0,
    )
    card = render_dataset_card(summary)
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["size_categories"] == ["1K<n<10K"]
    assert header["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}
    ]
    assert "<script>" not in card
    assert "a|b" not in card
    assert "/home" not in card
    assert "\n# x" not in card


def test_a_gitignore_of_a_data_set_is_heeded_too(push, api, music):
    api().create_repo(ID, repo_type="dataset")
    ignore = {"path_in_repo": ".gitignore", "repo_id": ID, "repo_type": "dataset"}
    api().upload_file(path_or_fileobj=b"*.parquet\n", **ignore)
    done = push(music, ID)
    assert done.status == 1
    assert "its .gitignore leaves out data/train-00000-of-00001.parquet" in done.err
    api().upload_file(path_or_fileobj=b"*.tmp\n", **ignore)
    push(music, ID, check=0)
