"""Checks of settings: each raises `ConfigError` naming the setting, what was found and what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bsd_engine.errors import ConfigError

MOST_LETTERS = 4096
"""Longest text of a setting; a path has no more bytes on Linux."""
MOST = 10**9
"""Bound of numbers that have no other: of images, classes and epochs."""
_SHOWN_LETTERS = 100


def shown(value: Any) -> str:
    """A value for a message: shortened in the middle, and without its digits if they are too many to be written."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python writes integers of up to 4,300 digits
        return "a value that is too long to be shown"
    if len(text) <= _SHOWN_LETTERS:
        return text
    return f"{text[: _SHOWN_LETTERS // 2]}...{text[-_SHOWN_LETTERS // 4 :]} ({len(text):,} characters)"


def check(condition: bool, name: str, value: Any, expected: str, remedy: str = "") -> None:
    """Raise `ConfigError` naming the setting, what was found and what was expected."""
    if not condition:
        raise ConfigError(f"{name} is {shown(value)}, expected {expected}.{' ' + remedy if remedy else ''}")


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value is a finite number in a range; an int may have any number of digits, a bool is not a number."""
    finite = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )
    return finite and low <= value <= high


_kept_hints: dict[type, dict[str, Any]] = {}


def _hints(config: Any) -> dict[str, Any]:
    """Return the types of the fields: kept, since they took 12 of the 13 ms of reading a stored configuration."""
    group = type(config)
    if group not in _kept_hints:
        _kept_hints[group] = get_type_hints(group)
    return _kept_hints[group]


def check_numbers(config: Any, **ranges: tuple[float, float]) -> None:
    """Check that each named field is a finite number in its closed range, and a whole number if its type is int."""
    hints = _hints(config)
    for name, (low, high) in ranges.items():
        value, whole = getattr(config, name), hints[name] in (int, int | None)
        bound = f"between {_plain(low)} and {_plain(high)}"
        sound = is_number(value, low, high) and (isinstance(value, int) or not whole)
        check(sound, name, value, f"a {'whole ' * whole}number {bound}")


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def check_floats(
    config: Any,
    name: str,
    low: float,
    high: float,
    expected: str,
    *,
    count: int | None = None,
    fits: Callable[[Sequence[float]], bool] = lambda values: True,
) -> None:
    """Check a field of `count` numbers, or of at least two, each in a range, and store them as a tuple of floats.

    From JSON they come as a list.
    """
    values = getattr(config, name)
    sound = isinstance(values, (tuple, list)) and (len(values) > 1 if count is None else len(values) == count)
    sound = sound and all(is_number(value, low, high) for value in values) and fits(values)
    check(sound, name, values, expected)
    object.__setattr__(config, name, tuple(map(float, values)))


def check_choices(config: Any) -> None:
    """Check each `Literal` field against its allowed words."""
    for name, hint in _hints(config).items():
        if get_origin(hint) is Literal:
            choices = get_args(hint)
            check(getattr(config, name) in choices, name, getattr(config, name), f"one of {', '.join(choices)}")


def check_kinds(config: Any) -> None:
    """Check that str, bool and dict fields have that type: a stored configuration may hold any value."""
    for name, hint in _hints(config).items():
        value = getattr(config, name)
        if hint in (str, str | None):
            check(isinstance(value, str) or (value is None and hint is not str), name, value, "a text")
            check(value is None or len(value) <= MOST_LETTERS, name, value, f"at most {MOST_LETTERS:,} characters")
        elif hint is bool:
            check(isinstance(value, bool), name, value, "true or false")
        elif get_origin(hint) is dict:
            check(isinstance(value, dict), name, value, "pairs of a name and a value")
