"""Parameters of attacks: checked against their declared types, and parsed from words of the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from bsd_engine.errors import ConfigError

_KINDS = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}


def check_type(name: str, value: Any, hint: Any) -> None:
    """Raise `ConfigError` unless a parameter has its declared type; types that no parameter has are not checked."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(get_args(hint))}.")
        return
    if value is None and NoneType in get_args(hint):
        return
    kind = _kind(hint)
    sound = {
        int: isinstance(value, Integral) and not isinstance(value, bool),
        float: isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value),
        str: isinstance(value, str),
        bool: isinstance(value, bool),
    }
    if not sound.get(kind, True):
        raise ConfigError(f"{name} is {value!r}, expected {_KINDS[kind]}.")


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raise `ConfigError` unless a number is within a closed range; None, for a value that is not given, passes."""
    if value is not None and not low <= value <= high:
        bound = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise ConfigError(f"{name} is {value!r}, expected a number {bound}.")


def parse(values: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """The values in their declared types: words become numbers, and numbers become text where text is declared.

    Raises
    ------
    ConfigError
        If a word is given where a number is expected.
    """
    return {name: _parsed(name, value, hints[name]) if name in hints else value for name, value in values.items()}


def _parsed(name: str, value: Any, hint: Any) -> Any:
    kind = _kind(hint)
    if kind is str and isinstance(value, (int, float)):
        return str(value)  # the command line cannot know that 7 is the name of a picture
    if not isinstance(value, str) or kind not in (int, float, bool):
        return value
    if value.lower() == "none" and NoneType in get_args(hint):
        return None
    words = {"true": True, "false": False}
    try:
        return words[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise ConfigError(f"{name} is {value!r}, expected {_KINDS[kind]}.") from None


def _kind(hint: Any) -> Any:
    """The type in an optional type hint, or the type itself."""
    return next((kind for kind in get_args(hint) if kind is not NoneType), hint) if NoneType in get_args(hint) else hint
