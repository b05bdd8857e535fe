"""Configuration of the LSTM on log-mel spectrograms."""

from transformers import PreTrainedConfig

#: Allowed range of every attribute: the type, the lowest value and the highest (`None`: no limit).
_RANGES: dict[str, tuple[type, float, float | None]] = {
    "num_mel_bins": (int, 1, None),
    "decibel_floor": (float, -200.0, 0.0),
    "num_cepstra": (int, 1, None),
    "texture_frames": (int, 2, None),
    "texture_hop": (int, 1, None),
    "hidden_size": (int, 1, None),
    "num_hidden_layers": (int, 1, None),
    "input_dropout": (float, 0.0, 0.99),
    "hidden_dropout": (float, 0.0, 0.99),
    "classifier_dropout": (float, 0.0, 0.99),
}
#: Allowed words of every attribute that is one.
_WORDS = {"frame_features": ("all", "bands"), "texture_statistics": ("all", "mean")}


class MelLstmConfig(PreTrainedConfig):
    r"""
    Configuration of a [`MelLstmModel`]: a bidirectional LSTM over texture windows of a log-mel spectrogram. The defaults
    are those that cross-validation on real GTZAN clips chose (`docs/lstm.md` of the project).

    Args:
        num_mel_bins (`int`, *optional*, defaults to 128):
            Number of mel bands of the input, low to high.
        decibel_floor (`float`, *optional*, defaults to -80.0):
            Values below it count as it, dB (re 1.0, as the input).
        frame_features (`str`, *optional*, defaults to `"all"`):
            What describes a frame: `"bands"` for the mel bands alone, `"all"` for cepstra, their slopes, four descriptors
            of the spectrum and onset strength as well.
        num_cepstra (`int`, *optional*, defaults to 20):
            Number of cepstral coefficients taken from the log-mel bands; at most `num_mel_bins` are used.
        texture_statistics (`str`, *optional*, defaults to `"all"`):
            What is taken of a texture window: `"mean"` alone, or `"all"` for deviation and mean absolute step as well.
        texture_frames (`int`, *optional*, defaults to 16):
            Length of a texture window, frames (16 frames of 512 samples at 22,050 Hz last 0.37 s).
        texture_hop (`int`, *optional*, defaults to 8):
            Distance between the starts of two texture windows, frames; at most `texture_frames`.
        hidden_size (`int`, *optional*, defaults to 64):
            Units of the LSTM in each of the two directions.
        num_hidden_layers (`int`, *optional*, defaults to 1):
            Number of bidirectional LSTM layers.
        input_dropout (`float`, *optional*, defaults to 0.3):
            Dropout probability on the normalised texture features.
        hidden_dropout (`float`, *optional*, defaults to 0.5):
            Dropout probability between two LSTM layers.
        classifier_dropout (`float`, *optional*, defaults to 0.5):
            Dropout probability on the pooled states before the classifier.

    Raises:
        ValueError: A value has the wrong type or is out of range; the text lists every such value.

    Example:

    ```python
    >>> from mgc_hf import MelLstmConfig, MelLstmForAudioClassification

    >>> model = MelLstmForAudioClassification(MelLstmConfig(num_labels=10))
    >>> model.config.hidden_size
    64

    ```"""

    model_type = "mel_lstm"

    num_mel_bins: int = 128
    decibel_floor: float | int = -80.0
    frame_features: str = "all"
    num_cepstra: int = 20
    texture_statistics: str = "all"
    texture_frames: int = 16
    texture_hop: int = 8
    hidden_size: int = 64
    num_hidden_layers: int = 1
    input_dropout: float | int = 0.3
    hidden_dropout: float | int = 0.5
    classifier_dropout: float | int = 0.5

    def __post_init__(self, **kwargs):
        faults = [fault for name in _RANGES if (fault := self._fault(name))]
        faults += [
            f"{name} is {getattr(self, name)!r}, must be {' or '.join(map(repr, words))}"
            for name, words in _WORDS.items()
            if getattr(self, name) not in words
        ]
        if not faults and self.texture_hop > self.texture_frames:
            faults.append(
                f"texture_hop is {self.texture_hop}, must be at most texture_frames ({self.texture_frames}), "
                "or frames would be skipped"
            )
        if faults:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(faults))
        super().__post_init__(**kwargs)

    def _fault(self, name: str) -> str | None:
        """What is wrong with one attribute, or `None`."""
        kind, low, high = _RANGES[name]
        value = getattr(self, name)
        allowed = f"{'a whole' if kind is int else 'a'} number " + (
            f"of at least {low}" if high is None else f"from {low} to {high}"
        )
        # bool is an int to Python, but `num_cepstra=True` is a mistake
        typed = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
        if typed and value >= low and (high is None or value <= high):
            return None
        return f"{name} is {value!r}, must be {allowed}"


__all__ = ["MelLstmConfig"]
