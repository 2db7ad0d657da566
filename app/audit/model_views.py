"""What both models of a run see in a sample: its neighbours in feature space, and pixels that support its label."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app.audit import texts
from app.audit.audited import Audited, models_of
from app.audit.panes import note, pane, panes, strip, thumbnail_figure
from app.style import words
from app.style.markup import join
from app.style.theme import Palette, epoch_number
from bsd_engine.audit.features import features, neighbours
from bsd_engine.audit.saliency import saliency
from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.stored_models import has_models

NEIGHBOURS = 6


def model_views(audit: Audited, sample: int, palette: Palette, side: int) -> None:
    """Neighbours and saliency of a sample; images are about `side` pixels wide."""
    if not has_models(audit.run):
        st.caption(texts.NO_MODELS)
        return
    _neighbours(audit, sample)
    _saliency(audit, sample, palette, side)


def _neighbours(audit: Audited, sample: int) -> None:
    """The nearest samples in the features of each model; a button computes the features first."""
    space = features(audit.run, compute=False)
    if space is None:
        st.caption(texts.neighbours_need_a_pass(audit.history.num_samples))
        if st.button(texts.FIND_NEIGHBOURS, key="find_neighbours", icon=":material/hub:"):
            _compute_features(audit)
        return
    for name, vectors in (("main", space.main), ("altruistic", space.altruistic)):
        nearest, distances = neighbours(vectors, sample, NEIGHBOURS)
        figures = (_neighbour(audit, int(s), float(d)) for s, d in zip(nearest, distances))
        st.html(join(note(texts.nearest(name, epoch_number(space.epoch))), strip(figures)))


def _compute_features(audit: Audited) -> None:
    try:
        with st.spinner(texts.FINDING_NEIGHBOURS):
            features(audit.run)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
    else:
        st.rerun()


def _neighbour(audit: Audited, sample: int, distance: float) -> str:
    pool = "in the pool" if audit.suspects.in_pool[sample] else "kept out"
    return thumbnail_figure(audit, sample, below=f"{distance:.3f}, {pool}")


def _saliency(audit: Audited, sample: int, palette: Palette, side: int) -> None:
    """An image for each model with the pixels lit that support the label."""
    newest_checkpoint = checkpoint_paths(audit.run.path)[-1]
    both = models_of(str(audit.run.path), newest_checkpoint.stat().st_mtime_ns)
    label = int(audit.history.labels[sample])
    figures = [
        pane(
            texts.model_title(name),
            _lit(saliency(model, both.normalize, audit.run.images[sample], label), audit.image(sample), palette),
            side,
        )
        for name, model in (("main", both.main), ("altruistic", both.altruistic))
    ]
    heading = note(texts.pixels_heading(audit.label_name(sample), epoch_number(both.epoch)))
    st.html(join(heading, panes(figures, "passport")))


def _lit(weights: np.ndarray, image: np.ndarray, palette: Palette) -> np.ndarray:
    """(H, W, 1) uint8: the image in faint grey, bright where a pixel supports the label.

    It has no hue, because hue stands for the ground truth everywhere.
    """
    top = max(1e-9, float(np.quantile(np.abs(weights), 0.995)))
    share = np.clip(weights / top, 0, 1)[..., None]
    dim = image.astype(np.float32).mean(2, keepdims=True) * 0.35 + (0 if palette.name == "dark" else 40)
    return np.rint(dim * (1 - share) + 255 * share).clip(0, 255).astype(np.uint8)
