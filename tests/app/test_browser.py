"""The page in a real browser: `mgc-hf demo-app FOLDER`, a file that is uploaded, the genre that appears."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

#: Seconds that a page, a model or an answer may take on a busy machine.
PATIENCE = 60

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="no chromium and chromedriver here (apt-get install chromium chromium-driver)",
)


def until(found):
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s")


@pytest.fixture(scope="module")
def address(finished_run, tmp_path_factory):
    """Where `mgc-hf demo-app` serves a model's folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-c", "from mgc_hf.cli.main import main; main()", "demo-app", str(finished_run), "--port", str(port)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("sent"))}
    log = tmp_path_factory.mktemp("log") / "log"
    with (
        log.open("w") as output,
        subprocess.Popen([sys.executable, *command], env=environment, stdout=output, stderr=output) as process,
    ):
        address = f"http://127.0.0.1:{port}/"

        def is_up():
            assert process.poll() is None, log.read_text()
            try:
                return urllib.request.urlopen(address, timeout=5).status == 200
            except OSError:
                return False

        try:
            until(is_up)
            yield address
            assert f"open {address} in a browser" in log.read_text()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    home = tmp_path_factory.mktemp("browser")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", f"user-data-dir={home}"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_a_clip_is_uploaded_and_its_genre_read(address, browser, clips, finished_run):
    from selenium.webdriver.common.by import By

    from mgc_hf.inference import GenreClassifier

    def upload(name):
        browser.get(address)
        (field,) = until(lambda: browser.find_elements(By.CSS_SELECTOR, "#clip input[type=file]"))
        field.send_keys(str(clips / name))

    def said():
        return browser.execute_script("return document.getElementById('said').innerText.trim()")

    theirs = GenreClassifier.from_pretrained(finished_run).predict_file(clips / "good.wav")
    upload("good.wav")
    until(lambda: said().startswith("Most likely"))
    assert said().startswith(f"Most likely {theirs.genre} ({theirs.probabilities[theirs.genre]:.0%})")
    shown = until(lambda: browser.find_element(By.ID, "genres").text)
    assert all(genre in shown for genre in theirs.probabilities)
    pictures = (
        "return [...document.querySelectorAll('#along img, #spectrogram img')].map(i => [i.alt, i.naturalWidth])"
    )
    until(lambda: [width > 500 for _, width in browser.execute_script(pictures)] == [True, True])
    assert [alt.split()[0] for alt, _ in browser.execute_script(pictures)] == ["Lines", "Mel"]
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(fetched) > 5
    assert [name for name in fetched if not name.startswith((address, "blob:", "data:"))] == []

    upload("silent.wav")
    until(lambda: "silent.wav is silent" in said())
    assert browser.find_elements(By.CSS_SELECTOR, "#said [role=alert]")
    assert not browser.find_elements(By.CSS_SELECTOR, "#along img")
