"""Reads options: one parser for the recipe's defaults, a YAML or JSON file and the command line, in that order.

All of them pass through the same argument parser, so that a value in a file is typed and ranged like a flag.
"""

import argparse
import dataclasses
import difflib
import json
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, TrainingArguments

from mgc_hf.errors import OptionError
from mgc_hf.options.groups import AugmentOptions, DataOptions, EvalOptions, ModelOptions
from mgc_hf.options.training import SHOWN_TRAINER_OPTIONS, TrainOptions

Declared = typing.TypeVar("Declared")

OPTION_CLASSES = (DataOptions, ModelOptions, AugmentOptions, EvalOptions, TrainOptions)


@dataclass(frozen=True)
class Options:
    """All options of a run.

    `changed` holds the options that differ from the recipe's defaults, `resolved` all that are ours or shown by
    `--help`; both by name, as plain values.
    """

    data: DataOptions
    model: ModelOptions
    augment: AugmentOptions
    evaluation: EvalOptions
    train: TrainOptions
    changed: dict[str, Any]
    resolved: dict[str, Any]


class _Parser(HfArgumentParser):
    """`HfArgumentParser` that raises our error instead of leaving the process, and knows no abbreviations."""

    def error(self, message: str) -> typing.NoReturn:
        raise OptionError(message.replace("argument ", "", 1))


