"""Figures of the page Attacks: which classes are poisoned, and a trigger's spectrum; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.style.theme import Palette, Sketch, class_name, count, faded
from bsd_engine.prepare.spectrum import Spectrum

MOST_BARS = 12


def class_bars(poisoned: np.ndarray, noise: np.ndarray, class_names: tuple[str, ...], palette: Palette) -> go.Figure:
    """Poisoned and noise images of each class before the attack.

    Parameters
    ----------
    poisoned, noise : (C,) int
    """
    total, noisy = int(poisoned.sum()), int(noise.sum())
    hit = int((poisoned > 0).sum())
    shown = np.sort(np.argsort(-(poisoned + noise), kind="stable")[:MOST_BARS])
    rest = f" · {len(shown)} largest of {len(poisoned)} classes" if len(shown) < len(poisoned) else ""
    said = f"{count(total)} poisoned images of {hit} class{'es' if hit != 1 else ''}"
    sketch = Sketch(
        palette,
        name="classes",
        title="Poisoned images by original class",
        subtitle=f"{said}{rest}",
        summary=f"Poisoned classes: {said}.",
    )
    rows, names = np.arange(len(shown), dtype=np.int32), [class_name(class_names, int(c)) for c in shown]
    parts = [("◆ poisoned", poisoned, palette.poison, palette.poison)]
    if noisy:
        parts.append(("○ noise: label kept", noise, faded(palette.clean, 0.15), palette.clean))
    for name, values, fill, line in parts:
        sketch.trace(
            "bar",
            name=name,
            x=values[shown].astype(np.int32),
            y=rows,
            orientation="h",
            texttemplate="%{x:,}",
            textposition="outside",
            cliponaxis=False,
            constraintext="none",
            textfont={"size": 11, "color": palette.muted},
            hovertemplate="%{x:,} images<extra></extra>",
            marker={"color": fill, "line": {"color": line, "width": 1}},
        )
    largest = max(1, int(poisoned.max(initial=0)), int(noise.max(initial=0)))
    sketch.layout(
        xaxis={"title.text": "training images", "range": [0, 1.18 * largest], "nticks": 5},
        yaxis={
            "tickvals": rows,
            "ticktext": names,
            "range": [len(shown) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
            "tickfont.color": palette.text,
        },
        margin={"l": 22 + int(6.8 * max(map(len, names))), "r": 30, "t": 70 if noisy else 48},
        showlegend=bool(noisy),
        legend={"y": 0.885, "x": 0, "xanchor": "left"},
        bargap=0.3,
        dragmode=False,
    )
    return sketch.figure()


def spectrum_figure(found: Spectrum, palette: Palette) -> go.Figure:
    """Heat map of a spectrum, frequency 0 in the middle."""
    if not found.log_magnitude.any():
        said = "no change, so no frequency"
    else:
        across, down = found.peak
        said = f"strongest: {across:.2f} across, {down:.2f} down (cycles/pixel)"
    sketch = Sketch(
        palette,
        name="spectrum",
        title="Spectrum of the trigger",
        subtitle=said,
        summary=f"Spectrum of the trigger: {said}.",
    )
    small = {"size": 11, "color": palette.muted}
    sketch.trace(
        "heatmap",
        x=found.columns.astype(np.float32),
        y=found.rows.astype(np.float32),
        z=found.log_magnitude,
        colorscale="Cividis",
        zmin=0,
        zmax=max(1e-6, float(found.log_magnitude.max())),
        hovertemplate="%{x:.3f} across, %{y:.3f} down: %{z:.2f}<extra></extra>",
        colorbar={
            "title": {"text": "log₁₀(1 + |F|), |F| in grey levels", "side": "right", "font": small},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": small,
            "nticks": 5,
            "x": 0.72,
        },
    )
    sketch.layout(
        xaxis={
            "title.text": "across, cycles/pixel",
            "range": [-0.52, 0.52],
            "nticks": 5,
            "domain": [0, 0.7],
            "constrain": "domain",
            "constraintoward": "right",
            "showgrid": False,
        },
        yaxis={
            "title.text": "down, cycles/pixel",
            "range": [0.52, -0.52],
            "nticks": 5,
            "scaleanchor": "x",
            "constrain": "domain",
            "showgrid": False,
        },
        margin={"l": 52, "r": 8},
        showlegend=False,
    )
    return sketch.figure()
