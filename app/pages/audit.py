"""The page Audit: which samples are suspect, why, how sure that is, and what to take along."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from app.audit import audited
from app.audit.audited import FLAGS, PICTURED, SORTS, Audited, Filter
from app.audit.passport import passport
from app.audit.tools import bound_panel, common_panel, downloads_panel, sealed_panel
from app.server.registry import registry
from app.state import linked
from app.state.linked import Linked
from app.state.run_choice import chosen_run, looked_at
from app.style import words
from app.style.theme import count, palette_for
from bsd_engine.audit.alarms import Alarm, alarms
from bsd_engine.errors import BSDError

TABLE_HEIGHT = 520
SIGNS = {"calm": "○", "notice": "△", "alarm": "▲"}
TRUTH_HELP = "Which samples are poisoned, where that is known. Off: the envelope is sealed, and opens after verdicts of your own."
TOOLS = ("In common", "Audit to a bound", "Downloads", "Sealed envelope")


def render(run_page: Any) -> None:
    """The whole page; `run_page` is where a run is started."""
    runs = registry()
    run_id = chosen_run(runs, "audit", truth_help=TRUTH_HELP)
    if run_id is None:
        st.info(
            'There is no run to audit yet. Start one on the page Run, with your own data under "folder of images" and attack "none added".'
        )
        st.page_link(run_page, label="To the page Run")
        return
    try:
        audit = audited.audited(runs.path(run_id))
        _body(audit)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")


def _body(audit: Audited) -> None:
    run, history = audit.run, audit.history
    looked = looked_at(run=run.run_id, samples=history.num_samples, epochs=history.num_epochs)
    truth_shown = bool(st.session_state.get("truth", True)) and run.truth_known
    _alarms(alarms(history, audit.found, run.truth.is_poison if truth_shown and run.truth else None))
    left, right = st.columns([11, 9], gap="medium")
    with left:
        looked = _table(audit, looked)
        _judge(audit, looked)
        _tools(audit, looked, truth_shown=truth_shown)
    with right:
        _passport(audit, looked, truth_shown=truth_shown)


def _tools(audit: Audited, looked: Linked, *, truth_shown: bool) -> None:
    """One of the tools at a time, so that the others cost nothing."""
    tool = st.segmented_control(
        "Tools", TOOLS, default=TOOLS[0], required=True, key="audit_tool", label_visibility="collapsed"
    )
    if tool == "In common":
        common_panel(audit, looked.selected)
    elif tool == "Audit to a bound":
        bound_panel(audit)
    elif tool == "Downloads":
        downloads_panel(audit, truth_shown=truth_shown)
    elif truth_shown:
        st.info('The truth is shown already; switch "Show truth" off to seal it.')
    else:
        sealed_panel(audit)


def _alarms(seen: tuple[Alarm, ...]) -> None:
    """What was looked at, worst first; the words fold out."""
    order = {"alarm": 0, "notice": 1, "calm": 2}
    shown = sorted(seen, key=lambda alarm: order[alarm.level])
    cards = "".join(
        f'<details class="alarm is-{a.level}"{" open" if a.level == "alarm" else ""}><summary>{SIGNS[a.level]} {html.escape(a.title)}</summary>'
        f"<p>{html.escape(a.sentence, quote=False)}</p></details>"
        for a in shown
    )
    st.html(f'<div class="alarms">{cards}</div>')


# -- table -----------------------------------------------------------------------------------------


def _filter(audit: Audited, looked: Linked) -> Filter:
    names = [html.unescape(audit.history.name(c)) for c in range(len(audit.history.class_names))]
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit_filter"):
        label = st.selectbox(
            "Label",
            range(-1, len(names)),
            key=f"audit_label_{audit.run.run_id}",
            width=150,
            format_func=lambda c: "all" if c < 0 else names[c],
        )
        pool = st.selectbox("Pool", ["all", "in the pool", "kept out"], key="audit_pool", width=125)
        verdict = st.selectbox("Judgement", ["any", "none", "keep", "remove", "unsure"], key="audit_verdict", width=105)
        sort = st.selectbox("Order", list(SORTS), key="audit_sort", width=185)
        flags = st.pills("Flags", list(FLAGS), selection_mode="multi", key="audit_flags")
        only = st.checkbox(
            f"Selection only ({count(len(looked.selected))})", key="audit_only", disabled=not looked.selected
        )
    return Filter(
        label=None if label < 0 else label,
        flags=tuple(flags),
        pool=pool,
        verdict=verdict,
        sort=sort,
        only=looked.selected if only and looked.selected else None,
    )


def _table(audit: Audited, looked: Linked) -> Linked:
    """The ranked rows; a click selects, and pins the first of the selection."""
    wanted, version, found = _filter(audit, looked), audit.verdicts.version, audit.found
    samples, rows = audited.shown(audit, wanted, version)
    # Other rows are another table, so that a selection by place cannot come to mean other samples.
    key = f"suspects_{audit.run.run_id}_{abs(hash((wanted, version, found.epoch)))}"
    if st.session_state.get("audit_rows", ("",))[0] != key:
        ticked = tuple(np.flatnonzero(np.isin(samples, looked.selected)).tolist())
        st.session_state["audit_rows"], st.session_state["audit_ticked"] = (key, ticked), ticked
    event = st.dataframe(
        rows,
        key=key,
        height=TABLE_HEIGHT,
        hide_index=True,
        row_height=38,
        selection_mode="multi-row",
        on_select="rerun",
        selection_default={"selection": {"rows": list(st.session_state["audit_ticked"])}},
        alt=f"{len(samples)} samples, {wanted.sort} first",
        column_config={
            "": st.column_config.ImageColumn(width=48),
            "rank": st.column_config.NumberColumn(width=58),
            "sample": st.column_config.NumberColumn(width=64, format="%d"),
            "label": st.column_config.TextColumn(width=92),
            "score": st.column_config.NumberColumn(width=62, format="%.3f", help="Larger is more suspect."),
            "flags": st.column_config.TextColumn(width=132),
            "verdict": st.column_config.TextColumn(width=68),
            "margin": st.column_config.NumberColumn(
                width=64,
                format="%.3f",
                help="Ranks behind the cut of its class over the size of the class; negative is inside.",
            ),
            "pool": st.column_config.NumberColumn(
                width=52, format=f"%d/{found.epochs_decided}", help="Epochs in the clean pool, of those from T1 on."
            ),
            "altruistic loss": st.column_config.NumberColumn(width=94, format="%.3g"),
            "main loss": st.column_config.NumberColumn(width=78, format="%.3g"),
        },
    )
    st.caption(
        f"{count(len(samples))} of {count(audit.history.num_samples)} samples"
        + (f"; pictures of the first {PICTURED}" if len(samples) > PICTURED else "")
    )
    places = event["selection"]["rows"]
    if st.session_state["audit_rows"] != (key, tuple(places)):
        st.session_state["audit_rows"] = (key, tuple(places))
        chosen = [int(samples[i]) for i in places if i < len(samples)]
        looked = replace(looked, selected=tuple(sorted(chosen)), pinned=chosen[-1] if chosen else looked.pinned)
        linked.write(looked)
    return looked


def _judge(audit: Audited, looked: Linked) -> None:
    """Judgements on the selection, with a note and undo."""
    targets = looked.selected or (int(audit.found.order[0]) if looked.pinned is None else looked.pinned,)
    with st.container(horizontal=True, vertical_alignment="bottom", key="judge"):
        note = st.text_input(
            "Note",
            key="verdict_note",
            max_chars=500,
            placeholder="note" if not looked.selected else f"note for {count(len(targets))} selected",
            label_visibility="collapsed",
        )
        for choice, icon in (("keep", "check"), ("remove", "delete"), ("unsure", "question_mark")):
            st.button(
                choice.capitalize(),
                key=f"judge_{choice}",
                icon=f":material/{icon}:",
                disabled=not targets,
                on_click=_give,
                args=(audit, targets, choice, note),
            )
        st.button(
            "Undo",
            key="judge_undo",
            icon=":material/undo:",
            on_click=_undo,
            args=(audit,),
            disabled=audit.verdicts.version == 0,
        )
        st.button("Select none", key="select_none", on_click=_forget, args=(audit,), disabled=not looked.selected)


def _give(audit: Audited, samples: tuple[int, ...], choice: Any, note: str) -> None:
    try:
        audit.verdicts.give(samples, choice, note)
    except BSDError as error:
        st.toast(words.unformatted(str(error)), icon=":material/error:")
    else:
        st.toast(f"{choice.capitalize()}: {count(len(samples))} sample{'' if len(samples) == 1 else 's'}")


def _undo(audit: Audited) -> None:
    try:
        undone = audit.verdicts.undo()
    except BSDError as error:
        st.toast(words.unformatted(str(error)), icon=":material/error:")
    else:
        st.toast(
            f"Taken back for {count(len(undone))} sample{'s' * (len(undone) != 1)}"
            if undone
            else "There is nothing to take back."
        )


def _forget(audit: Audited) -> None:
    looked, _ = linked.read(run=audit.run.run_id, samples=audit.history.num_samples, epochs=audit.history.num_epochs)
    linked.write(replace(looked, selected=()))


# -- passport --------------------------------------------------------------------------------------


def _passport(audit: Audited, looked: Linked, *, truth_shown: bool) -> None:
    """The pinned sample, else the most suspect one, at the epoch that all pages look at."""
    history, order = audit.history, audit.found.order
    sample = int(order[0]) if looked.pinned is None else looked.pinned
    epoch = looked.shown_epoch(history.num_epochs) or 0
    place = int(np.flatnonzero(order == sample)[0])
    with st.container(horizontal=True, vertical_alignment="bottom", key="passport_choice"):
        st.button(
            "More suspect",
            key="passport_up",
            icon=":material/chevron_left:",
            on_click=_pin,
            args=(audit, int(order[max(0, place - 1)])),
            disabled=place == 0,
        )
        st.button(
            "Less",
            key="passport_down",
            icon=":material/chevron_right:",
            icon_position="right",
            on_click=_pin,
            args=(audit, int(order[min(len(order) - 1, place + 1)])),
            disabled=place == len(order) - 1,
        )
        asked = st.number_input(
            "Sample", 0, history.num_samples - 1, sample, key=f"passport_sample_{sample}", width=120
        )
        at = st.number_input("Epoch", 1, history.num_epochs, epoch + 1, key=f"passport_epoch_{epoch}", width=110)
    if (int(asked), int(at) - 1) != (sample, epoch):
        linked.write(replace(looked, pinned=int(asked), epoch=int(at) - 1))
        st.rerun()
    passport(audit, sample, epoch, palette_for(st.context.theme.type), truth_shown=truth_shown)


def _pin(audit: Audited, sample: int) -> None:
    looked, _ = linked.read(run=audit.run.run_id, samples=audit.history.num_samples, epochs=audit.history.num_epochs)
    linked.write(replace(looked, pinned=sample))