def build_parser(description: str | None = None, show_all: bool = False) -> HfArgumentParser:
    """Return the parser of every option; the Trainer's own are folded away unless `show_all`."""
    parser = _Parser(
        typing.cast(Any, OPTION_CLASSES),  # a NewType of Any there
        description=description,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
        epilog="Options may be written with - or _ . The Trainer's other options are accepted too: see --help_all.",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML or JSON file of options; flags override it")
    parser.add_argument("--help_all", "--help-all", action="store_true", help="Show the Trainer's options too")
    if not show_all:
        ours = {f.name for f in dataclasses.fields(TrainOptions)} - {
            f.name for f in dataclasses.fields(TrainingArguments)
        }
        hidden = {f.name for f in dataclasses.fields(TrainOptions)} - ours - set(SHOWN_TRAINER_OPTIONS)
        for action in parser._actions:
            # argparse has no public way to hide an option that another class has added
            if action.dest in hidden or any(name.startswith("--no_") for name in action.option_strings):
                action.help = argparse.SUPPRESS
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults in the help text, the description as written, one spelling of each option."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        names = [name for name in action.option_strings if "_" not in name[2:]] or action.option_strings
        if action.dest not in ("help", "config"):
            names = [f"--{action.dest}"]
        value = "" if action.nargs in (0, "?") else f" {action.metavar or action.dest.upper()}"
        return ", ".join(names) + value

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.dest in ("help", "config", "help_all"):
            return action.help
        return super()._get_help_string(action)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        names = {action.dest for action in actions}
        config = "[--config FILE] " if "config" in names else ""
        super().add_usage(f"%(prog)s {config}[--OPTION VALUE ...]", [], groups, prefix)


def parse_options(
    defaults: Mapping[str, Any] | None = None,
    argv: Sequence[str] | None = None,
    description: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> Options:
    """Read a recipe's options.

    Args:
        defaults (`Mapping[str, Any]`, *optional*): The recipe's `DEFAULTS`.
        argv (`Sequence[str]`, *optional*, defaults to `sys.argv[1:]`): The command line.
        description (`str`, *optional*): First lines of `--help`; a recipe gives its docstring.
        values (`Mapping[str, Any]`, *optional*): Options of a Python caller, between file and command line.

    Returns:
        [`Options`]

    Raises:
        OptionError: An option or key is unknown (the nearest name is suggested), or a value is of the wrong type or
            out of range; the text names the option, and the file where it stood in one.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if "--help_all" in argv or "--help-all" in argv:
        build_parser(description, show_all=True).print_help()
        raise SystemExit(0)
    parser = build_parser(description)
    base = _read_layer(parser, dict(defaults or {}), None, "the recipe's defaults")
    parser.set_defaults(**vars(base))  # for --help: what this recipe does, not what the package would
    namespace = argparse.Namespace(**vars(base))
    file, argv = _take_config(argv)
    if file is not None:
        namespace = _read_layer(parser, _read_file(file), namespace, str(file))
    if values is not None:
        namespace = _read_layer(parser, dict(values), namespace, "options")
    namespace = _parse(parser, argv, namespace)
    return _to_options(namespace, base)


def parse_class(kind: type[Declared], argv: Sequence[str] | None = None, description: str | None = None) -> Declared:
    """Read the options of a program that has one class of its own.

    Args:
        kind (`type`): A dataclass of options.
        argv (`Sequence[str]`, *optional*, defaults to `sys.argv[1:]`): The command line.
        description (`str`, *optional*): First lines of `--help`.

    Raises:
        OptionError: An option is unknown (the nearest name is suggested), or a value is of the wrong type or out of range.
    """
    parser = _Parser(
        typing.cast(Any, kind), description=description, allow_abbrev=False, formatter_class=_HelpFormatter
    )
    for action in parser._actions:
        if any(name.startswith("--no_") for name in action.option_strings):
            action.help = argparse.SUPPRESS
    found = _parse(parser, list(sys.argv[1:] if argv is None else argv), None)
    return kind(**vars(found))


def _take_config(argv: list[str]) -> tuple[Path | None, list[str]]:
    """Split `--config FILE` (or a first positional YAML or JSON file, as transformers' examples take) off."""
    if argv and not argv[0].startswith("-") and Path(argv[0]).suffix in (".yaml", ".yml", ".json"):
        return Path(argv[0]), argv[1:]
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    finder.add_argument("--config")
    try:
        found, rest = finder.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise OptionError(str(error).replace("argument ", "", 1)) from error
    return (Path(found.config) if found.config else None), rest


def _read_file(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise OptionError(f"--config {path}: cannot be read ({error})") from error
    try:
        value = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise OptionError(f"--config {path}: is no valid {path.suffix[1:].upper()} ({error})") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OptionError(f"--config {path}: must hold option names with values, got a {type(value).__name__}")
    return value


def _read_layer(
    parser: HfArgumentParser, values: dict[str, Any], namespace: argparse.Namespace | None, where: str
) -> argparse.Namespace:
    """Pass names and values through the parser as if they were flags, on top of `namespace`."""
    known = {f.name for kind in OPTION_CLASSES for f in dataclasses.fields(kind)}
    tokens: list[str] = []
    emptied: list[str] = []
    for name, value in values.items():
        name = str(name).replace("-", "_")
        if name not in known:
            raise OptionError(f"{where}: unknown option {name}{_suggestion(name, known)}")
        if value is None:
            emptied.append(name)
        elif isinstance(value, list | tuple):
            tokens += [f"--{name}", *map(str, value)]
        elif isinstance(value, dict):
            tokens.append(f"--{name}={json.dumps(value)}")
        else:
            tokens.append(f"--{name}={value}")
    try:
        namespace = _parse(parser, tokens, namespace)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from error
    for name in emptied:
        if not _takes_none(name):
            raise OptionError(f"{where}: {name} is empty; it needs a value")
        setattr(namespace, name, None)
    return namespace


def _takes_none(name: str) -> bool:
    for kind in OPTION_CLASSES:
        hints = typing.get_type_hints(kind)
        if name in hints:
            return type(None) in typing.get_args(hints[name])
    return False


def _parse(parser: HfArgumentParser, tokens: list[str], namespace: argparse.Namespace | None) -> argparse.Namespace:
    found, rest = parser.parse_known_args(tokens, namespace)
    if rest:
        names = {name[2:] for action in parser._actions for name in action.option_strings if name.startswith("--")}
        unknown = next((token for token in rest if token.startswith("-")), rest[0])
        name = unknown.split("=", 1)[0]
        raise OptionError(f"unknown option {name}{_suggestion(name.lstrip('-'), names)}")
    return found


def _suggestion(name: str, known: set[str]) -> str:
    spelled = {candidate.replace("-", "_"): candidate for candidate in sorted(known)}
    near = difflib.get_close_matches(name.replace("-", "_"), spelled, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; --help lists them"


def _to_options(namespace: argparse.Namespace, base: argparse.Namespace) -> Options:
    groups: list[Any] = []
    wrong = []
    for kind in OPTION_CLASSES:
        values = {f.name: getattr(namespace, f.name) for f in dataclasses.fields(kind) if f.init}
        try:
            groups.append(kind(**values))
        except OptionError as error:
            wrong.append(str(error))
    if wrong:
        raise OptionError("; ".join(wrong))
    changed = {name: _plain(value) for name, value in vars(namespace).items() if value != getattr(base, name)}
    shown = {f.name for kind in OPTION_CLASSES[:-1] for f in dataclasses.fields(kind)} | set(SHOWN_TRAINER_OPTIONS)
    shown |= {f.name for f in dataclasses.fields(TrainOptions)} - {
        f.name for f in dataclasses.fields(TrainingArguments)
    }
    resolved = {name: _plain(value) for name, value in vars(namespace).items() if name in shown}
    data, model, augment, evaluation, train = groups
    resolved |= {name: _plain(value) for name, value in vars(data).items()}  # what was left open to the protocol too
    return Options(data, model, augment, evaluation, train, changed, resolved)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return getattr(value, "value", value)  # enums that derive from str
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)
