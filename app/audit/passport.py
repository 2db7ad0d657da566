"""The passport of a sample: why it was flagged, how close the decision was, and what both models see in it."""

from __future__ import annotations

import streamlit as st

from app.attacks.poisoned_view import PoisonedView, poisoned_view
from app.audit import texts
from app.audit.audited import Audited
from app.audit.model_views import model_views
from app.audit.panes import facts, note, pane, panes
from app.components.live_plot import live_plot
from app.figures.audit import passport_figure
from app.figures.pixels import GAIN, difference_picture
from app.run import figure_commands
from app.server import data_paths
from app.server.registry import TRIGGERS
from app.style import words
from app.style.markup import Markup, join, tag
from app.style.theme import Palette, epoch_number
from bsd_engine.audit.explain.flips import what_would_flip
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.number_format import measure
from bsd_engine.errors import BSDError

LONGEST_FILE = 120
"""Characters of a file's path."""
SIDE = 168
"""About the longer side of an image, in pixels."""
FIGURE_HEIGHT = 250


def passport(audit: Audited, sample: int, epoch: int, palette: Palette, *, truth_shown: bool) -> None:
    """Everything about one sample at a global, 0-based epoch."""
    _images(audit, sample, truth_shown=truth_shown)
    st.html(_facts(audit, sample, epoch, truth_shown=truth_shown))
    command = figure_commands.command(
        figure_commands.PASSPORT, [audit.run.path], palette=palette, epoch=epoch, sample=sample
    )
    figure = passport_figure(audit.history, sample, epoch, palette)
    live_plot(figure, key=figure_commands.PASSPORT, height=FIGURE_HEIGHT, remake=command)
    st.html(_flips(audit, sample, epoch))
    more = st.expander(texts.MORE, key="passport_more", on_change="rerun")
    if more.open:
        with more:
            model_views(audit, sample, palette, SIDE)


def _images(audit: Audited, sample: int, *, truth_shown: bool) -> None:
    """The image; for a sample that is known and shown as poisoned also the original and the difference."""
    figures = [pane(texts.AS_TRAINED_ON, audit.image(sample), SIDE)]
    if truth_shown and audit.run.truth is not None and audit.run.truth.is_poison[sample]:
        view = _originals(audit)
        if view is not None:
            difference = difference_picture(view.difference(sample))
            figures += [
                pane(texts.ORIGINAL, view.original(sample), SIDE),
                pane(texts.difference_title(GAIN), difference, SIDE),
            ]
    st.html(panes(figures, "passport"))


def _originals(audit: Audited) -> PoisonedView | None:
    """The data set poisoned again from the run's settings, if the result is what the run trained on."""
    try:
        data_paths.check_run(audit.run, audit.run.path.parent / TRIGGERS)
        with st.spinner(texts.READING_ORIGINALS):
            view = _poisoned_again(str(audit.run.path), audit.run.config)
    except BSDError:
        return None
    return view if view.prepared.fingerprint == audit.run.fingerprint else None


@st.cache_resource(max_entries=1, show_spinner=False)
def _poisoned_again(path: str, _config: object) -> PoisonedView:
    return poisoned_view(_config)


def _facts(audit: Audited, sample: int, epoch: int, *, truth_shown: bool) -> Markup:
    """The sample and its label, the reason in a sentence, its rank, and the predictions."""
    file = f" · {words.short(audit.run.files[sample], LONGEST_FILE)}" if audit.run.files else ""
    heading = tag("p", tag("b", f"Sample {sample}"), ", label ", tag("b", audit.label_name(sample)), file)
    parts = [
        heading,
        tag("p", reason(audit.history, sample, epoch).sentence, class_="reason"),
        note(f"{_rank_line(audit, sample)} {_predictions(audit, sample, epoch)}"),
    ]
    if truth_shown and audit.run.truth is not None:
        truth = audit.run.truth
        original = audit.history.name(int(truth.original_labels[sample])) if truth.is_poison[sample] else None
        parts.append(note(texts.truth(original)))
    return facts(*parts)


def _rank_line(audit: Audited, sample: int) -> str:
    suspects = audit.suspects
    return texts.rank_line(
        int(suspects.rank[sample]),
        audit.history.num_samples,
        measure(float(suspects.score[sample])),
        ", ".join(suspects.flags(sample)) or texts.NO_FLAG,
        int(suspects.epochs_in_pool[sample]),
        suspects.epochs_decided,
    )


def _predictions(audit: Audited, sample: int, epoch: int) -> str:
    history = audit.history
    t = epoch - history.first_main
    return texts.predictions(
        epoch_number(epoch),
        history.name(int(history.main_prediction[t, sample])) if t >= 0 else None,
        history.name(int(history.altruistic_prediction[epoch, sample])),
    )


def _flips(audit: Audited, sample: int, epoch: int) -> Markup:
    """What would flip the decision, and how certain that is."""
    flips = what_would_flip(audit.history, sample, epoch)
    if flips is None:
        first_split = epoch_number(audit.history.first_main + audit.history.config.schedule.t1)
        return facts(note(texts.flips_later(first_split)))
    badge = tag("span", texts.BORDERLINE, class_="tag") if flips.borderline else ""
    heading = tag("p", tag("b", texts.flips_heading(flips.in_pool, epoch_number(epoch))), " ", badge)
    items = join(*(tag("li", flip.change) for flip in flips.flips)) or tag("li", texts.NO_FLIP)
    return facts(heading, tag("ul", items), note(texts.CERTAINTY[flips.certainty]))
