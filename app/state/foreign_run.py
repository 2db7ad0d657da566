"""The line that says that a run is read-only since somebody else wrote it, and the button that makes a copy of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from app.server import run_cache
from app.server.noting import noted
from app.server.registry import is_recording, runs_root
from app.state import keys, linked
from app.style import words
from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import new_run_id
from bsd_engine.runs.origin import provenance

A_RECORDING = "A recording is read-only."
A_FOREIGN_RUN = "This run is read-only, because this installation did not write it."
COPY = "Make a copy of your own"
COPY_HELP = (
    "Everything that can be read and checked is copied into a new run, which you can judge and go on from. Files "
    "outside the run that its settings name are not read."
)
COPYING = "Checking and copying the run"
COPIED_WHOLE = "This is your own copy of {source}, and nothing was left out."
MOST_SENTENCES = 12
COPIED_WITHOUT = "This is your own copy of {source}. What could not be copied:"


def foreign_line(path: Path) -> None:
    """Draw the line for a run folder of somebody else; below a copy that was just made, what was left out of it."""
    if not (path / "config.json").exists():
        return
    if provenance.is_own(path):
        _left_out(path.name)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="foreign_run"):
        st.caption(A_RECORDING if is_recording(path.name) else A_FOREIGN_RUN, width="content")
        pressed = st.button(COPY, key="make_own_copy", icon=":material/content_copy:", type="tertiary", help=COPY_HELP)
    if pressed:
        _copy(path)


def _copy(source: Path) -> None:
    """Make the copy and show it, at the same epoch and with the same samples."""
    from bsd_engine.audit import adopting  # here: the page Learn does not wait for it

    run_id = new_run_id()
    try:
        with st.spinner(COPYING):
            left_out = adopting.adopt(source, runs_root() / run_id)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return
    noted(runs_root(), "adopt", run_id, source=source.name)
    run = run_cache.reader(source)
    shown, _ = linked.read(run=run.run_id, samples=run.num_samples, epochs=len(run.epochs))
    linked.write(replace(shown, run=run_id))
    st.session_state[keys.SHOWN_RUN] = run_id  # the page Run keeps its position within the same run
    st.session_state[keys.COPIED] = run_id, source.name, left_out
    st.rerun(scope="app")


def _left_out(run_id: str) -> None:
    """Say what became of a copy: once if it is whole, else for as long as this session shows it."""
    copied, source, left_out = st.session_state.get(keys.COPIED) or (None, "", ())
    if copied != run_id:
        return
    name = words.unformatted(words.short(source))
    if left_out:
        shown = [words.short(sentence, 300) for sentence in left_out[:MOST_SENTENCES]]
        shown += [f"and {len(left_out) - MOST_SENTENCES} more"] if len(left_out) > MOST_SENTENCES else []
        sentences = "\n".join(f"* {words.unformatted(sentence)}" for sentence in shown)
        st.warning(f"{COPIED_WITHOUT.format(source=name)}\n\n{sentences}", icon=":material/content_copy:")
    else:
        del st.session_state[keys.COPIED]
        st.toast(COPIED_WHOLE.format(source=name), icon=":material/content_copy:")
