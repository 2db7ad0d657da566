"""Plotly figures of a recorded run. Pages import them from here. Pure functions without streamlit.

The ground truth is a separate argument. If it is None, every sample is drawn as unknown and no figure mentions poison,
even if the run folder holds the ground truth. Arrays are passed to Plotly as numpy arrays, which it sends as base64
instead of long lists. Every figure has a fixed `uirevision`, so zoom and selection survive updates, and a one-sentence
summary in `layout.meta`.
"""

from app.figures.accuracy import accuracy_curves
from app.figures.facts import Cut, Facts
from app.figures.feature_map import feature_map
from app.figures.histograms import altruistic_loss_histogram, oss_distance_histogram
from app.figures.pool import poison_in_pool
from app.figures.scatters import discrepancy_scatter
from app.figures.stages import stage_spans, stage_strip
from app.figures.timeline import Metrics
from app.figures.votes import vote_bars
from app.style.theme import empty_figure

__all__ = [
    "Cut",
    "Facts",
    "Metrics",
    "accuracy_curves",
    "altruistic_loss_histogram",
    "discrepancy_scatter",
    "empty_figure",
    "feature_map",
    "oss_distance_histogram",
    "poison_in_pool",
    "stage_spans",
    "stage_strip",
    "vote_bars",
]
