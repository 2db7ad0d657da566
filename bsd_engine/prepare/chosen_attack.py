"""The attack that a configuration names, looked up by its name and made for the images of a data set."""

from __future__ import annotations

from bsd_engine import attacks
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data.dataset import ImageData

AttackKind = type[attacks.Attack]


def attack_kind(settings: AttackConfig) -> AttackKind | None:
    """The class of the configured attack, or None for `none`; raises `ConfigError` for an unknown name."""
    return None if settings.attack == "none" else attacks.kind(settings.attack)


def make_attack(config: BSDConfig, kind: AttackKind, source: ImageData) -> attacks.Attack:
    """The configured attack, which is of that kind, with its parameters, for the images of a source.

    Raises
    ------
    ConfigError
        If a parameter is unknown, has a value that is not allowed, or does not suit the images.
    """
    name = config.attack.attack
    parameters = attacks.parse(name, config.attack.attack_parameters)
    if hasattr(kind, "device"):  # it trains a network of its own; a run computes that on its own device
        parameters = {"device": config.device, **parameters}
    channels, height, width = source.train_images.shape[1:]
    return attacks.make(name, (channels, height, width), len(source.class_names), config.seed, **parameters)
