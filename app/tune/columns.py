"""The data of an epoch for the linked views, in about five bytes a sample; pure functions, no streamlit.

Cuts compare ranks, so ranks are sent exactly (two bytes up to 65,536 samples). Values are sent only as a curve: the
sorted scores at some ranks, from which the value at any rank is read. 99 of 100 values are right to a third of a pixel;
single ones far out may be off by some pixels. 50,000 samples need 277 kB an epoch; the scores would take 600 kB.
"""

from __future__ import annotations

import numpy as np

from app.figures.facts import LOSS_HIGH, LOSS_LOW
from bsd_engine.events import EpochState
from bsd_engine.method.ranking import descending_order
from bsd_engine.shares import DISTANCES, loss_discrepancy

KNOTS = 512
LEVELS = 255
MAP_STEPS = 65535

Columns = dict[str, np.ndarray]


def ranked(name: str, scores: np.ndarray) -> Columns:
    """Ranks by descending score, ties by index, and the sorted scores at `KNOTS` ranks (all of them if fewer).

    These ranks are dense at both ends, where single samples lie far apart on a logarithmic axis.
    """
    n = len(scores)
    order = descending_order(scores)
    ranks = np.empty(n, np.uint16 if n <= 65536 else np.uint32)
    ranks[order] = np.arange(n)
    places = (
        np.arange(n)
        if n <= KNOTS
        else np.rint((n - 1) * (1 - np.cos(np.pi * np.linspace(0, 1, KNOTS))) / 2).astype(np.int64)
    )
    return {
        f"{name}_rank": ranks,
        f"{name}_curve": np.nan_to_num(scores[order[places]].astype(np.float32), posinf=1e9, neginf=-1e9),
    }


def log_levels(losses: np.ndarray) -> np.ndarray:
    """(N,) uint8: losses in 256 equal steps of their logarithm from `LOSS_LOW` to `LOSS_HIGH`, 5 % each."""
    low, high = np.log10(LOSS_LOW), np.log10(LOSS_HIGH)
    share = (np.log10(np.clip(losses.astype(np.float64), LOSS_LOW, LOSS_HIGH)) - low) / (high - low)
    return np.rint(share * LEVELS).astype(np.uint8)


def bits(mask: np.ndarray) -> np.ndarray:
    """(ceil(N / 8),) uint8, the first sample in the lowest bit."""
    return np.packbits(mask, bitorder="little")


def epoch_columns(state: EpochState, target: int | None, *, predictions: bool) -> Columns:
    """The columns of an epoch that the views need.

    Parameters
    ----------
    target : the suspected class; None leaves out the columns for selective drop
    predictions : add those of the main model, which the settings of class completion (`count_by`) may need
    """
    columns = ranked("g", state.altruistic_loss)
    if state.main_loss is not None:
        columns["f_level"] = log_levels(state.main_loss)
    if state.oss_score is not None:
        columns |= ranked("s", state.oss_score)
    elif state.main_loss is not None:
        columns |= ranked("gap", loss_discrepancy(state.altruistic_loss, state.main_loss))
    if state.clean_mask is not None:
        columns["pool"] = bits(state.clean_mask)
    if state.main_prediction is not None and target is not None and state.oss_score is None:
        columns["both"] = bits((state.main_prediction == target) & (state.altruistic_prediction == target))
        if predictions:
            columns["predicted"] = state.main_prediction.astype(np.uint16)
    return columns


def distance_columns(state: EpochState) -> Columns:
    """Ranks and curves of the three distances; empty if they were not recorded."""
    if state.oss_distances is None:
        return {}
    return {name: a for i, kind in enumerate(DISTANCES) for name, a in ranked(kind, state.oss_distances[i]).items()}


def map_columns(xy: np.ndarray, state: EpochState, landmark_idx: np.ndarray) -> Columns:
    """Positions of the landmarks on a map in 65,536 steps, and the nearest known class of each if recorded."""
    finite = np.isfinite(xy).all(1)
    low, high = (xy[finite].min(0), xy[finite].max(0)) if finite.any() else (np.zeros(2), np.ones(2))
    span = np.where(high > low, high - low, 1.0)
    places = np.where(finite[:, None], (np.nan_to_num(xy, posinf=0, neginf=0) - low) / span, 0.5)
    columns = {"map_xy": np.rint(places.clip(0, 1) * MAP_STEPS).astype(np.uint16)}
    if state.nearest_class is not None:
        columns["map_nearest"] = state.nearest_class[landmark_idx].astype(np.uint16)
    return columns
