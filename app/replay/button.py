"""The button that saves a run as a page that plays offline. Pages show it below their views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.server import run_cache
from app.server.noting import noted_export
from app.server.registry import runs_root

if TYPE_CHECKING:
    from app.state.linked import Linked
    from bsd_engine.method.preview import Settings
    from bsd_engine.runs.reader import RunReader


def replay_button(run: RunReader, *, truth_shown: bool, view: Linked, settings: Settings, key: str = "replay") -> None:
    """Draw a button that saves the run with the present view. A press makes the page, in a second for 6,000 samples.

    Parameters
    ----------
    truth_shown : whether the page holds which samples are poisoned
    view, settings : as for `replay_page`
    """
    if not run_cache.rows(run.path):
        return

    def page() -> bytes:
        from app.replay.page import replay_page  # here: it loads the engine, and the first picture need not wait

        return replay_page(run, with_truth=truth_shown, view=view, settings=settings)

    name = run.run_id if truth_shown or not run.truth_known else "replay"  # a recording's name tells its end
    st.download_button(
        "Save as a page that plays offline",
        noted_export(runs_root(), run.run_id, f"{name}.html", page),
        f"{name}.html",
        "text/html",
        key=key,
        on_click="ignore",
        icon=":material/download:",
        help="One HTML file with these views, this run and its images. It needs no server and no network. "
        + (
            "It says which images are poisoned; hide the ground truth on the page Tune to leave that out."
            if truth_shown
            else "It does not say which images are poisoned."
        ),
    )
