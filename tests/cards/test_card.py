"""The card: whole texts against golden files, every figure from the record, nothing of a user breaks it or leaks.

The golden files are written anew by `python -m tests.cards.test_card` and by nothing else; read the diff before you
commit it. Their records lie beside them: `results_track.json` and `results_segment_demo.json` hold plausible figures,
`results_test_dataset.json` is computed by hand from its confusion matrices.
"""

import ast
import dataclasses
import json
import re
import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from mgc_hf.cards.card import CLIP, FOLDER, address, metadata, render_card, snippets
from mgc_hf.cards.hub_ids import is_hub_id
from mgc_hf.cards.markdown import clean, escape, without_paths
from mgc_hf.cards.signature import is_as_generated
from mgc_hf.evaluation.intervals import wilson
from mgc_hf.results import PICTURE_FILES, WIDGET_FILES, RunResult, SkippedFile

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ("track", "segment_demo", "test_dataset")


def load(name):
    return RunResult.load(GOLDEN / f"results_{name}.json")


def header(card):
    return yaml.safe_load(card.split("---\n", 2)[1])


def body(card):
    return card.split("---\n", 2)[2]


def changed(result, part=None, **values):
    """Return a record with some fields replaced, those of `part` if one is named."""
    if part is None:
        return dataclasses.replace(result, **values)
    return dataclasses.replace(result, **{part: dataclasses.replace(getattr(result, part), **values)})


