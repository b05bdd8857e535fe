import pytest

from mgc_hf.models.mel_lstm import MelLstmConfig


def test_round_trip_keeps_every_value(tmp_path):
    values = {
        "num_mel_bins": 40,
        "decibel_floor": -60,
        "frame_features": "bands",
        "num_cepstra": 13,
        "texture_statistics": "mean",
        "texture_frames": 10,
        "texture_hop": 5,
        "hidden_size": 7,
        "num_hidden_layers": 2,
        "input_dropout": 0.0,
        "hidden_dropout": 0.1,
        "classifier_dropout": 0.2,
    }
    MelLstmConfig(**values, id2label={0: "blues", 1: "rock", 2: "jazz"}).save_pretrained(tmp_path)
    loaded = MelLstmConfig.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in values} == values
    assert loaded.id2label == {0: "blues", 1: "rock", 2: "jazz"}
    assert loaded.num_labels == 3
    assert loaded.model_type == "mel_lstm"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("num_mel_bins", 0, "a whole number of at least 1"),
        ("num_cepstra", True, "a whole number of at least 1"),
        ("hidden_size", "64", "a whole number of at least 1"),
        ("texture_frames", 1, "a whole number of at least 2"),
        ("num_hidden_layers", 1.0, "a whole number of at least 1"),
        ("input_dropout", 1.0, "a number from 0.0 to 0.99"),
        ("classifier_dropout", -0.1, "a number from 0.0 to 0.99"),
        ("decibel_floor", 10, "a number from -200.0 to 0.0"),
        ("decibel_floor", float("nan"), "a number from -200.0 to 0.0"),
        ("frame_features", "chroma", "'all' or 'bands'"),
        ("texture_statistics", None, "'all' or 'mean'"),
    ],
)
def test_refuses_a_value_and_says_what_is_allowed(name, value, allowed):
    with pytest.raises(ValueError, match=f"MelLstmConfig: {name} is .*, must be {allowed}$") as error:
        MelLstmConfig(**{name: value})
    assert repr(value) in str(error.value)


def test_all_faults_come_in_one_message():
    with pytest.raises(ValueError) as error:
        MelLstmConfig(hidden_size=0, texture_hop=-3, hidden_dropout=2)
    assert str(error.value).count("must be") == 3


def test_windows_may_not_skip_frames():
    MelLstmConfig(texture_frames=8, texture_hop=8)
    with pytest.raises(ValueError, match=r"texture_hop is 9, must be at most texture_frames \(8\)"):
        MelLstmConfig(texture_frames=8, texture_hop=9)
