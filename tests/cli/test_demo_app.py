"""`mgc-hf demo-app`: what it refuses, and with which words (that it serves the page is tests/app/test_browser.py)."""

import socket
import sys

import pytest

from mgc_hf.cli import demo_app
from mgc_hf.errors import CheckpointError, OptionError


def test_without_gradio_it_says_how_to_get_it(monkeypatch, finished_run):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(OptionError, match=r"pip install 'gradio>=6.31,<7'"):
        demo_app.demo_app_command(str(finished_run))


def test_what_is_no_model_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"config.json is missing"):
        demo_app.demo_app_command(str(tmp_path))


def test_a_port_that_is_taken_is_named(finished_run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port {port} is taken"):
            demo_app.demo_app_command(str(finished_run), port=port)


def test_a_folder_has_its_name_and_no_page_and_a_repository_has_both(tmp_path):
    assert demo_app._name(str(tmp_path)) == tmp_path.name
    assert demo_app._link(str(tmp_path)) is None
    assert demo_app._name("alice/model") == "alice/model"
    assert demo_app._link("alice/model").endswith("/alice/model")
