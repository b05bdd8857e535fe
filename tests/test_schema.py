"""Plain data out: numbers, texts and nothing else, in JSON and in YAML that both versions of YAML read as it was."""

import json
import re

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.trainer_utils import SaveStrategy

from mgc_hf.cards.card import render_card
from mgc_hf.results import RunResult
from mgc_hf.schema import json_text, to_plain, yaml_text
from tests.cards.test_card import changed, load

#: What YAML 1.2 (core schema, as the Hub reads it) takes for something else than a text.
YAML_1_2 = re.compile(
    r"(null|Null|NULL|~|true|True|TRUE|false|False|FALSE|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)?"
)
ODD = [
    "null",
    "~",
    "true",
    "No",
    "on",
    "1e5",
    "1E-3",
    "0o17",
    "0x1F",
    ".5",
    "1.",
    "-1e9",
    "1_000",
    "12:30:45",
    "2024-01-01",
    "=",
]
ODD += [
    ".nan",
    ".inf",
    "!!python/none",
    "a: b",
    "- a",
    "# a",
    "'",
    '"',
    "a\nb",
    "\u2028",
    "\t",
    " a",
    "é",
    "🎵",
    "",
    "@a",
    "%",
    "&a",
    "*a",
]
texts = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(0.5), 0.5),
        (np.array([1, 2], np.int8), [1, 2]),
        (np.str_("a"), "a"),
        (torch.tensor(3), 3),
        (torch.tensor([0.5]), [0.5]),
        (SaveStrategy.EPOCH, "epoch"),
        ((1, "a", None), [1, "a", None]),
    ],
)
def test_values_become_plain(value, plain):
    """FC50."""
    found = to_plain({"a": [value]}, "it")["a"][0]
    assert (found, type(found)) == (plain, type(plain))


@pytest.mark.parametrize(
    "value", [np.float32("nan"), np.array(np.inf), torch.tensor(float("nan")), float("-inf"), {1}, b"x"]
)
def test_what_is_no_plain_value_is_named(value):
    for write in (json_text, yaml_text):
        with pytest.raises(ValueError, match=r"^record\.a\[0\] is "):
            write({"a": [value]}, "record")


def test_numpy_in_a_record_reaches_neither_card_nor_file(tmp_path):
    """FC50: as metrics of other libraries come."""
    plain = load("track")
    result = changed(plain, "track", n=np.int64(plain.track.n), loss=np.float64(plain.track.loss))
    result = changed(result, seed=np.array(plain.seed), leaky=np.bool_(plain.leaky))
    result.save(tmp_path / "results.json")
    assert RunResult.load(tmp_path / "results.json") == plain
    for text in (render_card(result), json_text(result.to_dict()), (tmp_path / "results.json").read_text()):
        assert not re.search(r"np\.|numpy\.|!!python|tensor\(", text)
    assert render_card(result) == render_card(plain)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        texts, st.one_of(texts, st.lists(texts), st.floats(allow_nan=False, allow_infinity=False), st.integers())
    )
)
def test_texts_stay_texts_in_yaml(value):
    """FC49: nothing of a user is read as a number, a date or nothing, by readers of YAML 1.1 or 1.2."""
    written = yaml_text(value)
    assert yaml.safe_load(written) == value
    assert json.loads(json_text(value)) == value
    for token in yaml.scan(written):
        if isinstance(token, yaml.ScalarToken) and token.plain and YAML_1_2.fullmatch(token.value):
            assert type(yaml.safe_load(token.value)) in (int, float)  # one that was a number, in either version


def test_a_list_in_two_places_is_written_twice():
    shared = ["a"]
    assert yaml_text({"a": shared, "b": shared}) == "a:\n- a\nb:\n- a\n"
