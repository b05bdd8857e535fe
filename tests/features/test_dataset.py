from dataclasses import replace

import datasets
import numpy as np
import pytest
import torch

from mgc_hf.augment import Augmentation
from mgc_hf.features import SegmentDataset, TrackReader, extract_features, extraction, prepare
from mgc_hf.features.dataset import CachedFeatures, LiveFeatures
from mgc_hf.features.extraction import BatchExtractor, SegmentReader
from tests.features.corpus import RATE, equal, extractor, in_mapping, refuse


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
