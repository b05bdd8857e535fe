import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgc_hf.data.facts import gtzan_fault_filtered, recording_of
from mgc_hf.data.protocols import Split
from mgc_hf.division import choose_split, divide, label_ids, read_corpora, training_augmentation
from mgc_hf.errors import LabelError, OptionError, SplitError
from mgc_hf.leaks import judge_split, leak_statement
from mgc_hf.models.build import build_model
from mgc_hf.options import parse_options
from mgc_hf.predictions import PARTS


def divided(run_values, **values):
    options = parse_options(argv=[], values={**run_values, "output_dir": "unused", **values})
    corpus, test_corpus = read_corpora(options)
    genres = corpus.dataset.features["genre"].names
    _, extractor = build_model(
        "mel_lstm",
        genres,
        segment_seconds=options.data.segment_seconds,
        hop_seconds=options.data.eval_hop_seconds,
    )
    return divide(options, corpus, test_corpus, genres, extractor)


def test_no_track_is_on_two_sides(run_values):
    split, parts = divided(run_values)
    tracks = {name: set(part.rows.track_id) for name, part in parts.items()}
    assert set(tracks) == {"train", "validation", "test"}
    assert not tracks["train"] & tracks["test"]
    assert not tracks["train"] & tracks["validation"]
    assert not tracks["validation"] & tracks["test"]
    assert set().union(*tracks.values()) == set(split.part_of)


def test_training_windows_overlap_and_evaluation_windows_do_not(run_values):
    _, parts = divided(run_values)
    first = parts["train"].rows.track_id[0]
    starts = parts["train"].rows.start_s[parts["train"].rows.track_id == first]
    assert starts[1] - starts[0] == pytest.approx(1.5)
    first = parts["test"].rows.track_id[-1]
    assert parts["test"].rows.start_s[parts["test"].rows.track_id == first][0] == 0


def test_the_hop_of_evaluation_is_an_option(run_values, music_folder):
    _, parts = divided(run_values, eval_hop_seconds=0.5, test_dataset=str(music_folder))
    _, plain = divided(run_values, test_dataset=str(music_folder))
    assert parts["train"].rows.ids == plain["train"].rows.ids
    for name in ("validation", "test"):
        rows = parts[name].rows
        first = rows.start_s[rows.track_id == rows.track_id[0]]
        assert np.diff(first)[:-1] == pytest.approx(0.5)
        assert len(first) > 3
        assert set(rows.track_id) == set(plain[name].rows.track_id)


def test_random_windows_are_the_same_number_of_every_training_clip(run_values):
    split, parts = divided(run_values, random_windows=3)
    ids, counts = np.unique(parts["train"].rows.track_id.astype(str), return_counts=True)
    assert ids.tolist() == split.ids("train")
    assert set(counts) == {3}
    _, fixed = divided(run_values)
    assert parts["test"].rows.ids == fixed["test"].rows.ids


def test_random_windows_lie_elsewhere_each_epoch_and_in_a_resumed_run_at_the_same_place(run_values):
    values = {**run_values, "output_dir": "unused", "random_windows": 2, "gain_db": 0.0, "mixup_alpha": 0.0}
    _, parts = divided(values)
    _, extractor = build_model("mel_lstm", ["a"], segment_seconds=3.0)
    augmentation = training_augmentation(parse_options(argv=[], values=values))
    assert augmentation.random_offset

    def epoch(number):
        data = parts["train"].inputs(extractor, 3, augmentation, seed=0)
        data.set_epoch(number)
        return data[5]["input_features"]

    first, second = epoch(1), epoch(2)
    assert not torch.equal(first, second)
    assert torch.equal(first, epoch(1))


def test_without_random_windows_segments_stay_where_they_are(run_values):
    values = {**run_values, "output_dir": "unused"}
    assert not training_augmentation(parse_options(argv=[], values=values)).random_offset
    values["random_offset"] = True
    assert training_augmentation(parse_options(argv=[], values=values)).random_offset


def test_pieces_of_one_gtzan_track_stay_together(run_values, music_folder, tmp_path):
    """Public copies hold GTZAN cut into blues.00000.0.wav, blues.00000.1.wav, ...: no track may be on two sides."""
    for genre in ("blues", "jazz", "metal"):
        (tmp_path / genre).mkdir()
        for index in range(6):
            track, piece = divmod(index, 2)
            target = tmp_path / genre / f"{genre}.{track:05}.{piece}.wav"
            shutil.copy(music_folder / genre / f"clip{index}.wav", target)
    split, _ = divided(run_values, dataset=str(tmp_path))
    assert len(split.part_of) == 18
    parts_of = {}
    for item, part in split.part_of.items():
        parts_of.setdefault(item.rsplit(".", 1)[0], set()).add(part)
    assert len(parts_of) == 9
    assert all(len(parts) == 1 for parts in parts_of.values())


