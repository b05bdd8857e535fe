"""Base checkpoints that know GTZAN: found by what they say of themselves, refused, or told in the open."""

import json
import logging
import shutil
from dataclasses import replace

import pytest
import soundfile

from mgc_hf.cards.card import render_card
from mgc_hf.contamination import contamination_in, find_contamination, inherited_contamination
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.evaluating import evaluate
from mgc_hf.leaks import leak_of_base
from mgc_hf.results import RunResult
from mgc_hf.run import fine_tune
from tests.tunes import SAMPLING_RATE, tune

CARD = "---\n{}\n---\n\n# A model\n\nTested beside GTZAN.\n"


def described(folder, **files):
    for name, content in files.items():
        name = {"card": "README.md", "config": "config.json", "results": "results.json"}.get(name, f"{name}.json")
        text = CARD.format(content) if name == "README.md" else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


RECORD = {"training": {}, "data": {"source": "genres", "is_demo": False, "test_source": None}, "model": {}}
HEARD = {"tracks": {"train": {"blues.00000": "0", "rock.00001": "1"}, "test": {"mine": "2"}}}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"card": "datasets:\n- marsyas/gtzan"}, "its card names GTZAN (datasets)"),
        ({"card": "base_model: me/hubert-Finetuned-GTZAN"}, "its card names GTZAN (base_model)"),
        (
            {"card": "model-index:\n- name: it\n  results:\n  - dataset:\n      name: GTZAN\n      type: audio"},
            "its card names GTZAN (model-index)",
        ),
        ({"config": {"_name_or_path": "x/gtzan-model"}}, "its config.json names GTZAN (_name_or_path)"),
        (
            {"results": {**RECORD, "data": {"source": "marsyas/gtzan", "is_demo": False}}},
            "its results.json says that it was trained on marsyas/gtzan",
        ),
        ({"results": RECORD, "recordings": HEARD}, "its recordings.json lists tracks of GTZAN (blues.00000, ...)"),
        (
            {"results": {**RECORD, "model": {"contamination": "its card names GTZAN (datasets)"}}},
            "its own base is contaminated (its card names GTZAN (datasets))",
        ),
        ({}, None),
        ({"card": "datasets:\n- ludlows/fma\nlicense: mit"}, None),
        ({"config": {"model_type": "hubert", "id2label": {"0": "blues"}}, "results": RECORD}, None),
        # the demo corpus has ids that look like GTZAN's
        ({"results": {**RECORD, "data": {"source": "demo", "is_demo": True}}, "recordings": HEARD}, None),
    ],
)
def test_what_a_checkpoint_says_of_itself(files, why, tmp_path):
    assert contamination_in(described(tmp_path, **files)) == why
    assert find_contamination(str(tmp_path)) == why


def test_a_damaged_header_stops_nothing(tmp_path):
    (tmp_path / "README.md").write_text("---\na: [\n---\nEvaluated on GTZAN.\n")
    (tmp_path / "config.json").write_text("{")
    assert contamination_in(tmp_path) is None
    (tmp_path / "README.md").write_text("---\na: [\n---\nFine-tuned on GTZAN.\n")
    assert contamination_in(tmp_path) == "its card says in its text that it was trained on GTZAN"


def test_the_hub_may_be_silent(monkeypatch, caplog):
    def unreachable(*args):
        raise CheckpointError("me/it: the Hub cannot be reached")

    monkeypatch.setattr("mgc_hf.contamination.fetch_files", unreachable)
    with caplog.at_level(logging.WARNING):
        assert find_contamination("me/it") is None
    assert "so whether its card names GTZAN as its training data is not known" in caplog.text
    assert find_contamination("me/distilhubert-finetuned-gtzan") == "its name names GTZAN"


def test_what_leaks_stays_so():
    assert leak_of_base(False, None) == (False, "")
    leaky, sentence = leak_of_base(False, "its card says so")
    assert leaky is None
    assert sentence.endswith("is not known: its card says so.")
    assert leak_of_base(True, "its card says so")[0] is True


@pytest.fixture(scope="module")
def gtzan(tmp_path_factory):
    """A folder that is taken for a part of GTZAN: two genres of six tracks."""
    folder = tmp_path_factory.mktemp("contaminated") / "genres"
    for genre, kind in (("blues", "blues"), ("rock", "metal")):
        (folder / genre).mkdir(parents=True)
        for number in range(6):
            soundfile.write(folder / genre / f"{genre}.{number:05d}.wav", tune(kind, number, 3.0), SAMPLING_RATE)
    return folder


@pytest.fixture(scope="module")
def options(run_values, gtzan):
    return {**run_values, "dataset": str(gtzan), "num_train_epochs": 1, "pictures": False, "num_resamples": 100}


@pytest.fixture(scope="module")
def base(finished_run, tmp_path_factory):
    """A model whose card names GTZAN."""
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("base") / "model")
    for name in ("results.json", "recordings.json"):
        (folder / name).unlink()
    return described(folder, card="datasets:\n- marsyas/gtzan")


def test_a_contaminated_base_is_refused_unless_the_user_insists(base, options, music_folder, tmp_path, monkeypatch):
    values = {**options, "model_name_or_path": str(base), "model_config": None}
    with monkeypatch.context() as early:
        early.setattr("mgc_hf.division.prepare", lambda *args, **how: pytest.fail("features were extracted"))
        early.setattr("mgc_hf.run.divide", lambda *args: pytest.fail("divided"))
        with pytest.raises(OptionError, match=r"model: its card names GTZAN .datasets., .*--allow_contaminated true"):
            fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    result = fine_tune(**values, output_dir=str(tmp_path / "run"), allow_contaminated=True)
    assert result.model.contamination == "its card names GTZAN (datasets)"
    assert (result.leaky, result.leak) == (None, "leak not known")
    assert "is not known: its card names GTZAN (datasets)." in result.split.statement
    assert "leak not known" in result.summary()
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert "> **Contaminated base.**" in card
    assert "run: music genre classification (contaminated base)" in card
    # whoever judges the finished model on GTZAN hears of it too
    assert inherited_contamination(tmp_path / "run") == "its card names GTZAN (datasets)"
    judged = evaluate(tmp_path / "run", options["dataset"], split=tmp_path / "run" / "split.json", num_resamples=100)
    assert (judged.model.contamination, judged.leaky) == ("its card names GTZAN (datasets)", None)


def test_other_test_data_are_not_contaminated(base, options, music_folder, tmp_path):
    values = {**options, "dataset": str(music_folder), "model_name_or_path": str(base), "model_config": None}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert (result.model.contamination, result.leaky) == (None, False)


def test_the_card_of_a_record_without_contamination_says_nothing(finished_run):
    result = RunResult.load(finished_run / "results.json")
    assert "Contaminated base" not in render_card(result)
    assert "Contaminated base" in render_card(replace(result, model=replace(result.model, contamination="it says so")))
