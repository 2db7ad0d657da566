"""The tool "In common": what a selection of samples has in common, compared with controls."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from app.audit.panes import note, pane, panes
from app.style import words
from app.style.markup import Markup, join
from bsd_engine.audit.common import BLIND_SPOT, Common, in_common, matched_controls
from bsd_engine.audit.findings.apart import stands_apart

MOST_COMPARED = 500
PANE_SIDE = 150


def common_panel(audit: Audited, selected: tuple[int, ...]) -> None:
    """Mean, median, difference, variance, spectrum and patches of a selection and its controls."""
    history = audit.history
    mask, who = _compared_samples(audit, selected)
    by = st.segmented_control(
        texts.CONTROLS,
        ["content", "label"],
        default="content",
        required=True,
        key="common_by",
        help=texts.CONTROLS_HELP,
    )
    by_content = by == "content" and len(history.main_prediction) > 0
    kinds = history.main_prediction[-1].astype(np.int64) if by_content else history.labels
    controls = matched_controls(mask, kinds, 0, candidates=audit.suspects.in_pool)
    picked = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(mask))[:MOST_COMPARED])
    if len(picked) < 2 or len(controls) < 2:
        st.info(texts.TOO_FEW)
        return
    images = audit.run.images
    common = in_common(*(images[idx].transpose(0, 2, 3, 1) for idx in (picked, controls[:MOST_COMPARED])))
    st.markdown(f"{texts.compared(who, common.controls)} **{words.unformatted(common.finding)}**")
    if BLIND_SPOT not in common.finding:
        st.caption(BLIND_SPOT)
    st.html(_comparison(common))


def _compared_samples(audit: Audited, selected: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """(N,) bool of the samples to compare, and their description.

    These are the selection, else all that stand apart, else the top of the ranking.
    """
    history, suspects = audit.history, audit.suspects
    mask = np.zeros(history.num_samples, bool)
    if len(selected) >= 2:
        mask[list(selected)] = True
        return mask, texts.selected(len(selected))
    apart = stands_apart(history, suspects)
    if apart.any():
        return apart, texts.apart(int(apart.sum()))
    mask = suspects.rank <= min(100, history.num_samples // 10)
    return mask, texts.most_suspect(int(mask.sum()))


def _comparison(common: Common) -> Markup:
    """The images of a comparison as HTML."""
    gain = 100 / max(1.0, float(np.abs(common.difference).max()))
    averages = [
        _pane("Mean", common.mean),
        _pane("Median", common.median),
        _pane("Control mean", common.control_mean),
        _pane(f"Difference × {gain:.1f}", 128 + gain * common.difference, texts.NO_DIFFERENCE),
        _pane("Variance", (128 - 40 * common.variance_ratio)[..., None], texts.LESS_VARIANCE),
        _pane("Spectrum", (128 + 60 * common.spectrum)[..., None], texts.MORE_POWER),
    ]
    patches = [
        _pane(f"Patch {i}", p.pixels, texts.patch_note(p.row, p.column, p.share, p.control_share))
        for i, p in enumerate(common.patches, 1)
    ]
    return join(panes(averages, "six"), note(texts.PATCHES), panes(patches, "six"))


def _pane(title: str, levels: np.ndarray, below: str = "") -> Markup:
    """A pane of grey levels, rounded and clipped."""
    return pane(title, np.rint(levels).clip(0, 255).astype(np.uint8), PANE_SIDE, below)
