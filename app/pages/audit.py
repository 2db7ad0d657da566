"""The page Audit: which samples are suspect, why, how certain that is, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from app.audit import texts
from app.audit.audited import Audited, audited
from app.audit.bound import bound_panel
from app.audit.common import common_panel
from app.audit.downloads import downloads_panel
from app.audit.judging import judging_bar
from app.audit.passport import passport
from app.audit.sealed import sealed_panel
from app.audit.suspects_table import suspects_table
from app.server.registry import registry
from app.state import linked
from app.state.linked import Linked
from app.state.run_choice import chosen_run, looked_at
from app.style import words
from app.style.markup import Markup, tag
from app.style.theme import palette_for
from bsd_engine.audit.findings.alarms import Alarm, alarms
from bsd_engine.errors import BSDError

SIGNS = {"alarm": "▲", "notice": "△", "calm": "○"}
"""The sign of each level of alarm, worst first."""


def render(run_page: Any) -> None:
    """Draw the whole page; `run_page` is where a run is started."""
    runs = registry()
    run_id = chosen_run(runs, "audit", truth_help=texts.TRUTH_HELP)
    if run_id is None:
        st.info(texts.NO_RUN)
        st.page_link(run_page, label=texts.TO_RUN_PAGE)
        return
    try:
        _body(audited(runs.path(run_id)))
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")


def _body(audit: Audited) -> None:
    """Draw the alarms above, the table, judgements and tools on the left, and the passport on the right."""
    run, history = audit.run, audit.history
    selection = looked_at(run=run.run_id, samples=history.num_samples, epochs=history.num_epochs)
    truth_shown = bool(st.session_state.get("truth", True)) and run.truth_known
    is_poison = run.truth.is_poison if truth_shown and run.truth else None
    if problem := audit.unreadable_judgements:
        st.warning(texts.judgements_not_shown(words.unformatted(words.short(problem, 400))), icon=":material/block:")
    st.html(_alarms(alarms(history, audit.suspects, is_poison)))
    left, right = st.columns([11, 9], gap="medium")
    with left:
        selection = suspects_table(audit, selection)
        judging_bar(audit, selection)
        _tools(audit, selection, truth_shown=truth_shown)
    with right:
        _passport(audit, selection, truth_shown=truth_shown)


def _alarms(checks: Sequence[Alarm]) -> Markup:
    """Draw the result of each check, worst first. Sentences unfold; those of alarms are open."""
    levels = list(SIGNS)
    cards = []
    for check in sorted(checks, key=lambda check: levels.index(check.level)):
        summary = tag("summary", f"{SIGNS[check.level]} {check.title}")
        is_open = {"open": "open"} if check.level == "alarm" else {}
        cards.append(tag("details", summary, tag("p", check.sentence), class_=f"alarm is-{check.level}", **is_open))
    return tag("div", *cards, class_="alarms")


def _tools(audit: Audited, selection: Linked, *, truth_shown: bool) -> None:
    """Draw the chosen tool; no other tool is computed."""
    tool = st.segmented_control(
        "Tools", texts.TOOLS, default=texts.TOOLS[0], required=True, key="audit_tool", label_visibility="collapsed"
    )
    if tool == texts.COMMON:
        common_panel(audit, selection.selected)
    elif tool == texts.BOUND:
        bound_panel(audit)
    elif tool == texts.DOWNLOADS:
        downloads_panel(audit, truth_shown=truth_shown)
    elif truth_shown:
        st.info(texts.TRUTH_ALREADY_SHOWN)
    else:
        sealed_panel(audit)


def _passport(audit: Audited, selection: Linked, *, truth_shown: bool) -> None:
    """Draw the passport of the pinned sample, else of the most suspect one, at the epoch that all pages share."""
    history, order = audit.history, audit.suspects.order
    sample = int(order[0]) if selection.pinned is None else selection.pinned
    epoch = selection.shown_epoch(history.num_epochs) or 0
    with st.container(horizontal=True, vertical_alignment="bottom", key="passport_choice"):
        _step_buttons(audit, order, int(np.flatnonzero(order == sample)[0]))
        new_sample = st.number_input(
            "Sample", 0, history.num_samples - 1, sample, key=f"passport_sample_{sample}", width=120
        )
        new_epoch = st.number_input("Epoch", 1, history.num_epochs, epoch + 1, key=f"passport_epoch_{epoch}", width=110)
    if (int(new_sample), int(new_epoch) - 1) != (sample, epoch):
        linked.write(replace(selection, pinned=int(new_sample), epoch=int(new_epoch) - 1))
        st.rerun()
    passport(audit, sample, epoch, palette_for(st.context.theme.type), truth_shown=truth_shown)


def _step_buttons(audit: Audited, order: np.ndarray, position: int) -> None:
    """Draw buttons to the next more suspect and the next less suspect sample in the ranking."""
    last = len(order) - 1
    st.button(
        "More suspect",
        key="passport_up",
        icon=":material/chevron_left:",
        on_click=_pin,
        args=(audit, int(order[max(0, position - 1)])),
        disabled=position == 0,
    )
    st.button(
        "Less suspect",
        key="passport_down",
        icon=":material/chevron_right:",
        icon_position="right",
        on_click=_pin,
        args=(audit, int(order[min(last, position + 1)])),
        disabled=position == last,
    )


def _pin(audit: Audited, sample: int) -> None:
    history = audit.history
    selection, _ = linked.read(run=audit.run.run_id, samples=history.num_samples, epochs=history.num_epochs)
    linked.write(replace(selection, pinned=sample))
