"""The command line that trains a recorded run again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from bsd_engine.config.presets import preset
from bsd_engine.config.settings import GROUPS, BSDConfig
from bsd_engine.errors import ConfigError

OPTION_NAMES = {"target_label": "target", "t1": "warmup"}
MOVING = ("t1", "t2", "t3")
"""Options that are given together, because a warm-up given alone shifts T2 and T3."""


def train_command(config: BSDConfig, *, branched_from: Mapping[str, Any] | None = None) -> str:
    """Return the command that trains with these settings: the preset, and each option that differs from it.

    Parameters
    ----------
    branched_from : {"run": name, "epoch": 0-based}; the command then branches from that run and needs its folder

    Raises `ConfigError` for settings that name a preset unknown to this program.
    """
    if branched_from is not None:
        begin = ["--branch", f"runs/{branched_from['run']}", "--from-epoch", str(branched_from["epoch"])]
        return _line([*begin, *_options(config, None, groups=("schedule", "split"))])
    try:
        base = preset(config.preset)
    except ConfigError:
        raise ConfigError(
            f"The run names the preset {config.preset!r}, which this program does not have; "
            "its settings are in its config.json."
        ) from None
    words = ["--preset", config.preset, *_options(config, base, groups=tuple(GROUPS))]
    if "--data" in words and "--attack" not in words:  # a preset's attack is not added to images of one's own
        words += ["--attack", config.attack.attack]
    return _line(words)


def _line(words: list[str]) -> str:
    return "python -m bsd_engine train " + shlex.join(words)


def _options(config: BSDConfig, base: BSDConfig | None, *, groups: tuple[str, ...]) -> Iterator[str]:
    """Yield options for the settings that differ from a base; without a base, for all settings of some groups."""
    if base is not None:
        for name in ("seed", "device", "precision"):
            if getattr(config, name) != getattr(base, name):
                yield from _option(name, getattr(config, name))
    for group in groups:
        own, other = getattr(config, group), getattr(base, group, None)
        differing = [
            f.name for f in dataclasses.fields(own) if other is None or getattr(own, f.name) != getattr(other, f.name)
        ]
        if group == "schedule" and set(MOVING) & set(differing):
            differing = [name for name in differing if name not in MOVING] + list(MOVING)
        for name in differing:
            yield from _option(name, getattr(own, name))


def _option(name: str, value: Any) -> Iterator[str]:
    option = OPTION_NAMES.get(name, name).replace("_", "-")
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
        return
    yield f"--{option}"
    if isinstance(value, Mapping):
        yield from (str(word) for pair in value.items() for word in pair)
    elif isinstance(value, tuple | list):
        yield from map(str, value)
    else:
        yield str(value)
