"""The paper's figures are those of its text, what they contradict is computed, and others' have sources."""

import dataclasses
import re

import pytest

from mgc_hf.cards.paper import REPORTED
from mgc_hf.comparison.inconsistencies import equal_cells, inconsistencies, mean_recall, odd_f1, smallest_support
from mgc_hf.comparison.paper import accuracies_stated, paper, paper_systems, published
from mgc_hf.evaluation.intervals import wilson
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def text():
    """The paper as text, where it is at hand."""
    files = sorted((SHARED / "seeds").glob("*.txt"))
    if not files:
        pytest.skip("the paper's text (../shared/seeds) is not at hand")
    return files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["lstm", "hubert", "wavlm", "wav2vec2"])
def test_every_row_of_a_table_is_in_the_paper(text, key):
    system = paper_systems()[key]
    number = system.table.split()[1]
    block = text.split(f"Table {number}. Classification")[1].split("Image" if key != "wav2vec2" else "Table 5.")[0]
    rows = dict(re.findall(r"^(\w+)\t([\d.]+\t[\d.]+\t[\d.]+)$", block, re.MULTILINE))
    for genre, scores in system.genres.items():
        assert rows[genre.capitalize()] == f"{scores.precision:.2f}\t{scores.recall:.2f}\t{scores.f1:.2f}"
    for name, scores in system.averages.items():
        assert rows[name.capitalize()] == f"{scores.precision:.2f}\t{scores.recall:.2f}\t{scores.f1:.2f}"
    assert f"Accuracy\t\t\t{system.table_accuracy:.2f}" in block
    assert len(system.genres) == 10


def test_every_other_number_is_in_the_paper(text):
    final = paper()["final"]["accuracy"]
    for value in final.values():
        assert re.search(f"{100 * value:.2f}%".replace(".", "[.,]"), text)
    words = {"seconds of a clip": "thirty-second", "streaming subscribers": "700 million", "genres": "10 genres"}
    for item in paper()["statements"]:
        value = item["value"]
        spellings = [f"{100 * value:.2f}%", f"{100 * value:.4g}%", f"{value:,}", f"{value:.2f}"]
        found = [re.search(rf"(?<![\w.,]){re.escape(spelling)}(?![\w]|[.,]\d)", text) for spelling in spellings]
        assert any(found) or words.get(item["metric"], "-?") in text, item


def test_every_image_and_table_has_its_title_in_the_paper(text):
    for item, about in {**paper()["images"], **paper()["tables"]}.items():
        assert f"{item}. {about['title']}" in text
    assert [system.curves for system in paper_systems().values()] == ["Image 4", "Image 6", "Image 8", "Image 10"]


def test_the_cards_say_the_same():
    kinds = {"lstm": "mel_lstm"}
    for key, system in paper_systems().items():
        assert f"{100 * system.accuracy:.2f}" == REPORTED[kinds.get(key, key)].accuracy


def test_the_contradictions_that_are_known():
    systems = paper_systems()
    assert equal_cells(systems["hubert"], systems["wavlm"]) == (37, 37)
    assert equal_cells(systems["hubert"], systems["wav2vec2"])[0] < 5
    assert {round(value, 2) for value, _, _ in accuracies_stated("wavlm")} == {0.83, 0.84, 0.86}
    assert mean_recall(systems["wav2vec2"]) == pytest.approx(0.795)
    assert mean_recall(systems["lstm"]) == pytest.approx(0.969)
    assert [odd_f1(system) for system in systems.values()] == [[], [], [], []]
    assert smallest_support([scores.recall for scores in systems["hubert"].genres.values()]) == 20
    assert smallest_support([0.5, 0.33]) == 6
    assert smallest_support([0.001]) == 1  # rounds to 0.00 of one item


def test_an_f1_that_cannot_be_is_found():
    system = paper_systems()["hubert"]
    wrong = dataclasses.replace(system.genres["rock"], f1=0.90)
    assert odd_f1(dataclasses.replace(system, genres={**system.genres, "rock": wrong})) == ["rock"]


def test_the_page_names_them():
    sections = {section.key: section for section in inconsistencies()}
    said = {key: " ".join(section.paragraphs) for key, section in sections.items()}
    assert "Table 3 (WavLM) repeats Table 2 (HuBERT) in every one of its 37 cells" in said["equal-tables"]
    assert "WavLM has 3 accuracies: 83 %, 84 % and 86 %." in said["accuracies"]
    assert "LSTM has" not in said["accuracies"]  # 0.97 is 97.10 % rounded
    assert "average 79.5, its accuracy is 80.00" in said["recalls"]
    assert "average 96.9, its accuracy is 97.10: rounding" in said["recalls"]
    assert "20 training clips of each genre" in said["samples"]
    assert "20 test clips of each genre" in said["samples"]
    assert all(section.page == "inconsistencies" for section in sections.values())


def test_published_figures_have_sources_and_the_course_its_interval():
    content = published()
    figures = {item["system"]: item["accuracy"] for item in content["figures"]}
    assert (figures["M2D-AS"], figures["AST"], figures["MERT-95M"]) == (0.876, 0.851, 0.786)
    for item in [*content["figures"], content["course"]]:
        assert content["sources"][item["source"]]["url"].startswith("https://")
    assert wilson(83, content["course"]["clips"]) == pytest.approx([0.745, 0.891], abs=5e-4)
