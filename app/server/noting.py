"""The log of actions as the pages write it: with the session of the page, and never in the way of the action."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bsd_engine.files import action_log
from bsd_engine.files.action_log import Action

T = TypeVar("T")
SESSION_CHARACTERS = 8
log = logging.getLogger(__name__)


def noted(root: Path, action: Action, run_id: str, **details: str) -> None:
    """Add an action to the log in the folder of the runs; a problem with the log is a warning, on the page if any."""
    problem = action_log.note(root, action, run_id, **{"session": _session(), **details})
    if problem is not None:
        log.warning(problem)
        if _session():
            st.toast(problem, icon=":material/warning:")


def noted_export(root: Path, run_id: str, file: str, content: Callable[[], T]) -> Callable[[], T]:
    """The function that makes the content of a download, which then also adds the export to the log."""
    session = _session()  # the content is made outside the script, where the session is unknown

    def made() -> T:
        result = content()
        noted(root, "export", run_id, file=file, session=session)
        return result

    return made


def _session() -> str:
    """The beginning of the session's id; empty outside a page."""
    context = get_script_run_ctx(suppress_warning=True)
    return "" if context is None else context.session_id[:SESSION_CHARACTERS]
