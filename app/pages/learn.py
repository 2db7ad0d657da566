"""The page Learn, which opens first: recordings to choose from, and a tour of eight steps on the linked views."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.components.linked_views.view import last_ask, learn_view
from app.learn import cards, texts, tour
from app.learn.lesson import PARTS, Lesson, address_of, parse_address, parse_lesson
from app.learn.packets import first_view, header, with_images
from app.replay.button import replay_button
from app.server import run_cache
from app.server.registry import registry
from app.state import linked
from app.state.foreign_run import foreign_line
from app.state.linked import Linked
from app.style import words
from app.style.theme import epoch_number
from app.tune import views_state
from app.tune.packets import build
from app.tune.request import ViewRequest
from bsd_engine.errors import BSDError
from bsd_engine.runs.reader import RunReader

TICK_SECONDS = 1.0


def render(run_page: Any) -> None:
    """Draw the whole page; `run_page` is where a first run is started."""
    run = _choose()
    if run is None:
        st.header(texts.HEADING)
        st.info(texts.NOTHING_TO_SHOW)
        st.page_link(run_page, label=texts.TO_RUN_PAGE)
        return
    live = run.status in ("running", "paused")

    @st.fragment(run_every=TICK_SECONDS if live else None)
    def body() -> None:
        try:
            if (run.status in ("running", "paused")) != live:
                st.rerun()
            _show(run, live)
        except BSDError as error:
            st.error(words.unformatted(str(error)), icon=":material/error:")

    body()


def _choose() -> RunReader | None:
    """The run of the address, else that of this session, else the first card that can be read."""
    asked = st.query_params.get("run")
    wanted = [asked, linked.last_run(), st.session_state.get("shown_run")]
    for run_id in (*filter(None, wanted), *(card.run for card in cards.cards())):
        try:
            run = run_cache.reader(cards.folder(run_id))
            run.labels, run.status, run_cache.rows(run.path)
        except BSDError as error:
            if run_id == asked:
                _toast(texts.UNREADABLE_RUN.format(problem=str(error)[:300]))
                _forget_address()
        else:
            st.session_state["learn_run"] = run_id
            return run
    return None


def _toast(sentence: str) -> None:
    st.toast(words.unformatted(sentence), icon=":material/link_off:", duration="long")


def _forget_address() -> None:
    """Remove the parts of the address that belong to a run that is not shown."""
    for part in (*linked.PARTS, views_state.ADDRESS):
        st.query_params.pop(part, None)


def _show(run: RunReader, live: bool) -> None:
    """Draw the views in their teaching layout."""
    key = f"learn_{run.run_id}"
    epochs = len(run_cache.rows(run.path))
    if not epochs:
        st.info(texts.NO_EPOCH_LIVE if live else texts.NO_EPOCH)
        return
    view, settings, want, message = views_state.asked(run, key, epochs)
    lesson = _lesson(message)
    first = last_ask(key) is None
    if first:
        _say_problems(view, epochs, live)
        view = first_view(view, tour.steps(run)[lesson.step])
        linked.write(view)
        want = with_images(want, view)
    request = ViewRequest(run=run, truth_shown=run.truth_known, live=live, busy="", view=view, settings=settings)
    answer = None
    if not first:  # the first picture does not wait for the engine, which takes seconds to load
        from app.tune import what_if

        registry()
        shown = view.shown_epoch(epochs)
        answer = None if shown is None else what_if.preview_at(run, settings, shown, request.is_poison)
    more = header(run, lesson, cards.cards(st.session_state.get("learn_run"))) if want.geometry or live else {}
    opened = learn_view(build(request, want, answer, more), key=key)
    replay_button(run, truth_shown=run.truth_known, view=view, settings=settings, key="learn_replay")
    foreign_line(run.path)
    if isinstance(opened, dict) and isinstance(opened.get("run"), str):
        _open(opened["run"][:100])


def _lesson(message: Any) -> Lesson:
    """The lesson in the browser's message; before the first one, that of the address."""
    state = message.get("state") if isinstance(message, dict) else None
    lesson = parse_lesson(state.get("lesson")) if isinstance(state, dict) else None
    if lesson is None:
        lesson, problems = parse_address(st.query_params)
        for sentence in problems:
            _toast(sentence)
    wanted = address_of(lesson)
    for name in PARTS:
        if name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]
        elif name not in wanted and name in st.query_params:
            del st.query_params[name]
    return lesson


def _say_problems(view: Linked, epochs: int, live: bool) -> None:
    """Report the parts of the address that this recording cannot show."""
    if view.epoch is not None and view.epoch >= epochs and not live:
        _toast(texts.EPOCH_BEYOND_THE_LAST.format(epoch=epoch_number(view.epoch), epochs=epochs))
    if sentence := views_state.problem():
        _toast(sentence)


def _open(run_id: str) -> None:
    """Show another run at the same step of the tour."""
    shown = st.session_state.get("learn_run")
    if run_id == shown or run_id not in {card.run for card in cards.cards(shown)}:
        return
    linked.write(Linked(run=run_id))
    st.query_params.pop(views_state.ADDRESS, None)
    st.rerun(scope="app")
