"""The page Tune: drag alpha, beta and the warm-up, and see how the pools would have changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app.components.linked_views.view import tune_view
from app.replay.button import replay_button
from app.server import data_paths, run_cache
from app.server.registry import RunRegistry, is_recording, registry
from app.state.run_choice import chosen_run
from app.style import words
from app.style.theme import count, epoch_number
from app.tune import packets, texts, views_state, what_if
from app.tune.asks import Want, parse_run
from app.tune.request import ViewRequest
from app.tune.what_if import Preview
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.method.preview import Settings
from bsd_engine.method.worth import branch_epoch
from bsd_engine.runs.layout import NO_BRANCH
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader

TICK_SECONDS = 1.0


def render(run_page: Any) -> None:
    """Draw the whole page; `run_page` shows a run that is started here."""
    runs = registry()
    run_id = chosen_run(runs, "tune", forget=(views_state.ADDRESS,))
    if run_id is None:
        st.info(texts.NO_RUN)
        st.page_link(run_page, label=texts.TO_RUN_PAGE)
        return
    try:
        run = run_cache.reader(runs.path(run_id))
        run.labels, run_cache.rows(run.path)
        live = _live(runs, run)
    except BSDError as error:
        _error(str(error))
        return
    _say_what_became_of_the_branch(run_page)

    @st.fragment(run_every=TICK_SECONDS if live else None)
    def body() -> None:
        try:
            if _live(runs, run) != live:
                st.rerun()
            _show(runs, run, live)
        except BSDError as error:
            _error(str(error))

    body()


def _error(sentence: str) -> None:
    st.error(words.unformatted(sentence), icon=":material/error:")


def _live(runs: RunRegistry, run: RunReader) -> bool:
    return run.status in ("running", "paused") or runs.active == run.run_id


def _show(runs: RunRegistry, run: RunReader, live: bool) -> None:
    """Draw the views, and the table that the engine makes from the same settings."""
    truth_shown = bool(st.session_state.get("truth", True)) and run.truth_known
    key = f"tune_{run.run_id}"
    epochs = len(run_cache.rows(run.path))
    view, settings, want, _ = views_state.asked(run, key, epochs)
    request = ViewRequest(
        run=run, truth_shown=truth_shown, live=live, busy=_busy(runs, run), view=view, settings=settings
    )
    shown = view.shown_epoch(epochs)
    want = _unasked_once(want, key, shown)
    preview = None if shown is None else what_if.preview_at(run, settings, shown, request.is_poison)
    pressed = parse_run(tune_view(packets.build(request, want, preview), key=key))
    if pressed is not None and pressed.seq > st.session_state.get("tune_run_seq", 0):
        st.session_state["tune_run_seq"] = pressed.seq
        _start(runs, run, pressed.settings)
    replay_button(run, truth_shown=truth_shown, view=view, settings=settings)
    if preview is None:
        st.caption(_why_no_table(run, shown, live))
    else:
        _class_table(run, preview, request)


def _busy(runs: RunRegistry, run: RunReader) -> str:
    """Why no branch can be started now; "" if one can."""
    if is_recording(run.run_id):
        return NO_BRANCH
    if not run.is_own:
        return words.READ_ONLY
    return "" if runs.active is None else texts.BUSY.format(run=runs.active)


def _unasked_once(want: Want, key: str, shown: int | None) -> Want:
    """The request, in which a newest epoch that was already sent counts as received.

    A busy browser may not have confirmed it yet. It is sent unasked once, not at every tick.
    """
    if shown is not None and not want.geometry and st.session_state.get("tune_unasked") == (key, shown):
        want = replace(want, last=shown)
    st.session_state["tune_unasked"] = key, shown
    return want


def _start(runs: RunRegistry, run: RunReader, settings: Settings) -> None:
    """Start a branch with these settings after the last epoch that they do not affect."""
    try:
        if is_recording(run.run_id):
            raise RunFolderError(NO_BRANCH)
        provenance.refuse_foreign(run.path, "branched from")
        data_paths.check_run(run, runs.triggers)
        config, at = settings.applied_to(run.config), branch_epoch(run.config, settings)
        started = runs.start(config) if at is None else runs.branch(run.run_id, at, config)
    except BSDError as error:
        st.session_state["tune_failed"] = str(error)
    else:
        st.session_state["tune_started"] = started, at
    st.rerun()


def _say_what_became_of_the_branch(run_page: Any) -> None:
    """Show the outcome of the last "Run this"."""
    if failed := st.session_state.pop("tune_failed", None):
        _error(failed)
    if started := st.session_state.get("tune_started"):
        run_id, at = started
        left, right = st.columns([5, 1], vertical_alignment="center")
        begin = texts.FROM_START if at is None else texts.FROM_EPOCH.format(epoch=epoch_number(at))
        left.success(texts.STARTED.format(run=words.unformatted(run_id), begin=begin))
        if right.button(texts.WATCH, key="tune_watch"):
            del st.session_state["tune_started"]
            st.query_params["run"] = run_id
            st.switch_page(run_page, query_params={"run": run_id})


def _why_no_table(run: RunReader, shown: int | None, live: bool) -> str:
    """The reason why there is no table of classes yet."""
    if shown is None:
        return texts.NO_EPOCH_LIVE if live else texts.NO_EPOCH
    if what_if.phase(run_cache.rows(run.path)[shown]) == "alone":
        return texts.NO_SPLIT.format(epoch=epoch_number(run.config.schedule.altruistic_epochs))
    return texts.NO_PREVIEW


def _class_table(run: RunReader, preview: Preview, request: ViewRequest) -> None:
    """Draw the table of both pools by class, counted by the engine."""
    rows = what_if.class_rows(run, preview, request.is_poison)
    size, settings = int(preview.pool.sum()), preview.settings
    epoch, before = epoch_number(preview.epoch), preview.before
    sentence = (
        texts.COUNTS_NO_RUN_POOL.format(epoch=epoch, preview_pool=count(size))
        if before is None
        else texts.COUNTS.format(epoch=epoch, run_pool=count(before.sum()), preview_pool=count(size))
    )
    st.html(
        f'<div id="tune-counts" data-size="{size}" data-alpha="{settings.alpha:g}" '
        f'data-beta="{settings.beta:g}">{sentence}</div>'
    )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        height="content" if len(rows) <= 12 else 420,
        key="tune_classes",
    )
