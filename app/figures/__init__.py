"""Recorded state to Plotly figures: the one place to import them from. Pure functions, no streamlit.

Truth is an argument of its own: with None every sample is drawn as unknown and nothing is said about poison, whatever
the run folder knows. Arrays reach Plotly as numpy arrays, which it sends as base64 rather than as long lists. Every
figure has a fixed `uirevision`, so that zoom and selection outlive an update, and a one-sentence summary in
`layout.meta`.
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
