"""Scores of pre-trained architectures: the same in any batch, beside any neighbours, in evaluation and prediction."""

import numpy as np
import pytest
import soundfile
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    HubertConfig,
    HubertForSequenceClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WavLMConfig,
    WavLMForSequenceClassification,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
)

from mgc_hf import evaluating, report
from mgc_hf.data.sources import read_corpus
from mgc_hf.division import decode
from mgc_hf.inference import GenreClassifier
from mgc_hf.predictions import Predictions, softmax

RATE = 16000
GENRES = ("blues", "jazz")
WINDOW = 1.0
#: Samples of the clips: under the least sound, under a window, a window, and more with ends that no hop meets.
LENGTHS = {"blues/10": 10, "blues/160": 160, "blues/6400": 6400, "jazz/16000": 16000, "jazz/25001": 25001}
LABELS = {"id2label": dict(enumerate(GENRES)), "label2id": {genre: index for index, genre in enumerate(GENRES)}}
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
    **LABELS,
}
WAVEFORMS = {"sampling_rate": RATE, "do_normalize": True}


def wav2vec2_group():
    config = Wav2Vec2Config(**SMALL, feat_extract_norm="group")
    return Wav2Vec2ForSequenceClassification(config), Wav2Vec2FeatureExtractor(
        return_attention_mask=False, **WAVEFORMS
    )


def wav2vec2_layer():
    config = Wav2Vec2Config(**SMALL, feat_extract_norm="layer", do_stable_layer_norm=True)
    return Wav2Vec2ForSequenceClassification(config), Wav2Vec2FeatureExtractor(return_attention_mask=True, **WAVEFORMS)


def hubert():
    config = HubertConfig(**SMALL, feat_extract_norm="group")
    return HubertForSequenceClassification(config), Wav2Vec2FeatureExtractor(return_attention_mask=False, **WAVEFORMS)


def wavlm():
    config = WavLMConfig(**SMALL, feat_extract_norm="layer", num_buckets=32)
    return WavLMForSequenceClassification(config), Wav2Vec2FeatureExtractor(return_attention_mask=True, **WAVEFORMS)


def whisper():
    config = WhisperConfig(
        num_mel_bins=20,
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        max_source_positions=50,
        classifier_proj_size=16,
        **LABELS,
    )
    return WhisperForAudioClassification(config), WhisperFeatureExtractor(feature_size=20, chunk_length=1)


def ast():
    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_mel_bins=32,
        max_length=98,
        **LABELS,
    )
    return ASTForAudioClassification(config), ASTFeatureExtractor(num_mel_bins=32, max_length=98)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for index, (name, length) in enumerate(LENGTHS.items()):
        (folder / name).parent.mkdir(exist_ok=True)
        wave = 0.1 * np.random.default_rng(index).standard_normal(length) * np.linspace(0.2, 2, length)
        soundfile.write(folder / f"{name}.wav", wave, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module", params=[wav2vec2_group, wav2vec2_layer, hubert, wavlm, whisper, ast])
def model_folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    torch.manual_seed(0)
    model, extractor = request.param()
    for weight in model.parameters():  # weights that are not near zero: small ones would hide a difference
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=1.5 / weight[0].numel() ** 0.5)
    extractor.segment_seconds, extractor.hop_seconds = WINDOW, 0.4
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture
def evaluated(monkeypatch, cache_dir, tmp_path):
    """Evaluate a model and return track id -> logits of its windows."""
    monkeypatch.setattr(report, "draw_all", lambda *_: None)

    def evaluate(model_folder, data, batch_size):
        folder = tmp_path / f"report{batch_size}"
        values = {"batch_size": batch_size, "cache_dir": str(cache_dir), "min_seconds": 1e-6, "num_resamples": 100}
        result = evaluating.evaluate(model_folder, str(data), output_dir=folder, **values)
        assert (result.data.segment_seconds, result.data.hop_seconds) == (WINDOW, 0.4)
        rows = Predictions.load(folder / "predictions.parquet")
        return {name: rows.logits[rows.track_id == name] for name in dict.fromkeys(rows.track_id)}

    return evaluate


@pytest.mark.filterwarnings("ignore:At least one mel filter")
def test_scores_depend_on_the_clip_alone(model_folder, clips, evaluated, tmp_path, caplog):
    """FC40."""
    logits = {size: evaluated(model_folder, clips, size) for size in (1, 2, 8)}
    assert {name: len(windows) for name, windows in logits[1].items()} == dict(
        zip(LENGTHS, (1, 1, 1, 1, 3), strict=True)
    )
    assert "silence was added to 2 clips under 0.1 s: blues/10, blues/160" in caplog.text
    everything = np.concatenate(list(logits[1].values()))
    assert np.isfinite(everything).all()
    assert np.ptp(everything, axis=0).max() > 0.05  # clips that all score alike would hide a difference
    for size in (2, 8):
        for name in LENGTHS:
            np.testing.assert_allclose(logits[size][name], logits[1][name], atol=1e-4)

    (tmp_path / "alone" / "blues").mkdir(parents=True)
    (tmp_path / "alone" / "blues" / "6400.wav").write_bytes((clips / "blues" / "6400.wav").read_bytes())
    alone = evaluated(model_folder, tmp_path / "alone", 4)  # without a clip of a whole window beside it
    np.testing.assert_allclose(alone["blues/6400"], logits[1]["blues/6400"], atol=1e-4)

    for size in (1, 2, 8):
        classifier = GenreClassifier.from_pretrained(model_folder, batch_size=size)
        for name, windows in logits[1].items():
            caplog.clear()
            prediction = classifier.predict_file(clips / f"{name}.wav")
            found = [prediction.probabilities[genre] for genre in GENRES]
            np.testing.assert_allclose(found, softmax(windows).mean(axis=0), atol=1e-4)
            assert prediction.windows == len(windows)
            assert (f"short: {LENGTHS[name]} samples; silence was added up to 0.1 s" in caplog.text) == (
                LENGTHS[name] < 1600
            )


def test_clips_shorter_than_a_model_needs_are_named(clips, cache_dir, caplog):
    corpus = read_corpus(str(clips), cache_dir=str(cache_dir), min_seconds=1e-6)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False, **WAVEFORMS)
    extractor.segment_seconds, extractor.min_samples = WINDOW, 8000
    decode(corpus, extractor)
    assert "silence was added to 3 clips under 0.5 s: blues/10, blues/160, blues/6400" in caplog.text


@pytest.mark.filterwarnings("ignore:At least one mel filter")
def test_a_window_scores_the_same_beside_any_others(model_folder):
    """FC40."""
    classifier = GenreClassifier.from_pretrained(model_folder)
    rng = np.random.default_rng(0)
    short, *long = [0.1 * rng.standard_normal(length).astype(np.float32) for length in (5000, 16000, 16000, 9000)]
    alone = classifier.logits([short])[0]
    np.testing.assert_allclose(classifier.logits([short, *long])[0], alone, atol=1e-4)
    np.testing.assert_allclose(classifier.logits([*long, short])[3], alone, atol=1e-4)
