"""Figures of the Attacks page: the poisoned classes and a trigger's spectrum; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.style.theme import Palette, Sketch, class_name, count, faded
from bsd_engine.prepare.spectrum import Spectrum

MOST_BARS = 12


def class_bars(poisoned: np.ndarray, noise: np.ndarray, class_names: tuple[str, ...], palette: Palette) -> go.Figure:
    """Bars of the poisoned images and of the noise images in each class, by original label.

    Parameters
    ----------
    poisoned, noise : (C,) int, images
    """
    total, has_noise = int(poisoned.sum()), bool(noise.any())
    poisoned_classes = int((poisoned > 0).sum())
    shown = np.sort(np.argsort(-(poisoned + noise), kind="stable")[:MOST_BARS])
    rest = f" · {len(shown)} largest of {len(poisoned)} classes" if len(shown) < len(poisoned) else ""
    total_text = f"{count(total)} poisoned images of {poisoned_classes} class{'es' if poisoned_classes != 1 else ''}"
    sketch = Sketch(
        palette,
        name="classes",
        title="Poisoned images by original class",
        subtitle=f"{total_text}{rest}",
        summary=f"Poisoned classes: {total_text}.",
    )
    names = [class_name(class_names, int(c)) for c in shown]
    _add_bars(sketch, "◆ poisoned", poisoned[shown], palette, fill=palette.poison, line=palette.poison)
    if has_noise:
        fill = faded(palette.clean, 0.15)
        _add_bars(sketch, "○ noise, label unchanged", noise[shown], palette, fill=fill, line=palette.clean)
    largest = max(1, int(poisoned.max(initial=0)), int(noise.max(initial=0)))
    sketch.layout(
        xaxis={"title.text": "training images", "range": [0, 1.18 * largest], "nticks": 5},
        yaxis={
            "tickvals": np.arange(len(shown), dtype=np.int32),
            "ticktext": names,
            "range": [len(shown) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
            "tickfont.color": palette.text,
        },
        margin={"l": 22 + int(6.8 * max(map(len, names))), "r": 30, "t": 70 if has_noise else 48},
        showlegend=has_noise,
        legend={"y": 0.885, "x": 0, "xanchor": "left"},
        bargap=0.3,
        dragmode=False,
    )
    return sketch.figure()


def _add_bars(sketch: Sketch, name: str, images: np.ndarray, palette: Palette, *, fill: str, line: str) -> None:
    """Add a horizontal bar with its number for each class."""
    sketch.trace(
        "bar",
        name=name,
        x=images.astype(np.int32),
        y=np.arange(len(images), dtype=np.int32),
        orientation="h",
        texttemplate="%{x:,}",
        textposition="outside",
        cliponaxis=False,
        constraintext="none",
        textfont={"size": 11, "color": palette.muted},
        hovertemplate="%{x:,} images<extra></extra>",
        marker={"color": fill, "line": {"color": line, "width": 1}},
    )


def spectrum_figure(spectrum: Spectrum, palette: Palette) -> go.Figure:
    """Heat map of a trigger's spectrum with frequency 0 in the middle."""
    if not spectrum.log_magnitude.any():
        strongest = "no pixel changes, so there is no frequency"
    else:
        across, down = spectrum.peak
        strongest = f"strongest: {across:.2f} across, {down:.2f} down (cycles/pixel)"
    sketch = Sketch(
        palette,
        name="spectrum",
        title="Spectrum of the trigger",
        subtitle=strongest,
        summary=f"Spectrum of the trigger: {strongest}.",
    )
    small_font = {"size": 11, "color": palette.muted}
    sketch.trace(
        "heatmap",
        x=spectrum.columns.astype(np.float32),
        y=spectrum.rows.astype(np.float32),
        z=spectrum.log_magnitude,
        colorscale="Cividis",
        zmin=0,
        zmax=max(1e-6, float(spectrum.log_magnitude.max())),
        hovertemplate="%{x:.3f} across, %{y:.3f} down: %{z:.2f}<extra></extra>",
        colorbar={
            "title": {"text": "log₁₀(1 + |F|), |F| in grey levels", "side": "right", "font": small_font},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": small_font,
            "nticks": 5,
            "x": 0.72,
        },
    )
    sketch.layout(
        xaxis={
            "title.text": "across (cycles/pixel)",
            "range": [-0.52, 0.52],
            "nticks": 5,
            "domain": [0, 0.7],
            "constrain": "domain",
            "constraintoward": "right",
            "showgrid": False,
        },
        yaxis={
            "title.text": "down (cycles/pixel)",
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
