"""The tool "Sealed envelope": the ground truth is revealed only after the reader has judged samples."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from bsd_engine.audit.sealed import Hits, scores

MOST_MISTAKES = 40
OPENED_KEY = "opened"
"""In the session: the run and the version of its judgements when the envelope was opened."""


def sealed_panel(audit: Audited) -> None:
    """The scores of the reader and of BSD on the judged samples, once the envelope is opened."""
    truth = audit.run.truth
    if truth is None:
        st.info(texts.NO_TRUTH)
        return
    judgements = audit.standing()
    decided = {s: j.choice == "remove" for s, j in judgements.items() if j.choice != "unsure"}
    st.markdown(texts.samples_judged(len(decided)) if decided else texts.JUDGE_FIRST)
    state = (audit.run.run_id, audit.judgements_version)
    if st.button(texts.OPEN_ENVELOPE, key="open_envelope", disabled=not decided, icon=":material/drafts:"):
        st.session_state[OPENED_KEY] = state
    if st.session_state.get(OPENED_KEY) != state or not decided:
        return
    yours, its = scores(judgements, audit.suspects.in_pool, truth.is_poison)
    st.dataframe([_row(texts.YOU, yours), _row(texts.BSD, its)], hide_index=True, width="stretch")
    wrong = {s: bool(truth.is_poison[s]) for s, removed in decided.items() if removed != bool(truth.is_poison[s])}
    if wrong:
        st.caption(texts.mistakes(wrong, MOST_MISTAKES))


def _row(who: str, hits: Hits) -> dict[str, Any]:
    """A row of the table of scores, in samples."""
    values = (f"{hits.right} of {hits.total}", hits.found, hits.missed, hits.accused, hits.cleared)
    return {"": who, **dict(zip(texts.SCORE_COLUMNS, values, strict=True))}
