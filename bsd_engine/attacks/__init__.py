"""Backdoor attacks by name; each has a file of its own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bsd_engine.attacks.badnets import BadNets
from bsd_engine.attacks.base import Attack
from bsd_engine.errors import ConfigError

__all__ = ["Attack", "make", "names"]

_ATTACKS: dict[str, type[Attack]] = {"badnets": BadNets}


def names() -> list[str]:
    """Names of all attacks."""
    return list(_ATTACKS)


def make(name: str, image_shape: tuple[int, int, int] = (3, 32, 32), num_classes: int = 10, seed: int = 0,
         **parameters: Any) -> Attack:
    """The attack with that name, fit for images of one shape.

    Parameters
    ----------
    name : str
        One of `names()`.
    image_shape : (channels, height, width)
    num_classes : int
    seed : int
        Seed of the trigger, where it is random.
    **parameters
        The attack's own, each named and explained as a field of its class.

    Raises
    ------
    ConfigError
        If there is no such attack or parameter, or a value is not allowed.
    """
    if name not in _ATTACKS:
        raise ConfigError(f"attack is {name!r}, expected one of {', '.join(names())}.")
    attack = _ATTACKS[name]
    known = [f.name for f in fields(attack) if f.name not in {base.name for base in fields(Attack)}]
    for unknown in sorted(set(parameters) - set(known)):
        raise ConfigError(f"{name} has no parameter {unknown!r}; it has {', '.join(known) or 'none'}.")
    return attack(image_shape=tuple(image_shape), num_classes=num_classes, seed=seed, **parameters)
