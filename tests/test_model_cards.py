"""The committed cards are what their records say, and the records what their predictions say."""

from pathlib import Path

import pytest

from mgc_hf.cards.card import render_card
from mgc_hf.data.protocols import Split
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from mgc_hf.results import PICTURE_FILES, RunResult

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[1] / "model_cards").glob("*/results.json"))


def test_there_is_a_card():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_card_and_record(folder):
    result = RunResult.load(folder / "results.json")
    assert (folder / "README.md").read_text(encoding="utf-8") == render_card(result)
    test = Predictions.load(folder / "predictions.parquet").of_part("test")
    assert score(test, seed=result.seed) == (result.track, result.segment)
    assert Split.load(folder / "split.json").hash == result.split.hash
    for name in result.pictures:
        assert (folder / PICTURE_FILES[name]).is_file()
