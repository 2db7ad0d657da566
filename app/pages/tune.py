"""The page Tune: drag alpha, beta and the warm-up, and see what would have happened."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pandas as pd
import streamlit as st

from app import linked, preview, recorded, tune_data, words
from app.linked import Linked
from app.preview import Preview
from app.run_choice import chosen_run, looked_at
from app.session import RunRegistry, registry
from app.tune_asks import Ask, Want, parse_ask, parse_run, parse_settings
from app.tune_data import Look
from app.tune_view import last_ask, tune_view
from bsd_engine.errors import BSDError
from bsd_engine.runs import RunReader
from bsd_engine.whatif import Settings, branch_epoch

TICK_SECONDS = 1.0
ADDRESS = "whatif"


def render(run_page: Any) -> None:
    """The whole page; `run_page` shows a run that is started here."""
    runs = registry()
    run_id = chosen_run(runs, "tune", forget=(ADDRESS,))
    if run_id is None:
        st.info("There is no run to tune yet. Start one on the page Run; its epochs appear here as they are trained.")
        st.page_link(run_page, label="To the page Run")
        return
    try:
        run = recorded.reader(runs.path(run_id))
        run.labels, recorded.rows(run.path)  # noqa: B018 - a folder that is written half says so here, before anything is drawn
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
    epochs = len(recorded.rows(run.path))
    looked, settings, want = _asked(run, key, epochs)
    busy = "" if runs.active is None else f"Run {runs.active} is training; this machine trains one at a time."
    look = Look(run=run, truth_shown=truth_shown, live=live, busy=busy, looked=looked, settings=settings)
    shown = looked.shown_epoch(epochs)
    # A busy browser may not have said yet that it has the newest epoch: it is sent unasked once, not at every tick.
    if shown is not None and not want.geometry and st.session_state.get("tune_unasked") == (key, shown):
        want = replace(want, last=shown)
    st.session_state["tune_unasked"] = key, shown
    found = None if shown is None else preview.preview(run, settings, shown, look.is_poison)
    request = parse_run(tune_view(tune_data.build(look, want, found), key=key))
    if request is not None and request.seq > st.session_state.get("tune_run_seq", 0):
        st.session_state["tune_run_seq"] = request.seq
        _start(runs, run, request.settings)
    _class_table(run, found, look)


def _asked(run: RunReader, key: str, epochs: int) -> tuple[Linked, Settings, Want]:
    """What the browser looks at and lacks; before it has said anything, what the address says, and everything."""
    ask: Ask | None = parse_ask(last_ask(key), run=run.run_id, samples=run.num_samples, epochs=epochs)
    if ask is not None and ask.looked is not None and ask.settings is not None and ask.seq > st.session_state.get("tune_seq", 0):
        st.session_state["tune_seq"] = ask.seq
        linked.write(ask.looked)
        _write_settings(run, ask.settings)
    looked = looked_at(run=run.run_id, samples=run.num_samples, epochs=epochs)
    return looked, _read_settings(run), Want(geometry=True) if ask is None else ask.want


def _write_settings(run: RunReader, settings: Settings) -> None:
    """Keep settings in the session and the address, as "0.6_0.2_5_6_min"; the run's own need not be said."""
    st.session_state["tune_settings"] = (run.run_id, settings)
    text = "_".join(f"{part:g}" if isinstance(part, float) else str(part) for part in astuple(settings))
    if settings == Settings.of(run.config):
        st.query_params.pop(ADDRESS, None)
    elif st.query_params.get(ADDRESS) != text:
        st.query_params[ADDRESS] = text


def _read_settings(run: RunReader) -> Settings:
    parts = st.query_params.get(ADDRESS, "").split("_")
    kept = st.session_state.get("tune_settings")
    if len(parts) == 5:
        try:
            asked = parse_settings({"alpha": float(parts[0]), "beta": float(parts[1]), "t1": int(parts[2]), "altruistic_epochs": int(parts[3]),
                                    "distance": parts[4]})
        except ValueError:
            asked = None
        if asked is not None:
            return asked
    return kept[1] if kept is not None and kept[0] == run.run_id else Settings.of(run.config)


def _start(runs: RunRegistry, run: RunReader, settings: Settings) -> None:
    """Begin the branch that has these settings, at the last epoch that they leave as it was."""
    try:
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


def _class_table(run: RunReader, found: Preview | None, look: Look) -> None:
    """Both pools by class, counted by the engine."""
    if found is None:
        st.caption("The table by class comes with the first split." if run.num_samples else "")
        return
    rows = preview.class_rows(run, found, look.is_poison)
    own, new = ("–" if found.before is None else f"{int(found.before.sum()):,}"), f"{int(found.pool.sum()):,}"
    st.html(f'<div id="tune-counts" data-size="{int(found.pool.sum())}" data-alpha="{found.settings.alpha:g}" data-beta="{found.settings.beta:g}">'
            f"Counted by the engine at epoch {found.epoch + 1}: pool of the run {own}, of the preview {new}.</div>")
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height="content" if len(rows) <= 12 else 420, key="tune_classes")
