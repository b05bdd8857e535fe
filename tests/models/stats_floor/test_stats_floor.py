"""The floor as a model of transformers: its statistics are librosa's, its logits a linear discriminant analysis."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioClassification

import mgc_hf.models.mel_lstm as lstm_package
import mgc_hf.models.stats_floor as package
from mgc_hf.errors import OptionError
from mgc_hf.models.build import build_model, is_fitted, plan_model
from mgc_hf.models.stats_floor import StatsFeatureExtractor, StatsFloorConfig, StatsFloorForAudioClassification
from mgc_hf.training.fitting import fit_discriminants
from tests.tunes import SAMPLING_RATE, tune


def by_librosa(clip: np.ndarray, rate: int) -> np.ndarray:
    """The same statistics, each feature by its own function of librosa."""
    magnitude = np.abs(librosa.stft(clip, n_fft=2048, hop_length=512))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=128)
    decibels = librosa.power_to_db(mel, ref=1.0, top_db=None)
    cepstra = librosa.feature.mfcc(S=decibels, n_mfcc=20)
    frames = [
        cepstra,
        librosa.feature.delta(cepstra, mode="nearest"),
        librosa.feature.chroma_stft(S=magnitude**2, sr=rate, tuning=0.0),
        librosa.feature.spectral_contrast(S=magnitude, sr=rate),
        librosa.feature.spectral_centroid(S=magnitude, sr=rate),
        librosa.feature.spectral_bandwidth(S=magnitude, sr=rate),
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate),
        librosa.feature.spectral_flatness(S=magnitude),
        librosa.feature.zero_crossing_rate(clip, frame_length=2048, hop_length=512),
        librosa.feature.rms(S=magnitude, frame_length=2048),
        librosa.onset.onset_strength(S=decibels, sr=rate)[None],
    ]
    of_frames = [value for name in ("mean", "std") for value in [getattr(np.vstack(frames), name)(axis=1)]]
    steps = np.abs(np.diff(decibels, axis=1)).mean(axis=1)
    return np.concatenate([*of_frames, decibels.mean(axis=1), decibels.std(axis=1), steps])


@pytest.mark.parametrize("rate", [22050, 16000])
@pytest.mark.parametrize("genre", ["blues", "metal"])
def test_the_statistics_are_those_of_librosa(genre, rate):
    clip = tune(genre, 1, 3.0, rate)
    found = StatsFeatureExtractor(sampling_rate=rate)(clip, sampling_rate=rate)["input_features"]
    assert found.shape == (1, 516)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], by_librosa(clip, rate), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rate", [1000, 8000, 44100])
@pytest.mark.parametrize("clip", ["silence", "short", "tone"])
def test_any_rate_and_any_clip_have_finite_statistics(rate, clip):
    extractor = StatsFeatureExtractor(sampling_rate=rate)
    samples = {
        "silence": np.zeros(rate),
        "short": np.ones(3) / 2,
        "tone": np.sin(np.arange(2 * rate) * 0.1),
    }[clip]
    features = extractor(samples, sampling_rate=rate)["input_features"]
    assert features.shape == (1, extractor.feature_size)
    assert np.isfinite(features).all()


def test_clips_are_computed_on_their_own_and_integers_have_full_scale():
    extractor = StatsFeatureExtractor()
    clips = [tune("jazz", 0, 1.0), tune("metal", 0, 2.5)]
    together = extractor(clips, sampling_rate=SAMPLING_RATE, return_tensors="pt")["input_features"]
    alone = [extractor(clip, sampling_rate=SAMPLING_RATE)["input_features"][0] for clip in clips]
    assert np.array_equal(together.numpy(), np.stack(alone))
    integers = np.round(clips[0] * 32768).astype(np.int16)
    as_floats = extractor(integers / np.float32(32768), sampling_rate=SAMPLING_RATE)["input_features"]
    assert np.array_equal(extractor(integers, sampling_rate=SAMPLING_RATE)["input_features"], as_floats)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"sampling_rate": 400}, "sampling_rate is 400; it must be a whole number of at least 1000"),
        ({"n_fft": 2048.0}, "n_fft is 2048.0"),
        ({"num_mel_bins": 10, "hop_length": 0}, "num_mel_bins is 10.*; hop_length is 0"),
        ({"segment_seconds": 0}, "segment_seconds is 0; it must be a number above 0"),
        ({"hop_seconds": 4.0}, r"hop_seconds is 4.0; it must be above 0 and at most segment_seconds \(3\)"),
    ],
)
def test_options_out_of_range_are_named(values, told):
    with pytest.raises(ValueError, match=told):
        StatsFeatureExtractor(**values)


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match="has no option n_ftt"):
        StatsFeatureExtractor(n_ftt=1024)


@pytest.mark.parametrize(
    ("clip", "rate", "told"),
    [
        (np.zeros(0), SAMPLING_RATE, "clip 0 of raw_speech is empty"),
        (np.array([0.0, np.nan]), SAMPLING_RATE, "samples that are not finite"),
        (np.zeros(100), 16000, "take 22050 Hz"),
        (np.zeros(100), None, "sampling_rate is missing"),
        (np.zeros((2, 100)), SAMPLING_RATE, "mix it to mono"),
    ],
)
def test_audio_that_is_none_is_refused(clip, rate, told):
    with pytest.raises(ValueError, match=told):
        StatsFeatureExtractor()(clip, sampling_rate=rate)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_features": 0}, "num_features is 0"),
        ({"shrinkage": 1.5}, "shrinkage is 1.5"),
        ({"shrinkage": True}, "shrinkage is True"),
    ],
)
def test_configurations_out_of_range_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        StatsFloorConfig(**values)


def rows(num_labels, num_features=6, count=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % num_labels
    scale = 10.0 ** np.arange(num_features)  # units as different as Hz and shares
    features = scale * (rng.normal(size=(count, num_features)) + rng.normal(size=(num_labels, num_features))[labels])
    features[:, 1] = 7.0  # does not vary
    return features.astype(np.float32), labels


def fitted(features, labels, num_labels, shrinkage=0.3):
    model = StatsFloorForAudioClassification(StatsFloorConfig(num_features=features.shape[1], num_labels=num_labels))
    found = fit_discriminants(features, labels, num_labels, shrinkage)
    model.set_discriminants(*(torch.from_numpy(value).float() for value in vars(found).values()))
    return model.eval()


@pytest.mark.parametrize("num_labels", [2, 3, 10])
def test_the_probabilities_are_those_of_scikit_learn(num_labels):
    features, labels = rows(num_labels)
    analysis = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3))
    expected = analysis.fit(features.astype(np.float64), labels).predict_proba(features.astype(np.float64))
    with torch.no_grad():
        found = fitted(features, labels, num_labels)(torch.from_numpy(features)).logits.softmax(-1)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)
    assert (expected.argmax(1) == labels).mean() > 0.5  # or agreement would mean little


def test_shrinkage_is_that_of_the_configuration():
    features, labels = rows(3)
    weights = [fit_discriminants(features, labels, 3, shrinkage).weight for shrinkage in (0.1, 0.9)]
    assert not np.allclose(*weights)


def test_a_genre_without_training_rows_is_never_named():
    features, labels = rows(3)
    model = fitted(features, np.where(labels == 1, 3, labels), 4)
    with torch.no_grad():
        logits = model(torch.from_numpy(features)).logits
    assert logits.softmax(-1)[:, 1].max() == 0
    assert {0, 2, 3} == set(logits.argmax(-1).tolist())


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], []])
def test_too_few_rows_are_refused(labels):
    with pytest.raises(OptionError, match="needs two genres and more segments than genres; the training part has"):
        fit_discriminants(np.zeros((len(labels), 2)), np.array(labels, dtype=int), 3, 0.3)


def test_forward_gives_a_loss_and_refuses_other_shapes():
    features, labels = rows(3)
    model, given = fitted(features, labels, 3), torch.from_numpy(features)
    output = model(given, labels=torch.from_numpy(labels))
    assert torch.isclose(output.loss, torch.nn.functional.cross_entropy(output.logits, torch.from_numpy(labels)))
    assert torch.equal(model(given, return_dict=False)[0], output.logits)
    for wrong in (given[:, :5], given[None]):
        with pytest.raises(ValueError, match=r"must be \(batch_size, 6\)"):
            model(wrong)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("mean", torch.zeros(5), "mean has shape"),
        ("bias", torch.tensor([0.0, torch.nan, 0.0]), "bias is not finite"),
        ("deviation", torch.zeros(6), "deviation must be above 0"),
    ],
)
def test_discriminants_that_are_none_are_refused(name, value, told):
    model = StatsFloorForAudioClassification(StatsFloorConfig(num_features=6, num_labels=3))
    given = {"mean": torch.zeros(6), "deviation": torch.ones(6), "weight": torch.ones(3, 6), "bias": torch.ones(3)}
    before = {key: weight.clone() for key, weight in model.state_dict().items()}
    with pytest.raises(ValueError, match=told):
        model.set_discriminants(**{**given, name: value})
    assert all(torch.equal(weight, before[key]) for key, weight in model.state_dict().items())


def test_a_saved_folder_is_whole_and_the_same(tmp_path):
    model, extractor = build_model("stats_floor", ["a", "b", "c"], segment_seconds=2.0, hop_seconds=1.0)
    clip = tune("jazz", 3, 2.0)
    features = extractor(clip, sampling_rate=SAMPLING_RATE, return_tensors="pt")["input_features"]
    spread = torch.rand(516) + 0.5
    model.set_discriminants(features[0], spread, torch.randn(3, 516), torch.randn(3))
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.glob("*.py")} == {
        path.name for path in Path(package.__file__).parent.glob("[!_]*.py")
    }
    assert not any(path.is_symlink() for path in tmp_path.iterdir())
    config = json.loads((tmp_path / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", "AutoModelForAudioClassification"}
    loaded = AutoModelForAudioClassification.from_pretrained(tmp_path)
    assert type(loaded) is StatsFloorForAudioClassification
    assert type(AutoConfig.from_pretrained(tmp_path)) is StatsFloorConfig
    again = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(again) is StatsFeatureExtractor
    assert (again.segment_seconds, again.hop_seconds) == (2.0, 1.0)
    assert again.features_config() == extractor.features_config()
    heard = again(clip, sampling_rate=SAMPLING_RATE, return_tensors="pt")["input_features"]
    assert torch.equal(loaded(heard).logits, model(features).logits)
    half = AutoModelForAudioClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.normalisation.mean.dtype == torch.float32
    assert half(heard).logits.shape == (1, 3)
    # there is nothing in it to train on from
    with pytest.raises(OptionError, match="is fitted in closed form, so there is nothing in it to go on from"):
        plan_model(str(tmp_path), segment_seconds=2.0)
    with pytest.raises(OptionError, match="--size tiny is for models of transformers"):
        plan_model(str(tmp_path), segment_seconds=2.0, from_scratch=True, size="tiny")


def test_what_both_models_take_along_is_one_file():
    own, other = (Path(module.__file__).parent for module in (package, lstm_package))
    for name in ("pipeline_genre.py", "audio_input_mel_lstm.py"):
        assert (own / name).samefile(other / name)


def test_options_reach_configuration_and_extractor():
    plan = plan_model(
        "stats_floor",
        segment_seconds=1.5,
        feature_values={"num_mel_bins": 40, "sampling_rate": 16000},
        model_values={"shrinkage": 0.5},
    )
    assert plan.config.num_features == plan.extractor.feature_size == 2 * 66 + 3 * 40
    assert plan.config.shrinkage == 0.5
    assert is_fitted(plan.build(["a", "b"])[0])
    assert not is_fitted(build_model("mel_lstm", ["a", "b"], segment_seconds=1.5)[0])
    with pytest.raises(OptionError, match="--model_config: unknown key shrinkge; did you mean shrinkage"):
        plan_model("stats_floor", segment_seconds=1.5, model_values={"shrinkge": 0.5})
