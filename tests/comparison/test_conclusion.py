"""What is said of the paper's ranking follows from the figures: it stands, is the other way round, or is open."""

import numpy as np
import pytest

from mgc_hf.comparison.conclusion import conclusion
from mgc_hf.comparison.material import read_material
from mgc_hf.comparison.ranking import duels, standings
from tests.comparison.runs import SPEECH, run, shares, study

PRE_TRAINED = {**SPEECH, "base_model": "facebook/hubert-base-ls960"}
WAVLM = {"model_type": "wavlm", "base_model": "microsoft/wavlm-base"}


def said(folders):
    material = read_material([str(folder) for folder in folders])
    found = {name: standings(material, name, 200) for name in material.protocols}
    fought = {name: duels(material, name, 200) for name in material.protocols}
    return conclusion(material, found, fought)


@pytest.mark.parametrize(
    ("lstm", "hubert", "words"),
    [
        (shares(54, 6), shares(18, 42), "It stands that LSTM is ahead of HuBERT (hubert-base-ls960)."),
        (shares(18, 42), shares(54, 6), "It is the other way round for LSTM and HuBERT (hubert-base-ls960)."),
        (
            shares(30, 30),
            shares(28, 32),
            "The data does not tell LSTM from HuBERT (hubert-base-ls960) (it takes about 234 tracks, 60 were at hand).",
        ),
        (
            shares(30, 30),
            shares(30, 30),
            "The data does not tell LSTM from HuBERT (hubert-base-ls960) (with equal counts no number of tracks would, 60 "
            "were at hand).",
        ),
    ],
)
def test_a_comparison_of_the_paper(tmp_path, lstm, hubert, words):
    folders = [run(tmp_path / "lstm", lstm), run(tmp_path / "hubert", hubert, model=PRE_TRAINED)]
    paragraphs = said(folders)
    assert "LSTM 97.10 %, HuBERT 86.00 %, WavLM 83.00 %, wav2vec 2.0 80.00 %" in paragraphs[0]
    assert words in paragraphs[1]
    assert "Not run, and so not said, is LSTM against WavLM" in paragraphs[1]
    assert "3 were not run" not in paragraphs[-1]
    assert "5 were not run" in paragraphs[-1]
    assert "pre-trained models" not in paragraphs[-1]


def test_in_short_names_what_the_data_is_too_small_for(tmp_path):
    folders = [
        run(tmp_path / "lstm", shares(40, 20)),
        run(tmp_path / "hubert", shares(36, 24), model=PRE_TRAINED),
        run(tmp_path / "wavlm", shares(10, 50), model=WAVLM),
    ]
    short = said(folders)[-1]
    assert (
        "2 come out as in the paper, none are the other way round, 1 is open on this data and 3 were not run" in short
    )
    assert "The data is too small for the open one: at the difference found it takes 116 test tracks" in short
    assert "at most 60 were at hand" in short


def test_a_study_with_a_leak_and_models_from_scratch(tmp_path):
    paragraphs = said(study(tmp_path))
    assert paragraphs[1].startswith("Under segment (leaky), segments right: LSTM 98.3 %")
    assert paragraphs[2].startswith("Under track (leak-free by track), tracks right: LSTM 75.0 %")
    assert (
        "LSTM is above the linear floor beyond chance; HuBERT (tiny, from scratch) is below it beyond chance."
        in paragraphs[2]
    )
    assert paragraphs[3].startswith("As the paper did it, the LSTM tested on segments")
    assert "LSTM 98.3 % [" in paragraphs[3]
    assert "HuBERT (tiny, from scratch) 30.0 % [" in paragraphs[3]
    assert "trained without their weights" in paragraphs[-1]


def test_where_everything_leaks_nothing_is_concluded(tmp_path):
    folders = [run(tmp_path / "lstm", shares(29, 1), protocol="segment")]
    assert said(folders)[-1].startswith("In short: every protocol that was run leaks")


def test_a_contaminated_model_is_told_of_and_not_judged(tmp_path):
    folders = [
        run(tmp_path / "hubert", shares(60), model={**PRE_TRAINED, "contamination": "its card says so"}, leaky=None),
        run(tmp_path / "lstm", shares(40, 20), floor=shares(20, 40)),
    ]
    paragraphs = said(folders)
    assert paragraphs[1].startswith("Under track (leak-free by track), tracks right: LSTM 66.7 %")
    assert "HuBERT (hubert-base-ls960) 100.0 % [94.0, 100.0] (to be doubted)." in paragraphs[1]
    assert "may know the test part, is LSTM against HuBERT (hubert-base-ls960)." in paragraphs[1]
    assert paragraphs[1].endswith("LSTM is above the linear floor beyond chance.")
    assert "of 6 comparisons" in paragraphs[-1]
    assert "none come out as in the paper, none are the other way round, none are open" in paragraphs[-1]
    assert "1 is not judged for a side that may know the test part and 5 were not run" in paragraphs[-1]
    assert said(folders[:1])[-1].startswith("In short: no run is known to be free of a leak")


def test_what_is_open_by_the_correction_alone_is_not_called_too_small(tmp_path):
    folders = [
        run(tmp_path / "lstm", shares(40, 30)),
        run(tmp_path / "hubert", shares(30, 40), model=PRE_TRAINED),  # 10 to 0
        run(tmp_path / "wavlm", shares(34, 36), model=WAVLM),  # 6 to 0 of the LSTM, 4 to 0 of HuBERT
        run(tmp_path / "wav2vec2", np.r_[shares(33, 36), True], model={"model_type": "wav2vec2"}),  # as many
    ]
    paragraphs = said(folders)
    assert "(beyond chance alone (p = 0.031), not after correction for so many pairs)" in paragraphs[1]
    assert "with equal counts for the one and the other: no number of tracks would tell" in paragraphs[-1]
    assert "beyond chance alone, but not after correction for so many pairs" in paragraphs[-1]
