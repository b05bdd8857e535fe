"""What the paper reports for each kind of model, to stand beside a run's figure with what makes the two differ.

Marzuqi and Nastiti, "A Comparative Analysis of Optimized Neural Network and Large-Scale Language Models for Music Genre
Classification", JURTEKSI XI(4), 2025: Table 5, and the text where it says otherwise.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """A figure of the paper.

    Args:
        system (`str`): The paper's name of the system.
        accuracy (`str`): Accuracy in percent, as printed.
        basis (`str`): What it was measured on, as far as the paper tells.
    """

    system: str
    accuracy: str
    basis: str


_SEGMENTS = "3-second segments split at random, so that segments of one track are trained on and tested on: it leaks"
_CLIPS = "clips of GTZAN split at random; how many, and which, the paper does not say unambiguously"

#: Type of a model -> the paper's figure.
REPORTED = {
    "mel_lstm": Reported("LSTM", "97.10", _SEGMENTS),
    "hubert": Reported("HuBERT", "86.00", _CLIPS),
    "wavlm": Reported("WavLM", "83.00", _CLIPS + "; its text and figure say 84"),
    "wav2vec2": Reported("wav2vec 2.0", "80.00", _CLIPS),
}