@pytest.mark.parametrize("name", NAMES)
def test_golden(name):
    assert render_card(load(name)) == (GOLDEN / f"card_{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "level"), [(name, level) for name in NAMES for level in load(name).levels])
def test_golden_records_agree_with_their_confusion_matrices(name, level):
    result = load(name)
    scores, genres = getattr(result, level), result.data.genres
    matrix = np.array(scores.confusion_matrix)
    counts = getattr(result.data, f"{level}s")["test"]
    assert matrix.shape == (len(genres), len(genres))
    assert matrix.sum() == scores.n
    assert matrix.sum(axis=1).tolist() == [counts[genre] for genre in genres]
    assert scores.accuracy.value == pytest.approx(np.trace(matrix) / scores.n, abs=1e-6)
    f1 = []
    for index, genre in enumerate(genres):
        of_genre = scores.per_genre[genre]
        right, said, true = matrix[index, index], matrix[:, index].sum(), matrix[index].sum()
        assert of_genre.support == true
        assert of_genre.precision == pytest.approx(right / said if said else 0, abs=1e-6)
        assert of_genre.recall == pytest.approx(right / true if true else 0, abs=1e-6)
        assert of_genre.f1 == pytest.approx(2 * right / (said + true) if said + true else 0, abs=1e-6)
        if true:
            f1.append(2 * right / (said + true))
    assert scores.macro_f1.value == pytest.approx(np.mean(f1), abs=1e-6)
    if scores.calibration is not None:
        filled = [b for b in scores.calibration.bins if b.n]
        assert sum(b.n * b.accuracy for b in filled) == pytest.approx(np.trace(matrix), abs=1e-3)
        gaps = sum(b.n * abs(b.accuracy - b.confidence) for b in filled)
        assert scores.calibration.ece == pytest.approx(gaps / scores.n, abs=1e-6)
        for genre, of_genre in scores.per_genre.items():
            num_tracks = result.data.tracks["test"][genre]
            expected = wilson(of_genre.recall * num_tracks, num_tracks)
            assert of_genre.recall_ci95 == (expected and pytest.approx(expected, abs=1e-6))


def test_figures_of_the_hand_computed_record():
    # tracks: blues 3 of 4 right, one heard as jazz; jazz 3 of 3; rock 2 of 3, one heard as blues; no pop
    card = render_card(load("test_dataset"))
    for line in (
        "**Accuracy 80.0 % [49.0, 94.3] of tracks** (n = 10) and 70.0 % [not measured] of segments (n = 50)",
        "| track | 10 | 80.0 % [49.0, 94.3] | 90.0 % [59.6, 98.2] | 80.2 % [48.9, 100.0] | 0.551 |",
        "| segment | 50 | 70.0 % [not measured] | 84.0 % [53.1, 96.1] | 70.4 % [not measured] | 0.903 |",
        "The probabilities are off by 9.0 points for tracks and 5.6 points for segments on average",
        "| blues | 0.75 | 0.75 [0.30, 0.95] | 0.75 | 4 |",
        "| jazz | 0.75 | 1.00 [0.44, 1.00] | 0.86 | 3 |",
        "| pop | not measured | not measured | not measured | 0 |",
        "| rock | 1.00 | 0.67 [0.21, 0.94] | 0.80 | 3 |",
        "| *macro average* | 0.83 | 0.81 | 0.80 | 10 |",
        "| *all* | 28 (308) | 10 (50) |",
    ):
        assert line in card
    metrics = header(card)["model-index"][0]["results"][0]["metrics"]
    assert [metric["value"] for metric in metrics] == [0.8, 0.8024, 0.7, 0.7036]


@pytest.mark.parametrize("name", NAMES)
def test_header_is_what_the_hub_reads(name):
    """FC49."""
    result = load(name)
    card = render_card(result)
    parsed = ModelCard(card)
    data = header(card)
    assert parsed.data.library_name == "transformers"
    assert parsed.data.license == "apache-2.0"
    assert parsed.data.pipeline_tag == "audio-classification"
    assert parsed.data.tags == ["mgc_hf", "music-genre-classification"]
    assert parsed.data.metrics == ["accuracy", "f1"]
    assert "python/" not in card
    assert list(leaves(data))
    for value in leaves(data):
        assert type(value) in (str, int, float, bool)
        assert value not in ("", "nan", ".nan")
    model_name, results = model_index_to_eval_results(data["model-index"])
    assert model_name == result.name
    assert results == metadata(result).eval_results == parsed.data.eval_results
    accuracies = {r.metric_name: r.metric_value for r in results if r.metric_type == "accuracy"}
    assert accuracies == {
        f"Accuracy ({level}s)": pytest.approx(scores.accuracy.value, abs=5e-5)
        for level, scores in result.levels.items()
    }


def leaves(value):
    if isinstance(value, dict | list):
        assert value, "an empty key"
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize(
    ("base", "entries", "text"),
    [
        (None, {"license": "apache-2.0"}, "| Licence | apache-2.0 |"),
        ("facebook/hubert-base-ls960", {"license": "apache-2.0"}, "| Licence | apache-2.0, as the checkpoint's own |"),
        (
            "facebook/w2v-bert-2.0",
            {"license": "mit"},
            "| Licence | mit, as the checkpoint's own; it asks for its text,",
        ),
        ("microsoft/wavlm-base", {"license": "other", "license_name": "wavlm-disputed"}, "CC BY-SA 3.0"),
        ("my-checkpoint", {}, "| Licence | not known"),
    ],
)
def test_the_licence_follows_the_base(base, entries, text):
    card = render_card(changed(load("track"), "model", base_model=base))
    data = header(card)
    assert {name: data[name] for name in data if name in ("license", "license_name")} == entries
    assert ("license_link" in data) == ("license_name" in data)
    assert text in card


def test_hub_ids_reach_the_header_and_local_names_do_not():
    local = header(render_card(load("track")))
    assert not {"datasets", "base_model"} & set(local)
    hub = changed(load("track"), "data", source="marsyas/gtzan", revision="abc123")
    hub = changed(hub, "model", base_model="facebook/hubert-base-ls960", model_type="hubert")
    data = header(render_card(hub))
    assert data["datasets"] == ["marsyas/gtzan"]
    assert data["base_model"] == "facebook/hubert-base-ls960"
    assert data["base_model_relation"] == "finetune"
    assert data["model-index"][0]["results"][0]["dataset"]["type"] == "marsyas/gtzan"
    assert data["model-index"][0]["results"][0]["dataset"]["revision"] == "abc123"


def test_numpy_figures_become_plain_numbers():
    result = load("track")
    scores = dataclasses.replace(
        result.track, accuracy=dataclasses.replace(result.track.accuracy, value=np.float64(0.5))
    )
    assert "!!python" not in render_card(dataclasses.replace(result, track=scores))


def test_leaky_and_synthetic_are_said_in_title_and_text():
    card = render_card(load("segment_demo"))
    assert re.search(r"^# .*leaky split, synthetic demo corpus", card, flags=re.MULTILINE)
    assert "**This figure overstates.** Segments of one track are on both sides of the split" in card
    assert "**Synthetic demo corpus.** All clips" in card
    assert "the figures are too high for music that the model has not heard" in card
    plain = render_card(load("track"))
    assert "overstates" not in plain
    assert "ynthetic demo corpus" not in plain.replace("from the synthetic demo corpus (none", "")
    assert "of tracks not defined" in card
    assert "| track | | not defined: segments of one track are trained on and tested on | | |" in card
    assert "Accuracy (tracks)" not in card
    assert "not defined" not in plain
    assert "Sturm" not in body(card)
    assert "Sturm (2013)" in body(plain)


@pytest.mark.parametrize(
    ("train_on", "test_on", "said"),
    [("demo", "owner/clips", "The training clips are"), ("owner/clips", "demo", "The test clips are")],
)
def test_says_which_part_is_synthetic(train_on, test_on, said):
    card = render_card(changed(load("segment_demo"), "data", source=train_on, test_source=test_on))
    assert f"**Synthetic demo corpus.** {said} composed by rules" in card
    assert "Sturm (2013)" in card  # the other part may be GTZAN's


def test_a_leak_that_is_not_the_protocols_own_is_told_apart():
    result = changed(load("test_dataset"), leaky=True)
    card = render_card(result)
    assert "**This figure overstates.** The test part is not independent" in card
    assert "Segments of one track" not in card


def test_says_how_the_weights_were_chosen():
    best = render_card(load("track"))
    assert "epoch 17 of 24, the best on the validation part by `segment_accuracy`" in best
    averaged = render_card(load("test_dataset"))
    assert 'no early stopping and no choice of a "best" epoch took place' in averaged
    assert "exponential moving average over training steps, taken at the end of the last epoch (12 of 12)" in averaged
    last = render_card(changed(load("test_dataset"), "training", selected="last", weight_averaging=False))
    assert "the weights are those of the last epoch (12 of 12)." in last
    assert "moving average" not in last


def test_what_was_not_measured_is_not_spoken_of():
    """A record of an older schema has no calibration, no interval by artist and no Wilson's."""
    new, old = render_card(load("track")), render_card(load("segment_demo"))
    for text in (
        "Drawing whole artists in place of tracks gives 50.0 % [25.0, 75.0] of tracks and 41.7 % [24.1, 59.2] of segments.",
        "they are off by 8.1 for tracks (temperature 0.71) and 4.3 for segments (temperature 1.18).",
        "where fewer than five tracks are right, or wrong, and for the recall of each genre they are Wilson's",
        "| Genre | Precision | Recall [95 % interval] | F1 | True tracks |",
        "images/reliability.png",
        "given as they are, without a temperature",
        "| Inference | 0.42 s for 120 test segments |",
    ):
        assert text in new
    for word in ("artists in place", "emperature", "Wilson", "reliability", "Inference", "off by", "Recall ["):
        assert word not in old
    assert "| segment | 600 | 69.5 % [64.8, 73.8] | not measured |" in old
    assert "its probabilities are not calibrated" in old
    assert "emperature that" not in render_card(load("test_dataset"))  # there was no validation part


def test_not_pre_trained_speech_model_says_so_in_its_title():
    scratch = changed(load("track"), "model", model_type="hubert", architecture="HubertForSequenceClassification")
    card = render_card(scratch)
    assert "(not pre-trained)" in card.splitlines()[card.splitlines().index("---", 1) + 2]
    assert "It was trained from scratch, without pre-trained weights, on" in card
    assert "| Weights began | from scratch, at random: not pre-trained |" in card
    assert "pre-trained" not in render_card(load("track"))  # nobody expects it of the LSTM
    found = snippets(card)
    assert all("trust_remote_code" not in found[name] for name in ("stock_pipeline", "auto_classes"))
    assert "import mgc_hf" not in card


def test_pictures_are_those_of_the_record():
    for name in NAMES:
        result = load(name)
        shown = re.findall(r"!\[[^]]+\]\((images/\w+\.png)\)", render_card(result))
        assert sorted(shown) == sorted(PICTURE_FILES[picture] for picture in result.pictures)
        assert len(shown) == (5 if name == "segment_demo" else 7)
    without = load("track")
    without = changed(without, "training", resolved={**without.training.resolved, "pictures": False})
    assert "![" not in render_card(without)


def test_evaluation_of_a_finished_model():
    result = changed(load("track"), name="lstm on other-clips", training=None, seed=None, protocol="external")
    result = changed(result, "split", seed=None, hash=None)
    result = changed(result, "data", source="other-clips", tracks={"test": result.data.tracks["test"]})
    card = render_card(result)
    assert snippets(card) == {}
    assert "## Training" not in card
    assert "This is the report of an evaluation" in card
    assert "training_curves.png" not in card
    assert "mgc-hf evaluate --model path/to/the/model --dataset other-clips\n" in card
    assert "datasets" not in header(card)
    on_split = changed(result, "split", hash="abc")
    assert "--dataset other-clips --split split.json\n" in render_card(on_split)


def test_without_changed_options_or_skipped_files():
    result = changed(changed(load("track"), "training", options={}), "data", skipped=[])
    card = render_card(result)
    assert "All options have the recipe's defaults." in card
    assert "No file was left out." in card
    assert "```bash\npython recipes/lstm.py \\\n    --output_dir DIR\n```" in card


def parsed_command(card):
    """Return the words of the recipe command in a card."""
    command = re.search(r"```bash\n((?:python|torchrun) .*?)```", card, flags=re.DOTALL).group(1)
    return shlex.split(command.replace("\\\n", ""))


@pytest.mark.parametrize("name", NAMES)
def test_command_gives_the_run_its_options_back(name):
    from mgc_hf.options import parse_options

    result = load(name)
    result = changed(
        result,
        "training",
        options={**result.training.options, "random_offset": not True, "dataset_columns": '{"audio": "a b"}'},
    )
    words = parsed_command(render_card(result))
    start = words.index("recipes/lstm.py")
    assert words[:start] == (["python"] if name != "test_dataset" else ["torchrun", "--nproc_per_node", "2"])
    options = vars(result.training)["options"]
    read = parse_options({"random_offset": True, "seed": 99}, words[start + 1 :]).changed
    expected = {key: value for key, value in options.items() if value is not None}
    assert {key: value for key, value in read.items() if key in expected} == expected
    assert read["output_dir"] == "DIR"


def test_options_that_no_flag_can_empty_are_named():
    assert "Left empty, which only a file given by `--config` can say: `save_total_limit`." in render_card(
        load("test_dataset")
    )


def test_program_that_repeats_a_run_from_python():
    card = render_card(changed(load("track"), "training", recipe="mgc_hf.fine_tune"))
    program = re.search(r"```python\n(import mgc_hf\n\nmgc_hf\.fine_tune.*?)```", card, flags=re.DOTALL).group(1)
    call = ast.parse(program).body[1].value
    values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert values == {**load("track").training.options, "output_dir": "DIR"}


def test_rerun_is_told_what_the_record_cannot_say():
    result = load("track")
    assert "mgc-hf rerun path/to/this/folder --dataset path/to/the/same\n" in render_card(result)
    index = changed(result, "data", source="owner/index")
    index = changed(index, "training", resolved={**result.training.resolved, "audio": "genres"})
    assert "mgc-hf rerun path/to/this/folder --audio path/to/the/same\n" in render_card(index)
    hub = changed(result, "data", source="owner/clips")
    hub = changed(hub, "training", resolved={**result.training.resolved, "model_name_or_path": "checkpoint"})
    assert "mgc-hf rerun path/to/this/folder --model_name_or_path path/to/the/same\n" in render_card(hub)


def test_snippets_are_marked_and_are_code():
    found = snippets(render_card(load("track")))
    assert list(found) == ["pipeline", "auto_classes", "command_line"]
    speech = changed(load("track"), "model", model_type="hubert")
    found |= snippets(render_card(speech))
    assert sorted(found) == ["auto_classes", "command_line", "pipeline", "stock_pipeline"]
    for name in ("pipeline", "auto_classes", "stock_pipeline"):
        compile(found[name], name, "exec")
        assert FOLDER in found[name]
        assert CLIP in found[name]
        assert max(map(len, found[name].splitlines())) <= 100
    assert shlex.split(found["command_line"]) == ["mgc-hf", "predict", CLIP, "--model", FOLDER]


def test_local_paths_and_names_of_users_do_not_appear():
    result = load("track")
    options = {
        "dataset": "/home/mrsmith/music/genres",
        "split": "~mrsmith/runs/split.json",
        "output_dir": "/home/mrsmith/out",
        "logging_dir": "C:\\Users\\mrsmith\\logs",
        "deepspeed": "../mrsmith/ds.json",
        "hub_token": "hf_mrsmith",
        "lr_scheduler_kwargs": {"file": "/home/mrsmith/x.json", "n": [1, "/home/mrsmith/y"]},
    }
    result = changed(result, "training", options=options, resolved=options, recipe="/home/mrsmith/lstm.py")
    result = changed(
        result,
        "data",
        source="/home/mrsmith/music/genres",
        skipped=[
            SkippedFile("/home/mrsmith/a.wav", "unreadable: cannot open '/home/mrsmith/a.wav' (see /root/mrsmith/b)")
        ],
    )
    result = changed(result, "model", base_model="/home/mrsmith/models/base")
    card = render_card(changed(result, name="/home/mrsmith/outputs/run"))
    assert "mrsmith" not in card
    assert "hf_" not in card.replace("mgc_hf", "")
    assert "`genres`" in card
    assert "# run: music" in card
    assert "python recipes/lstm.py" in card
    assert "put your own for `genres` and `split.json`." in card
    assert "base_model" not in header(card)


@given(
    st.sampled_from(["/home/zqx/", "/Users/zqx/a/", "C:\\Users\\zqx\\", "~zqx/", "../zqx/", "./zqx/b/", "//zqx/"]),
    st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z]{1,4})?", fullmatch=True),
    st.sampled_from(["{}", "cannot open {}", "'{}' is bad", "see {}, twice: {}", "({})", "a/b {}"]),
)
def test_paths_are_cut_to_their_last_component(folder, file, text):
    assert without_paths(text.replace("{}", folder + file)) == text.replace("{}", file)


