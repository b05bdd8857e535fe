import random
import sys

import numpy as np
import pytest
import torch

from mgc_hf.augment import COPY_AUGMENTATION, SNR_RANGE_DB, Augmentation, copy_draw, mix, soft_labels
from mgc_hf.errors import OptionError

RATE = 8000


def track(seconds=4.0, seed=0):
    """Return int16 samples and a scale; white noise, so that every window is recognised by its samples."""
    rng = np.random.default_rng(seed)
    return rng.integers(-8000, 8000, round(seconds * RATE)).astype(np.int16), 1 / 32768


def augmented(augmentation, samples, scale=1 / 32768, start=0, length=RATE, row=0, epoch=0, seed=0):
    draw = augmentation.draw(seed, epoch, row + 1).of_row(row)
    return augmentation.waveform(samples, scale, start, length, RATE, draw)


def found_at(window, samples, scale=1 / 32768):
    """Return where in the track a float window was cut."""
    integers = np.rint(window / np.float32(scale)).astype(np.int16)
    windows = np.lib.stride_tricks.sliding_window_view(samples, len(integers))
    (places,) = np.nonzero((windows[:, :8] == integers[:8]).all(axis=1))
    assert len(places) == 1
    np.testing.assert_array_equal(windows[places[0]], integers)
    return int(places[0])


class TestOptions:
    def test_everything_is_off_by_default(self):
        off = Augmentation()
        assert not off
        assert not any([off.changes_waveform, off.changes_spectrogram, off.mixes, off.needs_audiomentations])

    def test_takes_the_recipes_options_by_name(self):
        from mgc_hf.options import AugmentOptions

        values = vars(AugmentOptions(gain_db=3.0, spec_time_masks=1, mixup_alpha=0.3))
        augmentation = Augmentation.from_values(values)
        assert augmentation.to_dict() == values
        off = AugmentOptions(spec_time_masks=0, spec_frequency_masks=0, mixup_alpha=0.0)
        assert not Augmentation.from_values(vars(off))

    @pytest.mark.parametrize(
        ("option", "kind"),
        [
            ({"random_offset": True}, "changes_waveform"),
            ({"time_shift_seconds": 0.1}, "changes_waveform"),
            ({"gain_db": 0.1}, "changes_waveform"),
            ({"noise_snr_db": 0.0}, "changes_waveform"),
            ({"pitch_shift_semitones": 1.0}, "changes_waveform"),
            ({"time_stretch": 0.1}, "changes_waveform"),
            ({"spec_time_masks": 1, "spec_time_width": 1}, "changes_spectrogram"),
            ({"spec_frequency_masks": 1, "spec_frequency_width": 1}, "changes_spectrogram"),
            ({"mixup_alpha": 0.1}, "mixes"),
        ],
    )
    def test_each_option_switches_its_kind_on(self, option, kind):
        augmentation = Augmentation(**option)
        assert augmentation
        on = {name for name in ("changes_waveform", "changes_spectrogram", "mixes") if getattr(augmentation, name)}
        assert on == {kind}

    def test_all_wrong_values_are_told_at_once(self):
        with pytest.raises(OptionError) as caught:
            Augmentation(gain_db=-1.0, time_stretch=0.6, noise_snr_db=float("nan"), mixup_alpha=float("inf"))
        text = str(caught.value)
        assert "gain_db is -1.0; it must be 0 or more" in text
        assert "time_stretch is 0.6; it must be from 0 to 0.5" in text
        assert "noise_snr_db is nan" in text
        assert "mixup_alpha is inf" in text


