"""The passport of one sample: why it was flagged, how close it was, and what it looks like to both models."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from app.attacks.poisoned_view import PoisonedView, poisoned_view
from app.audit import audited
from app.audit.audited import Audited
from app.components.live_plot import live_plot
from app.figures.audit import passport_figure
from app.figures.pixels import GAIN, data_uri, difference_picture, enlarged
from app.run import figure_commands
from app.server import data_paths
from app.server.registry import TRIGGERS
from app.style import words
from app.style.theme import Palette
from bsd_engine.audit.features import features, neighbours
from bsd_engine.audit.flips import what_would_flip
from bsd_engine.audit.number_format import measure
from bsd_engine.audit.reasons import reason
from bsd_engine.audit.saliency import saliency
from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.stored_models import has_models

SIDE = 168
NEIGHBOURS = 6


def passport(audit: Audited, sample: int, epoch: int, palette: Palette, *, truth_shown: bool) -> None:
    """Everything about one sample at a global epoch."""
    history = audit.history
    _pictures(audit, sample, truth_shown=truth_shown)
    st.html(_facts(audit, sample, epoch, truth_shown=truth_shown))
    command = figure_commands.command(
        figure_commands.PASSPORT, [audit.run.path], palette=palette, epoch=epoch, sample=sample
    )
    live_plot(
        passport_figure(history, sample, epoch, palette), key=figure_commands.PASSPORT, height=250, remake=command
    )
    st.html(_flips(audit, sample, epoch))
    more = st.expander("Neighbours, and which pixels speak for the label", key="passport_more", on_change="rerun")
    if more.open:
        with more:
            _inside(audit, sample, palette)


def _pictures(audit: Audited, sample: int, *, truth_shown: bool) -> None:
    """The image; where the truth is shown and there was a change, the original and the difference beside it."""
    panes = [("As trained on", audit.picture(sample))]
    if truth_shown and audit.run.truth is not None and audit.run.truth.is_poison[sample]:
        view = _originals(audit)
        if view is not None:
            panes += [
                ("Original", view.original(sample)),
                (f"Difference × {GAIN}", difference_picture(view.difference(sample))),
            ]
    st.html('<div class="panes passport">' + "".join(_figure(name, pixels) for name, pixels in panes) + "</div>")


def _figure(title: str, pixels: np.ndarray, note: str = "") -> str:
    small = f"<figcaption>{note}</figcaption>" if note else ""
    return f'<figure><figcaption><b>{title}</b></figcaption><img src="{data_uri(enlarged(pixels, SIDE))}" alt="{title}">{small}</figure>'


def _originals(audit: Audited) -> PoisonedView | None:
    """The set poisoned anew from the run's settings, if it is the one that the run trained on."""
    try:
        data_paths.check_config(audit.run.config, audit.run.path.parent / TRIGGERS)
        with st.spinner("Reading the original images"):
            view = _poisoned_anew(str(audit.run.path), audit.run.config)
    except BSDError:
        return None
    return view if view.prepared.fingerprint == audit.run.fingerprint else None


@st.cache_resource(max_entries=1, show_spinner=False)
def _poisoned_anew(path: str, _config: object) -> PoisonedView:
    return poisoned_view(_config)


def _safe(text: str) -> str:
    return html.escape(text, quote=False)


def _facts(audit: Audited, sample: int, epoch: int, *, truth_shown: bool) -> str:
    """The sentence, and a line of numbers."""
    history, found = audit.history, audit.found
    t = epoch - history.first_main
    says = [f"altruistic model: {_safe(history.name(int(history.altruistic_prediction[epoch, sample])))}"]
    if t >= 0:
        says.insert(0, f"main model: {_safe(history.name(int(history.main_prediction[t, sample])))}")
    where = f" · {_safe(audit.run.files[sample])}" if audit.run.files else ""
    flags = ", ".join(found.flags(sample)) or "no flag"
    truth = ""
    if truth_shown and audit.run.truth is not None:
        bad = bool(audit.run.truth.is_poison[sample])
        truth = f'<p class="note">Truth: {"◆ poisoned, was " + _safe(history.name(int(audit.run.truth.original_labels[sample]))) if bad else "○ clean"}</p>'
    return (
        f'<div class="passport-facts"><p><b>Sample {sample}</b>, label <b>{_safe(history.name(int(history.labels[sample])))}</b>{where}</p>'
        f'<p class="reason">{_safe(reason(history, sample, epoch).sentence)}</p>'
        f'<p class="note">Rank {found.rank[sample]:,} of {history.num_samples:,}, score {measure(float(found.score[sample]))}; {flags}; '
        f"in the pool in {found.epochs_in_pool[sample]} of {found.epochs_decided} epochs. At this epoch, {'; '.join(says)}.</p>{truth}</div>"
    )