def test_copies_of_one_gtzan_track_stay_together(run_values, music_folder, tmp_path):
    """A folder may hold a track as .wav and as .flac: its ids are whole names then, and it is one track all the same."""
    for genre in ("blues", "jazz", "metal"):
        for index in range(6):
            track, form = divmod(index, 2)
            target = tmp_path / ("wav", "other")[form] / genre / f"{genre}.{track:05}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(music_folder / genre / f"clip{index}.wav", target)
    table = [f"{path},{path.parent.name}" for path in sorted(tmp_path.rglob("*.wav"))]
    (tmp_path / "clips.csv").write_text("\n".join(["path,genre", *table]) + "\n", encoding="utf-8")
    splits = [
        divided(run_values, dataset=str(tmp_path / "clips.csv"), protocol="kfold", num_folds=3, fold=1)[0],
        divided(run_values, dataset=str(tmp_path / "clips.csv"), split_seed=1)[0],
    ]
    for split in splits:
        assert len(split.part_of) == 18
        held = {(recording_of(item), part) for item, part in split.part_of.items()}
        assert len(held) == 9
    segments, _ = divided(run_values, dataset=str(tmp_path / "clips.csv"), protocol="segment")
    assert len(set(segments.part_of.values())) == 3


def test_under_segment_tracks_are_on_both_sides(run_values):
    split, parts = divided(run_values, protocol="segment")
    assert split.unit == "segment"
    assert set(parts["train"].rows.track_id) & set(parts["test"].rows.track_id)
    assert not set(parts["train"].rows.ids) & set(parts["test"].rows.ids)
    assert not any(part.whole_tracks for part in parts.values())


def test_a_source_with_parts_of_its_own(run_values, music_folder, tmp_path):
    for part, indices in (("train", range(4)), ("test", (4, 5))):
        for genre in ("blues", "jazz", "metal"):
            (tmp_path / part / genre).mkdir(parents=True)
            for index in indices:
                shutil.copy(music_folder / genre / f"clip{index}.wav", tmp_path / part / genre)
    split, parts = divided(run_values, dataset=str(tmp_path), validation_fraction=0.25)
    assert split.protocol == "source"
    assert {name: len(set(part.rows.track_id)) for name, part in parts.items()} == {
        "train": 9,
        "validation": 3,
        "test": 6,
    }


def test_a_draw_of_so_many_tracks_and_its_split_file(run_values, tmp_path):
    numbers = {"train_tracks_per_genre": 2, "test_tracks_per_genre": 1}
    split, parts = divided(run_values, **numbers)
    tracks = {name: set(part.rows.track_id) for name, part in parts.items()}
    assert {name: len(found) for name, found in tracks.items()} == {"train": 6, "validation": 3, "test": 3}
    assert len(split.ids("unused")) == 6
    assert not set(split.ids("unused")) & set().union(*tracks.values())
    split.save(tmp_path / "split.json")
    again, same = divided(run_values, split=str(tmp_path / "split.json"), seed=9)
    assert again == split
    assert {name: set(part.rows.track_id) for name, part in same.items()} == tracks


def test_a_draw_with_other_test_data(run_values, music_folder):
    split, parts = divided(run_values, train_tracks_per_genre=2, test_dataset=str(music_folder))
    assert len(set(parts["train"].rows.track_id)) == 6
    assert len(split.ids("unused")) == 9
    assert len(set(parts["test"].rows.track_id)) == 18


def test_a_draw_of_data_with_parts_of_their_own_is_refused(run_values, music_folder, tmp_path):
    for part, indices in (("train", range(4)), ("test", (4, 5))):
        for genre in ("blues", "jazz", "metal"):
            (tmp_path / part / genre).mkdir(parents=True)
            for index in indices:
                shutil.copy(music_folder / genre / f"clip{index}.wav", tmp_path / part / genre)
    with pytest.raises(OptionError, match=r"--train_tracks_per_genre.*parts of its own"):
        divided(run_values, dataset=str(tmp_path), train_tracks_per_genre=2)


def test_a_split_that_does_not_train_on_a_genre_is_refused(run_values, finished_run, tmp_path):
    split = Split.load(finished_run / "split.json")
    part_of = {item: "test" if item.startswith("metal") else part for item, part in split.part_of.items()}
    replace(split, part_of=part_of).save(tmp_path / "split.json")
    with pytest.raises(
        SplitError, match="the split has no training clip of metal, which the model would have as a class"
    ):
        divided(run_values, split=str(tmp_path / "split.json"))


