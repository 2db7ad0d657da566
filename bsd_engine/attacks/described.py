"""Descriptions of an attack's own parameters for a form: name, kind, default and the text that explains each."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bsd_engine.attacks.base import Attack

Kind = Literal["choice", "whole number", "number", "text", "switch"]
_KINDS: dict[Any, Kind] = {bool: "switch", int: "whole number", float: "number", str: "text"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of an attack."""

    name: str
    kind: Kind
    default: Any
    optional: bool
    """Whether None is allowed; the attack then chooses a value."""
    choices: tuple[str, ...]
    """Allowed words of a choice; empty for other kinds."""
    help: str
    """The text under the field, as one line."""


@cache
def parameters_of(attack: type[Attack]) -> tuple[Parameter, ...]:
    """The parameters that an attack adds to those of every attack, in order."""
    hints, texts = get_type_hints(attack), _texts(attack)
    common = {field.name for field in fields(Attack)}
    return tuple(
        _parameter(f.name, hints[f.name], f.default, texts.get(f.name, ""))
        for f in fields(attack)
        if f.name not in common
    )


def _parameter(name: str, hint: Any, default: Any, text: str) -> Parameter:
    allowed = get_args(hint)
    if get_origin(hint) is Literal:
        return Parameter(name=name, kind="choice", default=default, optional=False, choices=allowed, help=text)
    plain = next((kind for kind in allowed if kind is not NoneType), hint)
    return Parameter(
        name=name, kind=_KINDS[plain], default=default, optional=NoneType in allowed, choices=(), help=text
    )


def _texts(attack: type[Attack]) -> dict[str, str]:
    """The text under each field of the class and of its base classes."""
    texts: dict[str, str] = {}
    for owner in reversed(attack.__mro__):
        if issubclass(owner, Attack):
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
            assert isinstance(definition, ast.ClassDef), "it is the source of a class"
            for field, following in zip(definition.body, definition.body[1:]):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(following, ast.Expr)
                    and isinstance(following.value, ast.Constant)
                ):
                    texts[field.target.id] = " ".join(str(following.value.value).split())
    return texts
