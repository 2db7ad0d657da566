"""Colours, names and number formats that all views share, and the blank figure that they start from.

Hue means one thing only: ground truth about a sample. Membership of the pool is solid or hollow, a mistake is a ring.
Blue and vermillion (Okabe-Ito) stay apart under every common colour blindness; there is no red for bad or green for
good, because a low attack success is good. Contrast with the background is at least 3:1 for marks, 4.5:1 for text.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import plotly.graph_objects as go

from bsd_engine.config.method_settings import Stage

FONT = '"Source Sans", "Source Sans 3", "Segoe UI", system-ui, sans-serif'
LONGEST_NAME = 24
"""Characters."""
TRANSPARENT = "rgba(0,0,0,0)"


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours of one theme, all but the last two as #rrggbb."""

    name: Literal["light", "dark"]
    clean: str
    """Truth: clean."""
    poison: str
    """Truth: poison."""
    unknown: str
    """Truth: unknown, or context."""
    text: str
    muted: str
    """Secondary text."""
    line: str
    """Axis lines."""
    grid: str
    surface: str
    """Background of the page, for what is behind a label."""
    ring: str
    """Mistakes and the selection."""
    band: str
    """Every second stage, and the side of a cut that is kept (rgba)."""
    total: str
    """All samples of a histogram, behind the outlines (rgba)."""


LIGHT = Palette(
    name="light",
    clean="#0072B2",
    poison="#D55E00",
    unknown="#7F7F7F",
    text="#1A1C1F",
    muted="#5F6368",
    line="#B8BCC2",
    grid="#ECEEF0",
    surface="#FFFFFF",
    ring="#000000",
    band="rgba(60,70,90,0.06)",
    total="rgba(127,127,127,0.18)",
)
DARK = Palette(
    name="dark",
    clean="#56B4E9",
    poison="#E69F00",
    unknown="#9AA0A6",
    text="#F2F3F5",
    muted="#A3A8B0",
    line="#4A505A",
    grid="#232831",
    surface="#0E1117",
    ring="#FFFFFF",
    band="rgba(170,190,230,0.09)",
    total="rgba(154,160,166,0.22)",
)

STAGE_NAMES: dict[Stage, str] = {
    "altruistic_warmup": "altruistic warm-up",
    "oss_warmup": "OSS warm-up",
    "initial_pools": "initial pools",
    "class_completion": "class completion",
    "selective_drop": "selective drop",
}


def palette_for(theme: str | None) -> Palette:
    """The palette for "light" or "dark", as in `st.context.theme.type`; light for anything else."""
    return DARK if theme == "dark" else LIGHT


