"""Augmentation and augmented copies through the data set."""

import numpy as np
import pytest
import torch

from mgc_hf.augment import COPY_AUGMENTATION, Augmentation
from mgc_hf.data.segments import paper_pool
from mgc_hf.errors import OptionError
from mgc_hf.features import SegmentDataset, TrackReader, extraction, prepare
from mgc_hf.features.dataset import CachedFeatures, LiveFeatures
from mgc_hf.features.extraction import BatchExtractor, SegmentReader
from tests.features.corpus import EVERYTHING, ON_SPECTROGRAMS, RATE, equal, extractor, refuse


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
