"""The download of a run as a page that plays offline; a page puts it beside its views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.server import run_cache

if TYPE_CHECKING:
    from app.state.linked import Linked
    from bsd_engine.method.preview import Settings
    from bsd_engine.runs.reader import RunReader


def replay_button(run: RunReader, *, truth_shown: bool, view: Linked, settings: Settings, key: str = "replay") -> None:
    """A button that saves the page with what is looked at; made when it is pressed, in about a second for 6,000 samples.

    Parameters
    ----------
    truth_shown : whether the page gets to know which samples are poisoned
    view, settings : as for `replay_page`
    """
    if not run_cache.rows(run.path):
        return

    def page() -> bytes:
        from app.replay.page import replay_page  # with it comes the engine, which a page need not wait for

        return replay_page(run, with_truth=truth_shown, view=view, settings=settings)

    name = run.run_id if truth_shown or not run.truth_known else "replay"  # names of recordings tell how they end
    st.download_button(
        "Save as a page that plays offline",
        page,
        f"{name}.html",
        "text/html",
        key=key,
        on_click="ignore",
        icon=":material/download:",
        help="One HTML file with these views, this run and its images. It needs no server and no network. "
        + (
            "It holds the truth about poison; switch the truth off to leave it out."
            if truth_shown
            else "The truth about poison is not in it."
        ),
    )
