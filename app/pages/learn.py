"""The page Learn, the first one: recordings to choose from, and a tour of eight steps on the linked views."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.components.linked_views.view import last_ask, learn_view
from app.learn import cards, packets, tour
from app.learn import lesson as learn_state
from app.learn.lesson import Lesson
from app.replay.button import replay_button
from app.server import run_cache
from app.server.registry import registry
from app.state import linked
from app.state.linked import Linked
from app.style import words
from app.tune import packets as tune_data
from app.tune import views_state
from app.tune.request import ViewRequest
from bsd_engine.errors import BSDError
from bsd_engine.runs.reader import RunReader

TICK_SECONDS = 1.0
PAGE_KEY = "learn_views"


def render(run_page: Any) -> None:
    """The whole page; `run_page` is where a first run is started."""
    run = _choose()
    if run is None:
        st.header("Understand a backdoor, and a defence, in ten minutes")
        st.info(
            "There is no recording in assets/recordings and no run on this machine yet. Start a run on the page Run; it can be looked at here from its first epoch on."
        )
        st.page_link(run_page, label="To the page Run")
        return
    live = run.status in ("running", "paused")

    @st.fragment(run_every=TICK_SECONDS if live else None)
    def body() -> None:
        if (run.status in ("running", "paused")) != live:
            st.rerun()
        try:
            _show(run, live)
        except BSDError as error:
            st.error(words.unformatted(str(error)), icon=":material/error:")

    body()


def _choose() -> RunReader | None:
    """The run of the address, of this session, or the first card that can be read."""
    asked = st.query_params.get("run")
    wanted = [asked, linked.last_run(), st.session_state.get("shown_run")]
    for run_id in (*filter(None, wanted), *(card.run for card in cards.cards())):
        try:
            run = run_cache.reader(cards.folder(run_id))
            run.labels, run_cache.rows(run.path)
        except BSDError as error:
            if run_id == asked:
                st.toast(
                    words.unformatted(f"{str(error)[:300]} Another recording is shown."),
                    icon=":material/link_off:",
                    duration="long",
                )
                _forget_address()
        else:
            st.session_state["learn_run"] = run_id
            return run
    return None


def _forget_address() -> None:
    """What the address says of a run that is not shown means nothing for another."""
    for part in (*linked.PARTS, views_state.ADDRESS):
        st.query_params.pop(part, None)


def _show(run: RunReader, live: bool) -> None:
    """The views in their teaching layout."""
    key = f"learn_{run.run_id}"
    epochs = len(run_cache.rows(run.path))
    if not epochs:
        st.info(
            "This run has no whole epoch yet; the views begin with the first."
            if live
            else "This run ended before its first epoch was whole. Choose another one."
        )
        return
    looked, settings, want, message = views_state.asked(run, key, epochs)
    lesson = _lesson(message)
    steps = tour.steps(run)
    if last_ask(key) is None:
        _say_problems(run, looked, epochs, live)
        looked = packets.beginning(looked, steps[lesson.step])
        linked.write(looked)
        want = packets.with_images(want, looked)
    look = ViewRequest(run=run, truth_shown=run.truth_known, live=live, busy="", view=looked, settings=settings)
    found = None
    if last_ask(key) is not None:  # the first picture does not wait for the engine, which takes seconds to load
        from app.tune import what_if

        registry()
        shown = looked.shown_epoch(epochs)
        found = None if shown is None else what_if.preview_at(run, settings, shown, look.is_poison)
    more = packets.header(run, lesson, cards.cards(st.session_state.get("learn_run"))) if want.geometry or live else {}
    opened = learn_view(tune_data.build(look, want, found, more), key=key)
    replay_button(run, truth_shown=run.truth_known, view=looked, settings=settings, key="learn_replay")
    if isinstance(opened, dict) and isinstance(opened.get("run"), str):
        _open(opened["run"][:100])


def _lesson(message: Any) -> Lesson:
    """The lesson as the browser tells it; before it has said anything, as the address does."""
    state = message.get("state") if isinstance(message, dict) else None
    told = learn_state.parse_lesson(state.get("lesson")) if isinstance(state, dict) else None
    if told is None:
        told, problems = learn_state.parse(st.query_params)
        for sentence in problems:
            st.toast(words.unformatted(sentence), icon=":material/link_off:", duration="long")
    wanted = learn_state.address_of(told)
    for name in learn_state.PARTS:
        if name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]
        elif name not in wanted and name in st.query_params:
            del st.query_params[name]
    return told


def _say_problems(run: RunReader, looked: Linked, epochs: int, live: bool) -> None:
    """What the address asks for and this recording does not have."""
    if looked.epoch is not None and looked.epoch >= epochs and not live:
        st.toast(
            f"The address names epoch {looked.epoch + 1}, but this recording has {epochs}; the last one is shown.",
            icon=":material/link_off:",
            duration="long",
        )
    if sentence := views_state.problem(run):
        st.toast(words.unformatted(sentence), icon=":material/link_off:", duration="long")


def _open(run_id: str) -> None:
    """Show another run, with the same step of the tour."""
    if run_id == st.session_state.get("learn_run") or run_id not in {
        card.run for card in cards.cards(st.session_state.get("learn_run"))
    }:
        return
    linked.write(Linked(run=run_id))
    st.query_params.pop(views_state.ADDRESS, None)
    st.rerun(scope="app")
