from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from mgc_hf.augment import Augmentation
from mgc_hf.data.segments import cut_segments
from mgc_hf.data.sources import load_gtzan
from mgc_hf.errors import OptionError
from mgc_hf.features import TrackReader, decode_tracks, extract_features, extraction, prepare
from mgc_hf.features import cache as features_cache
from mgc_hf.features.dataset import LiveFeatures
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor
from tests.features.corpus import ON_SPECTROGRAMS, RATE, SETTINGS, extractor, refuse


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

    @pytest.mark.parametrize("change", ["rows", "lengths", "setting", "tracks"])
    def test_any_change_computes_anew(self, corpus, tracks, rows, change, monkeypatch):
        extract_features(tracks, rows, extractor())
        monkeypatch.setattr(extraction, "_to_table", refuse)
        extract_features(tracks, replace(rows, label=rows.label * 0, part=rows.part[::-1]), extractor())
        changed = {
            "rows": (tracks, rows.take(np.arange(5)), extractor()),
            "lengths": (tracks, replace(rows, num_samples=np.minimum(rows.num_samples, RATE - 1)), extractor()),
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
        with pytest.raises(OptionError, match="takes spectrograms, which this one does not"):
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

    @pytest.mark.filterwarnings("ignore:At least one mel filter")
    def test_a_reloaded_one_reads_the_cache(self, tracks, rows, monkeypatch, tmp_path):
        few = rows.take(np.arange(3))
        settings = {"feature_size": 20, "sampling_rate": RATE, "hop_length": 80, "chunk_length": 2, "n_fft": 256}
        whisper = WhisperFeatureExtractor(**settings)
        whisper.hop_seconds = 0.25  # where clips are cut is in the rows
        whisper.save_pretrained(tmp_path)
        whisper.hop_seconds = None
        extract_features(tracks, few, whisper)
        monkeypatch.setattr(extraction, "_to_table", refuse)
        extract_features(tracks, few, WhisperFeatureExtractor.from_pretrained(tmp_path))
        with pytest.raises(AssertionError, match="computed again"):
            extract_features(tracks, few, WhisperFeatureExtractor(**{**settings, "n_fft": 200}))


def test_real_clips_go_through(tmp_path, gtzan_subset):
    folder = tmp_path / "genres"
    for genre in ("blues", "metal"):
        (folder / genre).mkdir(parents=True)
        (folder / genre / f"{genre}.00000.flac").symlink_to(
            (gtzan_subset / "genres" / genre / f"{genre}.00000.flac").resolve()
        )
    tracks = decode_tracks(load_gtzan(folder, cache_dir=tmp_path / "cache"), 22050)
    reader = TrackReader(tracks)
    expected, rate = soundfile.read(gtzan_subset / "genres" / "blues" / "blues.00000.flac", dtype="float32")
    assert rate == 22050
    np.testing.assert_array_equal(reader.read(0), expected)
    rows = cut_segments(
        tracks["track_id"], tracks["genre"], reader.num_samples, 22050, segment_seconds=3.0, hop_seconds=3.0
    )
    data = prepare(tracks, rows, LogMelFeatureExtractor(), num_labels=2)
    batch = data.__getitems__(range(len(data)))
    assert batch["input_features"].shape == (len(rows), 130, 128)
    assert torch.isfinite(batch["input_features"]).all()
