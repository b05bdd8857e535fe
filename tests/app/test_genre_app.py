"""The page without a browser: which clips it takes, what it draws and says."""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mgc_hf.app import genre_app
from mgc_hf.app.genre_app import Answer, Clip, ClipError, ModelError
from mgc_hf.hub import space
from mgc_hf.models.pipelines import IMPLEMENTATION, add_pipeline

GENRES = ["blues", "rock", "a <i> & $b$"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("silent.wav", "is silent"),
        ("constant.wav", "is silent"),
        ("empty.wav", "too short"),
        ("short.wav", "too short"),
        ("long.wav", "is 11 minutes long. Send at most 10 minutes"),
        ("broken.wav", "no numbers"),
        ("<b>text.mp3", "could not be read as audio. WAV, FLAC, MP3 and OGG"),
        ("gone.wav", "could not be read as audio"),
    ],
)
def test_what_cannot_be_heard_is_named_with_its_reason(clips, name, said):
    with pytest.raises(ClipError) as caught:
        genre_app.read_clip(clips / name)
    assert str(caught.value).startswith(name)
    assert said in str(caught.value)


def test_channels_stay(clips):
    clip = genre_app.read_clip(clips / "stereo.flac")
    assert clip.samples.shape[1] == 2
    assert clip.seconds == pytest.approx(6.0)


def test_a_real_model_says_what_the_command_line_says(finished_run, clips):
    from mgc_hf.inference import GenreClassifier

    answer = genre_app.hear(genre_app.load(str(finished_run)), genre_app.read_clip(clips / "good.wav"))
    assert len(answer.spans) > 1
    np.testing.assert_allclose(answer.along.sum(axis=1), 1)
    np.testing.assert_allclose(answer.along.mean(axis=0), list(answer.scores.values()), atol=1e-6)
    theirs = GenreClassifier.from_pretrained(finished_run).predict_file(clips / "good.wav")
    assert answer.scores == pytest.approx(theirs.probabilities, abs=1e-5)
    assert list(answer.scores) == list(theirs.probabilities)


def test_the_task_is_the_one_that_the_configuration_names(tmp_path):
    from transformers import HubertConfig

    config = HubertConfig()
    add_pipeline(config, tmp_path)
    assert genre_app.task_of(config.to_dict(), "x") == "music-genre-classification"
    for pipelines in ({}, None, {"audio-classification": {"impl": "other.Pipeline"}}):
        with pytest.raises(ModelError, match=r"alice/x: its config.json names no pipeline_genre.GenrePipeline"):
            genre_app.task_of({"custom_pipelines": pipelines}, "alice/x")


def test_the_page_and_the_space_look_for_the_pipeline_that_is_written(finished_run):
    (entry,) = json.loads((finished_run / "config.json").read_text())["custom_pipelines"].values()
    assert entry["impl"] == genre_app.PIPELINE == IMPLEMENTATION


def test_one_line_per_genre_the_most_probable_first_and_as_long_as_the_clip():
    along = np.array([[0.5, 0.3, 0.2], [0.7, 0.2, 0.1]])
    answer = Answer({"rock": 0.6, "a $b": 0.25, "blues": 0.15}, np.array([[0, 3], [2, 5]]), along)
    figure = genre_app.draw_along(answer, 5.0)
    (axes,) = figure.axes
    rock, *others = axes.get_lines()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["rock", "a $b", "blues"]
    np.testing.assert_allclose(rock.get_xdata(), [0, 1.5, 3.5, 5])
    np.testing.assert_allclose(rock.get_ydata(), [0.5, 0.5, 0.7, 0.7])
    assert all(rock.get_zorder() > line.get_zorder() for line in others)
    assert genre_app.picture(figure).shape[2] == 3


