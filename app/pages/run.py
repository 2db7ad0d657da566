"""The page Run: start a run, choose one, watch it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import streamlit as st

from app.components.timeline import Position
from app.run.launch_panel import launch_panel
from app.run.monitor import monitor
from app.server import run_cache
from app.server.registry import RunRegistry, is_recording, registry
from app.state.run_choice import recording_title, truth_switch
from app.style import words
from app.style.theme import percent
from bsd_engine.errors import BSDError

STAGES = """
| | stage | what happens |
|-|-|-|
| 1 | altruistic warm‑up | A second model memorises everything. Poison is learned first: a small loss is suspect. |
| 2 | OSS warm-up | The main model learns without the suspected class; then its samples that lie near another class are suspect. |
| 3 | initial pools | What both views trust is the clean pool; the rest is used without its labels. |
| 4 | class completion | The pool grows by the difference of the two models' losses, and no class is left to starve. |
| 5 | selective drop | What both models call the suspected class leaves the pool. |
"""


def render() -> None:
    """The whole page."""
    runs = registry()
    if started := st.session_state.pop("started_run", None):
        st.query_params["run"] = started
    with st.sidebar:
        launch_panel()
    run_id = _choose(runs)
    if run_id is None:
        _welcome()
    else:
        monitor(runs, run_id)


def _choose(runs: RunRegistry) -> str | None:
    """The run to show, from the page's address or the list, newest first; None where there is none and no recording is asked for."""
    ids = runs.run_ids()
    ids = [run_id for run_id in (*reversed(runs.waiting), runs.active) if run_id and run_id not in ids] + ids
    asked, recordings = st.query_params.get("run"), runs.recording_ids()
    failed_to_start = asked is not None and runs.error(asked) is not None
    if failed_to_start and asked not in ids:
        ids.insert(0, asked)
    if asked is not None and asked not in ids + recordings:
        st.warning(
            f"There is no run called {words.unformatted(asked[:60])} here. Choose one from the list or start a new one."
        )
    if not ids and asked not in recordings:
        return None
    ids += recordings
    chosen = asked if asked in ids else ids[0]
    st.query_params["run"] = chosen
    if st.session_state.get("shown_run") != chosen:
        st.session_state["shown_run"], st.session_state["position"] = chosen, Position(None, True)
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        labels = {run_id: _describe(runs, run_id) for run_id in ids}
        # A list with new words or another choice is a new list, so that it never keeps an old choice.
        key = f"runs_{zlib.crc32(repr((chosen, labels)).encode())}"
        st.selectbox(
            "Recorded runs, newest first, then recordings",
            ids,
            ids.index(chosen),
            key=key,
            on_change=_on_choice,
            args=(key, chosen, labels),
            label_visibility="collapsed",
            format_func=lambda run_id: labels.get(run_id, run_id),
        )
    with right:
        truth_switch()
    return chosen


def _on_choice(key: str, shown: str, labels: Mapping[str, str]) -> None:
    """Show another run. A tick that was under way when the list went still tells of it, as a change to what it showed: no choice."""
    if st.session_state[key] in labels and st.session_state[key] != shown:
        st.query_params["run"] = st.session_state[key]


def _describe(runs: RunRegistry, run_id: str) -> str:
    """One line on a run. Nothing in it depends on the truth."""
    if is_recording(run_id):
        return recording_title(run_id)
    try:
        run = run_cache.reader(runs.path(run_id))
        status, summary = run.status, run.summary or {}
    except BSDError:
        return f"{run_id} · {'waiting' if runs.place(run_id) else 'starting' if runs.active == run_id else 'could not be started' if runs.error(run_id) else 'not readable'}"
    config = run.config
    parts = [
        words.moment(run.created),
        config.preset,
        words.source(config.data.data),
        words.STATUS[status] if runs.active != run_id else words.STATUS["running"],
    ]
    if (accuracy := summary.get("clean_accuracy")) is not None:
        parts.append(f"CA {percent(accuracy)}")
    return " · ".join(parts)


def _welcome() -> None:
    """What to do when there is no run yet."""
    st.space("medium")
    _, middle, _ = st.columns([1, 6, 1])
    with middle:
        st.header("Watch a network learn whom not to trust")
        st.markdown(
            "Some training images carry a trigger and a wrong label. BSD finds them while it trains, from two views of every sample: "
            "how fast a model that memorises everything learns it, and how far it lies from the other classes.\n\n"
            "Press **Start** on the left: the demo trains on real photographs that came with it, in minutes and without a GPU. "
            "The page fills epoch by epoch, and the run goes on if you close it.\n" + STAGES
        )
