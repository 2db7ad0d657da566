"""The evidence on the target class, and how to overrule it or to force a wrong one to see the effect."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import streamlit as st

from app.components.live_plot import live_plot
from app.figures.pixels import data_uri, difference_picture, enlarged, fitting_gain
from app.run import figure_commands, panels, target_texts
from app.run.panels import View
from app.run.position import position
from app.run.status import Snapshot
from app.run.target_texts import verdict_text
from app.server.registry import RunRegistry, is_recording
from app.state import keys
from app.style.theme import Palette, class_name
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.events import EpochState
from bsd_engine.runs.layout import NO_BRANCH
from bsd_engine.runs.reader import RunReader

HEIGHT = 320
PICTURE_SIDE = 112
"""Pixels."""
LONGEST_OPTION = 40


def target_panel(runs: RunRegistry, now: Snapshot, view: View | None, palette: Palette, truth_shown: bool) -> None:
    """All of it; before the first epoch, figures that wait for it."""
    if view is not None and now.run is not None:
        shown = position(now).epoch
        st.markdown(verdict_text(now.verdicts(shown), now.run.class_names, now.warmup_end))
    left, right = st.columns(2)
    with left:
        _plot("target_strip", view, palette)
        state = panels.warmup_end(view) if view else None
        if state is not None and state.residuals is not None and now.run is not None:
            st.html(_residuals(state, now.run.class_names))
    with right:
        _plot("votes", view, palette)
        _plot("transplant_map", view, palette)
    if now.run is not None:
        _overrule(runs, now, now.run, truth_shown)


def _plot(name: str, view: View | None, palette: Palette) -> None:
    drawing = panels.waiting(name, palette) if view is None else panels.drawing(name, view)
    live_plot(drawing, key=name, height=HEIGHT, remake=figure_commands.command_of(name, view))


def _residuals(state: EpochState, class_names: tuple[str, ...]) -> str:
    """What sets the likeliest classes apart, as HTML."""
    scores = state.estimator_scores[state.estimators.index("residual_transplant")]
    figures = "".join(
        _residual(residual, class_name(class_names, int(label)), float(scores[label]))
        for label, residual in zip(state.residual_classes, state.residuals)
    )
    heading = target_texts.residuals_heading(state.verdict)
    return f'<div class="residuals"><p>{heading}</p><div>{figures}</div></div>'


def _residual(residual: np.ndarray, name: str, z: float) -> str:
    """One residual with its class; the name is safe text."""
    alt = html.escape(f"Residual of {html.unescape(name)}", quote=True)
    return (
        f'<figure><img src="{data_uri(residual_picture(residual))}" width="{PICTURE_SIDE}" alt="{alt}">'
        f"<figcaption>{name}<br>z = {z:.1f}</figcaption></figure>"
    )


def residual_picture(residual: np.ndarray) -> np.ndarray:
    """(H', W', K) uint8: a residual around mid grey, with the largest gain that fits."""
    return enlarged(difference_picture(residual, fitting_gain(residual)), PICTURE_SIDE)


def forced(config: BSDConfig, target: int | None) -> BSDConfig:
    """The settings of a run with a target of the user's choosing, or with `auto` again where None."""
    estimator = "auto" if target is None else "given"
    return config.with_settings(all_to_all="off", target_estimator=estimator, assume_target=target)


def _overrule(runs: RunRegistry, now: Snapshot, run: RunReader, truth_shown: bool) -> None:
    """Start a new run from the end of this one's altruistic warm-up, with another target."""
    last, names = run.config.schedule.altruistic_epochs - 1, run.class_names
    why = _why_no_branch(runs, now, last)
    st.markdown(target_texts.OVERRULE)
    left, middle, right = st.columns([3, 2, 3], vertical_alignment="bottom")
    with left:
        chosen = st.selectbox(
            target_texts.TARGET,
            range(len(names)),
            _suspect(now) or 0,
            key=f"forced_target_{now.run_id}",
            format_func=lambda c: names[c][:LONGEST_OPTION],
        )
    with middle:
        st.button(
            target_texts.BRANCH,
            key="branch_target",
            disabled=why is not None,
            help=why,
            icon=":material/call_split:",
            on_click=_branch,
            args=(runs, now.run_id, last, forced(run.config, chosen)),
        )
    with right:
        wrong = wrong_target(now, truth_shown)
        st.button(
            target_texts.drill(names, wrong),
            key="drill_target",
            disabled=why is not None,
            icon=":material/school:",
            on_click=_branch,
            args=(runs, now.run_id, last, forced(run.config, wrong)),
            help=why or target_texts.DRILL_HELP,
        )


def _why_no_branch(runs: RunRegistry, now: Snapshot, epoch: int) -> str | None:
    """Why a run cannot be branched after an epoch now; None where it can."""
    if is_recording(now.run_id):
        return NO_BRANCH
    if runs.active is not None:
        return target_texts.BUSY
    return None if has_checkpoint(now.path, epoch) else target_texts.NO_CHECKPOINT


def _suspect(now: Snapshot) -> int | None:
    """The class that the run defends against, as far as it has come."""
    return next((row.pseudo_target for row in reversed(now.rows) if row.pseudo_target is not None), None)


def wrong_target(now: Snapshot, truth_shown: bool) -> int:
    """A class for the drill: the next one after the suspect; where ground truth may be shown, not the target either."""
    attack, count = now.run.config.attack, len(now.run.class_names)
    right = {_suspect(now), attack.target_label if truth_shown and attack.attack != "none" else None}
    start = -1 if _suspect(now) is None else _suspect(now)
    return next((c for c in ((start + step) % count for step in range(1, count + 1)) if c not in right), 0)


def has_checkpoint(path: Path, epoch: int) -> bool:
    """Whether a run can be branched after an epoch."""
    return (path / f"checkpoints/{epoch:05d}.pt").exists()


def _branch(runs: RunRegistry, run_id: str, epoch: int, config: BSDConfig) -> None:
    try:
        st.session_state[keys.STARTED_RUN] = runs.branch(run_id, epoch, config)
    except BSDError as error:
        st.session_state[keys.COMMAND_ERROR] = str(error)
