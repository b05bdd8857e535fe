"""Models that take the waveform (wav2vec 2.0 and its kin), and waveforms that are mixed before any extractor."""

import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor, Wav2Vec2FeatureExtractor

from mgc_hf.augment import Augmentation, mix_waveforms
from mgc_hf.errors import OptionError
from mgc_hf.features import TrackReader, prepare
from mgc_hf.features.dataset import LiveFeatures
from mgc_hf.options import parse_options
from tests.features.corpus import RATE, equal, extractor

MIXED = Augmentation(mixup_alpha=0.4, mixup_waveforms=True)


def waveform_extractor(**values):
    return Wav2Vec2FeatureExtractor(sampling_rate=RATE, **values)


@pytest.mark.parametrize("do_normalize", [True, False])
def test_tracks_of_int16_reach_the_model_as_float32(tracks, rows, do_normalize):
    """The extractor itself makes float64 of int16 samples."""
    short = np.ones(RATE, dtype=np.int16)
    assert waveform_extractor()(short, sampling_rate=RATE)["input_values"][0].dtype == np.float64
    made = waveform_extractor(do_normalize=do_normalize, return_attention_mask=True)
    for augmentation in (None, Augmentation(gain_db=6.0), MIXED):
        data = prepare(tracks, rows, made, num_labels=3, augmentation=augmentation, whole_tracks=True)
        batch = data.__getitems__(range(len(rows)))
        assert batch["input_values"].dtype == torch.float32
        assert batch["input_values"].shape == (len(rows), RATE)
        whole = batch["attention_mask"].all(dim=1)
        deviation = batch["input_values"][whole].std(dim=1)
        assert bool((deviation > 0.5).all()) is do_normalize
    assert TrackReader(tracks).integers(0)[0].dtype == np.int16


@pytest.mark.parametrize("make", [waveform_extractor, extractor], ids=["input_values", "input_features"])
def test_waveforms_are_mixed_before_the_extractor(tracks, whole_rows, make):
    data = prepare(tracks, whole_rows, make(), num_labels=3, augmentation=MIXED, seed=1)
    assert isinstance(data.source, LiveFeatures)
    data.set_epoch(2)
    batch = data.__getitems__(range(len(data)))
    draws = MIXED.draw(1, 2, len(data))
    reader = TrackReader(tracks)
    waves = [
        reader.read(int(whole_rows.track[row]))[int(whole_rows.start[row]) :][:RATE] for row in range(len(whole_rows))
    ]
    for row, (partner, weight) in enumerate(zip(draws.partner, draws.weight, strict=True)):
        mixed = (weight * waves[row] + (1 - weight) * waves[partner]).astype(np.float32)
        expected = make()(mixed, sampling_rate=RATE, return_tensors="pt")[data.source.name][0]
        torch.testing.assert_close(batch[data.source.name][row], expected, atol=1e-4, rtol=1e-4)
        target = np.zeros(3)
        target[whole_rows.label[row]] += weight
        target[whole_rows.label[partner]] += 1 - weight
        np.testing.assert_allclose(batch["labels"][row], target, atol=1e-6)
    assert batch["labels"].dtype == torch.float32


def test_the_draws_are_those_of_mixup_without_waveforms(tracks, whole_rows):
    inputs = Augmentation(mixup_alpha=0.4)
    ours, theirs = MIXED.draw(3, 1, 50), inputs.draw(3, 1, 50)
    np.testing.assert_array_equal(ours.partner, theirs.partner)
    np.testing.assert_array_equal(ours.weight, theirs.weight)
    labels = [
        prepare(tracks, whole_rows, extractor(), num_labels=3, augmentation=augmentation).__getitems__(range(20))
        for augmentation in (MIXED, inputs)
    ]
    assert torch.equal(labels[0]["labels"], labels[1]["labels"])
    assert not torch.equal(labels[0]["input_features"], labels[1]["input_features"])


def test_a_mixed_row_has_the_same_bits_in_every_batch(tracks, rows):
    augmentation = Augmentation(mixup_alpha=0.4, mixup_waveforms=True, gain_db=6.0, noise_snr_db=10.0)
    data = prepare(tracks, rows, waveform_extractor(), num_labels=3, augmentation=augmentation, whole_tracks=True)
    everything = data.__getitems__(range(len(rows)))
    for chosen in ([3], [11, 3, 40], [8, 8]):
        equal(data.__getitems__(chosen), {name: value[chosen] for name, value in everything.items()})
    data.set_epoch(1)
    assert not torch.equal(data.__getitems__([3])["input_values"], everything["input_values"][[3]])


@pytest.mark.parametrize(("length", "partner"), [(5, 3), (3, 5), (4, 4)])
def test_where_one_is_shorter_the_row_keeps_its_own(length, partner):
    samples, other = np.arange(length, dtype=np.float32), np.full(partner, 10, dtype=np.float32)
    mixed = mix_waveforms(samples.copy(), other, np.float32(0.25))
    assert mixed.dtype == np.float32
    assert len(mixed) == length
    both = min(length, partner)
    np.testing.assert_allclose(mixed[:both], 0.25 * samples[:both] + 7.5)
    np.testing.assert_array_equal(mixed[both:], samples[both:])


def test_short_rows_keep_their_length(tracks, rows):
    made = waveform_extractor(return_attention_mask=True)
    mixed = prepare(tracks, rows, made, num_labels=3, augmentation=MIXED)
    plain = prepare(tracks, rows, made, num_labels=3)
    one, two = mixed.__getitems__(range(len(rows))), plain.__getitems__(range(len(rows)))
    assert torch.equal(one["attention_mask"], two["attention_mask"])
    assert not one["attention_mask"].all()
    assert not one["input_values"][one["attention_mask"] == 0].any()


def test_waveforms_for_spectrograms_of_another_library(tracks, whole_rows):
    made = ASTFeatureExtractor(sampling_rate=RATE, max_length=96, num_mel_bins=16)
    batch = prepare(tracks, whole_rows, made, num_labels=3, augmentation=MIXED).__getitems__([0, 1])
    assert {name: value.dtype for name, value in batch.items()} == {
        "input_values": torch.float32,
        "labels": torch.float32,
    }


def test_mixing_waveforms_without_mixup_is_refused():
    with pytest.raises(OptionError, match=r"mixup_waveforms is on and mixup_alpha is 0"):
        Augmentation(mixup_waveforms=True)
    with pytest.raises(
        OptionError, match=r"--mixup_waveforms is True; it must be left out, or given with --mixup_alpha"
    ):
        parse_options({"output_dir": "out", "mixup_alpha": 0.0}, ["--mixup_waveforms", "true"])
