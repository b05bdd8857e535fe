"""The committed cards are what their records say, and the records what their predictions say."""

from pathlib import Path

import pytest

import mgc_hf
from mgc_hf.cards.card import card_title, render_card
from mgc_hf.cards.index import render_index
from mgc_hf.cards.paper import REPORTED
from mgc_hf.data.artists import artist_groups
from mgc_hf.data.facts import gtzan_artists
from mgc_hf.data.protocols import Split
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from mgc_hf.results import PICTURE_FILES, WIDGET_FILES, RunResult

CARDS = Path(__file__).parents[1] / "model_cards"
FOLDERS = sorted(path.parent for path in CARDS.glob("*/results.json"))


def test_every_system_of_the_paper_has_a_card():
    results = [RunResult.load(folder / "results.json") for folder in FOLDERS]
    assert {*REPORTED, "whisper"} <= {result.model.model_type for result in results}
    for result in results:
        is_scratch = result.model.base_model is None and result.model.model_type != "mel_lstm"
        assert ("not pre-trained" in card_title(result)) == is_scratch


def test_the_index_is_what_the_records_say():
    results = {folder.name: RunResult.load(folder / "results.json") for folder in FOLDERS}
    assert (CARDS / "README.md").read_text(encoding="utf-8") == render_index(results)


def test_no_weights_and_only_clips_of_ours():
    files = [path for path in CARDS.rglob("*") if path.is_file()]
    allowed = {".md", ".json", ".parquet", ".png", ".mp3", ".yaml"}
    assert {path.suffix for path in files} <= allowed
    for path in files:
        if path.suffix == ".mp3":
            ours = Path(mgc_hf.__file__).parent / "cards" / "widget" / path.name
            assert path.read_bytes() == ours.read_bytes()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_card_and_record(folder):
    result = RunResult.load(folder / "results.json")
    assert (folder / "README.md").read_text(encoding="utf-8") == render_card(result)
    split = Split.load(folder / "split.json")
    assert split.hash == result.split.hash
    predictions = Predictions.load(folder / "predictions.parquet")
    tracks = sorted(split.part_of)
    artist_of = artist_groups(tracks, [gtzan_artists().get(track) for track in tracks])
    scores = score(
        predictions.of_part("test"),
        validation=predictions.of_part("validation"),
        artist_of=artist_of,
        seed=result.seed,
    )
    assert scores == (result.track, result.segment)
    for name in (*(PICTURE_FILES[name] for name in result.pictures), *WIDGET_FILES.values()):
        assert (folder / name).is_file()
