"""The one way out for data: values to plain types, JSON and YAML, and back; every fault is told by the key's place."""

import dataclasses
import enum
import functools
import json
import math
import re
import sys
import types
import typing
from typing import Any

#: What YAML 1.2 takes for a number and PyYAML, which speaks 1.1, writes without quotes: `1e5` and `0o17`.
_YAML_1_2_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|0o[0-7]+$|0x[0-9a-fA-F]+$")


def refuse_constant(name: str) -> None:
    """Refuse NaN and infinity, which JSON does not have: for `json.loads(parse_constant=)`."""
    raise ValueError(f"{name} is not allowed")


def to_plain(value: Any, where: str) -> Any:
    """Return a value as plain JSON types.

    Args:
        value (`Any`): Dataclasses, dictionaries, lists and plain values within each other. Scalars and arrays of numpy
            and torch become numbers and lists, enums their values.
        where (`str`): Its place, for errors.

    Raises:
        ValueError: A number is not finite, a key is no string, or a value is of no plain type.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name), f"{where}.{f.name}") for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise ValueError(f"{where}: key {key!r} is no string")
        return {key: to_plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"{where} is {value}; a value that was not measured must be None")
    if value is None or type(value) in (str, int, float, bool):
        return value
    raise ValueError(f"{where} is a {type(value).__name__}, which is no plain JSON type")


def json_text(value: Any, where: str = "the value", indent: int | None = 2) -> str:
    """Return strict JSON, without a line end; what is no UTF-8 in a file's name stands as escaped surrogates.

    Args:
        value (`Any`): As for [`to_plain`].
        where (`str`, *optional*): Its place, for errors.
        indent (`int`, *optional*, defaults to 2): Spaces a level; `None` for one line.

    Raises:
        ValueError: As for [`to_plain`].
    """
    text = json.dumps(to_plain(value, where), indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def yaml_text(value: Any, where: str = "the value", **options: Any) -> str:
    """Return YAML in which every text is read as a text again, by readers of YAML 1.1 and of 1.2.

    Args:
        value (`Any`): As for [`to_plain`].
        where (`str`, *optional*): Its place, for errors.
        options: Of `yaml.dump`, such as `width`.

    Raises:
        ValueError: As for [`to_plain`].
    """
    import yaml

    options = {"sort_keys": False, "allow_unicode": True, **options}
    return str(yaml.dump(to_plain(value, where), Dumper=_dumper(), **options))


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True  # a list that stands in two places is written twice

    def quoted_where_lines_end(dumper: Any, text: str) -> Any:
        # PyYAML would fold a text at these line ends of Unicode, and read it back without them
        style = '"' if any(end in text for end in "\x85\u2028\u2029") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, quoted_where_lines_end)
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _YAML_1_2_NUMBER, list("-+.0123456789"))
    return Dumper


def from_plain(kind: Any, value: Any, where: str, older: bool = False) -> Any:
    """Build a value of a declared type from plain JSON types.

    Args:
        kind (`Any`): The type: a dataclass, `list[...]`, `dict[str, ...]`, a union with `None`, or a plain type.
        value (`Any`): What JSON gave.
        where (`str`): Its place, for errors.
        older (`bool`, *optional*, defaults to `False`): Whether keys that have a default may be absent.

    Raises:
        ValueError: A key is unknown or missing, or a value of another type.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return to_plain(value, where)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return from_plain(next(a for a in arguments if a is not type(None)), value, where, older)
    if dataclasses.is_dataclass(kind):
        return _dataclass_from_plain(kind, value, where, older)
    if origin is dict:
        _expect(isinstance(value, dict), where, "an object", value)
        return {key: from_plain(arguments[1], item, f"{where}.{key}", older) for key, item in value.items()}
    if origin is list:
        _expect(isinstance(value, list), where, "a list", value)
        return [from_plain(arguments[0], item, f"{where}[{index}]", older) for index, item in enumerate(value)]
    if kind is float:
        _expect(type(value) in (int, float) and abs(value) <= sys.float_info.max, where, "a finite number", value)
        return float(value)
    _expect(type(value) is kind, where, f"of type {kind.__name__}", value)
    return value


def _dataclass_from_plain(kind: Any, value: Any, where: str, older: bool) -> Any:
    _expect(isinstance(value, dict), where, "an object", value)
    hints = typing.get_type_hints(kind)
    if older:
        added = {f.name: f.default for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
        value = {**added, **value}
    unknown, missing = sorted(set(value) - set(hints)), sorted(set(hints) - set(value))
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}")
    if missing:
        raise ValueError(f"{where}: missing key {', '.join(missing)}")
    return kind(**{name: from_plain(hint, value[name], f"{where}.{name}", older) for name, hint in hints.items()})


def _expect(holds: bool, where: str, what: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{where} must be {what}, got {value!r:.80}")
