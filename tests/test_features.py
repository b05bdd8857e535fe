import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from mgc_hf.augment import COPY_AUGMENTATION, Augmentation
from mgc_hf.data.segments import assign_parts, cut_segments, paper_pool
from mgc_hf.data.sources import load_gtzan
from mgc_hf.errors import OptionError
from mgc_hf.features import SegmentDataset, TrackReader, collate, decode_tracks, extract_features, extraction, prepare
from mgc_hf.features import cache as features_cache
from mgc_hf.features.dataset import CachedFeatures, LiveFeatures
from mgc_hf.features.extraction import BatchExtractor, SegmentReader
from mgc_hf.features.tracks import to_int16
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

RATE = 8000
GENRES = ("blues", "jazz", "rock")
SETTINGS = {"sampling_rate": RATE, "n_fft": 256, "hop_length": 128, "num_mel_bins": 16, "segment_seconds": 1.0}


def extractor(**changes):
    return LogMelFeatureExtractor(**{**SETTINGS, **changes})


def write_corpus(folder, shortest=0.6):
    """Four noisy clips per genre, 16-bit at `RATE`, of 2.0 to 3.5 s; the last of them shorter than a segment."""
    for number, genre in enumerate(GENRES):
        (folder / genre).mkdir(parents=True)
        for clip in range(4):
            rng = np.random.default_rng((number, clip))
            seconds = shortest if (number, clip) == (2, 3) else 2.0 + clip / 2
            wave = 0.1 * rng.standard_normal(round(seconds * RATE))
            soundfile.write(folder / genre / f"{genre}.{clip:05d}.wav", wave, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = write_corpus(tmp_path_factory.mktemp("corpus") / "genres")
    return load_gtzan(folder, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tracks(corpus):
    return decode_tracks(corpus, RATE)


@pytest.fixture(scope="session")
def rows(tracks):
    table = cut_segments(
        tracks["track_id"],
        tracks["genre"],
        TrackReader(tracks).num_samples,
        RATE,
        segment_seconds=1.0,
        hop_seconds=0.5,
    )
    return assign_parts(table, "train")


@pytest.fixture(scope="session")
def whole_rows(rows):
    return rows.take(rows.num_samples == RATE)


def refuse(*_, **__):
    raise AssertionError("computed again instead of read from the cache")


def equal(one, two):
    assert set(one) == set(two)
    for name in one:
        assert torch.equal(one[name], two[name]), name


class TestDecodeTracks:
    def test_16_bit_files_at_their_own_rate_are_exact(self, corpus, tracks):
        assert tracks.column_names == ["track_id", "genre", "samples", "scale", "sampling_rate"]
        assert tracks["track_id"] == corpus["track_id"]
        assert tracks.features["genre"].names == list(GENRES)
        reader = TrackReader(tracks)
        assert len(reader) == 12
        assert reader.sampling_rate == RATE
        for row, audio in enumerate(corpus["audio"]):
            expected, _ = soundfile.read(audio["path"], dtype="float32")
            np.testing.assert_array_equal(reader.read(row), expected)
            np.testing.assert_array_equal(reader.read(row, 100, 50), expected[100:150])
            assert reader.num_samples[row] == len(expected)

    def test_another_rate_is_another_result(self, corpus, tracks):
        half = decode_tracks(corpus, RATE // 2)
        assert half._fingerprint != tracks._fingerprint
        np.testing.assert_allclose(TrackReader(half).num_samples * 2, TrackReader(tracks).num_samples, atol=2)

    def test_a_second_call_decodes_nothing(self, corpus, tracks, monkeypatch):
        monkeypatch.setattr("mgc_hf.features.tracks.to_int16", refuse)
        again = decode_tracks(corpus, RATE)
        assert again._fingerprint == tracks._fingerprint
        assert again.cache_files == tracks.cache_files

    def test_processes_share_the_work(self, corpus, tracks, tmp_path):
        corpus = load_gtzan(Path(corpus[0]["audio"]["path"]).parent.parent, cache_dir=tmp_path)
        shared = decode_tracks(corpus, RATE, num_proc=2)
        assert len(shared.cache_files) == 2
        assert shared._fingerprint == tracks._fingerprint
        one, two = TrackReader(shared), TrackReader(tracks)
        for row in range(12):
            np.testing.assert_array_equal(one.read(row), two.read(row))

    def test_a_data_set_in_memory_is_cached_too(self, corpus, monkeypatch, tmp_path):
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        audio = datasets.Dataset.from_dict(
            {"audio": corpus["audio"][:2], "genre": [0, 1], "track_id": ["a", "b"]},
            features=datasets.Features(
                {
                    "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
                    "genre": datasets.ClassLabel(names=list(GENRES)),
                    "track_id": datasets.Value("string"),
                }
            ),
        )
        assert audio.cache_files == []
        first = decode_tracks(audio, RATE)
        assert Path(first.cache_files[0]["filename"]).parent == tmp_path / "mgc_hf"
        monkeypatch.setattr("mgc_hf.features.tracks.to_int16", refuse)
        assert decode_tracks(audio, RATE).cache_files == first.cache_files

    def test_a_wrong_data_set_is_refused(self, corpus, tracks):
        with pytest.raises(ValueError, match="no column audio"):
            decode_tracks(tracks, RATE)
        with pytest.raises(ValueError, match="no clips"):
            decode_tracks(corpus.select([]), RATE)
        with pytest.raises(ValueError, match="call decode_tracks first"):
            TrackReader(corpus)


class TestInt16:
    def test_steps_of_16_bits_are_exact(self):
        steps = np.array([-32768, -1, 0, 5, 32767], dtype=np.int16)
        integers, scale = to_int16(steps.astype(np.float32) / 32768)
        np.testing.assert_array_equal(integers, steps)
        assert scale == np.float32(1 / 32768)

    @pytest.mark.parametrize("peak", [1e-3, 0.3, 1.0, 1.7])
    def test_anything_else_uses_all_steps(self, peak):
        samples = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
        samples *= np.float32(peak / np.abs(samples).max())
        integers, scale = to_int16(samples)
        assert np.abs(integers).max() == 32767
        assert np.abs(integers * scale - samples).max() <= 0.51 * peak / 32767

    def test_full_scale_of_both_signs_is_kept(self):
        integers, scale = to_int16(np.array([1.0, -1.0], dtype=np.float32))
        np.testing.assert_allclose(integers * scale, [1.0, -1.0], rtol=1e-6)


class TestTrackReader:
    def test_selections_and_joins_read_the_right_tracks(self, tracks):
        whole = TrackReader(tracks)
        for chosen in ([5, 2, 11], range(3, 8)):
            reader = TrackReader(tracks.select(chosen))
            assert len(reader) == len(chosen)
            for row, original in enumerate(chosen):
                np.testing.assert_array_equal(reader.read(row), whole.read(original))
        joined = TrackReader(datasets.concatenate_datasets([tracks.select([4]), tracks.select(range(2, 4))]))
        for row, original in enumerate([4, 2, 3]):
            np.testing.assert_array_equal(joined.read(row), whole.read(original))

    def test_it_is_pickled_by_name_and_reads_views(self, tracks):
        reader = TrackReader(tracks)
        state = pickle.dumps(reader)
        assert len(state) < 5000 < reader.num_samples.sum()
        copy = pickle.loads(state)
        np.testing.assert_array_equal(copy.read(3), reader.read(3))
        view, _ = reader.integers(3)
        assert in_mapping(view, tracks.cache_files[0]["filename"])

    def test_tracks_of_two_rates_are_refused(self, corpus, tracks):
        with pytest.raises(ValueError, match="2 sampling rates"):
            TrackReader(datasets.concatenate_datasets([tracks, decode_tracks(corpus, RATE // 2)]))


def in_mapping(array, file):
    """Whether an array's memory is a mapping of a file."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(value, 16) for value in line.split()[0].split("-"))
        if first <= address and address + array.nbytes <= last:
            return line.endswith(os.path.realpath(file))
    return False


class TestExtractFeatures:
    def test_rows_are_what_the_extractor_gives_for_each_alone(self, tracks, rows):
        features = extract_features(tracks, rows, extractor())
        assert len(features) == len(rows)
        reader = TrackReader(tracks)
        for row in range(len(rows)):
            wave = reader.read(int(rows.track[row]), int(rows.start[row]), int(rows.num_samples[row]))
            alone = extractor()(wave, sampling_rate=RATE, return_tensors="np")["input_features"][0]
            frames = features[row]["num_frames"]
            assert frames == len(alone)
            np.testing.assert_array_equal(np.array(features[row]["input_features"], np.float32)[:frames], alone)

    def test_rows_come_in_any_order(self, tracks, rows):
        order = np.random.default_rng(0).permutation(len(rows))
        straight = extract_features(tracks, rows, extractor()).with_format("numpy")
        mixed = extract_features(tracks, rows.take(order), extractor()).with_format("numpy")
        np.testing.assert_array_equal(mixed["input_features"][:], straight["input_features"][:][order])

    @pytest.mark.parametrize("change", ["rows", "setting", "tracks"])
    def test_any_change_computes_anew(self, corpus, tracks, rows, change, monkeypatch):
        extract_features(tracks, rows, extractor())
        monkeypatch.setattr(extraction, "_to_table", refuse)
        extract_features(tracks, replace(rows, label=rows.label * 0, part=rows.part[::-1]), extractor())
        changed = {
            "rows": (tracks, rows.take(np.arange(5)), extractor()),
            "setting": (tracks, rows, extractor(fmin=50.0)),
            "tracks": (tracks.select(range(12)[::-1]).select(range(12)[::-1]), rows, extractor()),
        }[change]
        with pytest.raises(AssertionError, match="computed again"):
            extract_features(*changed)

    def test_changed_code_computes_anew(self, tracks, rows, monkeypatch, tmp_path):
        package = tmp_path / "own"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "own_extractor.py").write_text(
            "from mgc_hf.models.mel_lstm import LogMelFeatureExtractor\n"
            "from .helper import help_it\n\n\n"
            "class OwnFeatureExtractor(LogMelFeatureExtractor):\n    helper = help_it\n"
        )
        module = package / "helper.py"
        text = "def help_it(self):\n    pass\n"
        module.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        from own import own_extractor

        own = own_extractor.OwnFeatureExtractor(**SETTINGS)
        extract_features(tracks, rows, own)
        monkeypatch.setattr(extraction, "_to_table", refuse)
        extract_features(tracks, rows, own)
        module.write_text(text + "# changed\n")
        extract_features(tracks, rows, own)  # this process still runs the old code
        features_cache._file_digest.cache_clear()
        with pytest.raises(AssertionError, match="computed again"):
            extract_features(tracks, rows, own)

    def test_rows_and_tracks_that_do_not_fit_are_refused(self, tracks, rows):
        with pytest.raises(ValueError, match=r"decoded at 8000 Hz.*takes 16000 Hz"):
            extract_features(tracks, rows, extractor(sampling_rate=16000))
        with pytest.raises(ValueError, match="name tracks 0 to 11 of 3"):
            extract_features(tracks.select(range(3)), rows, extractor())
        with pytest.raises(ValueError, match=r"segment blues\.00000#0 has samples 12000 to 20000.*has 16000"):
            extract_features(tracks, replace(rows, start=rows.start + 12000), extractor())
        with pytest.raises(ValueError, match="no rows"):
            extract_features(tracks, rows.take(rows.start < 0), extractor())
        with pytest.raises(ValueError, match="pads on the left"):
            extract_features(tracks, rows, extractor(padding_side="left"))


ANOTHER_PROCESS = """
    import json, os, sys
    os.environ["HF_HUB_OFFLINE"] = "1"
    import numpy as np
    from mgc_hf.augment import Augmentation
    from mgc_hf.data.segments import assign_parts, cut_segments
    from mgc_hf.data.sources import load_gtzan
    from mgc_hf.features import TrackReader, decode_tracks, extraction, prepare, tracks as tracks_module
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

    given = json.loads(sys.argv[1])
    calls = {"decoded": 0, "extracted": 0}

    def counted(module, name, key):
        function = getattr(module, name)
        def count(*arguments):
            calls[key] += 1
            return function(*arguments)
        setattr(module, name, count)

    counted(tracks_module, "to_int16", "decoded")
    counted(extraction, "_to_table", "extracted")
    extractors = {
        "fresh": LogMelFeatureExtractor(**given["settings"]),
        "reloaded": LogMelFeatureExtractor.from_pretrained(given["saved"]),
        "changed": LogMelFeatureExtractor(**{**given["settings"], "fmin": 100.0}),
    }
    tracks = decode_tracks(load_gtzan(given["corpus"], cache_dir=given["cache"]), given["rate"])
    rows = cut_segments(
        tracks["track_id"], tracks["genre"], TrackReader(tracks).num_samples, given["rate"],
        segment_seconds=1.0, hop_seconds=0.5,
    )
    rows = assign_parts(rows, "train")
    told = {}
    for name in extractors:
        data = prepare(tracks, rows, extractors[name], num_labels=3)
        told[name] = dict(calls, sum=float(data.__getitems__(range(len(data)))["input_features"].double().sum()))
    augmentation = Augmentation(time_shift_seconds=0.2, noise_snr_db=10.0, mixup_alpha=0.4)
    data = prepare(tracks, rows, extractors["fresh"], num_labels=3, augmentation=augmentation, seed=1, whole_tracks=True)
    data.set_epoch(2)
    told["augmented"] = data.__getitems__([7, 3])["input_features"].flatten().tolist()
    print(json.dumps(told))
"""


def start_process(given):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ANOTHER_PROCESS), json.dumps(given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_process(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def test_other_processes_read_the_cache_and_draw_the_same(tmp_path):
    folder, cache = write_corpus(tmp_path / "genres"), tmp_path / "cache"
    tracks = decode_tracks(load_gtzan(folder, cache_dir=cache), RATE)
    lengths = TrackReader(tracks).num_samples
    rows = cut_segments(tracks["track_id"], tracks["genre"], lengths, RATE, segment_seconds=1.0, hop_seconds=0.5)
    data = prepare(tracks, rows, extractor(), num_labels=3)
    here = float(data.__getitems__(range(len(data)))["input_features"].double().sum())
    files = {file: file.stat().st_mtime_ns for file in cache.rglob("*.arrow")}
    extractor().save_pretrained(tmp_path / "saved")
    given = {"corpus": str(folder), "cache": str(cache), "saved": str(tmp_path / "saved"), "rate": RATE}
    given |= {"settings": SETTINGS}
    both = [end_process(process) for process in [start_process(given), start_process(given)]]
    for told in both:
        for name in ("fresh", "reloaded"):
            assert told[name] == {"decoded": 0, "extracted": 0, "sum": here}
        assert told["changed"]["decoded"] == 0
        assert told["changed"]["sum"] != here
    # of two processes that miss at once, one computes and the other waits for it
    assert sorted(told["changed"]["extracted"] for told in both) == [0, 1]
    assert {file: file.stat().st_mtime_ns for file in files} == files
    assert both[0]["augmented"] == both[1]["augmented"]


class TestCachedFeatures:
    def test_rows_are_views_of_the_file_over_several_record_batches(self, tracks, rows, monkeypatch):
        monkeypatch.setattr(extraction, "_BATCH_SIZE", 7)
        reverse = rows.take(np.arange(len(rows))[::-1])  # rows that no other test caches
        features = extract_features(tracks, reverse, extractor())
        assert features.data.column("input_features").num_chunks > 5
        source = CachedFeatures(features)
        expected = np.array(features["input_features"], dtype=np.float32)
        for row in range(len(rows)):
            view = source.view(row)
            assert in_mapping(view, features.cache_files[0]["filename"])
            assert not view.flags.writeable
            np.testing.assert_array_equal(view, expected[row])
        assert np.shares_memory(source.view(0), source._windows)
        order = np.random.default_rng(0).integers(0, len(rows), 100)
        batch = source.read(order, None)
        np.testing.assert_array_equal(batch, expected[order])
        assert not np.shares_memory(batch, source._windows)

    def test_only_the_whole_of_one_file_is_taken(self, tracks, rows):
        features = extract_features(tracks, rows, extractor())
        for part in (features.select([3, 1]), features.select(range(2, 9)), features.to_list()):
            wrong = datasets.Dataset.from_list(part) if isinstance(part, list) else part
            with pytest.raises(ValueError, match="whole and in one file"):
                CachedFeatures(wrong)


class TestSegmentDataset:
    def test_a_batch_is_the_rows_in_the_order_asked(self, tracks, whole_rows):
        data = prepare(tracks, whole_rows, extractor(), num_labels=3)
        assert isinstance(data.source, CachedFeatures)
        assert len(data) == len(whole_rows)
        batch = data.__getitems__([5, 0, 5, 17])
        assert set(batch) == {"input_features", "labels"}
        assert batch["input_features"].shape == (4, 63, 16)
        assert batch["input_features"].dtype == torch.float32
        assert batch["labels"].dtype == torch.int64
        assert batch["labels"].tolist() == whole_rows.label[[5, 0, 5, 17]].tolist()
        for index, row in enumerate([5, 0, 5, 17]):
            one = data[row]
            assert torch.equal(one["input_features"], batch["input_features"][index])
            assert one["labels"] == batch["labels"][index]
        equal(data[-1], data[len(data) - 1])
        with pytest.raises(IndexError):
            data[len(data)]

    def test_a_batch_may_be_written_to(self, tracks, whole_rows):
        data = prepare(tracks, whole_rows, extractor(), num_labels=3)
        before = data.__getitems__([0, 1])
        changed = data.__getitems__([0, 1])
        changed["input_features"].zero_()
        changed["labels"].zero_()
        equal(data.__getitems__([0, 1]), before)

    def test_short_rows_are_padded_and_masked(self, tracks, rows):
        data = prepare(tracks, rows, extractor(), num_labels=3)
        short = int(np.flatnonzero(rows.num_samples < RATE)[0])
        batch = data.__getitems__([0, short])
        assert batch["attention_mask"].dtype == torch.int64
        frames = extractor().num_frames(int(rows.num_samples[short]))
        assert batch["attention_mask"].sum(dim=1).tolist() == [63, frames]
        assert batch["attention_mask"][1, :frames].all()
        assert (batch["input_features"][1, frames:] == extractor().padding_value).all()

    def test_both_ways_give_the_same_features_and_masks(self, tracks, rows):
        cached = prepare(tracks, rows, extractor(), num_labels=3)
        reader = SegmentReader(TrackReader(tracks), rows, 0)
        live_source = LiveFeatures(reader, BatchExtractor(extractor(), RATE), Augmentation())
        live = SegmentDataset(live_source, rows.label, 3)
        short = int(np.flatnonzero(rows.num_samples < RATE)[0])
        for chosen in ([4, short, 9], [short], [short, short], list(range(len(rows)))):
            equal(live.__getitems__(chosen), cached.__getitems__(chosen))

    def test_batches_are_all_rows_in_order(self, tracks, rows):
        data = prepare(tracks, rows, extractor(), num_labels=3)
        batches = list(data.batches(16))
        assert [len(batch["labels"]) for batch in batches] == [16] * (len(rows) // 16) + [len(rows) % 16]
        equal({k: torch.cat([b[k] for b in batches]) for k in batches[0]}, data.__getitems__(range(len(rows))))

    def test_a_part_is_served_and_the_whole_cached(self, tracks, rows, monkeypatch):
        split = replace(rows, part=np.where(rows.track % 3 == 0, "test", "train").astype(object))
        data = prepare(tracks, split, extractor(), num_labels=3, part="test")
        monkeypatch.setattr(extraction, "_to_table", refuse)
        other = replace(rows, part=np.where(rows.track % 2 == 0, "test", "train").astype(object))
        for table, served in ((split, data), (other, prepare(tracks, other, extractor(), num_labels=3, part="test"))):
            chosen = np.flatnonzero(table.part == "test")
            everything = prepare(tracks, rows, extractor(), num_labels=3)
            got, expected = served.__getitems__(range(len(served))), everything.__getitems__(chosen)
            assert torch.equal(got["input_features"], expected["input_features"])
            assert torch.equal(got["labels"], expected["labels"])
        with pytest.raises(ValueError, match="no rows to serve of part 'validation'"):
            prepare(tracks, rows, extractor(), num_labels=3, part="validation")

    def test_wrong_labels_and_seeds_are_refused(self, tracks, rows):
        with pytest.raises(ValueError, match=r"0\.\.2, allowed are 0\.\.1"):
            prepare(tracks, rows, extractor(), num_labels=2)
        with pytest.raises(ValueError, match="seed is -1"):
            prepare(tracks, rows, extractor(), num_labels=3, seed=-1)


EVERYTHING = Augmentation(
    random_offset=True,
    time_shift_seconds=0.1,
    gain_db=6.0,
    noise_snr_db=10.0,
    spec_time_masks=2,
    spec_time_width=10,
    spec_frequency_masks=1,
    spec_frequency_width=4,
    mixup_alpha=0.4,
)
ON_SPECTROGRAMS = replace(EVERYTHING, random_offset=False, time_shift_seconds=0, gain_db=0, noise_snr_db=None)


class TestAugmented:
    @pytest.mark.parametrize("augmentation", [EVERYTHING, ON_SPECTROGRAMS])
    def test_a_row_has_the_same_bits_in_every_batch_and_changes_by_epoch(self, tracks, rows, augmentation):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, seed=5, whole_tracks=True)
        assert isinstance(data.source, LiveFeatures if augmentation is EVERYTHING else CachedFeatures)
        everything = data.__getitems__(range(len(rows)))
        for chosen in ([3], [11, 3, 40], list(range(len(rows)))[::-1], [8, 8]):
            equal(data.__getitems__(chosen), {name: value[chosen] for name, value in everything.items()})
        data.set_epoch(1)
        changed = data.__getitems__(range(len(rows)))
        different = (changed["input_features"] != everything["input_features"]).flatten(1).any(dim=1)
        assert different.float().mean() > 0.95
        data.set_epoch(0)
        equal(data.__getitems__(range(len(rows))), everything)
        again = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, seed=5, whole_tracks=True)
        equal(again.__getitems__([3, 4]), {name: value[[3, 4]] for name, value in everything.items()})
        other = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, seed=6, whole_tracks=True)
        assert not torch.equal(other.__getitems__([3, 4])["input_features"], everything["input_features"][[3, 4]])

    def test_waveforms_are_augmented_before_the_extractor(self, tracks, whole_rows):
        augmentation = Augmentation(time_shift_seconds=0.3, noise_snr_db=10.0)
        data = prepare(
            tracks, whole_rows, extractor(), num_labels=3, augmentation=augmentation, seed=2, whole_tracks=True
        )
        data.set_epoch(3)
        batch = data.__getitems__([6, 20])
        reader = TrackReader(tracks)
        for index, row in enumerate([6, 20]):
            track = int(whole_rows.track[row])
            wave = augmentation.waveform(
                *reader.integers(track),
                int(whole_rows.start[row]),
                RATE,
                RATE,
                augmentation.draw(2, 3, 21).of_row(row),
            )
            expected = extractor()(wave, sampling_rate=RATE, return_tensors="pt")["input_features"][0]
            assert torch.equal(batch["input_features"][index], expected)

    def test_without_whole_tracks_only_the_rows_own_samples_are_read(self, tracks, whole_rows):
        reader = SegmentReader(TrackReader(tracks), whole_rows, 0, whole_tracks=False)
        shift = Augmentation(time_shift_seconds=0.3)
        for row in range(len(whole_rows)):
            original = reader.read(row)
            shifted = reader.read(row, shift, shift.draw(0, 0, row + 1).of_row(row))
            np.testing.assert_array_equal(np.sort(shifted), np.sort(original))
            assert not np.array_equal(shifted, original)
        whole = SegmentReader(TrackReader(tracks), whole_rows, 0, whole_tracks=True)
        moved = whole.read(2, shift, shift.draw(0, 0, 3).of_row(2))
        assert not np.array_equal(np.sort(moved), np.sort(reader.read(2)))
        with pytest.raises(OptionError, match="random_offset would take samples of other segments"):
            prepare(tracks, whole_rows, extractor(), num_labels=3, augmentation=Augmentation(random_offset=True))

    def test_mixup_mixes_features_and_labels_with_any_row(self, tracks, whole_rows):
        plain = prepare(tracks, whole_rows, extractor(), num_labels=3)
        mixed = prepare(
            tracks, whole_rows, extractor(), num_labels=3, augmentation=Augmentation(mixup_alpha=0.4), seed=1
        )
        draws = mixed.augmentation.draw(1, 0, len(mixed))
        batch = mixed.__getitems__(range(len(mixed)))
        original = plain.__getitems__(range(len(mixed)))["input_features"]
        weight = torch.from_numpy(draws.weight)
        expected = weight[:, None, None] * original + (1 - weight[:, None, None]) * original[draws.partner]
        torch.testing.assert_close(batch["input_features"], expected)
        assert batch["labels"].dtype == torch.float32
        assert batch["labels"].shape == (len(mixed), 3)
        torch.testing.assert_close(batch["labels"].sum(dim=1), torch.ones(len(mixed)))
        for row in range(len(mixed)):
            label, other = int(whole_rows.label[row]), int(whole_rows.label[draws.partner[row]])
            target = np.zeros(3)
            target[label] += draws.weight[row]
            target[other] += 1 - draws.weight[row]
            np.testing.assert_allclose(batch["labels"][row], target, atol=1e-6)

    def test_mixup_with_a_short_row_keeps_padding_out_of_it(self, tracks, rows):
        mixed = prepare(tracks, rows, extractor(), num_labels=3, augmentation=Augmentation(mixup_alpha=0.4))
        plain = prepare(tracks, rows, extractor(), num_labels=3)
        short = int(np.flatnonzero(rows.num_samples < RATE)[0])
        frames = int(plain.source.num_frames[short])
        meets = [row for epoch in range(30) for row in [set_and_find(mixed, epoch, short)] if row is not None]
        assert meets
        for epoch, row in meets:
            mixed.set_epoch(epoch)
            got, own = mixed[row], plain[row]
            assert torch.equal(got["attention_mask"], own["attention_mask"])
            assert torch.equal(got["input_features"][frames:], own["input_features"][frames:])
            assert not torch.equal(got["input_features"][:frames], own["input_features"][:frames])
        mixed.set_epoch(0)
        got, own = mixed[short], plain[short]
        assert (got["input_features"][frames:] == own["input_features"][frames:]).all()

    def test_specaugment_masks_the_cached_features(self, tracks, rows):
        masks = Augmentation(spec_time_masks=2, spec_time_width=10, spec_frequency_masks=1, spec_frequency_width=4)
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=masks)
        plain = prepare(tracks, rows, extractor(), num_labels=3)
        got, original = data.__getitems__(range(len(rows))), plain.__getitems__(range(len(rows)))
        assert torch.equal(got["labels"], original["labels"])
        assert torch.equal(got["attention_mask"], original["attention_mask"])
        changed = got["input_features"] != original["input_features"]
        assert 0.05 < changed.float().mean() < 0.5
        assert not changed[original["attention_mask"] == 0].any()


def set_and_find(data, epoch, partner):
    """Return an epoch and a whole row that is mixed with `partner` in it, if there is one."""
    draws = data.augmentation.draw(data.seed, epoch, len(data))
    found = [row for row in np.flatnonzero(draws.partner == partner).tolist() if row != partner]
    return (epoch, found[0]) if found else None


class TestCopies:
    @pytest.fixture
    def pool(self, rows):
        return paper_pool(rows, 0, 2, 0)

    def test_copies_are_augmented_once_and_for_all(self, tracks, rows, pool, monkeypatch):
        data = prepare(tracks, pool, extractor(), num_labels=3, seed=4)
        plain = prepare(tracks, rows, extractor(), num_labels=3)
        everything = data.__getitems__(range(len(pool)))["input_features"]
        for copy in range(3):
            same = (everything[pool.copy == copy] == plain.__getitems__(range(len(rows)))["input_features"]).flatten(1)
            assert same.all() if copy == 0 else not same.all(dim=1).any()
        data.set_epoch(1)
        assert torch.equal(data.__getitems__(range(len(pool)))["input_features"], everything)
        # whatever rows are there beside it
        chosen = np.flatnonzero(pool.copy == 2)[[5, 3]]
        few = prepare(tracks, pool.take(chosen), extractor(), num_labels=3, seed=4)
        assert torch.equal(few.__getitems__([0, 1])["input_features"], everything[chosen])
        other = prepare(tracks, pool, extractor(), num_labels=3, seed=5).__getitems__(range(len(pool)))[
            "input_features"
        ]
        assert torch.equal(other[pool.copy == 0], everything[pool.copy == 0])
        assert (other != everything)[pool.copy > 0].flatten(1).any(dim=1).all()
        monkeypatch.setattr(extraction, "_to_table", refuse)
        prepare(tracks, pool, extractor(), num_labels=3, seed=4)

    def test_a_copy_is_made_of_its_segment_alone(self, tracks, pool):
        assert COPY_AUGMENTATION.changes_waveform
        row = int(np.flatnonzero(pool.copy == 1)[6])
        reader = SegmentReader(TrackReader(tracks), pool, 0, whole_tracks=True)
        original = reader.read(row - 1)
        assert pool.copy[row - 1] == 0
        copy = reader.read(row)
        fits = [np.corrcoef(np.roll(original, shift), copy)[0, 1] for shift in range(-RATE // 2, RATE // 2 + 1)]
        assert max(fits) > 0.99  # a roll of the segment, at another level, with noise 20 dB or more below

    def test_live_copies_equal_cached_ones(self, tracks, pool):
        cached = prepare(tracks, pool, extractor(), num_labels=3)
        source = LiveFeatures(
            SegmentReader(TrackReader(tracks), pool, 0), BatchExtractor(extractor(), RATE), Augmentation()
        )
        equal(SegmentDataset(source, pool.label, 3).__getitems__(range(40)), cached.__getitems__(range(40)))


class TestDataLoader:
    @pytest.mark.parametrize("augmentation", [None, EVERYTHING])
    def test_workers_give_the_same_batches(self, tracks, rows, augmentation):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, whole_tracks=True)
        sampler = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        options = {"batch_size": 8, "sampler": sampler, "collate_fn": collate}
        here = list(DataLoader(data, **options))
        there = list(DataLoader(data, num_workers=2, **options))
        assert len(here) == -(-len(rows) // 8)
        for one, two in zip(here, there, strict=True):
            equal(one, two)

    def test_workers_that_stay_see_the_new_epoch(self, tracks, rows):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=ON_SPECTROGRAMS)
        loader = DataLoader(data, batch_size=16, collate_fn=collate, num_workers=1, persistent_workers=True)
        epochs = []
        for epoch in range(2):
            data.set_epoch(epoch)
            epochs.append(list(loader))
            for one, two in zip(epochs[-1], data.batches(16), strict=True):
                equal(one, two)
        assert not torch.equal(epochs[0][0]["input_features"], epochs[1][0]["input_features"])

    @pytest.mark.parametrize("augmentation", [None, EVERYTHING])
    def test_it_is_pickled_by_file_names(self, tracks, rows, augmentation):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, whole_tracks=True)
        data.set_epoch(4)
        before = data.__getitems__([1, 2])
        state = pickle.dumps(data)
        assert len(state) < 40_000 < TrackReader(tracks).num_samples.sum()
        equal(pickle.loads(state).__getitems__([1, 2]), before)

    def test_it_goes_to_a_spawned_process(self, tracks, rows):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=EVERYTHING, whole_tracks=True)
        context = multiprocessing.get_context("spawn")
        loader = DataLoader(data, 20, collate_fn=collate, num_workers=1, multiprocessing_context=context)
        for one, two in zip(loader, data.batches(20), strict=True):
            equal(one, two)


class TestOtherExtractors:
    @pytest.mark.parametrize("has_mask", [True, False])
    def test_models_of_waveforms_take_samples_live(self, tracks, rows, has_mask):
        speech = Wav2Vec2FeatureExtractor(sampling_rate=RATE, return_attention_mask=has_mask)
        data = prepare(tracks, rows, speech, num_labels=3, augmentation=Augmentation(gain_db=6.0, mixup_alpha=0.4))
        plain = prepare(tracks, rows, speech, num_labels=3)
        assert isinstance(plain.source, LiveFeatures)
        short = int(np.flatnonzero(rows.num_samples < RATE)[0])
        batch = plain.__getitems__([short, 0])
        assert batch["input_values"].shape == (2, RATE)
        assert ("attention_mask" in batch) is has_mask
        count = int(rows.num_samples[short])
        if has_mask:
            assert batch["attention_mask"].sum(dim=1).tolist() == [count, RATE]
        reader = TrackReader(tracks)
        wave = reader.read(int(rows.track[0]), int(rows.start[0]), RATE)
        expected = speech(wave, sampling_rate=RATE, return_tensors="pt")["input_values"][0]
        assert torch.equal(batch["input_values"][1], expected)
        # gain is taken out again by the extractor's normalisation
        mixed = data.__getitems__([short, 0])
        assert mixed["input_values"].shape == (2, RATE)
        assert mixed["labels"].shape == (2, 3)
        with pytest.raises(OptionError, match="takes waveforms"):
            prepare(tracks, rows, speech, num_labels=3, augmentation=ON_SPECTROGRAMS)

    @pytest.mark.filterwarnings("ignore:At least one mel filter")
    def test_frames_may_be_the_last_axis(self, tracks, rows):
        whisper = WhisperFeatureExtractor(
            feature_size=20, sampling_rate=RATE, hop_length=80, chunk_length=2, n_fft=256
        )
        masks = Augmentation(spec_frequency_masks=1, spec_frequency_width=8)
        plain = prepare(tracks, rows, whisper, num_labels=3).__getitems__(range(len(rows)))
        got = prepare(tracks, rows, whisper, num_labels=3, augmentation=masks).__getitems__(range(len(rows)))
        assert plain["input_features"].shape == (len(rows), 20, 200)
        assert "attention_mask" not in plain
        bands = (got["input_features"] != plain["input_features"]).all(dim=2)
        assert 0 < bands.sum(dim=1).max() <= 8
        assert torch.equal((got["input_features"] != plain["input_features"]).any(dim=2), bands)


def test_real_clips_go_through(tmp_path):
    clips = Path(__file__).parents[2] / "shared" / "gtzan-subset"
    if not clips.is_dir():
        pytest.skip("../shared/gtzan-subset is not here")
    folder = tmp_path / "genres"
    for genre in ("blues", "metal"):
        (folder / genre).mkdir(parents=True)
        (folder / genre / f"{genre}.00000.flac").symlink_to(clips / "genres" / genre / f"{genre}.00000.flac")
    tracks = decode_tracks(load_gtzan(folder, cache_dir=tmp_path / "cache"), 22050)
    reader = TrackReader(tracks)
    expected, rate = soundfile.read(clips / "genres" / "blues" / "blues.00000.flac", dtype="float32")
    assert rate == 22050
    np.testing.assert_array_equal(reader.read(0), expected)
    rows = cut_segments(
        tracks["track_id"], tracks["genre"], reader.num_samples, 22050, segment_seconds=3.0, hop_seconds=3.0
    )
    data = prepare(tracks, rows, LogMelFeatureExtractor(), num_labels=2)
    batch = data.__getitems__(range(len(data)))
    assert batch["input_features"].shape == (len(rows), 130, 128)
    assert torch.isfinite(batch["input_features"]).all()