def test_a_split_of_another_protocol_is_refused(run_values, finished_run):
    with pytest.raises(OptionError, match=r"--split .*split\.json: is of protocol track, not segment"):
        divided(run_values, protocol="segment", split=str(finished_run / "split.json"))


def test_labels_are_joined_by_name(run_values):
    options = parse_options(argv=[], values={**run_values, "output_dir": "unused"})
    corpus, _ = read_corpora(options)
    by_name = label_ids(corpus, ["polka", "metal", "jazz", "blues"])
    names = corpus.dataset.features["genre"].names
    assert [["polka", "metal", "jazz", "blues"][label] for label in by_name] == [
        names[label] for label in corpus.dataset["genre"]
    ]
    with pytest.raises(LabelError, match=r"\['jazz', 'metal'\].*\['polka'\]"):
        label_ids(corpus, ["polka", "blues"])


def test_names_are_joined_whatever_their_spelling(run_values):
    options = parse_options(argv=[], values={**run_values, "output_dir": "unused"})
    corpus, _ = read_corpora(options)
    model_names = ["Metal", "JAZZ!", "Polka", "Blues"]
    joined = [model_names[label] for label in label_ids(corpus, model_names)]
    names = corpus.dataset.features["genre"].names
    spelled = {"blues": "Blues", "jazz": "JAZZ!", "metal": "Metal"}
    assert joined == [spelled[names[label]] for label in corpus.dataset["genre"]]
    with pytest.raises(LabelError, match="jazz"):
        label_ids(corpus, ["Metal", "jazz ", "Jazz-", "blues"])  # two that it could be


def test_a_source_without_a_test_part_is_refused(run_values, music_folder, tmp_path):
    for part, index in (("train", 0), ("train", 1), ("valid", 2)):
        for genre in ("blues", "jazz"):
            (tmp_path / part / genre).mkdir(parents=True, exist_ok=True)
            shutil.copy(music_folder / genre / f"clip{index}.wav", tmp_path / part / genre)
    with pytest.raises(SplitError, match=r"no test part.*--test_dataset"):
        divided(run_values, dataset=str(tmp_path))


def test_with_other_test_data_a_split_files_test_tracks_are_trained_on(run_values, finished_run, music_folder, caplog):
    values = {"split": str(finished_run / "split.json"), "test_dataset": str(music_folder)}
    split, parts = divided(run_values, **values)
    assert not split.ids("test")
    assert len(set(parts["train"].rows.track_id) | set(parts["validation"].rows.track_id)) == 18
    assert "--test_dataset gives the test part" in caplog.text


def test_statement_of_other_test_data():
    split = Split("track", "track", 0, {"a": "train"})
    assert "leaky: 2 of the test recordings" in leak_statement(split.statement, ["x", "y"], True)
    assert leak_statement(split.statement, [], False) == split.statement
    assert "No test recording is" in leak_statement(split.statement, [], True)


# protocols by artists and by lists, and the verdict


