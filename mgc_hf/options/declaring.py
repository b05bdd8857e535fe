"""How options are declared: a field with its help text, and ranges that are checked all at once."""

from dataclasses import field
from typing import Any

from mgc_hf.errors import OptionError


def option(default: Any, help: str) -> Any:
    """Return a dataclass field with its default and its line of `--help`."""
    return field(default=default, metadata={"help": help.replace("%", "%%")})


class Checked:
    """Collects every range error of a dataclass, so that the user sees all of them at once."""

    def check(self, *rules: tuple[bool, str, str]) -> None:
        """Take rules, each whether it holds, the option's name and what is allowed.

        Raises:
            OptionError: Some do not hold; the text has all of them.
        """
        wrong = [
            f"--{name} is {getattr(self, name)!r}; it must be {allowed}" for holds, name, allowed in rules if not holds
        ]
        if wrong:
            raise OptionError("; ".join(wrong))
