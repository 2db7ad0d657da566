"""The choice of runs for a figure of the paper: the first that fits, unless the user picks another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import streamlit as st

from app.paper import texts
from app.paper.slots import PaperFigure, Slot, rate_of
from app.server.registry import RunRegistry, is_recording
from app.server.run_list import Listed, has_epoch, listed
from app.state.run_choice import described, told_apart
from app.style import words
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.runs.origin import provenance


def choose_runs(runs: RunRegistry, figure: PaperFigure) -> list[Path | None]:
    """A select box for each slot of a figure; returns the run folder of each, or None where none is chosen."""
    if not figure.slots:
        return []
    readable = _readable_runs(runs)
    chosen: list[Path | None] = []
    for column, (i, slot) in zip(st.columns(len(figure.slots)), enumerate(figure.slots)):
        with column:
            chosen.append(_choose_run(runs, slot, readable, f"paper_run_{figure.number}_{i}"))
    if any(path is not None and not provenance.is_own(path) for path in chosen):
        st.caption(texts.READ_ONLY)
    return chosen


def _readable_runs(runs: RunRegistry) -> dict[str, Listed]:
    """The user's runs that have an epoch, by id, newest first."""
    found = ((run_id, listed(runs.root, run_id)) for run_id in runs.run_ids())
    return {run_id: run for run_id, run in found if run is not None and has_epoch(runs.root, run_id)}


def _choose_run(runs: RunRegistry, slot: Slot, readable: dict[str, Listed], key: str) -> Path | None:
    """Options in this order: fitting runs that came out as in the paper, recordings, fitting runs, all other runs."""
    fitting = [run_id for run_id, run in readable.items() if slot.fits(run.config)]
    fits = set(fitting)
    bundled = [run_id for run_id in (f"recording-{name}" for name in slot.recordings) if run_id in runs.recording_ids()]
    others = dict.fromkeys(run_id for run_id in readable if run_id not in fits)
    showing = [run_id for run_id in fitting if slot.shows_it(readable[run_id].summary)]
    options = list(dict.fromkeys([*showing, *bundled, *fitting, *others]))
    labels = told_apart({run_id: _run_label(runs, run_id, readable, others) for run_id in options})
    picked = st.selectbox(
        slot.label[0].upper() + slot.label[1:],
        options,
        0 if bundled or fitting else None,
        key=f"{key}_{len(options)}",
        placeholder=texts.NO_FITTING_RUN,
        format_func=lambda run_id: labels.get(run_id, run_id),
    )
    if picked is None:
        return None
    try:
        return runs.path(picked)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return None


def _run_label(runs: RunRegistry, run_id: str, readable: Mapping[str, Listed], others: Collection[str]) -> str:
    """One line about a run, with the attack first because the figures differ in it."""
    if is_recording(run_id):
        return described(runs, run_id)
    suffix = f" · {texts.OTHER_SETTINGS}" if run_id in others else ""
    return f"{attack_text(readable[run_id].config)} · {described(runs, run_id)}{suffix}"


def attack_text(config: BSDConfig) -> str:
    """ "BadNets at 5 %"."""
    rate = rate_of(config)
    return words.attack(config.attack.attack) + (f" at {100 * rate:g} %" if rate is not None else "")
