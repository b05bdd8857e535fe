import json

import pytest
import torch
from transformers import (
    AutoFeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
)

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.inference import GenreClassifier
from mgc_hf.models.build import build_model, load_model
from mgc_hf.run import fine_tune
from tests.tunes import SAMPLING_RATE, tune

GENRES = ["blues", "jazz", "metal"]


def test_the_lstm_has_an_output_per_genre():
    model, extractor = build_model("mel_lstm", GENRES, segment_seconds=2.0, feature_values={"num_mel_bins": 40})
    assert model.config.id2label == dict(enumerate(GENRES))
    assert model.config.num_mel_bins == 40
    assert extractor.segment_seconds == 2.0
    inputs = extractor(tune("jazz", 0, 2.0), sampling_rate=SAMPLING_RATE, return_tensors="pt")
    assert model.eval()(**inputs).logits.shape == (1, 3)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"model_values": {"hiden_size": 1}}, ["--model_config", "hiden_size", "hidden_size"]),
        ({"feature_values": {"mels": 1}}, ["--feature_config", "mels"]),
        ({"feature_values": {"hop_length": -1}}, ["--feature_config", "hop_length"]),
        ({"model_values": {"hidden_size": 0}}, ["--model_config", "hidden_size"]),
    ],
)
def test_wrong_values_are_named(values, parts):
    with pytest.raises(OptionError) as error:
        build_model("mel_lstm", GENRES, segment_seconds=3.0, **values)
    for part in parts:
        assert part in str(error.value)


def test_a_checkpoint_that_does_not_exist(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        build_model(str(tmp_path / "nowhere"), GENRES, segment_seconds=3.0)


@pytest.fixture(scope="module")
def speech_model(tmp_path_factory):
    """A tiny speech model with random weights in half precision and a head of two labels."""
    folder = tmp_path_factory.mktemp("speech")
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(16, 16),
        conv_stride=(160, 4),
        conv_kernel=(160, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        num_labels=2,
        mask_time_prob=0.0,
    )
    Wav2Vec2ForSequenceClassification(config).half().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=16000).save_pretrained(folder)
    return folder


def test_another_audio_classifier_goes_through_the_same_loop(speech_model, run_values, tmp_path):
    values = {
        **run_values,
        "model_name_or_path": str(speech_model),
        "model_config": None,
        "spec_time_masks": 0,
        "num_train_epochs": 1,
        "segment_seconds": 2.0,
        "pictures": False,
    }
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert result.model.model_type == "wav2vec2"
    assert result.model.base_model == speech_model.name
    model, extractor = load_model(tmp_path / "run")
    assert model.dtype == torch.float32
    assert extractor.segment_seconds == 2.0
    prediction = GenreClassifier.from_pretrained(tmp_path / "run")(tune("jazz", 0, 5.0), SAMPLING_RATE)
    assert prediction.windows == 3
    assert set(prediction.probabilities) == set(GENRES)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "--spec_time_masks"),
        ({"spec_time_masks": 0, "train_sampling_strategy": "group_by_length"}, "--train_sampling_strategy"),
        ({"spec_time_masks": 0, "protocol": "segment", "random_offset": True}, "--random_offset"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_before_data_is_read(speech_model, run_values, tmp_path, values, text):
    nowhere = {
        "model_config": None,
        "dataset": str(tmp_path / "there-is-no-data"),
        "output_dir": str(tmp_path / "run"),
    }
    with pytest.raises(OptionError, match=text):
        fine_tune(**{**run_values, "model_name_or_path": str(speech_model), **nowhere, **values})
    assert not (tmp_path / "run").exists()


def test_segment_seconds_survives_saving(speech_model, tmp_path):
    _, extractor = build_model(str(speech_model), GENRES, segment_seconds=4.0)
    extractor.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "preprocessor_config.json").read_text())["segment_seconds"] == 4.0
    assert AutoFeatureExtractor.from_pretrained(tmp_path).segment_seconds == 4.0


def test_a_wrong_folder_name_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="outputs/typo does not exist"):
        load_model("outputs/typo")