class TestDraws:
    every = Augmentation(
        spec_time_masks=2, spec_time_width=5, spec_frequency_masks=1, spec_frequency_width=4, mixup_alpha=0.4
    )

    def test_a_row_draws_the_same_whatever_the_number_of_rows(self):
        few, many = self.every.draw(3, 5, 10), self.every.draw(3, 5, 1000)
        for row in range(10):
            assert few.of_row(row) == many.of_row(row)
        np.testing.assert_array_equal(few.masks, many.masks[:10])
        np.testing.assert_array_equal(few.weight, many.weight[:10])

    @pytest.mark.parametrize("other", [(4, 5), (3, 6)])
    def test_seed_and_epoch_change_every_draw(self, other):
        one, two = self.every.draw(3, 5, 50), self.every.draw(*other, 50)
        assert (one.waveform != two.waveform).all()
        assert (one.masks != two.masks).all()
        assert (one.weight != two.weight).mean() > 0.9
        assert (one.partner != two.partner).mean() > 0.9
        assert one.of_row(7).noise_seed != two.of_row(7).noise_seed

    def test_rows_differ_and_columns_are_uniform(self):
        waveform = self.every.draw(0, 0, 4000).waveform
        assert len(np.unique(waveform)) == waveform.size
        np.testing.assert_allclose(waveform.mean(axis=0), 0.5, atol=0.03)
        np.testing.assert_allclose(np.corrcoef(waveform.T) - np.eye(6), 0, atol=0.08)

    def test_one_option_does_not_move_the_draws_of_another(self):
        alone = Augmentation(gain_db=6.0).draw(0, 0, 20)
        np.testing.assert_array_equal(alone.waveform, self.every.draw(0, 0, 20).waveform)

    def test_kinds_have_streams_of_their_own(self):
        draws = self.every.draw(0, 0, 600)
        kinds = [draws.waveform.ravel()[:600], draws.masks.ravel()[:600], draws.partner / 600, draws.weight]
        np.testing.assert_allclose(np.corrcoef(kinds) - np.eye(4), 0, atol=0.15)

    def test_weights_are_beta_and_partners_are_any_row(self):
        draws = Augmentation(mixup_alpha=0.4).draw(0, 0, 20_000)
        # variance of Beta(a, a) is 1 / (4 (2 a + 1))
        assert draws.weight.mean() == pytest.approx(0.5, abs=0.01)
        assert draws.weight.var() == pytest.approx(1 / (4 * 1.8), rel=0.03)
        assert draws.partner.min() == pytest.approx(0, abs=10)
        assert draws.partner.max() == pytest.approx(20_000, abs=10)
        assert len(np.unique(draws.partner)) == pytest.approx(20_000 * (1 - np.exp(-1)), rel=0.02)

    def test_copies_draw_by_id_and_seed(self):
        one = copy_draw(0, "blues.00000#3+1")
        assert one == copy_draw(0, "blues.00000#3+1")
        others = [copy_draw(0, "blues.00000#3+2"), copy_draw(0, "blues.00001#3+1"), copy_draw(1, "blues.00000#3+1")]
        assert len({one, *others}) == 4
        # the same numbers on every machine and in every process
        assert one.offset == pytest.approx(0.97431036, abs=1e-8)


