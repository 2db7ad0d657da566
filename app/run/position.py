"""Where on the timeline of a run the page is, kept in the session."""

from __future__ import annotations

import streamlit as st

from app.components.timeline import Position
from app.run.status import Snapshot
from app.state import keys

NEWEST = Position(None, True)


def position(now: Snapshot) -> Position:
    """The position among the epochs that a run has."""
    return st.session_state.setdefault(keys.POSITION, NEWEST).among(len(now.rows))


def follow() -> None:
    """Go to the newest epoch and follow it."""
    st.session_state[keys.POSITION] = NEWEST