@pytest.fixture
def listing(music_folder, tmp_path):
    """A CSV of the clips in `music_folder`: of each genre three artists with two clips; one credit is a joint one."""

    def write(artist_of, extra=""):
        rows = ["path,genre,artist" + (",split" if extra else "")]
        for genre in ("blues", "jazz", "metal"):
            rows += [
                f"{music_folder / genre / f'clip{index}.wav'},{genre},{artist_of(genre, index)}{extra}"
                for index in range(6)
            ]
        (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return str(tmp_path / "clips.csv")

    return write


def by_threes(genre, index):
    return f"The {genre} {index % 3}" if index < 3 else f"{genre.upper()} {index % 3}"


def verdict(run_values, split, **values):
    corpus, test_corpus = read_corpora(parse_options(argv=[], values={**run_values, "output_dir": "unused", **values}))
    return judge_split(split, corpus, test_corpus)


def test_artists_of_a_listing_are_kept_together(run_values, listing):
    values = {"dataset": listing(by_threes), "protocol": "artist"}
    split, parts = divided(run_values, **values)
    assert {name: len(set(part.rows.track_id)) for name, part in parts.items()} == dict.fromkeys(parts, 6)
    assert (split.protocol, verdict(run_values, split, **values).status) == ("artist", "clean")
    by_track, _ = divided(run_values, dataset=values["dataset"])
    found = verdict(run_values, by_track, dataset=values["dataset"])
    assert (found.status, found.num_unknown) == ("leaks", 0)


def test_an_artist_protocol_divides_data_with_parts_of_their_own_anew(run_values, listing):
    values = {"dataset": listing(by_threes, extra=",train")}
    split, _ = divided(run_values, **values, protocol="artist")
    assert split.protocol == "artist"
    assert len(split.ids("test")) == 6


def test_tracks_of_unknown_artists_are_left_out_on_request(run_values, listing):
    values = {
        "dataset": listing(lambda genre, index: "" if index == 5 else f"{genre}{index}"),
        "protocol": "artist",
        "unknown_artist": "leave_out",
    }
    split, parts = divided(run_values, **values)
    assert len(split.ids("unused")) == 3
    assert not set(split.ids("unused")) & set().union(*(set(part.rows.track_id) for part in parts.values()))
    assert verdict(run_values, split, **values).status == "clean"
    own, _ = divided(run_values, **{**values, "unknown_artist": "own_group"})
    assert verdict(run_values, own, **values).statement.endswith("but 3 of 18 tracks have no known artist.")


def test_artists_of_the_test_data_count(run_values, listing, music_folder):
    values = {"dataset": listing(by_threes), "protocol": "artist", "test_dataset": str(music_folder)}
    split, _ = divided(run_values, **values)
    found = verdict(run_values, split, **values)
    assert (found.status, found.num_tracks, found.num_unknown) == ("not provable", 36, 18)
    values["test_dataset"] = values["dataset"]
    assert verdict(run_values, split, **values).status == "leaks"


def test_segments_of_one_track_on_both_sides_are_a_leak(run_values):
    split, _ = divided(run_values, protocol="segment")
    found = verdict(run_values, split, protocol="segment")
    assert found.status == "leaks"
    assert {leak.kind for leak in found.leaks} == {"track"}
    assert found.num_tracks == 18


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"protocol": "artist"}, "no artist is known in these data"),
        ({"protocol": "fault_filtered"}, "GTZAN's own tracks, and cannot be had for music"),
        (
            {"protocol": "fault_filtered", "dataset": "demo", "demo_seconds": 2.0, "demo_clips_per_genre": 1},
            "for demo",
        ),
    ],
)
def test_protocols_that_cannot_be_had(run_values, values, text):
    with pytest.raises(SplitError, match=text):
        divided(run_values, **values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"unknown_artist": "leave_out"}, "--unknown_artist is 'leave_out'; it must be own_group unless"),
        ({"protocol": "artist", "train_tracks_per_genre": 2}, "0 with --protocol artist"),
        ({"protocol": "fault_filtered", "test_tracks_per_genre": 2}, "0 with --protocol fault_filtered"),
        ({"protocol": "fault_filtered", "test_dataset": "demo"}, "left out with --protocol fault_filtered"),
    ],
)
def test_options_that_do_not_go_together(run_values, values, text):
    with pytest.raises(OptionError, match=text):
        divided(run_values, **values)


def test_the_lists_on_a_folder_named_like_gtzan(run_values, music_folder, tmp_path):
    """Three genres of twelve tracks each that the lists have in all parts, one of them in two pieces."""
    listed = gtzan_fault_filtered()
    for genre in ("blues", "jazz", "metal"):
        (tmp_path / genre).mkdir()
        of_part = {part: [i for i in listed if i.startswith(genre) and listed[i] == part][:4] for part in PARTS}
        for index, item in enumerate(itertools.chain(*of_part.values())):
            names = [f"{item}.0", f"{item}.1"] if index == 0 else [item]
            for name in names:
                shutil.copy(music_folder / genre / f"clip{index % 6}.wav", tmp_path / genre / f"{name}.wav")
    split, parts = divided(run_values, dataset=str(tmp_path), protocol="fault_filtered")
    assert {name: len(part.rows.of_part(name).track_id) > 0 for name, part in parts.items()} == dict.fromkeys(
        PARTS, True
    )
    assert {item: part for item, part in split.part_of.items() if item in listed}.items() <= listed.items()
    assert (len(split.part_of), len(split.ids("train")), split.seed) == (39, 15, None)
    assert "12 of 443 train, 12 of 197 validation and 12 of 290 test" in split.statement


def test_the_real_clips_cannot_have_these_protocols(run_values, gtzan_subset):
    for protocol, text in (
        ("artist", "blues has 1, classical has 1"),
        ("fault_filtered", "blues, classical, country"),
    ):
        options = parse_options(
            argv=[], values={**run_values, "output_dir": "x", "dataset": str(gtzan_subset), "protocol": protocol}
        )
        corpus, _ = read_corpora(options)
        names = [corpus.dataset.features["genre"].names[label] for label in corpus.dataset["genre"]]
        with pytest.raises(SplitError, match=text):
            choose_split(options.data, corpus, False, list(corpus.dataset["track_id"]), names, 0)
