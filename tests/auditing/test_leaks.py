"""One leak of each kind planted in a clean split: each is caught, by name, and nothing else is."""

import io
import json

import numpy as np
import pytest
import soundfile

from mgc_hf.auditing import AuditResult, audit
from mgc_hf.data.facts import gtzan_fault_filtered
from mgc_hf.data.making_splits import make_split
from mgc_hf.data.protocols import Split
from mgc_hf.errors import OptionError, RecordError, SplitError


def encoded(samples, rate, **how):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, **how)
    return content.getvalue()


def kinds(result):
    return [(finding.kind, finding.name) for finding in result.leaks]


def ids(finding):
    return [(place.track_id, place.part) for place in finding.tracks]


@pytest.fixture
def audited(cache_dir):
    return lambda root, split=None: audit(root, split, cache_dir=str(cache_dir))


def test_a_clean_split_is_clean(collection, split_csv, audited):
    result = audited(collection(), split_csv())
    assert (result.status, result.exit_status, result.findings, result.bad_files) == ("clean", 0, (), ())
    assert result.parts == {"train": 6, "test": 3}
    assert result.statement == "Audit: clean. No track, known artist, file or recording is in two parts (9 tracks)."


def test_data_that_is_not_divided_is_clean_without_repeats(collection, audited):
    result = audited(collection())
    assert (result.status, result.split, result.exit_status) == ("clean", None, 0)


def test_the_same_track(collection, split_csv, audited):
    result = audited(collection(), split_csv(test=["jazz/song1.wav"]))
    assert kinds(result) == [("track", "jazz/song1")]
    assert ids(result.leaks[0]) == [("jazz/song1", "train"), ("jazz/song1", "test")]
    assert result.exit_status == 1


def test_segments_of_one_track(collection, tmp_path, songs, audited):
    segments = [f"{name}#{index}" for name in songs for index in range(4)]
    genres = [name.split("/")[0] for name in songs for _ in range(4)]
    make_split(segments, genres, "segment", validation_fraction=0).save(tmp_path / "split.json")
    result = audited(collection(), tmp_path / "split.json")
    assert {kind for kind, _ in kinds(result)} == {"track"}
    assert len(result.leaks) >= 6
    assert len(result.split_hash) == 64


def test_a_split_file_that_was_edited_is_read_as_it_stands(collection, tmp_path, audited):
    split = Split("source", "track", None, {"blues/song0": "train", "jazz/song0": "train", "blues/song1": "test"})
    split.save(tmp_path / "split.json")
    root = collection()
    assert audited(root, tmp_path / "split.json").split_hash == split.hash
    value = json.loads((tmp_path / "split.json").read_text())
    value["parts"]["test"].append("jazz/song0")
    (tmp_path / "split.json").write_text(json.dumps(value))
    result = audited(root, tmp_path / "split.json")
    assert kinds(result) == [("track", "jazz/song0")]
    assert result.split_hash is None
    assert result.limits[0].startswith("split.json is not as mgc_hf wrote it, and was read as it stands: 1 id (jazz/")
    value["parts"]["train"].remove("jazz/song0")
    (tmp_path / "split.json").write_text(json.dumps(value))
    assert "its hash is" in audited(root, tmp_path / "split.json").summary()


def test_the_same_artist_in_other_spellings(collection, split_csv, audited):
    artists = {"blues/song0.wav": "The Cure", "metal/song2.wav": "cure"}
    result = audited(collection(artists=artists), split_csv())
    assert [kind for kind, _ in kinds(result)] == ["artist"]
    assert ids(result.leaks[0]) == [("blues/song0", "train"), ("metal/song2", "test")]


def test_the_same_file_under_two_genres(collection, split_csv, songs, audited):
    result = audited(collection({"jazz/copy.wav": songs["blues/song0"]}), split_csv(test=["jazz/copy"]))
    (finding,) = result.leaks
    assert finding.kind == "file"
    assert ids(finding) == [("blues/song0", "train"), ("jazz/copy", "test")]
    assert finding.evidence == "the same bytes; under two genres (blues, jazz)"


def test_the_same_samples_in_another_file(collection, split_csv, samples, audited):
    copy = encoded(*samples["metal/song2"], format="FLAC", subtype="PCM_16")
    result = audited(collection({"metal/copy.flac": copy}), split_csv(train=["metal/copy"]))
    (finding,) = result.leaks
    assert (finding.kind, finding.evidence) == ("file", "the same samples in other files")
    assert ids(finding) == [("metal/copy", "train"), ("metal/song2", "test")]


