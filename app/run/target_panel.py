"""The evidence on the target class, and what a person can do about it: overrule it, or force a wrong one to see what happens."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.components.live_plot import live_plot
from app.figures.pixels import data_uri, difference_picture, enlarged, fitting_gain
from app.figures.target import by_warp
from app.run import figure_commands, panels
from app.run.panels import View
from app.run.status import Snapshot
from app.server.registry import RunRegistry, is_recording
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import Palette, class_name
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.events import EpochState
from bsd_engine.runs.layout import NO_BRANCH
from bsd_engine.target.verdict import caution

HEIGHT = 320
PICTURE_SIDE = 112
DRILL_HELP = (
    "A wrong target on purpose: what OSS and the drop do then, and what becomes of the attack (Fig. 10 of the paper)."
)


def target_panel(runs: RunRegistry, now: Snapshot, view: View | None, palette: Palette, truth_shown: bool) -> None:
    """All of it; before the first epoch the pictures that wait."""
    if view is not None:
        st.markdown(verdict_text(end_of_warm_up(now), now.run.class_names))
    left, right = st.columns(2)
    with left:
        _plot("target_strip", view, palette)
        _residuals(panels.warmup_end(view) if view else None, now)
    with right:
        _plot("votes", view, palette)
        _plot("transplant_map", view, palette)
    if now.run is not None:
        _overrule(runs, now, truth_shown)


def _plot(name: str, view: View | None, palette: Palette) -> None:
    drawing = panels.waiting(name, palette) if view is None else panels.drawing(name, view)
    live_plot(drawing, key=name, height=HEIGHT, remake=figure_commands.command_of(name, view))


# -- words -----------------------------------------------------------------------------------------


def end_of_warm_up(now: Snapshot) -> EpochRow | None:
    """The record of the last altruistic epoch, or None before it."""
    last = now.run.config.schedule.altruistic_epochs - 1
    return now.rows[last] if len(now.rows) > last else None


def verdict_text(row: EpochRow | None, class_names: tuple[str, ...]) -> str:
    """What `auto` makes of the evidence, in a sentence or two of markdown."""
    if row is None:
        return (
            "The verdict comes at the end of the altruistic warm-up; until then the suspect is the class with the highest "
            "probability floor."
        )
    if row.verdict is None:
        return "This run was recorded before residuals were transplanted; only the votes are known."
    return f"{_said(row.verdict, class_names)} {caution(row.epoch + 1)}".rstrip()


def _said(verdict: dict[str, Any], class_names: tuple[str, ...]) -> str:
    name = f"**{words.unformatted(html.unescape(class_name(class_names, verdict['classes'][0])))}**"
    if verdict["kind"] == "several":
        return f"**Several targets**: {words.unformatted(verdict['why'])}. No single class is the target; pools are decided as under an all-to-all attack."
    z = f"z = {verdict['z']:.1f} against the other classes; {verdict['needed']:g} is needed"
    if verdict["kind"] == "no_attack":
        return (
            f"**No attack found**: nothing that sets a class apart leads other images to it (likeliest: {name}, {z})."
        )
    done = "warp other images smoothly at random" if by_warp(verdict) else "put what sets it apart onto other images"
    return f"Target {name}: {done}, and the altruistic model calls them by it ({z})."


# -- residuals -------------------------------------------------------------------------------------


def _residuals(state: EpochState | None, now: Snapshot) -> None:
    """Pictures of what sets the likeliest classes apart."""
    if state is None or state.residuals is None:
        return
    scores = state.estimator_scores[state.estimators.index("residual_transplant")]
    figures = "".join(
        f'<figure style="margin:0 14px 0 0"><img src="{data_uri(residual_picture(residual))}" width="{PICTURE_SIDE}" '
        f'alt="Residual of '
        f'{html.escape(html.unescape(class_name(now.run.class_names, int(c))), quote=True)}" style="image-rendering:pixelated;border-radius:3px">'
        f'<figcaption style="font-size:12px">{class_name(now.run.class_names, int(c))}<br>z = {scores[c]:.1f}</figcaption></figure>'
        for c, residual in zip(state.residual_classes, state.residuals)
    )
    warp = "; a warp does not" * by_warp(state.verdict)
    st.html(
        f'<div style="font-size:13px;margin:2px 0 6px"><b>What sets the likeliest classes apart</b>: their odd samples, '
        f'less images that look alike. A trigger shows as a pattern of its own{warp}.</div><div style="display:flex">{figures}</div>'
    )


def residual_picture(residual: np.ndarray) -> np.ndarray:
    """(H', W', K) uint8: a residual around mid grey, as strong as it fits."""
    return enlarged(difference_picture(residual, fitting_gain(residual)), PICTURE_SIDE)


# -- overruling ------------------------------------------------------------------------------------


def forced(config: BSDConfig, target: int | None) -> BSDConfig:
    """The settings of a run with a target of the user's choosing, or with `auto` again where None."""
    estimator = "auto" if target is None else "given"
    return config.with_settings(all_to_all="off", target_estimator=estimator, assume_target=target)


