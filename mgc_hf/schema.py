"""Dataclasses to plain JSON types and back, as strictly in both directions: every fault is told by the key's place."""

import dataclasses
import math
import sys
import types
import typing
from typing import Any


def refuse_constant(name: str) -> None:
    """Refuse NaN and infinity, which JSON does not have: for `json.loads(parse_constant=)`."""
    raise ValueError(f"{name} is not allowed")


def to_plain(value: Any, where: str) -> Any:
    """Return a value as plain JSON types.

    Args:
        value (`Any`): Dataclasses, dictionaries, lists and plain values within each other.
        where (`str`): Its place, for errors.

    Raises:
        ValueError: A number is not finite, a key is no string, or a value is no plain type (numpy's are not).
    """
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