def test_the_same_recording_in_other_clothes(collection, split_csv, samples, audited):
    clip, rate = samples["blues/song0"]
    copy = encoded(0.3 * clip[rate:], rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.575)
    result = audited(collection({"blues/copy.mp3": copy}), split_csv(test=["blues/copy"]))
    (finding,) = result.leaks
    assert finding.kind == "recording"
    assert sorted(ids(finding)) == [("blues/copy", "test"), ("blues/song0", "train")]
    assert "% of the spectral peaks coincide" in finding.evidence


def test_a_copy_under_the_id_of_a_gtzan_track_is_told_and_its_pieces_are_not(songs, samples, tmp_path, audited):
    clip, rate = samples["blues/song0"]
    folder = tmp_path / "music" / "blues"
    folder.mkdir(parents=True)
    (folder / "blues.00000.wav").write_bytes(songs["blues/song0"])
    (folder / "blues.00000.mp3").write_bytes(encoded(0.6 * clip, rate, format="MP3"))
    (finding,) = audited(tmp_path / "music").leaks
    assert finding.kind == "recording"
    assert {name for name, _ in ids(finding)} == {"blues/blues.00000.mp3", "blues/blues.00000.wav"}
    (folder / "blues.00000.mp3").rename(folder / "blues.00000.1.mp3")
    (folder / "blues.00000.wav").rename(folder / "blues.00000.0.wav")
    assert audited(tmp_path / "music").leaks == ()


def test_a_repeat_within_a_part_is_a_note_and_one_of_undivided_data_a_leak(collection, split_csv, songs, audited):
    root = collection({"jazz/copy.wav": songs["blues/song0"]})
    result = audited(root, split_csv(train=["jazz/copy"]))
    assert (result.status, result.exit_status) == ("clean", 0)
    assert [(finding.kind, finding.leak) for finding in result.findings] == [("file", False)]
    assert "note: the same file twice, within a part: 1" in result.summary()
    assert audited(root).status == "leaks"


def test_the_title_table_and_artists_of_gtzan(songs, tmp_path, audited):
    # by the table the first two are one song of Robert Johnson; here they sound like two
    names = {"blues.00024": "blues/song0", "blues.00028": "blues/song1", "jazz.00000": "jazz/song0"}
    for name, song in names.items():
        path = tmp_path / "genres" / name.split(".")[0] / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(songs[song])
    for part, entries in (("train", ["blues/blues.00024.wav", "jazz.00000.au"]), ("test", ["blues.00028"])):
        (tmp_path / f"{part}.txt").write_text("# a list\n" + "\n".join(entries) + "\n")
    result = audited(tmp_path / "genres", [f"training={tmp_path}/train.txt", f"test={tmp_path}/test.txt"])
    assert kinds(result) == [("artist", "Robert Johnson"), ("title", "blues.00024")]
    assert ids(result.leaks[1]) == [("blues.00024", "train"), ("blues.00028", "test")]
    assert audited(tmp_path / "genres", tmp_path).leaks == result.leaks  # a folder of lists


