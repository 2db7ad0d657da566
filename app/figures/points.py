"""How samples are drawn as points: hue is the ground truth, solid or hollow the pool, a ring a mistake.

The members of a trace do not change during a run (only their fill does), so a selection keeps meaning the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from app.style.theme import Palette, Sketch, faded
from bsd_engine.runs.reader import Truth


@dataclass(frozen=True)
class Group:
    """Samples with the same ground truth: one hue, one shape."""

    name: str
    colour: str
    symbol: Literal["circle", "diamond"]
    mask: np.ndarray


def groups_of(truth: Truth | None, n: int, palette: Palette) -> list[Group]:
    """The groups in drawing order: clean, then poison; or all samples as unknown."""
    if truth is None:
        return [Group("truth unknown", palette.unknown, "circle", np.ones(n, bool))]
    return [
        Group("clean", palette.clean, "circle", ~truth.is_poison),
        Group("poison", palette.poison, "diamond", truth.is_poison),
    ]


def add_points(
    sketch: Sketch,
    group: Group,
    xy: tuple[np.ndarray, np.ndarray],
    sample_idx: np.ndarray,
    in_pool: np.ndarray | None,
    *,
    size: float,
    opacity: float,
    hover: str,
    **trace: Any,
) -> None:
    """Add one WebGL trace: solid in the clean pool, hollow outside it; all solid before there are pools."""
    fill = np.ones(len(sample_idx), np.uint8) if in_pool is None else in_pool[sample_idx].astype(np.uint8)
    sketch.trace(
        "scattergl",
        x=xy[0].astype(np.float32),
        y=xy[1].astype(np.float32),
        mode="markers",
        name=group.name,
        customdata=sample_idx.astype(np.int32),
        marker={
            "color": fill,
            "cmin": 0,
            "cmax": 1,
            "colorscale": [
                [0, faded(group.colour, 0)],
                [0.5, faded(group.colour, 0)],
                [0.5, group.colour],
                [1, group.colour],
            ],
            "showscale": False,
            "size": size,
            "symbol": group.symbol,
            "opacity": opacity,
            "line": {"width": 1, "color": group.colour},
        },
        showlegend=False,
        hovertemplate=hover + f"<br>{group.name}<extra></extra>",
        unselected={"marker": {"opacity": 0.12}},
        **trace,
    )


def add_legend(sketch: Sketch, groups: list[Group], pools: bool, mistakes: str, palette: Palette) -> None:
    """Add a legend of hue, fill and ring from traces without points, whose fill does not depend on a sample."""
    entries = [(g.name, g.colour, g.symbol, g.colour) for g in groups]
    if pools:
        entries.append(("kept out", faded(palette.unknown, 0), "circle", palette.unknown))
    if mistakes:
        entries.append((mistakes, faded(palette.unknown, 0), "circle", palette.ring))
    for name, colour, symbol, outline in entries:
        width = 2 if outline == palette.ring else 1.2
        sketch.trace(
            "scatter",
            x=np.full(1, np.nan, np.float32),
            y=np.full(1, np.nan, np.float32),
            mode="markers",
            name=name,
            hoverinfo="skip",
            marker={"size": 8, "color": colour, "symbol": symbol, "line": {"width": width, "color": outline}},
        )
    position = {"font.size": 11, "x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}
    sketch.layout(legend={"itemclick": False, "itemdoubleclick": False, **position}, margin={"t": 70})


def add_rings(sketch: Sketch, x: np.ndarray, y: np.ndarray, size: float, palette: Palette) -> None:
    """Add rings around mistakes on top; hover, clicks and selections go through to the sample below."""
    sketch.trace(
        "scatter",
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        mode="markers",
        hoverinfo="skip",
        showlegend=False,
        name="mistakes",
        marker={"size": size, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": palette.ring}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def mistakes(truth: Truth | None, in_pool: np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """(N,) bool of the poison in the clean pool and its legend text; None and "" if it cannot be known."""
    return (None, "") if truth is None or in_pool is None else (truth.is_poison & in_pool, "poison kept")