class TestWaveform:
    def test_no_strength_no_change(self):
        samples, scale = track()
        got = augmented(Augmentation(noise_snr_db=None), samples, start=1234)
        np.testing.assert_array_equal(got, samples[1234 : 1234 + RATE].astype(np.float32) * np.float32(scale))
        assert got.dtype == np.float32

    def test_shift_reads_the_track_and_stays_in_it(self):
        samples, _ = track()
        shift = Augmentation(time_shift_seconds=0.5)
        places = [found_at(augmented(shift, samples, start=RATE, row=row), samples) for row in range(40)]
        assert all(RATE // 2 <= place <= 3 * RATE // 2 for place in places)
        assert max(places) - min(places) > 0.8 * RATE
        at_start = [found_at(augmented(shift, samples, start=0, row=row), samples) for row in range(40)]
        at_end = [found_at(augmented(shift, samples, start=3 * RATE, row=row), samples) for row in range(40)]
        assert all(0 < place <= RATE // 2 for place in at_start)
        assert all(3 * RATE - RATE // 2 <= place < 3 * RATE for place in at_end)

    def test_shift_rolls_where_there_is_nothing_else(self):
        samples, scale = track(seconds=1.0)
        got = augmented(Augmentation(time_shift_seconds=0.25), samples)
        original = samples.astype(np.float32) * np.float32(scale)
        assert not np.array_equal(got, original)
        rolls = [shift for shift in range(-RATE // 4, RATE // 4 + 1) if np.array_equal(np.roll(original, shift), got)]
        assert len(rolls) == 1

    def test_random_offset_reaches_the_whole_track(self):
        samples, _ = track()
        offset = Augmentation(random_offset=True)
        places = np.array([found_at(augmented(offset, samples, start=0, row=row), samples) for row in range(200)])
        assert places.min() < 0.05 * 3 * RATE
        assert places.max() > 0.95 * 3 * RATE
        assert places.mean() == pytest.approx(1.5 * RATE, rel=0.15)
        again = [found_at(augmented(offset, samples, start=999, row=row), samples) for row in range(5)]
        assert again == places[:5].tolist()

    def test_random_offset_of_a_track_of_one_segment_changes_nothing(self):
        samples, scale = track(seconds=1.0)
        got = augmented(Augmentation(random_offset=True), samples)
        np.testing.assert_array_equal(got, samples.astype(np.float32) * np.float32(scale))

    def test_gain_is_a_factor_within_its_decibels(self):
        samples, scale = track()
        original = samples[:RATE].astype(np.float64) * scale
        levels = []
        for row in range(60):
            got = augmented(Augmentation(gain_db=6.0), samples, row=row)
            ratio = got.astype(np.float64) @ original / (original @ original)
            np.testing.assert_allclose(got, ratio * original, atol=1e-6)
            levels.append(20 * np.log10(ratio))
        assert -6 <= min(levels) < -5
        assert 5 < max(levels) <= 6

    def test_noise_is_white_and_at_least_at_its_ratio(self):
        samples, scale = track()
        original = samples[:RATE].astype(np.float64) * scale
        ratios = []
        for row in range(60):
            noise = augmented(Augmentation(noise_snr_db=20.0), samples, row=row) - original
            ratios.append(10 * np.log10((original**2).mean() / (noise**2).mean()))
            assert abs(noise[1:] @ noise[:-1]) < 0.05 * noise @ noise
        assert 19.8 < min(ratios) < 23
        assert 20 + SNR_RANGE_DB - 3 < max(ratios) < 20 + SNR_RANGE_DB + 0.2

    def test_noise_leaves_silence_silent(self):
        got = augmented(Augmentation(noise_snr_db=0.0), np.zeros(RATE, np.int16))
        assert not got.any()

    def test_all_of_it_is_pure(self):
        samples, _ = track()
        every = Augmentation(random_offset=True, time_shift_seconds=0.1, gain_db=6.0, noise_snr_db=10.0)
        one = augmented(every, samples, row=3, epoch=2, seed=1)
        np.testing.assert_array_equal(one, augmented(every, samples, row=3, epoch=2, seed=1))
        for other in ({"row": 4}, {"epoch": 3}, {"seed": 2}):
            assert not np.array_equal(one, augmented(every, samples, **{"row": 3, "epoch": 2, "seed": 1, **other}))

    def test_the_source_is_not_written_to(self):
        samples, _ = track()
        samples.flags.writeable = False
        augmented(COPY_AUGMENTATION, samples)


class TestAudiomentations:
    def sine(self, seconds=3.0, frequency=440.0):
        times = np.arange(round(seconds * RATE)) / RATE
        return np.rint(8000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16)

    def peak(self, samples):
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        return spectrum.argmax() * RATE / len(samples)

    @pytest.fixture(autouse=True)
    def _package(self):
        pytest.importorskip("audiomentations", reason="the extra audiomentations is not installed")

    def test_pitch_shift_moves_the_pitch_and_not_the_length(self):
        shift = Augmentation(pitch_shift_semitones=4.0)
        for row in range(4):
            draw = shift.draw(0, 0, 5).of_row(row)
            got = shift.waveform(self.sine(), 1 / 32768, 0, 2 * RATE, RATE, draw)
            assert got.shape == (2 * RATE,)
            expected = 440 * 2 ** ((2 * draw.pitch - 1) * 4 / 12)
            assert self.peak(got[RATE // 2 : -RATE // 4]) == pytest.approx(expected, abs=2.0)

    def test_time_stretch_moves_the_tempo_and_not_the_pitch(self):
        # a sine whose loudness swings four times a second
        times = np.arange(4 * RATE) / RATE
        swing = 0.5 + 0.5 * np.cos(2 * np.pi * 4 * times)
        samples = np.rint(8000 * swing * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
        stretch = Augmentation(time_stretch=0.3)
        for row in range(4):
            draw = stretch.draw(0, 0, 5).of_row(row)
            got = stretch.waveform(samples, 1 / 32768, 0, 2 * RATE, RATE, draw)
            assert got.shape == (2 * RATE,)
            assert self.peak(got) == pytest.approx(440, abs=2.0)
            envelope = np.convolve(np.abs(got), np.ones(80) / 80, "same")
            swings = np.abs(np.fft.rfft(envelope - envelope.mean(), 8 * len(envelope)))
            rate = 1 + (2 * draw.stretch - 1) * 0.3
            assert swings.argmax() * RATE / (8 * len(envelope)) == pytest.approx(4 * rate, rel=0.06)

    def test_a_faster_segment_takes_more_of_the_track_and_no_silence(self):
        stretch = Augmentation(time_stretch=0.3)
        draw = stretch.draw(0, 0, 1).of_row(0)._replace(stretch=0.95)
        for samples in (self.sine(seconds=3.0), self.sine(seconds=1.0)):
            got = stretch.waveform(samples, 1 / 32768, len(samples) - RATE, RATE, RATE, draw)
            assert got.shape == (RATE,)
            assert np.abs(got[-200:]).max() > 0.1

    def test_it_is_pure_and_leaves_the_global_generators_alone(self):
        both = Augmentation(pitch_shift_semitones=2.0, time_stretch=0.1)
        samples, _ = track()
        random.seed(1)
        np.random.seed(1)
        states = random.getstate(), np.random.get_state()[1].copy()
        both.check(has_spectrograms=True, whole_tracks=True)
        one = augmented(both, samples, row=2)
        assert random.getstate() == states[0]
        np.testing.assert_array_equal(np.random.get_state()[1], states[1])
        random.seed(2)
        np.random.seed(2)
        np.testing.assert_array_equal(one, augmented(both, samples, row=2))
        assert not np.array_equal(one, augmented(both, samples, row=2, epoch=1))


@pytest.mark.parametrize("option", [{"pitch_shift_semitones": 1.0}, {"time_stretch": 0.1}])
def test_a_missing_package_is_one_error_that_names_the_extra(monkeypatch, option):
    monkeypatch.setitem(sys.modules, "audiomentations", None)
    with pytest.raises(OptionError, match=r"pip install audiomentations"):
        Augmentation(**option).check(has_spectrograms=True, whole_tracks=True)
    Augmentation(gain_db=1.0).check(has_spectrograms=True, whole_tracks=True)


class TestSpecAugment:
    both = Augmentation(spec_time_masks=2, spec_time_width=10, spec_frequency_masks=1, spec_frequency_width=6)

    def masked(self, augmentation, spectrograms, num_frames=None, epoch=0, rows=None):
        rows = np.arange(len(spectrograms)) if rows is None else rows
        num_frames = np.full(len(spectrograms), spectrograms.shape[1]) if num_frames is None else num_frames
        got = spectrograms.clone()
        augmentation.mask(got, num_frames, augmentation.draw(0, epoch, int(rows.max()) + 1).masks[rows])
        return got

    def test_masks_are_bands_at_the_mean_of_the_spectrogram(self):
        before = torch.randn(64, 40, 16, generator=torch.Generator().manual_seed(0)) * 10 - 40
        after = self.masked(self.both, before)
        changed = (after != before).numpy()
        times, bands = changed.all(axis=2), changed.all(axis=1)
        np.testing.assert_array_equal(changed, times[:, :, None] | bands[:, None, :])
        for row in range(64):
            if changed[row].any():
                np.testing.assert_allclose(after[row].numpy()[changed[row]], before[row].mean(), rtol=1e-5)
        runs = np.diff(np.pad(bands, ((0, 0), (1, 1))).astype(int), axis=1)
        assert ((runs == 1).sum(axis=1) <= 1).all()
        assert set(bands.sum(axis=1)) == set(range(7))
        assert times.sum(axis=1).max() > 10
        assert times.sum(axis=1).max() <= 20
        # every frame and every band is met
        assert times.any(axis=0).all()
        assert bands.any(axis=0).all()

    def test_a_single_time_mask_is_at_most_its_width(self):
        before = torch.randn(300, 40, 4, generator=torch.Generator().manual_seed(0))
        after = self.masked(Augmentation(spec_time_masks=1, spec_time_width=7), before)
        widths = (after != before).all(dim=2).sum(dim=1).numpy()
        assert set(widths) == set(range(8))
        assert np.bincount(widths).min() > 300 / 8 / 2

    def test_padding_is_neither_masked_nor_counted(self):
        before = torch.randn(50, 40, 8, generator=torch.Generator().manual_seed(0))
        before[:, 12:] = -1000.0
        after = self.masked(self.both, before, num_frames=np.full(50, 12))
        assert (after[:, 12:] == -1000.0).all()
        assert after[:, :12].min() > -100
        assert (after != before).any()

    def test_a_time_mask_covers_at_most_half_of_a_short_row(self):
        before = torch.randn(200, 6, 4, generator=torch.Generator().manual_seed(0))
        after = self.masked(Augmentation(spec_time_masks=1, spec_time_width=100), before)
        widths = (after != before).all(dim=2).sum(dim=1).numpy()
        assert widths.max() == 3

    def test_a_row_is_masked_alike_in_every_batch(self):
        spectrograms = torch.randn(20, 40, 16, generator=torch.Generator().manual_seed(0))
        whole = self.masked(self.both, spectrograms)
        rows = np.array([7, 3, 11])
        torch.testing.assert_close(self.masked(self.both, spectrograms[rows], rows=rows), whole[rows], rtol=0, atol=0)
        assert not torch.equal(self.masked(self.both, spectrograms, epoch=1), whole)


class TestMixup:
    def test_features_and_labels_are_mixed_by_one_weight(self):
        features, partners = torch.randn(3, 5, 4), torch.randn(3, 5, 4)
        weight = torch.tensor([1.0, 0.25, 0.0])
        got = mix(features.clone(), partners.clone(), weight)
        torch.testing.assert_close(got[0], features[0])
        torch.testing.assert_close(got[1], 0.25 * features[1] + 0.75 * partners[1])
        torch.testing.assert_close(got[2], partners[2])
        labels = soft_labels(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 0]), weight, 3)
        assert labels.dtype == torch.float32
        assert labels.tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]

    @pytest.mark.parametrize("shape", [(7, 13, 5), (7, 1001)])
    def test_a_row_has_the_same_bits_in_every_batch(self, shape):
        features, partners, weight = torch.randn(shape), torch.randn(shape), torch.rand(shape[0])
        whole = mix(features.clone(), partners.clone(), weight)
        for row in range(shape[0]):
            alone = mix(features[row : row + 1].clone(), partners[row : row + 1].clone(), weight[row : row + 1])
            assert torch.equal(alone[0], whole[row])
