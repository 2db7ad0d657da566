"""The page Run: start a run, choose one, watch it."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping

import streamlit as st

from app.run import texts
from app.run.launch_panel import launch_panel
from app.run.monitor import monitor
from app.run.position import NEWEST
from app.server.registry import RunRegistry, is_recording, registry
from app.server.run_list import listed
from app.state import keys
from app.state.foreign_run import foreign_line
from app.state.run_choice import LONGEST_ID, recording_title, told_apart, truth_switch
from app.style import words
from app.style.theme import percent
from bsd_engine.errors import BSDError


def render() -> None:
    """Draw the whole page."""
    runs = registry()
    if started := st.session_state.pop(keys.STARTED_RUN, None):
        st.query_params["run"] = started
    with st.sidebar:
        launch_panel()
    run_id = _choose(runs)
    if run_id is None:
        _welcome()
    else:
        monitor(runs, run_id)


def _choose(runs: RunRegistry) -> str | None:
    """The run to show: that of the address, else the newest; None if there is no run and no recording was asked for."""
    asked, recordings = st.query_params.get("run"), runs.recording_ids()
    ids = _run_ids(runs, asked)
    if asked is not None and asked not in ids + recordings:
        st.warning(texts.unknown_run(words.unformatted(asked[:LONGEST_ID])))
    if not ids and asked not in recordings:
        return None
    ids += recordings
    chosen = asked if asked in ids else ids[0]
    st.query_params["run"] = chosen
    if st.session_state.get(keys.SHOWN_RUN) != chosen:
        st.session_state[keys.SHOWN_RUN], st.session_state[keys.POSITION] = chosen, NEWEST
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        _list(runs, ids, chosen)
    with right:
        truth_switch()
    with contextlib.suppress(BSDError):  # a run that has not begun has no folder
        foreign_line(runs.path(chosen))
    return chosen


def _run_ids(runs: RunRegistry, asked: str | None) -> list[str]:
    """Ids of the runs: those that wait or begin, then those with a folder, newest first.

    The run asked for is put first if it failed to begin.
    """
    ids = runs.run_ids()
    ids = [run_id for run_id in (*reversed(runs.waiting), runs.active) if run_id and run_id not in ids] + ids
    if asked is not None and runs.error(asked) is not None and asked not in ids:
        ids.insert(0, asked)
    return ids


def _list(runs: RunRegistry, ids: list[str], chosen: str) -> None:
    labels = told_apart({run_id: _describe(runs, run_id) for run_id in ids})
    # New texts or another choice make a new list, so that it never keeps an old choice.
    key = f"runs_{zlib.crc32(repr((chosen, labels)).encode())}"
    st.selectbox(
        texts.RUN_LIST,
        ids,
        ids.index(chosen),
        key=key,
        on_change=_on_choice,
        args=(key, chosen, labels),
        label_visibility="collapsed",
        format_func=lambda run_id: labels.get(run_id, run_id),
    )


def _on_choice(key: str, shown: str, labels: Mapping[str, str]) -> None:
    """Show another run.

    A tick that was under way when the list was replaced still reports the old list's value as a change to the run that
    list showed. That is not a choice.
    """
    if st.session_state[key] in labels and st.session_state[key] != shown:
        st.query_params["run"] = st.session_state[key]


def _describe(runs: RunRegistry, run_id: str) -> str:
    """One line about a run. Nothing in it depends on ground truth."""
    if is_recording(run_id):
        return recording_title(run_id)
    run = listed(runs.root, run_id)
    if run is None:
        return f"{run_id} · {_without_folder(runs, run_id)}"
    parts = [
        words.moment(run.created),
        words.short(run.config.preset),
        words.source(run.config.data.data),
        words.STATUS["running" if runs.active == run_id else run.status],
    ]
    if (accuracy := run.summary.get("clean_accuracy")) is not None:
        parts.append(f"CA {percent(accuracy)}")
    return " · ".join(parts)


def _without_folder(runs: RunRegistry, run_id: str) -> str:
    """The state of a run whose folder is missing or cannot be read."""
    if runs.position_in_queue(run_id):
        return texts.WAITING
    if runs.active == run_id:
        return texts.STARTING
    return texts.START_FAILED if runs.error(run_id) else words.NOT_READABLE


def _welcome() -> None:
    """Say what to do when there is no run yet."""
    st.space("medium")
    _, middle, _ = st.columns([1, 6, 1])
    with middle:
        st.header(texts.WELCOME_TITLE)
        st.markdown(texts.WELCOME)
