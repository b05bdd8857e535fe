"""The page: it shows exactly what it is given, asks no other machine for anything, and fits a phone."""

import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from mgc_hf.comparison import page
from mgc_hf.comparison.listening import SAMPLING_RATE, Sound
from mgc_hf.comparison.material import Material, System
from mgc_hf.comparison.page import render_page
from mgc_hf.comparison.sections import Cell, Picture, Section, Table
from tests.comparison.small_runs import LSTM, entry, made_up

GENRES = ["blues", "jazz", "a<b>&\u202eclass"]
ODD = System(4, "odd", "<script>alert(1)</script> a system with a name that is much too long for any phone", "x")


class Page(HTMLParser):
    """A page read: that every element is closed, its names, addresses, headings and texts."""

    VOID = {"meta", "img", "br", "link", "input"}

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.links, self.headings, self.words = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given["href"]] if tag == "a" else []
        self.addresses += [given[name] for name in ("src", "data", "srcset", "poster") if name in given]
        self.addresses += [given["href"]] if tag == "link" else []
        if tag == "img":
            assert given["alt"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


@pytest.fixture(scope="module")
def material():
    says = made_up(GENRES, 0.3, per_genre=2, seed=1)
    return Material([entry(LSTM, predictions=says), entry(ODD, predictions=made_up(GENRES, 0.6, seed=2))])


def drawing():
    from mgc_hf.pictures.style import new_figure

    figure = new_figure(5, 2)
    figure.subplots().set_title("A figure")
    return figure


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "waves.png"
    Image.new("RGB", (1430, 900), "white").save(file)
    rows = [
        [Cell("LSTM"), Cell("70.0 %", 0.7, "leaky"), Cell("97.10 %", 0.971, "paper"), Cell("a | b <i>")],
        [Cell("HuBERT (tiny)"), Cell("9.0 %", 0.09), Cell("not run", None, "missing"), Cell("there", link="paper.md")],
        [Cell("x" * 60), Cell("80.0 %", 0.8, "warning"), Cell("86.00 %", 0.86, "paper"), Cell("words " * 30)],
    ]
    table = Table("ranking", "The <ranking>", ["System", "Segments", "Paper", "Note"], rows, "A & B", "Table 5")
    pictures = [
        Picture("ranking", "Drawn", "A caption.", 'What "it" shows', draw=drawing, paper_item="Image 4"),
        Picture("waves", "Waves", "A caption.", "Waveforms", file=file),
    ]
    return [
        Section("ranking", "The ranking", ["Text <b>."], ["Look & see."], [table], pictures, paper_item="Table 5"),
        Section("one", "Image 1: classes", [], page="paper", paper_item="Image 1"),
    ]


@pytest.fixture(scope="module")
def text(sections, material):
    return render_page(sections, material)


def test_the_page_says_what_it_is_given(text):
    read = Page(text)
    words = " ".join(" ".join(read.words).split())
    for said in ("Text <b>.", "Look & see.", "The <ranking>", "a | b <i>", "A & B", "97.10 %", "not run", ODD.title):
        assert said in words
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert len(read.ids) == len(set(read.ids))
    targets = {link.removeprefix("#") for link in read.links if link.startswith("#")}
    assert targets <= set(read.ids)
    assert {"section-ranking", "section-one", "listen"} <= targets
    assert read.headings[0] == 1
    assert all(deeper <= level + 1 for level, deeper in zip(read.headings, read.headings[1:], strict=False))
    assert words.count("from a split that leaks") == 2  # in the legend, and spoken in the cell
    assert words.count("the paper's Table 5") == 1  # not again at the table of that section
    assert "the paper's Image 1" not in words  # its heading says so


def test_the_page_is_the_same_each_time_and_holds_all_it_shows(text, sections, material):
    assert render_page(sections, material) == text
    assert [address[:11] for address in Page(text).addresses] == ["data:image/"]
    assert "default-src 'none'" in text
    assert "file:" not in text
    assert not re.search(r"url\((?!#)|@import|https?://", text)


def test_without_runs_or_errors_it_says_so(sections, material):
    right = Material([entry(LSTM, predictions=made_up(["blues", "jazz"], 1.1))])
    assert page._ALL_ARE_RIGHT in render_page(sections, right)
    assert page._NO_WHOLE_TRACKS in render_page(sections, Material([]))  # as of runs that divide segments alone
    demo = Material([entry(LSTM, predictions=made_up(["blues", "jazz"], 0.0), is_demo=True)])
    assert "say nothing about real music" in render_page([], demo)


def test_only_so_many_tracks_are_shown(text, material, monkeypatch):
    monkeypatch.setattr(page, "MOST_TRACKS", 2)
    limited = render_page([], material)
    shown = [sum(name.startswith("wrong-") for name in Page(one).ids) for one in (limited, text)]
    assert shown[0] == 2 < shown[1]
    assert "The first 2 are shown." in limited


class Heard:
    """Stands in for the user's data: a second of sound, in a file of a name that must be quoted."""

    def __init__(self, path):
        self.sound = Sound(np.sin(np.arange(SAMPLING_RATE) / 30).astype(np.float32), path)

    def find(self, track):
        return self.sound if track.genre == "blues" else None


def test_sound_is_the_local_file_or_embedded(tmp_path, monkeypatch):
    clip = tmp_path / "my music" / "a #1.wav"
    clip.parent.mkdir()
    soundfile.write(clip, np.zeros(10), 8000)
    monkeypatch.setattr(page, "open_sounds", lambda source: source and Heard(clip))
    material = Material([entry(predictions=made_up(["blues", "jazz"], 0.0, per_genre=1))])  # both are wrong

    def addresses(text):
        return [one for one in Page(text).addresses if not one.startswith("data:image")]

    assert addresses(render_page([], material)) == []
    (embedded,) = addresses(render_page([], material, audio="x", embed_audio=True))
    assert embedded.startswith("data:audio/mpeg;base64,")
    assert addresses(render_page([], material, audio="x")) == [clip.as_uri()]
    beside = render_page([], material, audio="x", folder=tmp_path / "report")
    assert addresses(beside) == ["../my%20music/a%20%231.wav"]
    assert str(tmp_path) not in beside


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="no chromium and chromedriver here (apt-get install chromium chromium-driver)",
)
def test_in_a_browser_it_fits_a_phone_and_asks_for_nothing(sections, material, tmp_path, monkeypatch):
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    monkeypatch.setattr(page, "open_sounds", lambda source: Heard(None))
    path = tmp_path / "report.html"
    path.write_text(render_page(sections, material, audio="x", embed_audio=True), encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", f"user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(path.as_uri())
        assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
        # what is too wide scrolls in its own frame
        wide = "return [...document.querySelectorAll('.table')].some(one => one.scrollWidth > one.clientWidth)"
        assert browser.execute_script(wide)
        assert browser.execute_script("return [...document.images].every(one => one.naturalWidth > 0)")
        assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
        assert browser.get_log("browser") == []  # nothing was refused either

        segments = browser.find_elements(By.CSS_SELECTOR, "#table-ranking thead button")[1]
        first = (
            "return [...document.querySelectorAll('#table-ranking tbody td:nth-child(2)')].map(one => one.innerText)"
        )
        segments.click()
        assert [one.split()[-2] for one in browser.execute_script(first)] == ["9.0", "70.0", "80.0"]
        segments.click()
        assert [one.split()[-2] for one in browser.execute_script(first)] == ["80.0", "70.0", "9.0"]

        shown = (
            "return [...document.querySelectorAll('.track')].filter(one => !one.hidden).map(one => one.dataset.genre)"
        )
        before = browser.execute_script(shown)
        browser.execute_script(
            "const one = document.querySelector('.filter select'); one.value = 'blues';"
            "one.dispatchEvent(new Event('change', {bubbles: true}))"
        )
        after = browser.execute_script(shown)
        assert set(after) == {"blues"}
        assert len(after) < len(before)
    finally:
        browser.quit()
