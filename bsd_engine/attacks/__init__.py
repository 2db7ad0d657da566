"""Backdoor attacks by name; each has its own module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from bsd_engine.attacks import parameters as _parameters
from bsd_engine.attacks.adaptive import Adaptive
from bsd_engine.attacks.adaptive_blend import AdaptiveBlend
from bsd_engine.attacks.badnets import BadNets
from bsd_engine.attacks.badnets_all2all import BadNetsAll2All
from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.blended import Blended
from bsd_engine.attacks.custom import Custom
from bsd_engine.attacks.label_consistent import LabelConsistent
from bsd_engine.attacks.narcissus import Narcissus
from bsd_engine.attacks.refool import ReFool
from bsd_engine.attacks.sig import SIG
from bsd_engine.attacks.source_specific import SourceSpecific
from bsd_engine.attacks.wanet import WaNet
from bsd_engine.errors import ConfigError

__all__ = ["Attack", "kind", "make", "names", "parse"]

_ATTACKS: dict[str, type[Attack]] = {
    "badnets": BadNets,
    "blended": Blended,
    "wanet": WaNet,
    "refool": ReFool,
    "sig": SIG,
    "badnets_all2all": BadNetsAll2All,
    "label_consistent": LabelConsistent,
    "narcissus": Narcissus,
    "adaptive": Adaptive,
    "adaptive_blend": AdaptiveBlend,
    "source_specific": SourceSpecific,
    "custom": Custom,
}


def names() -> list[str]:
    """Names of all attacks."""
    return list(_ATTACKS)


def kind(name: str) -> type[Attack]:
    """The class of the attack with that name; raises `ConfigError` for an unknown name."""
    if name not in _ATTACKS:
        raise ConfigError(f"attack is {name!r}, expected one of {', '.join(names())}.")
    return _ATTACKS[name]


def parse(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """An attack's parameters in their declared types, from the words of a command line or a stored configuration.

    Raises
    ------
    ConfigError
        If the attack or a parameter is unknown, or a word is given where a number is expected.
    """
    _check_known(name, values)
    return _parameters.parse(values, get_type_hints(kind(name)))


def make(
    name: str, image_shape: tuple[int, int, int] = (3, 32, 32), num_classes: int = 10, seed: int = 0, **parameters: Any
) -> Attack:
    """The attack with that name, for images of one shape.

    Parameters
    ----------
    name : str
        One of `names()`.
    image_shape : (channels, height, width)
    num_classes : int
    seed : int
        Seed of the trigger, if it is random.
    **parameters
        The attack's own parameters, each documented as a field of its class.

    Raises
    ------
    ConfigError
        If the attack or a parameter is unknown, or a value is not allowed.
    """
    _check_known(name, parameters)
    return kind(name)(image_shape=(*image_shape,), num_classes=num_classes, seed=seed, **parameters)


def _check_known(name: str, parameters: Mapping[str, Any]) -> None:
    common = {f.name for f in fields(Attack)}
    known = [f.name for f in fields(kind(name)) if f.name not in common]
    for unknown in sorted(set(parameters) - set(known)):
        raise ConfigError(f"{name} has no parameter {unknown!r}; it has {', '.join(known) or 'none'}.")