def test_parts_that_the_data_define(songs, tmp_path, audited):
    for path, song in {
        "train/blues/a.wav": "blues/song0",
        "train/jazz/b.wav": "jazz/song0",
        "test/blues/c.wav": "blues/song1",
        "test/jazz/d.wav": "jazz/song0",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(songs[song])
    result = audited(tmp_path)
    assert result.split == "source"
    assert kinds(result) == [("file", "test/jazz/d")]
    assert result.num_unknown == 4


def test_without_artists_nothing_found_is_not_clean(songs, tmp_path, audited, split_csv):
    root = tmp_path / "nameless"
    for path, content in songs.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{path}.wav").write_bytes(content)
    result = audited(root, split_csv())
    assert (result.status, result.exit_status, result.num_unknown) == ("not provable", 0, 9)
    assert "9 tracks have no known artist" in result.statement


def test_the_published_lists_leak_three_artists(gtzan_subset, cache_dir, tmp_path):
    listed = gtzan_fault_filtered().items()
    (tmp_path / "lists.csv").write_text("id,split\n" + "".join(f"{item},{part}\n" for item, part in listed))
    (tmp_path / "genres").mkdir()
    (tmp_path / "genres" / "reggae").symlink_to(gtzan_subset / "genres" / "reggae")
    result = audit(tmp_path / "genres", tmp_path / "lists.csv", cache_dir=str(cache_dir))
    assert kinds(result) == [("artist", "Bob Marley"), ("artist", "Donna Summer"), ("artist", "Shania Twain")]
    assert (result.num_unknown, result.num_absent, result.num_unassigned) == (81, 925, 2)


def test_bad_files_are_listed(collection, split_csv, songs, samples, audited):
    clip, rate = samples["jazz/song0"]
    flac = encoded(clip[::-1].copy(), rate, format="FLAC")
    root = collection(
        {
            "jazz/text.wav": b"no audio",
            "jazz/silent.wav": encoded(np.zeros(rate), rate, format="WAV"),
            "jazz/cut.wav": songs["jazz/song0"][:50_000],
            "jazz/flac.wav": flac,
        }
    )
    result = audited(root, split_csv())
    assert {bad.file: bad.kind for bad in result.bad_files} == {
        "jazz/text.wav": "unreadable",
        "jazz/silent.wav": "silent",
        "jazz/cut.wav": "truncated",
        "jazz/flac": "odd",
    }
    assert result.bad_files[-1].reason == "named .wav, but the content is FLAC"
    assert (result.status, result.exit_status) == ("clean", 1)
    assert "3 files cannot be used" in result.statement


def test_the_artist_of_an_unreadable_file_counts(collection, split_csv, audited):
    artists = {"jazz/text.wav": "A", "blues/song0.wav": "A"}
    result = audited(collection({"jazz/text.wav": b"no audio"}, artists), split_csv(test=["jazz/text"]))
    assert kinds(result) == [("artist", "A")]


def test_an_audit_is_read_back_from_its_file(collection, split_csv, songs, audited, tmp_path):
    result = audited(collection({"jazz/copy.wav": songs["blues/song0"]}), split_csv(test=["jazz/copy"]))
    result.save(tmp_path / "audit.json")
    assert AuditResult.load(tmp_path / "audit.json") == result
    value = json.loads((tmp_path / "audit.json").read_text())
    assert (value["status"], value["exit_status"], value["schema_version"]) == ("leaks", 1, 1)
    assert str(tmp_path) not in json.dumps(value)
    (tmp_path / "audit.json").write_text(json.dumps({**value, "schema_version": 9}))
    with pytest.raises(RecordError, match="audit.json: schema_version 9"):
        AuditResult.load(tmp_path / "audit.json")


def test_long_lists_are_cut_off_in_text_alone(collection, tmp_path, songs, audited):
    more = {f"jazz/copy{index}.wav": songs["jazz/song0"] for index in range(3)}
    listed = [name.removesuffix(".wav") for name in more]
    (tmp_path / "parts.csv").write_text(
        "track_id;part\n"
        + "".join(f"x{i};{part}\n" for i in range(30) for part in ("train", "test"))
        + f"{listed[0]};dev\n"
    )
    result = audited(collection(more), tmp_path / "parts.csv")
    assert len([finding for finding in result.leaks if finding.kind == "track"]) == 30
    assert "... and 10 more (--json has all)" in result.summary()


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.csv", "part,track_id\ntrain,gone1\ntest,gone2\n", "not one is a track of the data"),
        ("a.csv", "part,track_id\nvalidate,blues/song0\n", "line 2 has the part 'validate'"),
        ("a.csv", "genre,track_id\nblues,blues/song0\n", "wanted is a header with the columns part and track_id"),
        ("a.json", "{}", "this is no split file of mgc_hf"),
        ("a.xlsx", "x", "no such split"),
    ],
)
def test_a_split_that_cannot_be_read_is_refused(name, text, error, collection, tmp_path, audited):
    (tmp_path / name).write_text(text)
    with pytest.raises(SplitError, match=error):
        audited(collection(), tmp_path / name)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["train=a.txt"], "a split has two parts or more"),
        (["train=a.txt", "training=b.txt"], "was given already"),
        (["train=a.txt", "b.txt"], "is no list for a part"),
        (["a.csv", "b.csv"], "one split, or one list for each part"),
        (["a.txt"], "which part is this the list of"),
    ],
)
def test_a_split_of_no_form_is_wrong_usage(given, error, collection, tmp_path, audited, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("blues/song0\n")
    with pytest.raises(OptionError, match=error):
        audited(collection(), given)
