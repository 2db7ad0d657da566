"""One run while it goes on, or as it was: its state, and the numbers and figures of one epoch."""

from __future__ import annotations

import secrets

import streamlit as st

from app.components.live_plot import live_plot
from app.components.timeline import Position, timeline
from app.figures.stages import stage_strip
from app.run import figure_commands, header, panels, texts, tiles
from app.run.panels import View
from app.run.position import position
from app.run.status import Snapshot, look
from app.run.target_panel import target_panel
from app.server.registry import RunRegistry
from app.state import keys
from app.style import words
from app.style.theme import Palette, palette_for
from bsd_engine.errors import BSDError

MAP_TICK_SECONDS = 3.0
TRACK_HEIGHT = 52
SIDE_HEIGHT, GAP = 265, 8
HERO_HEIGHT = 2 * SIDE_HEIGHT + GAP
"""Pixels."""
HERO_FIGURES = ("feature_map", "loss_discrepancy")
SIDE_FIGURES = ("altruistic_loss", "oss_distance", "poison_in_pool", "accuracy")


def monitor(runs: RunRegistry, run_id: str) -> None:
    """Show a run, and keep showing it while news may come."""
    first = _read(runs, run_id)
    if first is None:
        return
    pace, has_folder = _pace(runs, first), first.run is not None

    @st.fragment(run_every=pace)
    def body() -> None:
        if keys.STARTED_RUN in st.session_state:
            st.rerun()  # a branch: the page shows it
        now = _read(runs, run_id)
        if now is None:
            return
        if (_pace(runs, now), now.run is not None) != (pace, has_folder):
            st.rerun()  # the timer starts, ends or slows down, and the list of runs has new words
        _show(runs, now)

    body()


def _pace(runs: RunRegistry, now: Snapshot) -> float | None:
    """Seconds between two looks at a run; None where nothing new will come."""
    if now.live:
        page_id = st.session_state.setdefault(keys.PAGE_ID, secrets.token_hex(8))
        return runs.viewers.seconds_between_looks(now.run_id, page_id)
    return MAP_TICK_SECONDS if runs.is_mapping(now.run_id) else None


def _read(runs: RunRegistry, run_id: str) -> Snapshot | None:
    """The run's state, or a sentence on the page."""
    try:
        return look(runs, run_id)
    except BSDError as error:
        _error(str(error))
        return None


def _error(sentence: str) -> None:
    st.error(words.unformatted(sentence), icon=":material/error:")


def _show(runs: RunRegistry, now: Snapshot) -> None:
    palette = palette_for(st.context.theme.type)
    truth_shown = bool(st.session_state.get(keys.TRUTH, True)) and (now.run is None or now.run.truth_known)
    header.show(runs, now, truth_shown)
    if error := st.session_state.pop(keys.COMMAND_ERROR, None):
        _error(error)
    if now.run is None and not now.live:
        return
    if now.damage:
        _error(texts.damaged(now.damage, len(now.rows)))
    for sentence in now.damaged_checkpoints:
        st.warning(words.unformatted(f"{sentence} {texts.RESUMES_BEFORE_IT}"), icon=":material/warning:")
    epoch = _epoch_to_show(now, palette)
    st.html(tiles.tiles(now, epoch, truth_shown))
    try:
        _figures(runs, now, _view(now, epoch, palette, truth_shown), palette, truth_shown)
    except BSDError as error:
        _error(str(error))


def _epoch_to_show(now: Snapshot, palette: Palette) -> int | None:
    """Stages and the track to choose an epoch on; the global, 0-based epoch to show, None before the first.

    A choice arrives after the track was sent, so another run of the fragment sends the track again at once.
    """
    if now.run is None:
        st.html(f'<div style="height: {TRACK_HEIGHT}px"></div>')
        return None
    training, fraction = now.epoch_in_progress if now.live else (max(0, len(now.rows) - 1), 1.0)
    strip = stage_strip(now.run.config.schedule, training, palette, progress=fraction)
    before: Position = position(now)
    after = timeline(strip, recorded=len(now.rows), total=now.total, theme=palette.name, position=before)
    st.session_state[keys.POSITION] = after
    if after != before:
        st.rerun(scope="fragment")
    return after.epoch


def _view(now: Snapshot, epoch: int | None, palette: Palette, truth_shown: bool) -> View | None:
    """What the figures show; None before the first epoch."""
    if now.run is None or epoch is None:
        return None
    return View(
        path=now.path,
        version=now.run.version,
        epoch=epoch,
        palette=palette,
        truth_shown=truth_shown,
        map_kind=st.session_state.get(keys.MAP_KIND) or "auto",
    )


def _figures(runs: RunRegistry, now: Snapshot, view: View | None, palette: Palette, truth_shown: bool) -> None:
    """The figures of an epoch, in positions that stay."""
    left, right = st.columns(2)
    with left:
        with st.container(key="map_pane"):
            _plot(HERO_FIGURES[0], view, palette, HERO_HEIGHT)
            st.segmented_control(
                texts.MAP_KIND.label,
                ["auto", "PCA", "UMAP"],
                key=keys.MAP_KIND,
                default="auto",
                required=True,
                label_visibility="collapsed",
                help=texts.MAP_KIND.help,
            )
        _plot(HERO_FIGURES[1], view, palette, HERO_HEIGHT)
    with right:
        for name in SIDE_FIGURES:
            _plot(name, view, palette, SIDE_HEIGHT)
    evidence = st.expander(texts.EVIDENCE, key="votes_open", on_change="rerun")
    if evidence.open:
        with evidence:
            target_panel(runs, now, view, palette, truth_shown)


def _plot(name: str, view: View | None, palette: Palette, height: int) -> None:
    """One figure under a constant key, so that zoom and selection stay."""
    drawing = panels.waiting(name, palette) if view is None else panels.drawing(name, view)
    live_plot(drawing, key=name, height=height, remake=figure_commands.command_of(name, view))
