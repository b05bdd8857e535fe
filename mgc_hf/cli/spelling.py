"""Options in both spellings, `--dry_run` and `--dry-run`, as transformers' recipes take them."""

from typing import Any

from typer.core import TyperCommand


class BothSpellings(TyperCommand):
    """A command whose every option is known with `_` and with `-` between its words; help shows the first."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for param in self.params:
            for names in (param.opts, param.secondary_opts):
                long = [name for name in names if name.startswith("--")]
                underscored = [f"--{name[2:].replace('-', '_')}" for name in long]
                dashed = [f"--{name[2:].replace('_', '-')}" for name in long]
                names[:] = dict.fromkeys([*(name for name in names if name not in long), *underscored, *dashed])