def test_many_genres_share_grey_and_all_have_a_line():
    scores = {f"genre {number}": 1 / 40 for number in range(40)}
    figure = genre_app.draw_along(Answer(scores, np.array([[0, 3]]), np.full((1, 40), 1 / 40)), 3.0)
    (axes,) = figure.axes
    assert len(axes.get_lines()) == 40
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(shown) == genre_app.MOST_LINES + 1
    assert shown[-1] == "26 others"
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert len(looks) == genre_app.MOST_LINES + 1


@pytest.mark.parametrize("names", [("x" * 60 + "a", "x" * 60 + "b"), ("_hidden", "")])
def test_odd_names_keep_their_place_in_the_legend(names):
    scores = dict(zip(names, (0.6, 0.4), strict=True))
    figure = genre_app.draw_along(Answer(scores, np.array([[0, 3]]), np.array([[0.6, 0.4]])), 3.0)
    assert len(figure.axes[0].get_legend().get_texts()) == 2


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_a_tone_stands_at_its_frequency_whatever_the_phase_of_the_channels(rate):
    seconds = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)
    power, top = genre_app.mel_power(Clip(np.stack([tone, -tone], axis=1), rate))
    centres = np.linspace(0, genre_app.mels(top), genre_app.MEL_BINS + 2)[1:-1]
    found = centres[power.mean(axis=0).argmax()]
    assert abs(found - genre_app.mels(1000)) <= centres[1] - centres[0]
    mono, _ = genre_app.mel_power(Clip(tone[:, None], rate))
    np.testing.assert_allclose(power, mono, rtol=1e-5)


def test_the_spectrogram_is_in_decibels_under_the_loudest(clips):
    figure = genre_app.draw_spectrogram(genre_app.read_clip(clips / "good.wav"))
    axes, bar = figure.axes
    values = axes.get_images()[0].get_array()
    assert values.max() == 0
    assert values.min() >= -genre_app.DYNAMIC_RANGE_DB
    assert "dB" in bar.get_ylabel()
    assert axes.get_xlim() == (0, pytest.approx(6.0))


def name_genre(page):
    """Return what the page does with a path."""
    (function,) = page.fns.values()
    return function.fn


def test_the_page_answers(stand_in, clips):
    page = genre_app.build(stand_in(GENRES), "x")
    said, results, label, along, spectrogram = name_genre(page)(str(clips / "good.wav"))
    assert 'role="status"' in said
    assert "<strong>rock</strong> (" in said
    assert "from 6.0 s of audio heard in 2 windows" in said
    assert results["visible"]
    assert set(label) == set(GENRES)
    assert "0 to 3 s blues; 3 to 6 s rock" in along["alt_text"]
    assert along["value"].std() > 0
    assert spectrogram.std() > 0


def test_what_cannot_be_heard_is_said_aloud_and_leaves_no_old_answer(stand_in, clips):
    answer = name_genre(genre_app.build(stand_in(GENRES), "x"))
    said, results, *others = answer(str(clips / "<b>text.mp3"))
    assert 'role="alert"' in said
    assert "&lt;b&gt;text.mp3 could not be read" in said
    assert not results["visible"]
    assert others == [None] * 3
    said, results, *others = answer(None)
    assert "Upload a clip" in said
    assert not results["visible"]
    assert others == [None] * 3


def test_names_are_shown_as_they_are(stand_in):
    page = genre_app.build(stand_in(GENRES), "<script>", link='https://x/"y')
    texts = [block.value for block in page.blocks.values() if isinstance(getattr(block, "value", None), str)]
    assert any("a &lt;i&gt; &amp; $b$" in text for text in texts)
    assert not any("<script>" in text or '/"y' in text for text in texts)


def test_the_file_imports_what_a_space_installs_and_nothing_of_ours():
    allowed = {line.partition(">")[0] for line in space.PACKAGES} | {"gradio"}
    tree = ast.parse(Path(genre_app.__file__).read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 for node in froms)
    tops = {name.split(".")[0] for name in [*names, *(str(node.module) for node in froms)]}
    assert "gradio" in tops
    assert tops - set(sys.stdlib_module_names) <= allowed
