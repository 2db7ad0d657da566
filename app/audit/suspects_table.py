"""The ranked table of the Audit page with its filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from app.audit.table import FLAGS, JUDGEMENTS, MOST_THUMBNAILS, POOLS, SORTS, Filter, filtered
from app.state import linked
from app.state.linked import Linked
from app.style.theme import epoch_number

TABLE_HEIGHT = 520
ROW_HEIGHT = 38
ROWS_KEY, TICKED_KEY = "audit_rows", "audit_ticked"
"""In the session: the table's key with its selected rows, and the rows that were ticked when it was made."""


def suspects_table(audit: Audited, selection: Linked) -> Linked:
    """The table. A click selects rows and pins the last one; returns the new selection."""
    wanted, version = _filter(audit, selection), audit.judgements_version
    samples, rows = filtered(audit, wanted, version)
    # Other rows make another table, because Streamlit keeps a selection by row number.
    key = f"suspects_{audit.run.run_id}_{abs(hash((wanted, version, audit.suspects.epoch)))}"
    if st.session_state.get(ROWS_KEY, ("",))[0] != key:
        ticked = tuple(np.flatnonzero(np.isin(samples, selection.selected)).tolist())
        st.session_state[ROWS_KEY], st.session_state[TICKED_KEY] = (key, ticked), ticked
    selected_rows = _dataframe(audit, rows, key, wanted.sort)
    epoch = epoch_number(audit.suspects.epoch)
    st.caption(texts.table_caption(len(samples), audit.history.num_samples, epoch, MOST_THUMBNAILS))
    if st.session_state[ROWS_KEY] != (key, tuple(selected_rows)):
        st.session_state[ROWS_KEY] = (key, tuple(selected_rows))
        chosen = [int(samples[i]) for i in selected_rows if i < len(samples)]
        pinned = chosen[-1] if chosen else selection.pinned
        selection = replace(selection, selected=tuple(sorted(chosen)), pinned=pinned)
        linked.write(selection)
    return selection


def _filter(audit: Audited, selection: Linked) -> Filter:
    """The filters and the order above the table."""
    history = audit.history
    names = [history.name(c) for c in range(len(history.class_names))]
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit_filter"):
        label = st.selectbox(
            "Label",
            range(-1, len(names)),
            key=f"audit_label_{audit.run.run_id}",
            width=150,
            format_func=lambda c: "all" if c < 0 else names[c],
        )
        pool = st.selectbox("Pool", POOLS, key="audit_pool", width=125)
        judgement = st.selectbox("Judgement", JUDGEMENTS, key="audit_judgement", width=105)
        sort = st.selectbox("Order", list(SORTS), key="audit_sort", width=185)
        flags = st.pills("Flags", list(FLAGS), selection_mode="multi", key="audit_flags")
        only = st.checkbox(
            texts.selection_only(len(selection.selected)), key="audit_only", disabled=not selection.selected
        )
    return Filter(
        label=None if label < 0 else label,
        flags=tuple(flags),
        pool=pool,
        judgement=judgement,
        sort=sort,
        only=selection.selected if only and selection.selected else None,
    )


def _dataframe(audit: Audited, rows: pa.Table, key: str, sort: str) -> Sequence[int]:
    """The table itself; returns the numbers of the selected rows."""
    event = st.dataframe(
        rows,
        key=key,
        height=TABLE_HEIGHT,
        hide_index=True,
        row_height=ROW_HEIGHT,
        selection_mode="multi-row",
        on_select="rerun",
        selection_default={"selection": {"rows": list(st.session_state[TICKED_KEY])}},
        alt=f"{texts.samples(rows.num_rows)}, {sort} first",
        column_config=_columns(audit),
    )
    return event["selection"]["rows"]


def _columns(audit: Audited) -> dict[str, Any]:
    """Widths, formats and help of the columns."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    decided, newest = audit.suspects.epochs_decided, epoch_number(audit.suspects.epoch)
    return {
        "": st.column_config.ImageColumn(width=48),
        "rank": number(width=58),
        "sample": number(width=64, format="%d"),
        "label": text(width=92),
        "score": number(width=62, format="%.3f", help=texts.SCORE_HELP),
        "flags": text(width=132),
        "judgement": text(width=84),
        "margin": number(width=64, format="%.3f", help=texts.MARGIN_HELP),
        "pool": number(width=52, format=f"%d/{decided}", help=texts.pool_help(newest)),
        "altruistic loss": number(width=94, format="%.3g", help=texts.LOSS_HELP),
        "main loss": number(width=78, format="%.3g", help=texts.LOSS_HELP),
    }