@pytest.mark.parametrize(
    "text", ["marsyas/gtzan", "and/or", "R&B / soul", "https://huggingface.co/a/b", "24/7", "1e-4", "/", "{}", ""]
)
def test_what_is_no_path_stays(text):
    assert without_paths(text) == (text if text != "/" else "PATH")


ODD = [
    "a|b",
    "<script>alert(1)</script>",
    '"x": y',
    "a\nb",
    "---",
    "`",
    "``",
    "\\|",
    "*a*",
    "_a_",
    "[a](b)",
    "![a](b)",
]
ODD += ["{{ 7 * 7 }}", "{% raw %}", "&lt;", "$x$", "~~a~~", "# a", "- a", "1. a", "+", "ジャズ", "\u202etxt", "\u2028"]
ODD += ["\x00", "\ud800", "</details>", "<!--", "www.a.example", "http://a.example", "null", "~", "!!python/none", "'"]
texts = st.one_of(
    st.sampled_from(ODD), st.text(min_size=1, max_size=24), st.text(alphabet="|\\`<>*_[]-&$\n", min_size=1)
)


def with_user_text(name, genres, file, reason, value):
    """Return the hand-computed record with a user's text wherever the record holds any."""
    result = load("test_dataset")
    renamed = dict(zip(result.data.genres, genres, strict=True))

    def by_genre(scores):
        return dataclasses.replace(scores, per_genre={renamed[g]: s for g, s in scores.per_genre.items()})

    def counts(parts):
        return {part: {renamed[g]: n for g, n in of.items()} for part, of in parts.items()}

    data = dataclasses.replace(
        result.data,
        genres=genres,
        tracks=counts(result.data.tracks),
        segments=counts(result.data.segments),
        source=value,
        revision=value,
        skipped=[SkippedFile(file, reason)],
    )
    options = {"run_name": value, "label_names": [value], "lr_scheduler_kwargs": {"a": value}, "dataset": value}
    result = dataclasses.replace(result, track=by_genre(result.track), segment=by_genre(result.segment), data=data)
    result = changed(result, "training", options=options, resolved=options)
    result = changed(result, "split", statement=reason)
    return dataclasses.replace(result, name=name)


