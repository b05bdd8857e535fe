"""A report's folder: golden Markdown, every figure in one table, and a folder that is whole or as it was before.

The golden pages are written anew by `python -m tests.comparison.test_writing` and by nothing else; read the diff before
you commit it.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mgc_hf.comparison import writing
from mgc_hf.comparison.contents import all_sections
from mgc_hf.comparison.findings import findings
from mgc_hf.comparison.markdown import render_pages
from mgc_hf.comparison.material import Material, Missing, identify, read_material
from mgc_hf.comparison.sections import PAGES, Cell, Section, Table
from mgc_hf.comparison.writing import write_comparison
from mgc_hf.errors import OptionError, RecordError
from tests.cli.test_predict import mgc_hf  # noqa: F401 - a fixture
from tests.comparison.runs import change, run, shares, study

GOLDEN = Path(__file__).parents[1] / "golden"
WHY = "no space left on device"


def material_of(folder):
    folders = [str(path) for path in study(folder)]
    hubert = read_material(folders[-1:]).runs[0].system
    return read_material(folders, [Missing(hubert, "segment", 0, WHY)])


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return material_of(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def sections(material):
    return all_sections(material)


@pytest.fixture(scope="module")
def report(material, tmp_path_factory):
    return write_comparison(material, tmp_path_factory.mktemp("written") / "report")


def pages(sections):
    return render_pages(sections, {p.key: f"images/{p.key}.png" for s in sections for p in s.pictures})


@pytest.mark.parametrize("name", ["README", "paper"])
def test_golden(sections, name):
    assert pages(sections)[f"{name}.md"] == (GOLDEN / f"report_{name}.md").read_text(encoding="utf-8")


def test_every_item_of_the_paper_has_its_place(sections):
    items = {section.paper_item for section in sections if section.page == "paper"}
    assert items == {*(f"Table {n}" for n in range(1, 6)), *(f"Image {n}" for n in range(1, 12))}
    said = {section.paper_item: " ".join(section.paragraphs) for section in sections if section.page == "paper"}
    for item in ("Image 10", "Image 11", "Table 4"):  # wav2vec 2.0 was not run
        assert "not run" in said[item]
    assert "not run" not in said["Image 4"]


def test_figures_are_those_of_the_records(sections, material):
    tables = {table.key: table for section in sections for table in section.tables}
    runs = [entry for entry in material.runs if entry.key.startswith("lstm-track")]
    f1 = np.mean([entry.result.track.per_genre["blues"].f1 for entry in runs])
    (row,) = [row for row in tables["table-1-lstm-track"].rows if row[0].text == "blues"]
    assert [cell.text for cell in row[1:4]] == ["0.99", "0.96", "0.97"]
    assert row[6].value == pytest.approx(f1)
    assert row[7].value == pytest.approx(100 * (f1 - 0.97))
    (polka,) = [row for row in tables["table-1-lstm-track"].rows if row[0].text == "polka"]
    assert polka[1].text == "not in the paper"
    (metal,) = [row for row in tables["table-1-lstm-track"].rows if row[0].text == "metal"]
    assert metal[4].text == "not in the data"
    (missing,) = tables["missing"].rows
    assert missing[-1].text == WHY
    (finding, *_) = [row for row in tables["findings"].rows if row[1].text == "track"]
    assert finding[3].text == "leaks: 1 artist in several parts"
    assert finding[-1].text == "no"


def test_an_audit_is_marked(tmp_path):
    folder = run(tmp_path / "a", shares(6, 3))
    tracks = [
        {"track_id": "t001", "part": "train", "genre": "jazz"},
        {"track_id": "t002", "part": "test", "genre": "jazz"},
    ]
    finding = {"kind": "recording", "name": "t001 = t002", "leak": True, "tracks": tracks, "evidence": "412 peaks"}
    audit = {
        "status": "leaks",
        "split": "split.json",
        "split_hash": "0" * 64,
        "findings": [finding, {**finding, "kind": "title", "leak": False}],
        "bad_files": [
            {"file": "x.wav", "kind": "truncated", "reason": "short"},
            {"file": "y", "kind": "odd", "reason": ""},
        ],
    }
    (folder / "audit.json").write_text(json.dumps(audit))
    sections = {section.key: section for section in all_sections(read_material([str(folder)]))}
    found = sections["findings"]
    assert found.tables[0].rows[0][4] == Cell("leaks: 1 x recording and 1 unusable file", mark="warning")
    assert [cell.text for cell in found.tables[1].rows[0]] == [
        "recording",
        "t001 = t002",
        "t001 (train), t002 (test)",
        "412 peaks",
        "lstm-track-0",
    ]
    assert len(found.tables[1].rows) == 1
    for other, words in (
        ({**audit, "split_hash": "1" * 64}, "of another split than this run's"),
        ({**audit, "split_hash": None, "status": "clean"}, "of another split than this run's"),
        ({**audit, "split": None, "split_hash": None, "status": "clean"}, "no audit of a split"),
        ({"schema_version": 1, "gaps": []}, "no audit of a split"),  # of a published model
    ):
        (folder / "audit.json").write_text(json.dumps(other))
        found = findings(read_material([str(folder)]))
        assert found.tables[0].rows[0][4] == Cell(words, mark="warning")
        assert len(found.tables) == 1
        assert any(words in warning for warning in found.warnings)


def test_the_folder_holds_all_of_it(report, material):
    assert {path.name for path in report.iterdir()} == {
        *(f"{page}.md" for page in PAGES),
        "images",
        "report.html",
        "results.parquet",
    }
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", "".join(path.read_text() for path in report.glob("*.md")))
    assert links
    for link in links:
        assert (report / link).is_file(), link
    table = pq.read_table(report / "results.parquet").to_pylist()
    assert len(table) == 2 * 3 + 2  # of segments that were divided there are no figures of tracks
    for row in table:
        entry = next(entry for entry in material.runs if entry.key == row["run"])
        scores = getattr(entry.result, row["level"])
        assert (row["accuracy"], row["accuracy_low"], row["n"]) == (
            scores.accuracy.value,
            scores.accuracy.ci95[0],
            scores.n,
        )
        assert row["blues_f1"] == scores.per_genre["blues"].f1
    first = next(row for row in table if row["run"] == "lstm-track-0" and row["level"] == "track")
    assert (first["ece"], first["less_floor"], first["inference_seconds"], first["verdict"]) == (
        0.05,
        0.2,
        0.5,
        "leaks",
    )
    text = "".join(path.read_text(encoding="utf-8") for path in report.glob("*.md"))
    assert str(material.runs[0].folder.parent) not in text


def test_an_earlier_report_stays_until_the_new_one_is_whole(material, tmp_path, monkeypatch):
    quick = [Section("a", "A", ["one"])]
    monkeypatch.setattr(writing, "all_sections", lambda _: quick)
    monkeypatch.setattr(writing, "render_page", lambda *_, **__: "<html>")
    folder = write_comparison(material, tmp_path / "report")
    with pytest.raises(OptionError, match="already exists; replace the report in it by --overwrite"):
        write_comparison(material, folder)
    with monkeypatch.context() as broken:
        broken.setattr(writing, "write_figures", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_comparison(material, folder, overwrite=True)
    assert "one" in (folder / "README.md").read_text()
    quick[0] = Section("a", "A", ["two"])
    write_comparison(material, folder, overwrite=True)
    assert "two" in (folder / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    (folder / "mine.txt").write_text("notes")
    with pytest.raises(OptionError, match=r"holds mine\.txt, which is no part of a report"):
        write_comparison(material, folder, overwrite=True)
    assert (folder / "mine.txt").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("mine")
    with pytest.raises(OptionError, match=r"no results\.parquet, so it is no report"):
        write_comparison(material, tmp_path / "other", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        write_comparison(material, tmp_path / "file")


def test_no_run_is_no_report(tmp_path):
    with pytest.raises(RecordError, match="no finished run"):
        write_comparison(Material([]), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_words_of_users_do_no_harm(tmp_path):
    folder = change(run(tmp_path / "a", shares(5, 4)), name="x|<script>")
    material = read_material([f"a|b <i>={folder}"])
    assert material.runs[0].system.title == "a|b <i>"
    text = "".join(pages(all_sections(material)).values())
    assert "<i>" not in text
    assert "a|b" not in text
    assert identify(material.runs[0].result).title == "LSTM"
    table = Table(
        "t",
        "T",
        ["a"],
        [
            [
                Cell("x [1.0, 2.0]"),
            ]
        ],
    )
    text = pages([Section("s", "S", ["[click](http://x) [1.0, 2.0](y)"], [], [table])])["README.md"]
    assert "[click](" not in text
    assert "[1.0, 2.0](y)" not in text
    assert "| x [1.0, 2.0] |" in text


def test_the_command_writes_a_report_or_says_what_is_wrong(mgc_hf, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(writing, "all_sections", lambda _: [Section("a", "A", ["one"])])
    monkeypatch.setattr(writing, "render_page", lambda *_, **__: "<html>")
    folders = [run(tmp_path / name, shares(5, 4), seed=seed) for seed, name in enumerate(("a", "b", "c"))]
    status, out, err = mgc_hf("compare", *folders, "--output_dir", tmp_path / "report")
    assert (status, err) == (0, "")
    assert "LSTM" in out
    assert "55.6 % [" in out
    assert "3 seeds" in out
    assert out.splitlines()[-1].startswith(f"report: {tmp_path / 'report' / 'report.html'}")
    for arguments, words in (
        ((*folders,), "3 runs given: without --output_dir two are compared"),
        ((folders[0],), "1 run given"),
        ((*folders[:2], "--overwrite"), "--overwrite goes with --output_dir alone"),
        ((*folders, "--output_dir", tmp_path / "report"), "already exists"),
        ((*folders, "--output_dir", tmp_path / "new", "--json"), "--json goes without --output_dir"),
    ):
        status, out, err = mgc_hf("compare", *arguments)
        assert (status, out) == (2, "")
        assert words in err


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        written = pages(all_sections(material_of(Path(folder))))
    for name in ("README", "paper"):
        (GOLDEN / f"report_{name}.md").write_text(written[f"{name}.md"], encoding="utf-8")
    sys.stdout.write("written; read the diff\n")