def _flips(audit: Audited, sample: int, epoch: int) -> str:
    """What would change the decision."""
    flips = what_would_flip(audit.history, sample, epoch)
    if flips is None:
        return '<div class="passport-facts"><p class="note">What would change it can be told from the first split on.</p></div>'
    side = "keep it out" if flips.in_pool else "let it in"
    badge = '<span class="tag">borderline: ±0.02 flips it</span>' if flips.borderline else ""
    sure = {
        "exact": "exact for a run with these settings",
        "one step": "this epoch's split on these models; another run trains others",
    }[flips.certainty]
    items = "".join(f"<li>{_safe(f.change)}</li>" for f in flips.flips) or "<li>nothing that was tried, by itself</li>"
    return f'<div class="passport-facts"><p><b>What would {side}</b> {badge}</p><ul>{items}</ul><p class="note">{sure}</p></div>'


# -- what both models see --------------------------------------------------------------------------


def _inside(audit: Audited, sample: int, palette: Palette) -> None:
    if not has_models(audit.run):
        st.caption("This run has no checkpoint, so there are no models to ask.")
        return
    space = features(audit.run, compute=False)
    if space is None:
        st.caption(
            f"Neighbours need a pass of both models over all {audit.history.num_samples:,} images; it is kept in the run folder."
        )
        if st.button("Find neighbours", key="find_neighbours", icon=":material/hub:"):
            try:
                with st.spinner("Asking both models about every image"):
                    features(audit.run)
            except BSDError as error:
                st.error(words.unformatted(str(error)), icon=":material/error:")
            else:
                st.rerun()
    else:
        for name, vectors in (("main", space.main), ("altruistic", space.altruistic)):
            nearest, distance = neighbours(vectors, sample, NEIGHBOURS)
            st.html(
                f'<p class="note">Nearest to the {name} model after epoch {space.epoch + 1} (cosine distance, label)</p>'
                f'<div class="strip">{"".join(_neighbour(audit, int(s), float(d)) for s, d in zip(nearest, distance))}</div>'
            )
    both = audited.models_of(str(audit.run.path), checkpoint_paths(audit.run.path)[-1].stat().st_mtime_ns)
    label = int(audit.history.labels[sample])
    panes = [
        _figure(
            f"{name} model",
            _heat(saliency(model, both.normalize, audit.run.images[sample], label), audit.picture(sample), palette),
        )
        for name, model in (("Main", both.main), ("Altruistic", both.altruistic))
    ]
    st.html(
        f'<p class="note">Pixels that speak for {_safe(audit.history.name(label))} (marked) after epoch {both.epoch + 1}: integrated gradients from grey</p>'
        f'<div class="panes passport">{"".join(panes)}</div>'
    )


def _neighbour(audit: Audited, sample: int, distance: float) -> str:
    inside = "in the pool" if audit.found.in_pool[sample] else "kept out"
    return (
        f'<figure><img src="{audited.picture_address(str(audit.run.path), sample)}" alt="sample {sample}"><figcaption>{sample}<br>'
        f"{_safe(audit.history.name(int(audit.history.labels[sample])))}<br>{distance:.3f}, {inside}</figcaption></figure>"
    )


def _heat(weights: np.ndarray, picture: np.ndarray, palette: Palette) -> np.ndarray:
    """(H, W, 1) uint8: the picture in faint grey, lit where a pixel speaks for the label. No hue, which says truth only."""
    top = max(1e-9, float(np.quantile(np.abs(weights), 0.995)))
    share = np.clip(weights / top, 0, 1)[..., None]
    dim = picture.astype(np.float32).mean(2, keepdims=True) * 0.35 + (0 if palette.name == "dark" else 40)
    return np.rint(dim * (1 - share) + 255 * share).clip(0, 255).astype(np.uint8)
