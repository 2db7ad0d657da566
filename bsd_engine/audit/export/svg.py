"""Small figures as SVG text, for a page that opens without any other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 190, 46, 30, 8


def curves(
    series: Sequence[tuple[str, str, np.ndarray]],
    first: int,
    label: str,
    *,
    marks: Sequence[tuple[int, str]] = (),
    low: float = 0.0,
    high: float | None = None,
) -> str:
    """Lines over the epochs.

    Parameters
    ----------
    series : name, colour (a CSS colour) and values of each line, one value an epoch; NaN leaves a hole
    first : number of the first epoch, as shown
    label : name of the values
    marks : epochs, as shown, with a word for each
    """
    finite = np.concatenate([values[np.isfinite(values)] for _, _, values in series] or [np.zeros(0)])
    top = high if high is not None else max(1e-9, float(finite.max(initial=0.0)) * 1.05)
    count = max((len(values) for _, _, values in series), default=1)

    def x(i: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * i / max(1, count - 1)

    def y(v: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (v - low) / (top - low))

    parts = [_axes(low, top, y)]
    for epoch, word in marks:
        at = x(epoch - first)
        parts.append(
            f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="small" x="{at + 3:.1f}" y="{TOP + 10}">{escape(word)}</text>'
        )
    for name, colour, values in series:
        points = " ".join(f"{x(i):.1f},{y(min(max(v, low), top)):.1f}" for i, v in enumerate(values) if np.isfinite(v))
        parts.append(
            f'<polyline fill="none" stroke="{escape(colour)}" stroke-width="2" points="{points}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    names = "".join(f'<tspan fill="{escape(colour)}" dx="12">{escape(name)}</tspan>' for name, colour, _ in series)
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT - 6}">epoch {first} to {first + count - 1}</text>'
        f'<text x="{WIDTH - 24}" y="{HEIGHT - 6}" text-anchor="end">{names}</text>'
    )
    return _picture("".join(parts), label)


def bars(values: np.ndarray, low: float, step: float, label: str, *, over: np.ndarray | None = None) -> str:
    """A histogram on a root scale, so that few are seen beside many; `over` draws a second one in front."""
    top = float(np.sqrt(max(1.0, values.max(initial=1.0))))
    width = (WIDTH - LEFT - 10) / max(1, len(values))

    def box(i: int, v: float, kind: str) -> str:
        height = (HEIGHT - TOP - BOTTOM) * float(np.sqrt(v)) / top
        return (
            f'<rect class="{kind}" x="{LEFT + i * width:.1f}" y="{HEIGHT - BOTTOM - height:.1f}" '
            f'width="{max(1.0, width - 1):.1f}" height="{height:.1f}"/>'
        )

    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 10}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>']
    parts += [box(i, v, "all") for i, v in enumerate(values)] + [
        box(i, v, "front") for i, v in enumerate(over if over is not None else [])
    ]
    parts += [
        f'<text class="small" text-anchor="middle" x="{LEFT + i * width:.1f}" y="{HEIGHT - BOTTOM + 13}">'
        f"{low + i * step:.1f}</text>"
        for i in range(0, len(values) + 1, max(1, round(len(values) / 8)))
    ]
    parts.append(
        f'<text class="small" x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{values.max(initial=0):,.0f}</text>'
    )
    return _picture("".join(parts), label)


def _axes(low: float, high: float, y: Callable[[float], float]) -> str:
    lines = []
    for part in (0, 0.5, 1):
        value = low + part * (high - low)
        at = y(value)
        text = f"{value:,.0f}" if high >= 10 else f"{value:.2g}"
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="small" x="{LEFT - 4}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'
        )
    return "".join(lines)


def _picture(content: str, label: str) -> str:
    return (
        f"<figure><figcaption>{escape(label)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{content}</svg></figure>"
    )
