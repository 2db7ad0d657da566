"""The bar below the Audit page's table that judges the selected samples."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from app.state import linked
from app.state.linked import Linked
from app.style import words
from bsd_engine.audit.judgements import Choice
from bsd_engine.errors import BSDError

MOST_NOTE_CHARACTERS = 500
ICONS: dict[Choice, str] = {"keep": "check", "remove": "delete", "unsure": "question_mark"}


def judging_bar(audit: Audited, selection: Linked) -> None:
    """A note, a button for each judgement, undo, and "select none".

    Judgements go to the selection, else to the pinned sample, else to the most suspect one.
    """
    pinned = int(audit.suspects.order[0]) if selection.pinned is None else selection.pinned
    samples = selection.selected or (pinned,)
    read_only = audit.read_only
    with st.container(horizontal=True, vertical_alignment="bottom", key="judge"):
        note = st.text_input(
            "Note",
            key="judgement_note",
            max_chars=MOST_NOTE_CHARACTERS,
            placeholder=texts.note_placeholder(len(selection.selected)),
            label_visibility="collapsed",
        )
        for choice, icon in ICONS.items():
            st.button(
                choice.capitalize(),
                key=f"judge_{choice}",
                icon=f":material/{icon}:",
                on_click=_judge,
                args=(audit, samples, choice, note),
                disabled=read_only is not None,
                help=read_only,
            )
        st.button(
            "Undo",
            key="judge_undo",
            icon=":material/undo:",
            on_click=_undo,
            args=(audit,),
            disabled=read_only is not None or audit.judgements_version == 0,
            help=read_only,
        )
        st.button(
            "Select none", key="select_none", on_click=_select_none, args=(audit,), disabled=not selection.selected
        )


def _judge(audit: Audited, samples: tuple[int, ...], choice: Choice, note: str) -> None:
    try:
        audit.judgements.give(samples, choice, note)
    except BSDError as error:
        st.toast(words.unformatted(str(error)), icon=":material/error:")
    else:
        st.toast(texts.judged(choice, len(samples)))


def _undo(audit: Audited) -> None:
    try:
        undone = audit.judgements.undo()
    except BSDError as error:
        st.toast(words.unformatted(str(error)), icon=":material/error:")
    else:
        st.toast(texts.undone(len(undone)))


def _select_none(audit: Audited) -> None:
    history = audit.history
    selection, _ = linked.read(run=audit.run.run_id, samples=history.num_samples, epochs=history.num_epochs)
    linked.write(replace(selection, selected=()))
