"""What README and docs promise: commands parse, links lead somewhere, the Python example runs."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from mgc_hf.cli.experiment import CompareOptions
from mgc_hf.options import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RECIPES = sorted((ROOT / "recipes").glob("*.py"))


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in [*PAGES, ROOT / "benchmarks" / "RESULTS.md"]:
        for block in _blocks(page.read_text(encoding="utf-8"), "(?:bash|sh)"):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.name, line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    for recipe in RECIPES:
        lines = recipe.read_text(encoding="utf-8").replace("\\\\\n", " ").splitlines()
        found += [(recipe.name, line.strip()) for line in lines if re.match(r"    (accelerate|python) ", line)]
    return found


COMMANDS = _commands()


def test_there_are_commands():
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_parse(page, command):
    words = shlex.split(command, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[:2] == ["accelerate", "launch"] or words[0] == "torchrun":
        if "mgc_hf" in words:
            words = ["mgc-hf", *words[words.index("mgc_hf") + 1 :]]
        else:
            script = next(index for index, word in enumerate(words) if word.endswith(".py"))
            words = ["python", *words[script:]]
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
    elif words[0] == "mgc-hf":
        _check_mgc_hf(words[1:])
    elif words[0] in ("python", "python3") and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), f"{page}: {words[1]} does not exist"
        if words[1] == "recipes/compare.py":
            known = {f"--{field.name}" for field in dataclasses.fields(CompareOptions)}
            assert {word.split("=")[0] for word in words[2:] if word.startswith("--")} <= known
        elif words[1].startswith("recipes/"):
            flags = {name for action in build_parser(show_all=True)._actions for name in action.option_strings}
            assert {word.split("=")[0] for word in words[2:] if word.startswith("--")} <= flags | {"--help"}
        else:
            text = (ROOT / words[1]).read_text()
            assert all(f'"{word.split("=")[0]}"' in text for word in words[2:] if word.startswith("--")), (
                f"{page}: {command}"
            )


def _check_mgc_hf(words: list[str]) -> None:
    import typer.main

    from mgc_hf.cli.main import app

    group = typer.main.get_command(app)
    if words[0].startswith("-"):
        return
    command = group.commands[words[0]]
    flags = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= flags | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    """With the smallest corpus of the demo's kind in place of the example's, so that it takes seconds."""
    (example,) = [block for block in _blocks((ROOT / "README.md").read_text(), "python") if "fine_tune" in block]
    small = "demo_clips_per_genre=3, demo_seconds=4"
    assert example.count("demo_clips_per_genre=5") == 2
    example = example.replace("demo_clips_per_genre=5", small).replace("num_train_epochs=3", "num_train_epochs=1")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "protocol track (leak-free by track)" in out
    assert "synthetic demo corpus" in out
    assert (tmp_path / "outputs" / "python" / "README.md").is_file()


def test_evaluates_own_evaluator_gives_the_segments_accuracy(finished_run, music_folder, cache_dir, capsys):
    """The example of docs/evaluation.md on a finished run and its clips, against `mgc_hf.evaluate`."""
    from mgc_hf.evaluating import evaluate

    (example,) = _blocks((ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8"), "python")
    assert example.count('load_gtzan("path/to/clips")') == example.count('"path/to/model"') == 1
    example = example.replace('"path/to/clips"', repr(str(music_folder)) + f", cache_dir={str(cache_dir)!r}")
    example = example.replace('"path/to/model"', repr(str(finished_run)))
    values = {}
    exec(compile(example, "docs/evaluation.md", "exec"), values)
    ours = evaluate(finished_run, str(music_folder), cache_dir=str(cache_dir), num_resamples=0).segment
    assert len(values["rows"]) == ours.n
    assert values["scores"]["accuracy"] == pytest.approx(ours.accuracy.value)
    assert values["scores"]["macro_f1"] == pytest.approx(ours.macro_f1.value)
    assert ours.accuracy.value > 0.5  # so that labels which do not fit would show
    assert str(values["scores"]["accuracy"]) in capsys.readouterr().out