def _overrule(runs: RunRegistry, now: Snapshot, truth_shown: bool) -> None:
    """A new run from the end of this one's altruistic warm-up, with another target."""
    last, suspect = now.run.config.schedule.altruistic_epochs - 1, _suspect(now)
    names, busy = now.run.class_names, runs.active is not None
    ready = has_checkpoint(now.path, last)
    why = (
        "Another run is training; stop it first."
        if busy
        else None
        if ready
        else "It takes the end of the altruistic warm-up."
    )
    why = NO_BRANCH if is_recording(now.run_id) else why
    st.markdown(
        "**Overrule the target.** A new run takes over the altruistic model after its warm-up and defends against the class "
        "that you choose."
    )
    left, middle, right = st.columns([3, 2, 3], vertical_alignment="bottom")
    with left:
        options = range(len(names))
        chosen = st.selectbox(
            "Target", options, suspect or 0, key=f"forced_target_{now.run_id}", format_func=lambda c: names[c][:40]
        )
    with middle:
        st.button(
            "Branch with this target",
            key="branch_target",
            disabled=why is not None,
            help=why,
            icon=":material/call_split:",
            on_click=_branch,
            args=(runs, now, last, chosen),
        )
    with right:
        wrong = wrong_target(now, truth_shown)
        st.button(
            f"Drill: force {words.unformatted(html.unescape(class_name(names, wrong)))}",
            key="drill_target",
            disabled=why is not None,
            icon=":material/school:",
            on_click=_branch,
            args=(runs, now, last, wrong),
            help=why or DRILL_HELP,
        )


def _suspect(now: Snapshot) -> int | None:
    """The class that the run defends against, as far as it has come."""
    return next((row.pseudo_target for row in reversed(now.rows) if row.pseudo_target is not None), None)


def wrong_target(now: Snapshot, truth_shown: bool) -> int:
    """A class for the drill: the next one after the suspect that is, where the truth may be shown, not the target either."""
    attack, count = now.run.config.attack, len(now.run.class_names)
    right = {_suspect(now), attack.target_label if truth_shown and attack.attack != "none" else None}
    start = -1 if _suspect(now) is None else _suspect(now)
    return next((c for c in ((start + step) % count for step in range(1, count + 1)) if c not in right), 0)


def has_checkpoint(path: Path, epoch: int) -> bool:
    """Whether a run can be branched after an epoch."""
    return (path / f"checkpoints/{epoch:05d}.pt").exists()


def _branch(runs: RunRegistry, now: Snapshot, epoch: int, target: int) -> None:
    try:
        st.session_state["started_run"] = runs.branch(now.run_id, epoch, forced(now.run.config, target))
    except BSDError as error:
        st.session_state["command_error"] = str(error)
