"""Options in both spellings, `--dry_run` and `--dry-run`, as transformers' recipes take them."""

from typing import Any

from typer.core import TyperGroup


class BothSpellings(TyperGroup):
    """Commands whose every option is known with `_` and with `-` between its words; help shows the first."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for command in (self, *self.commands.values()):
            for param in command.params:
                for names in (param.opts, param.secondary_opts):
                    names[:] = _in_both_spellings(names)


def _in_both_spellings(names: list[str]) -> list[str]:
    long = [name for name in names if name.startswith("--")]
    underscored = [f"--{name[2:].replace('-', '_')}" for name in long]
    dashed = [f"--{name[2:].replace('_', '-')}" for name in long]
    return list(dict.fromkeys([*(name for name in names if name not in long), *underscored, *dashed]))
