"""Parsing of a command line into a command's options; settings start from a preset or from a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import tyro

from bsd_engine.config.checks import shown
from bsd_engine.config.data_settings import OWN_DATA
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError

if TYPE_CHECKING:
    from bsd_engine.runs.reader import RunReader

PROGRAM = "python -m bsd_engine"
"""The words that start the command line, unless an entry point gives others."""
Options = TypeVar("Options")
ConfigOptions = TypeVar("ConfigOptions", bound="_HasConfig", covariant=True)


class _HasConfig(Protocol):
    """A class of options that contains settings."""

    def __init__(self, *, config: BSDConfig) -> None: ...


def parse(kind: type[Options], arguments: list[str], prog: str, **more: Any) -> Options:
    """Return the options of a command; on arguments that it cannot parse, the parser exits with status 2.

    Parameters
    ----------
    kind : the dataclass of the options
    arguments : the arguments after the command's name
    prog : the words that start the command, shown in its help
    more : further arguments of `tyro.cli`
    """
    return tyro.cli(kind, args=arguments, prog=prog, config=(tyro.conf.OmitArgPrefixes,), **more)


def parse_with_config(
    kind: type[ConfigOptions], arguments: list[str], prog: str, purpose: str | None, *, poisons_own_data: bool = False
) -> ConfigOptions:
    """Return the options of a command that uses settings.

    Parameters
    ----------
    purpose : the first sentence of its help
    poisons_own_data : whether a preset's attack is added to images of the user's own as well
    """
    arguments = _with_all_images(arguments)
    defaults = kind(config=_default_config(arguments, poisons_own_data=poisons_own_data))
    return parse(kind, arguments, prog, default=defaults, description=f"{purpose} Presets: {', '.join(PRESETS)}.")


def _with_all_images(arguments: list[str]) -> list[str]:
    """The arguments with None, as the parser spells it, for `--limit none` and `--limit all`."""
    return [
        "None" if before == "--limit" and word.lower() in ("none", "all") else word
        for before, word in zip(["", *arguments], arguments)
    ]


def _default_config(arguments: list[str], *, poisons_own_data: bool) -> BSDConfig:
    """Return the settings that the options change.

    A preset's attack is left out for images of the user's own, which may be poisoned already, unless an attack is
    named. Its parameters are dropped when another attack is chosen. A different warm-up shifts T2 and T3, so that the
    later stages keep their lengths.
    """
    config, named = _starting_config(arguments), _value_of(arguments, "--attack")
    own_data = (_value_of(arguments, "--data") or "").startswith(OWN_DATA)
    if own_data and named is None and not poisons_own_data:
        config = config.with_settings(attack="none", rate=None, attack_parameters={})
    if "--attack-parameters" in arguments or named not in (None, config.attack.attack):
        config = config.with_settings(attack_parameters={})
    warmup = _value_of(arguments, "--warmup", "--t1")
    if warmup is None or not warmup.isdecimal():
        return config
    return dataclasses.replace(config, schedule=config.schedule.with_warmup(int(warmup)))


def _starting_config(arguments: list[str]) -> BSDConfig:
    """Return the settings of the run named by --branch or --config, else those of a preset."""
    source = _value_of(arguments, "--branch") or _value_of(arguments, "--config")
    if source is None:
        return preset(_value_of(arguments, "--preset") or "demo")
    from bsd_engine.runs.reader import RunReader

    path = Path(source)
    return trusted_config(RunReader(path.parent if path.name == "config.json" else path), arguments)


def trusted_config(run: RunReader, arguments: Sequence[str]) -> BSDConfig:
    """Return the settings of a run; raises `ConfigError` if they name a path that is not this user's own.

    A path in a stranger's run could lead to any file of this user, so `arguments` must name the images and the attack.
    """
    config, picture = run.config, run.config.attack.picture
    paths: dict[str, object] = {}
    if config.data.path is not None and _value_of(arguments, "--data") is None:
        paths["--data"] = config.data.data
    takes_its_picture = _value_of(arguments, "--attack") in (None, "custom") and "--attack-parameters" not in arguments
    if picture is not None and takes_its_picture:
        paths["--attack-parameters"] = picture
    for option, path in paths.items() if not run.trusts_paths else ():
        raise ConfigError(
            f"{run.path} comes from somebody else, so the path in its settings ({shown(path)}) is not followed; add "
            f"{option} with what to use instead."
        )
    return config


def _value_of(arguments: Sequence[str], *names: str) -> str | None:
    """Return the last value of an option with any of these names, before the defaults of other options are known."""
    value = None
    for word, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, inline = word.partition("=")
        if name in names:
            value = inline if equals else following
    return value
