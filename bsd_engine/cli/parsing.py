"""From the words of a command line to a command's options; settings start from a preset or from a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol, TypeVar

import tyro

from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig

PROGRAM = "python -m bsd_engine"
"""How the command line is started, unless an entry point says otherwise."""
Options = TypeVar("Options")
ConfigOptions = TypeVar("ConfigOptions", bound="_HasConfig", covariant=True)


class _HasConfig(Protocol):
    """A class of options that starts from settings."""

    def __init__(self, *, config: BSDConfig) -> None: ...


def parse(kind: type[Options], arguments: list[str], prog: str, **more: Any) -> Options:
    """The options of a command; the parser itself leaves with status 2 on words that it cannot read.

    Parameters
    ----------
    kind : the dataclass of the options
    arguments : the words after the command's name
    prog : the words that start the command, which its help repeats
    more : further arguments of `tyro.cli`
    """
    return tyro.cli(kind, args=arguments, prog=prog, config=(tyro.conf.OmitArgPrefixes,), **more)


def parse_with_config(kind: type[ConfigOptions], arguments: list[str], prog: str, purpose: str | None) -> ConfigOptions:
    """The options of a command that works from settings; `purpose` is the first sentence of its help."""
    defaults = kind(config=_default_config(arguments))
    return parse(kind, arguments, prog, default=defaults, description=f"{purpose} Presets: {', '.join(PRESETS)}.")


def _default_config(arguments: list[str]) -> BSDConfig:
    """The settings that the options change.

    A preset's attack parameters are dropped when another attack is chosen. Another warm-up moves T2 and T3 along, so
    that the later stages keep their length.
    """
    config = _starting_config(arguments)
    if "--attack-parameters" in arguments or _value_of(arguments, "--attack") not in (None, config.attack.attack):
        config = config.with_settings(attack_parameters={})
    warmup = _value_of(arguments, "--warmup", "--t1")
    if warmup is None or not warmup.isdecimal():
        return config
    return dataclasses.replace(config, schedule=config.schedule.with_warmup(int(warmup)))


def _starting_config(arguments: list[str]) -> BSDConfig:
    """The settings of the run that is named by --branch or --config, else those of a preset."""
    source = _value_of(arguments, "--branch") or _value_of(arguments, "--config")
    if source is None:
        return preset(_value_of(arguments, "--preset") or "demo")
    from bsd_engine.runs.reader import RunReader

    path = Path(source)
    return RunReader(path.parent if path.name == "config.json" else path).config


def _value_of(arguments: list[str], *names: str) -> str | None:
    """The last value given to an option of any of these names: needed before the defaults of the others are known."""
    value = None
    for word, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, inline = word.partition("=")
        if name in names:
            value = inline if equals else following
    return value
