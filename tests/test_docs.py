"""What README and docs promise: commands parse, the short ones run, links lead somewhere, examples work, messages are ours."""

import ast
import csv
import dataclasses
import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from mgc_hf.cli.experiment import CompareOptions
from mgc_hf.options import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
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


def _is_short(command: str) -> bool:
    """Whether a command ends in seconds without a network: those that use a model, look at a folder, or only say something."""
    words = shlex.split(command, comments=True)
    if words[0] == "python":
        return words[1].startswith("recipes/") and "--help" in words
    if words[0] != "mgc-hf" or words[1] not in (
        "--version",
        "--help",
        "predict",
        "evaluate",
        "audit",
        "push",
        "doctor",
    ):
        return False
    if "--online" in words:
        return False
    is_push = words[1] == "push"
    elsewhere = any("ORG/" in word for word in words) and not (is_push and "--dry_run" in words)
    publishes = is_push and "--dry_run" not in words
    return not elsewhere and not publishes and not any(word.endswith(".parquet") for word in words)


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


SHORT = sorted({command.partition(" #")[0].strip() for _, command in COMMANDS if _is_short(command)})


@pytest.fixture(scope="module")
def desk(tmp_path_factory, finished_run, music_folder) -> Path:
    """A folder in which the places that commands name are there: a finished run, genres, clips, lists of parts."""
    root = tmp_path_factory.mktemp("desk")
    for name in ("demo", "lstm", "mine", "mel_mean"):
        shutil.copytree(finished_run, root / "outputs" / name, ignore=shutil.ignore_patterns("checkpoint-*"))
    genre = sorted(music_folder.iterdir())[0]
    for name in ("path/to/genres", "other/genres"):
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(music_folder)
    for name in ("folder/of/clips", "Music"):  # copies: a command may write tags
        shutil.copytree(genre, root / name)
    shutil.copy(sorted(genre.iterdir())[0], root / "song.mp3")
    shutil.copy(finished_run / "split.json", root)
    parts = json.loads((root / "split.json").read_text(encoding="utf-8"))["parts"]
    with open(root / "parts.csv", "w", newline="", encoding="utf-8") as file:
        rows = [(track, part) for part, tracks in parts.items() for track in tracks]
        csv.writer(file).writerows([("track_id", "part"), *rows])
    for part in ("train", "test"):
        (root / f"{part}.txt").write_text("\n".join(parts[part]), encoding="utf-8")
    return root


def test_there_are_short_commands():
    assert {shlex.split(command)[1] for command in SHORT} >= {"--version", "predict", "evaluate", "audit", "push"}


@pytest.mark.parametrize("command", SHORT)
def test_short_commands_run(command, desk, cache_dir, monkeypatch, capfd):
    """As they stand there, in one folder, page after page; an audit may find something (exit status 1)."""
    monkeypatch.chdir(desk)
    monkeypatch.setenv("HOME", str(desk))
    words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(command)]
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", words[1:])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        status = ended.value.code or 0
    else:
        import typer.main

        from mgc_hf.cli.main import app

        chosen = typer.main.get_command(app).commands.get(words[1])
        known = {flag for parameter in chosen.params for flag in parameter.opts} if chosen else set()
        more = ["--cache_dir", str(cache_dir)] if "--cache_dir" in known else []
        status = app([*words[1:], *more], standalone_mode=False) or 0
    assert status in ((0, 1) if words[1] == "audit" else (0,)), capfd.readouterr()
    assert capfd.readouterr().out or "--output" in words


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


def test_the_protocol_of_the_page_on_extending_divides():
    from mgc_hf.data.draws import PartSizes

    (block,) = [block for block in _blocks(_page("extending.md"), "python") if "def ordered_draw" in block]
    values = {}
    exec(compile(block, "docs/extending.md", "exec"), values)
    ids = [f"{genre}.{number}" for genre in ("blues", "jazz") for number in range(8)]
    sizes = PartSizes({"validation": 0.15, "test": 0.25})
    part_of = values["ordered_draw"](ids, ["blues"] * 8 + ["jazz"] * 8, sizes, 0)
    assert [part_of[item] for item in ids[:8]] == ["train"] * 5 + ["validation"] + ["test"] * 2
    assert list(part_of) == ids


def test_the_model_of_the_page_on_extending_learns(tmp_path, monkeypatch):
    """Its files as they stand there, in a package of its own."""
    import torch

    text = _page("extending.md")
    folder = tmp_path / "mel_mean_of_the_page"
    folder.mkdir()
    blocks = {name: _blocks(text.partition(f"`{name}")[2], "python")[0] for name in ("configuration_", "modeling_")}
    for name, block in blocks.items():
        (folder / f"{name}mel_mean.py").write_text(block, encoding="utf-8")
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    from mel_mean_of_the_page.configuration_mel_mean import MelMeanConfig
    from mel_mean_of_the_page.modeling_mel_mean import MelMeanForAudioClassification

    model = MelMeanForAudioClassification(MelMeanConfig(num_labels=3))
    features = torch.randn(2, 9, 128)
    mask = torch.ones(2, 9)
    mask[1, 5:] = 0
    cut = model(features[1:, :5]).logits[0]
    assert torch.allclose(model(features, mask).logits[1], cut, atol=1e-6)
    model(features, mask, labels=torch.tensor([0, 2])).loss.backward()
    assert model.classifier.weight.grad.abs().max() > 0


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _messages() -> list[list[str]]:
    """Every text in the package, word by word, without what is put into it when it is said."""
    found = []
    for file in (ROOT / "mgc_hf").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                text = " ".join(part.value if isinstance(part, ast.Constant) else "" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            found.append(re.findall(r"[a-z_]+", text.lower()))
    return found


def test_the_messages_of_the_page_on_trouble_are_the_programs():
    """Most words of each stand in one text of the package, in this order; numbers and names are put in when it is said."""
    rows = [line.split("|")[1] for line in _page("troubleshooting.md").splitlines() if line.startswith("| ")]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    texts = [words for words in _messages() if len(words) > 1]
    unknown = []
    for text in quoted:
        wanted = re.findall(r"[a-z_]+", text.lower())
        if len(wanted) < 4 or text.startswith(("Invalid value", "pass trust_remote_code")):  # typer's, transformers'
            continue
        if not any(_share_in_order(wanted, words) >= 0.7 for words in texts):
            unknown.append(text)
    assert not unknown
    assert len(quoted) > 30


def _share_in_order(wanted: list[str], words: list[str]) -> float:
    place = found = 0
    for word in wanted:
        if word in words[place:]:
            place += words[place:].index(word) + 1
            found += 1
    return found / len(wanted)
