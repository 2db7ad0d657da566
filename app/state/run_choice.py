"""The choice of the run on a page, and of its epoch and samples from the address."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache

import streamlit as st

from app.server.registry import RunRegistry, is_recording
from app.server.run_list import Listed, listed
from app.state import keys, linked
from app.state.foreign_run import foreign_line
from app.state.linked import Linked
from app.style import words
from bsd_engine.errors import BSDError
from bsd_engine.recordings import library

LONGEST_ID = 60
"""Characters of an unknown run's name that are shown."""
TRUTH_HELP = "Ground truth: which samples are poisoned, and every number that depends on it."


def chosen_run(
    runs: RunRegistry, page: str, *, truth_help: str | None = TRUTH_HELP, forget: Iterable[str] = ()
) -> str | None:
    """Show the list of runs and the truth switch; returns the run of the address, of the session, or the newest.

    Parameters
    ----------
    page : names the list among the page's widgets
    truth_help : help text of the switch: what it hides on this page; None for a page without the switch
    forget : parts of the address that belong to one run only, besides those of `linked`

    Returns
    -------
    str or None
        A run's id; None where there is neither a run nor a recording.
    """
    ids = [*runs.run_ids(), *runs.recording_ids()]
    asked = st.query_params.get("run") or linked.last_run() or st.session_state.get(keys.SHOWN_RUN)
    if asked is not None and asked not in ids and "run" in st.query_params:
        st.warning(f"There is no run called {words.unformatted(asked[:LONGEST_ID])} here. Choose one from the list.")
    if not ids:
        return None
    chosen = asked if asked in ids else ids[0]
    labels = told_apart({run_id: described(runs, run_id) for run_id in ids})
    left, right = st.columns([4, 1], vertical_alignment="center") if truth_help is not None else (st.container(), None)
    with left:
        picked = st.selectbox(
            "Recorded runs, newest first, then recordings",
            ids,
            ids.index(chosen),
            key=f"{page}_runs_{chosen}",
            format_func=lambda run_id: labels.get(run_id, run_id),
            label_visibility="collapsed",
        )
    if picked != chosen:
        linked.write(Linked(run=picked))
        for part in forget:
            st.query_params.pop(part, None)
        st.rerun()
    if truth_help is not None and right is not None:
        with right:
            truth_switch(truth_help)
    with contextlib.suppress(BSDError):  # the page says what is wrong with the folder
        foreign_line(runs.path(chosen))
    return chosen


def truth_switch(what: str = TRUTH_HELP) -> None:
    """Draw the switch for ground truth, the same on every page that shows a run."""
    st.toggle("Show truth", value=True, key=keys.TRUTH, bind="query-params", help=what)


def told_apart(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of runs by id, with the id added to those that several runs have.

    A list knows its options by their labels, so a stranger's run could take the place of another one.
    """
    number = Counter(labels.values())
    return {run_id: f"{text} · {run_id}" if number[text] > 1 else text for run_id, text in labels.items()}


def described(runs: RunRegistry, run_id: str) -> str:
    """One line about a run. Nothing in it depends on ground truth."""
    if is_recording(run_id):
        return recording_title(run_id)
    run = listed(runs.root, run_id)
    return f"{run_id} · {words.NOT_READABLE}" if run is None else _line(run, date.today())


@lru_cache(maxsize=16384)
def _line(run: Listed, today: date) -> str:
    """One line about a run as long as neither the run nor the day changes."""
    split, schedule = run.config.split, run.config.schedule
    branch = f" · branch of {words.short(run.branch_of)}" if run.branch_of else ""
    return (
        f"{words.moment(run.created)} · {words.short(run.config.preset)} · {words.source(run.config.data.data)} · "
        f"{words.STATUS[run.status]} · alpha {split.alpha:g}, beta {split.beta:g}, T1 {schedule.t1}{branch}"
    )


def recording_title(run_id: str) -> str:
    """One line about a recording."""
    name = run_id.removeprefix(library.PREFIX)
    try:
        return f"Recording · {library.describe(name).title}"
    except BSDError:
        return f"Recording · {name} · {words.NOT_READABLE}"


def looked_at(*, run: str, samples: int, epochs: int) -> Linked:
    """The shared state of a run. Mistakes in the address are reported on the page and corrected in the address."""
    state, problems = linked.read(run=run, samples=samples, epochs=epochs)
    for sentence in problems:
        st.toast(words.unformatted(sentence), icon=":material/link_off:")
    if problems or st.query_params.get("run") != run:
        linked.write(state)
    return state