@pytest.fixture(scope="module")
def markdown():
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py parses the card's tables here")
    return markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def shown_cells(tokens):
    """Return every table as rows of the texts that its cells show."""
    tables = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            parts = [t.content for t in flat(following.children) if t.type in ("text", "code_inline", "text_special")]
            tables[-1][-1].append("".join(parts))
    return tables


@cache
def plain_card():
    return render_card(with_user_text("n", list("abcd"), "f", "r", "v"))


def outline(tokens):
    return [(t.type, t.tag) for t in tokens if t.type.endswith("_open") or t.type in ("fence", "html_block")]


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole card takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=texts, genres=st.lists(texts, min_size=4, max_size=4, unique=True), file=texts, reason=texts, value=texts)
@example(name='"x": y', genres=ODD[:4], file="a|b`.wav", reason="<b>|", value='{"a": "|"}')
@example(name="a\n---\nb: c", genres=ODD[4:8], file="\\|", reason="# x", value="\\")
def test_no_text_of_a_user_breaks_the_card(markdown, name, genres, file, reason, value):
    """FC49."""
    assume(not is_hub_id(value))  # a Hub id leaves out the sentence on local paths
    card = render_card(with_user_text(name, genres, file, reason, value))
    card.encode("utf-8")
    data = header(card)
    assert set(data) - {"datasets"} == {
        *("library_name", "license", "metrics", "pipeline_tag", "tags", "widget", "model-index")
    }
    assert data["model-index"][0]["name"] == (clean(without_paths(name)) or "unnamed")
    assert ModelCard(card).data.eval_results
    tokens = markdown.parse(body(card))
    comment = r"<!-- (snippet: \w+|generated by mgc_hf; sha256 of the text above: \w{64}) -->"
    audio = r'<audio controls src="widget/[a-z]+\.mp3">|</audio>'
    allowed = rf"</?(details|summary|code)>|{comment}|<details><summary>[A-Za-z ]+</summary>|{audio}"
    for token in flat(tokens):
        if token.type in ("html_inline", "html_block"):
            assert re.fullmatch(f"({allowed}|\\s)*", token.content), token.content
        assert token.type != "image" or token.attrs["src"] in PICTURE_FILES.values()
        if token.type == "link_open":
            assert token.attrs["href"].startswith("https://huggingface.co/")
    assert outline(tokens) == outline(markdown.parse(body(plain_card())))
    for table in shown_cells(tokens):
        assert {len(row) for row in table} == {len(table[0])}
    scores = next(table for table in shown_cells(tokens) if table[0][0] == "Genre")
    assert [row[0].strip() for row in scores[1:5]] == [clean(genre) or "(blank)" for genre in genres]
    files = next(table for table in shown_cells(tokens) if table[0][0] == "File")
    assert files[1][1].strip() == (clean(without_paths(reason)) or "(blank)" if reason else "")
    for language, text in re.findall(r"^```(python|bash)\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE):
        if language == "bash":
            shlex.split(text)


@given(texts)
def test_escaped_text_is_one_line_and_shows_itself(text):
    from html import unescape

    shown = unescape(escape(text))
    assert "\n" not in escape(text)
    assert "|" not in escape(text)
    assert "<" not in escape(text)
    assert shown == clean(text) or not clean(text)


def test_ordinary_text_is_not_touched():
    for text in ("hip-hop", "Drum and Bass", "0.75", "53.4 %", "café", "rock_n_roll", "soft rock (70s)", "it's"):
        assert escape(text) == text


#: Type of a model -> the card of a run of one.
FAMILIES = {
    "mel_lstm": load("track"),
    **{
        kind: changed(changed(load("track"), "model", model_type=kind), "data", sampling_rate=16000)
        for kind in ("hubert", "wavlm", "wav2vec2")
    },
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A tiny untrained model of each kind as a run leaves it, a clip of noise, and the snippets of its card."""
    import soundfile

    from mgc_hf.models.build import plan_model
    from mgc_hf.training import save_model_folder
    from tests.models.kinds import save_checkpoint

    result = FAMILIES[request.param]
    folder = tmp_path_factory.mktemp("model")
    if request.param == "mel_lstm":
        plan = plan_model("mel_lstm", segment_seconds=3.0, model_values={"hidden_size": 8})
    else:
        plan = plan_model(str(save_checkpoint(request.param, tmp_path_factory.mktemp("base"))), segment_seconds=3.0)
    model, extractor = plan.build(result.data.genres)
    save_model_folder(model, extractor, folder)
    noise = np.random.default_rng(0).normal(size=(44100 * 5, 2)) * 0.1
    soundfile.write(folder / "noise.wav", noise, 44100)
    return result, folder, snippets(address(render_card(result), str(folder), "http://hub"))


def test_python_snippets_run(family, capsys, monkeypatch, tmp_path):
    result, folder, codes = family
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in [name for name in codes if name != "command_line"]:
        code = codes[name].replace(CLIP, str(folder / "noise.wav"))
        assert str(folder) in code
        exec(compile(code, name, "exec"), {})
        printed = capsys.readouterr().out
        if name == "auto_classes":
            rows = [line.split() for line in printed.splitlines()]
            assert [genre for _, genre in rows] == result.data.genres
            assert sum(float(probability) for probability, _ in rows) == pytest.approx(1, abs=0.01)
        else:
            answer = ast.literal_eval(printed)
            assert len(answer) == 3
            assert all(row["label"] in result.data.genres for row in answer)


def test_command_line_snippet_runs(family, monkeypatch, capsys):
    from mgc_hf.cli.main import main

    result, folder, codes = family
    words = shlex.split(codes["command_line"])
    words = [str(folder / "noise.wav") if word == CLIP else word for word in words]
    monkeypatch.setattr("sys.argv", [*words, "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (0, None)
    answer = json.loads(capsys.readouterr().out)
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer["error"] is None
    assert answer["genre"] in result.data.genres


def test_on_the_hub_a_card_names_its_repository(markdown):
    card = render_card(load("track"))
    there = address(card, "studio/lstm", "https://hub.example")
    assert is_as_generated(there)
    assert FOLDER not in there
    files = "https://hub.example/studio/lstm/resolve/main/"
    assert [clip["src"] for clip in header(there)["widget"]] == [files + path for path in WIDGET_FILES.values()]
    assert re.findall(r'src="(.*?)"', body(there)) == [files + path for path in WIDGET_FILES.values()]
    assert snippets(there)["command_line"] == f"mgc-hf predict {CLIP} --model studio/lstm\n"
    assert address(there, "studio/lstm", "https://hub.example") == there
    edited = card.replace("music genre", "MUSIC genre")
    assert address(edited, "studio/lstm", "https://hub.example") == edited


@pytest.mark.parametrize(
    ("kind", "said"),
    [("mel_lstm", "**97.10 %** for their LSTM"), ("wavlm", "**83.00 %** for their WavLM"), ("whisper", None)],
)
def test_the_papers_figure_stands_beside_the_runs(kind, said):
    card = render_card(changed(load("track"), "model", model_type=kind))
    assert ("## Beside the paper" in card) == (said is not None)
    if said:
        assert said in card
        assert "This run has 50.0 % [30.0, 70.0] of 20 test tracks, 41.7 % [27.5, 56.7] of their segments." in card
        assert "protocol `track`, leak-free by track |" in card


if __name__ == "__main__":
    for golden in NAMES:
        path = GOLDEN / f"card_{golden}.md"
        path.write_text(render_card(load(golden)), encoding="utf-8")
        print(f"wrote {path}")