def faded(colour: str, opacity: float) -> str:
    """A #rrggbb colour with an opacity from 0 to 1."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{opacity:g})"


def plain(text: str) -> str:
    """A user's text on one line, shortened, and safe for Plotly and HTML, which would both read tags in it.

    Quotes stay: Plotly does not know &quot;. Do not put the result into an HTML attribute.
    """
    words = " ".join(str(text).split())
    short = words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1] + "…"
    return html.escape(short, quote=False)


def class_name(class_names: tuple[str, ...], label: int) -> str:
    """Name of a class, safe to show; its number where it has no name."""
    return plain(class_names[label]) if 0 <= label < len(class_names) else f"class {label}"


def count(n: float) -> str:
    """6000 -> "6,000"."""
    return f"{n:,.0f}"


def percent(value: float, digits: int = 1) -> str:
    """94.237 -> "94.2 %"; the value is in percent already."""
    return f"{value:.{digits}f} %"


def share(value: float) -> str:
    """0.6 -> "0.60", 0.125 -> "0.125"."""
    return f"{value:.3f}".removesuffix("0")


def epoch_number(epoch: int) -> int:
    """The number shown for a global, 0-based epoch: the first one is 1, so the last one is the total."""
    return epoch + 1


def epoch_text(epoch: int, total: int) -> str:
    """ "epoch 12 of 38" for the global, 0-based epoch 11."""
    return f"epoch {epoch_number(epoch)} of {total}"


@lru_cache(maxsize=2)
def template(palette: Palette) -> go.layout.Template:
    """Dense margins, thin grid, no background of its own.

    Importing streamlit makes a default template whose colours only `st.plotly_chart` can resolve, so every figure
    names this one.
    """
    layout: dict[str, Any] = {
        "font": {"family": FONT, "size": 12, "color": palette.text},
        "paper_bgcolor": TRANSPARENT,
        "plot_bgcolor": TRANSPARENT,
        "margin": {"l": 56, "r": 12, "t": 48, "b": 40},
        "title": _title(palette),
        "xaxis": _axis(palette),
        "yaxis": _axis(palette),
        "legend": _legend(palette),
        "hovermode": "closest",
        "dragmode": "zoom",
        "barcornerradius": 1,
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"color": palette.text, "size": 12},
        },
        "modebar": {"bgcolor": TRANSPARENT, "color": palette.muted, "activecolor": palette.text, "orientation": "v"},
        "newselection": {"line": {"color": palette.text, "width": 1, "dash": "dot"}},
        "annotationdefaults": {"showarrow": False, "font": {"size": 12, "color": palette.muted}},
    }
    return go.layout.Template(layout=layout)


def _title(palette: Palette) -> dict[str, Any]:
    return {
        "font": {"size": 14, "color": palette.text},
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 4, "t": 6},
    }


def _axis(palette: Palette) -> dict[str, Any]:
    return {
        "showgrid": True,
        "gridcolor": palette.grid,
        "gridwidth": 1,
        "zeroline": False,
        "showline": True,
        "linecolor": palette.line,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 3,
        "tickcolor": palette.line,
        "tickfont": {"size": 11, "color": palette.muted},
        "title": {"font": {"size": 12, "color": palette.muted}, "standoff": 6},
        "automargin": False,
    }


def _legend(palette: Palette) -> dict[str, Any]:
    return {
        "orientation": "h",
        "x": 1,
        "xanchor": "right",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "font": {"size": 12, "color": palette.muted},
        "bgcolor": TRANSPARENT,
        "itemsizing": "constant",
        "itemwidth": 30,
    }


class Sketch:
    """The parts of a figure, turned into one at the end: plotly validates everything again at each `add_...`, which
    took half of the time of a figure.

    Parameters
    ----------
    name : what the user's zoom and selection belong to; they are kept from one figure to the next of that name
    title, subtitle : safe text; the subtitle names the epoch
    summary : safe text, one sentence that describes the figure, for `alt` and screen readers
    """

    def __init__(self, palette: Palette, *, name: str, title: str, subtitle: str, summary: str) -> None:
        text, top = f"<b>{title}</b>", 6
        if subtitle:  # in the title, since Plotly's own subtitle floats far below; two lines start higher
            text += f'<br><span style="font-size:12px;color:{palette.muted}">{subtitle}</span>'
            top = 17
        self._traces: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []
        self._shapes: list[dict[str, Any]] = []
        self._layout: dict[str, Any] = {
            "template": template(palette),
            "uirevision": name,
            "selectionrevision": name,
            "title": {"text": text, "pad": {"t": top}},
            "meta": {"summary": html.unescape(summary)},
        }

    def trace(self, kind: str, **values: Any) -> None:
        """Add a trace on top of the others."""
        self._traces.append({"type": kind, **values})

    def note(self, text: str, **values: Any) -> None:
        """Add a text at a position; `text` is safe text."""
        self._notes.append({"text": text, **values})

    def shape(self, kind: str, **values: Any) -> None:
        """Add a line or a rectangle."""
        self._shapes.append({"type": kind, **values})

    def layout(self, **values: Any) -> None:
        """Set parts of the layout; a dictionary adds to the one that is there."""
        for name, value in values.items():
            old = self._layout.get(name)
            self._layout[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value

    def figure(self) -> go.Figure:
        """The figure, validated."""
        return go.Figure(data=self._traces, layout={**self._layout, "annotations": self._notes, "shapes": self._shapes})


def empty_figure(message: str, palette: Palette, *, title: str = "") -> go.Figure:
    """A sentence in place of a figure that cannot be drawn yet; `message` is safe text and may hold <br>."""
    sketch = Sketch(palette, name="waiting", title=title, subtitle="", summary=message.replace("<br>", " "))
    hidden: dict[str, Any] = {"visible": False, "range": [0, 1], "fixedrange": True}
    sketch.layout(xaxis=hidden, yaxis=hidden, dragmode=False)
    sketch.note(message, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 13})
    return sketch.figure()
