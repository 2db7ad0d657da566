"""The page Tune: drag alpha, beta and the warm-up, and see what would have happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app.components.linked_views.view import tune_view
from app.replay.button import replay_button
from app.server import run_cache
from app.server.registry import RunRegistry, is_recording, registry
from app.state.run_choice import chosen_run
from app.style import words
from app.tune import packets, preview, views_state
from app.tune.asks import parse_run
from app.tune.packets import ViewRequest
from app.tune.preview import Preview
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.method.preview import Settings
from bsd_engine.method.worth import branch_epoch
from bsd_engine.runs.layout import NO_BRANCH
from bsd_engine.runs.reader import RunReader

TICK_SECONDS = 1.0


def render(run_page: Any) -> None:
    """The whole page; `run_page` shows a run that is started here."""
    runs = registry()
    run_id = chosen_run(runs, "tune", forget=(views_state.ADDRESS,))
    if run_id is None:
        st.info("There is no run to tune yet. Start one on the page Run; its epochs appear here as they are trained.")
        st.page_link(run_page, label="To the page Run")
        return
    try:
        run = run_cache.reader(runs.path(run_id))
        run.labels, run_cache.rows(run.path)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return
    _started(run_page)
    live = _live(runs, run)

    @st.fragment(run_every=TICK_SECONDS if live else None)
    def body() -> None:
        if _live(runs, run) != live:
            st.rerun()
        try:
            _show(runs, run, live)
        except BSDError as error:
            st.error(words.unformatted(str(error)), icon=":material/error:")

    body()


def _live(runs: RunRegistry, run: RunReader) -> bool:
    return run.status in ("running", "paused") or runs.active == run.run_id


def _show(runs: RunRegistry, run: RunReader, live: bool) -> None:
    """The views, and the table that the engine makes of the same settings."""
    truth_shown = bool(st.session_state.get("truth", True)) and run.truth_known
    key = f"tune_{run.run_id}"
    epochs = len(run_cache.rows(run.path))
    looked, settings, want, _ = views_state.asked(run, key, epochs)
    busy = (
        NO_BRANCH
        if is_recording(run.run_id)
        else ""
        if runs.active is None
        else f"Run {runs.active} is training; this machine trains one at a time."
    )
    look = ViewRequest(run=run, truth_shown=truth_shown, live=live, busy=busy, looked=looked, settings=settings)
    shown = looked.shown_epoch(epochs)
    # A busy browser may not have said yet that it has the newest epoch: it is sent unasked once, not at every tick.
    if shown is not None and not want.geometry and st.session_state.get("tune_unasked") == (key, shown):
        want = replace(want, last=shown)
    st.session_state["tune_unasked"] = key, shown
    found = None if shown is None else preview.preview(run, settings, shown, look.is_poison)
    request = parse_run(tune_view(packets.build(look, want, found), key=key))
    if request is not None and request.seq > st.session_state.get("tune_run_seq", 0):
        st.session_state["tune_run_seq"] = request.seq
        _start(runs, run, request.settings)
    replay_button(run, truth_shown=truth_shown, looked=looked, settings=settings)
    _class_table(run, found, look)


def _start(runs: RunRegistry, run: RunReader, settings: Settings) -> None:
    """Begin the branch that has these settings, at the last epoch that they leave as it was."""
    try:
        if is_recording(run.run_id):
            raise RunFolderError(NO_BRANCH)
        config, at = settings.applied_to(run.config), branch_epoch(run.config, settings)
        started = runs.start(config) if at is None else runs.branch(run.run_id, at, config)
    except BSDError as error:
        st.session_state["tune_failed"] = str(error)
    else:
        st.session_state["tune_started"] = started, at
    st.rerun()


def _started(run_page: Any) -> None:
    """What became of the last "run this"."""
    if failed := st.session_state.pop("tune_failed", None):
        st.error(words.unformatted(failed), icon=":material/error:")
    if started := st.session_state.get("tune_started"):
        run_id, at = started
        left, right = st.columns([5, 1], vertical_alignment="center")
        begin = "from the start" if at is None else f"from the end of epoch {at + 1}"
        left.success(f"Run {words.unformatted(run_id)} trains {begin} with these settings.")
        if right.button("Watch it", key="tune_watch"):
            del st.session_state["tune_started"]
            st.query_params["run"] = run_id
            st.switch_page(run_page, query_params={"run": run_id})


def _class_table(run: RunReader, found: Preview | None, look: ViewRequest) -> None:
    """Both pools by class, counted by the engine."""
    if found is None:
        st.caption("The table by class comes with the first split." if run.num_samples else "")
        return
    rows = preview.class_rows(run, found, look.is_poison)
    own, new = ("–" if found.before is None else f"{int(found.before.sum()):,}"), f"{int(found.pool.sum()):,}"
    st.html(
        f'<div id="tune-counts" data-size="{int(found.pool.sum())}" data-alpha="{found.settings.alpha:g}" data-beta="{found.settings.beta:g}">'
        f"Counted by the engine at epoch {found.epoch + 1}: pool of the run {own}, of the preview {new}.</div>"
    )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        height="content" if len(rows) <= 12 else 420,
        key="tune_classes",
    )
