"""Which runs a figure of the paper is drawn from: slots, charts, and the settings that fit them; no streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from app.paper.cells import Cell
from app.style.theme import Palette
from bsd_engine import attacks
from bsd_engine.config.settings import BSDConfig

Draw = Callable[[Sequence[Path], Palette, bool], go.Figure]
"""(folders of the slots' runs, palette, truth shown) -> figure."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A run that a figure needs."""

    label: str
    fits: Callable[[BSDConfig], bool]
    """Whether a run with these settings shows what is wanted."""
    recordings: tuple[str, ...]
    """Recordings that show it, the best first."""
    command: str
    """What makes such a run."""
    shows_it: Callable[[Mapping[str, Any]], bool] = lambda summary: True
    """Whether a run with such a summary came out as the figure wants it; it goes before the recordings then."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One picture of a figure."""

    name: str
    draw: Draw
    slots: tuple[int, ...] = (0,)
    """Which of the figure's runs it reads; the first must be there, the others may be missing."""
    any_run: bool = False
    """Whether any one of its runs is enough."""
    height: int = 330
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of the paper as the page shows it."""

    number: str
    title: str
    shows: str
    """What the paper's figure shows, in plain words, and on which data."""
    charts: tuple[Chart, ...]
    slots: tuple[Slot, ...] = ()
    from_results: str = ""
    """The table of `paper_cells.cells` whose recorded results are drawn, if any."""


def rate_of(config: BSDConfig) -> float | None:
    """Poisoning rate of a run, its attack's own where none is given; None without an attack."""
    name = config.attack.attack
    if name == "none":
        return None
    return attacks.kind(name).default_rate if config.attack.rate is None else config.attack.rate


def is_plain(config: BSDConfig) -> bool:
    """Whether a run is BSD as the presets have it: nothing switched off, no target forced."""
    split = config.split
    return (
        split.init_combine == "intersection"
        and split.completion != "off"
        and split.target_estimator != "given"
        and split.all_to_all == "off"
        and split.selective_drop
    )


def attacked_with(name: str) -> Callable[[BSDConfig], bool]:
    return lambda config: config.attack.attack == name and is_plain(config)


def at_rate(rate: float) -> Callable[[BSDConfig], bool]:
    return lambda config: (
        rate_of(config) == rate and is_plain(config) and not attacks.kind(config.attack.attack).clean_label
    )


def is_forced(config: BSDConfig) -> bool:
    """Whether a run was told a target, and a wrong one."""
    return (
        config.split.target_estimator == "given"
        and config.attack.attack != "none"
        and config.split.assume_target != config.attack.target_label
    )


def train_command(spec: str, **settings: object) -> str:
    return Cell(preset="demo", attack=spec, settings=dict(settings)).command()


def attack_success(summary: Mapping[str, Any]) -> float:
    """Attack success of a run, percent; 50 where it is not known."""
    found = summary.get("attack_success_rate")
    return 50.0 if found is None else found


def is_defended(summary: Mapping[str, Any]) -> bool:
    return attack_success(summary) < 20


HEALTHY = Slot(
    label="run",
    shows_it=lambda summary: summary.get("attack") == "badnets" and is_defended(summary),
    fits=lambda config: config.attack.attack != "none" and is_plain(config),
    recordings=("healthy",),
    command=train_command("badnets"),
)
