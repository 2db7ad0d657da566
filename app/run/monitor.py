"""One run as it goes on, or as it was: state, numbers and pictures of an epoch."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import streamlit as st

from app import figures
from app.components.live_plot import live_plot
from app.components.timeline import Position, timeline
from app.run import figure_commands, panels
from app.run.panels import View
from app.run.status import Snapshot, look, sentence
from app.run.target_panel import end_of_warm_up, target_panel
from app.server.registry import RunRegistry
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import Palette, class_name, count, epoch_text, palette_for, percent
from bsd_engine import attacks
from bsd_engine.errors import BSDError

MAP_TICK_SECONDS = 3.0
SIDE_HEIGHT, GAP = 265, 8
HERO_HEIGHT = 2 * SIDE_HEIGHT + GAP


def monitor(runs: RunRegistry, run_id: str) -> None:
    """Show a run, and keep showing it while news may come."""
    first = _look(runs, run_id)
    if first is None:
        return
    pace, there = _pace(runs, first), first.run is not None

    @st.fragment(run_every=pace)
    def body() -> None:
        if "started_run" in st.session_state:
            st.rerun()  # a branch: the page shows it
        now = _look(runs, run_id)
        if now is None:
            return
        if (_pace(runs, now), now.run is not None) != (pace, there):
            st.rerun()  # the timer starts, ends or slows down, and the list of runs has new words
        _show(runs, now)

    body()


def _pace(runs: RunRegistry, now: Snapshot) -> float | None:
    """Seconds between two looks at a run; None where nothing new will come."""
    if now.live:
        return runs.viewers.seconds_between_looks(
            now.run_id, st.session_state.setdefault("page_id", secrets.token_hex(8))
        )
    return MAP_TICK_SECONDS if runs.mapping(now.run_id) else None


def _look(runs: RunRegistry, run_id: str) -> Snapshot | None:
    """The run's state, or a sentence on the page."""
    try:
        return look(runs, run_id)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return None


def _show(runs: RunRegistry, now: Snapshot) -> None:
    palette = palette_for(st.context.theme.type)
    truth_shown = bool(st.session_state.get("truth", True)) and (now.run is None or now.run.truth_known)
    _header(runs, now, truth_shown)
    if now.run is None and not now.live:
        return
    if now.damage:
        st.error(
            words.unformatted(f"{now.damage} The {count(len(now.rows))} epochs before it are shown."),
            icon=":material/error:",
        )
    epoch = _epoch_to_show(now, palette)
    _tiles(now, epoch, truth_shown)
    try:
        _pictures(runs, now, epoch, palette, truth_shown)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")


# -- header ----------------------------------------------------------------------------------------


def _header(runs: RunRegistry, now: Snapshot, truth_shown: bool) -> None:
    st.html(_chips(now, truth_shown))
    left, right = st.columns([8, 7], vertical_alignment="center")
    with left:
        st.html(f'<div class="now">{html.escape(sentence(now, runs, truth_shown=truth_shown), quote=False)}</div>')
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        _buttons(runs, now)
    if st.session_state.get("command_error"):
        st.error(words.unformatted(st.session_state.pop("command_error")), icon=":material/error:")


def _chips(now: Snapshot, truth_shown: bool) -> str:
    """Data, attack, settings, device and truth, each a chip."""
    if now.run is None:
        said = {"queued": "waiting", "failed": "not started"}.get(now.status, "starting")
        return f'<div class="chips"><span>{said}</span></div>'
    config = now.run.config
    truth = "truth unknown" if not now.run.truth_known else "truth shown" if truth_shown else "truth hidden"
    chips = [
        f"{words.source(config.data.data)}, {count(now.run.num_samples)} images",
        _attack_chip(now, truth_shown),
        truth,
        f"alpha {config.split.alpha:g} · beta {config.split.beta:g} · T1 {config.schedule.t1}",
        f"seed {config.seed}",
        (now.summary or {}).get("device") or _device(config.device),
    ]
    return (
        f'<div class="chips">{"".join(f"<span>{html.escape(str(chip), quote=False)}</span>" for chip in chips)}</div>'
    )


def _kind(attack: str) -> type[attacks.Attack]:
    """What kind of attack a run's is; an ordinary one where another version wrote a name that this one does not know."""
    return attacks.kind(attack) if attack in attacks.names() else attacks.Attack


def _attack_chip(now: Snapshot, truth_shown: bool) -> str:
    assert now.run is not None
    attack = now.run.config.attack
    if attack.attack == "none":
        return "no attack added"
    if not truth_shown:
        return "attack hidden"
    kind = _kind(attack.attack)
    rate = kind.default_rate if attack.rate is None else attack.rate
    target = _name(now, attack.target_label) if kind.has_target else "the next class"
    return f"{words.attack(attack.attack)} {100 * rate:g} %{' of the class' * kind.clean_label} → {target}"


@lru_cache(maxsize=8)
def _device(setting: str) -> str:
    from bsd_engine.compute import runtime

    try:
        return runtime.choose(setting).description
    except BSDError:
        return setting


def _name(now: Snapshot, label: int) -> str:
    """Name of a class as plain text, to be escaped where it is shown."""
    assert now.run is not None
    return html.unescape(class_name(now.run.class_names, label))


def _buttons(runs: RunRegistry, now: Snapshot) -> None:
    """Follow, Pause, Resume, Stop: always there, and each says why it cannot be pressed."""
    position = _position(now)
    newer = len(now.rows) - 1 - (position.epoch or 0)
    label = "Follow live" if now.live else "Last epoch"
    st.button(
        f"{label} ({newer} newer)" if newer > 0 else label,
        key="follow",
        type="secondary" if position.following else "primary",
        disabled=position.following,
        on_click=_follow,
        help="The newest epoch is shown." if position.following else None,
    )
    training = now.status in ("running", "paused")
    can_go_on = now.status == "paused" or now.can_resume
    reasons = {
        "queued": "The run waits for its turn.",
        "preparing": "The run is being prepared.",
        "finished": "The run has finished.",
    }
    why = reasons.get(now.status, "The run is not training.")
    _button(
        "Pause",
        now.status == "running" and not now.waiting,
        "It is paused already." if now.status == "paused" else why,
        lambda: runs.command(now.run_id, "pause"),
    )
    resume: Callable[[], Any] = (
        (lambda: runs.command(now.run_id, "resume")) if training else (lambda: runs.resume(now.run_id))
    )
    _button("Resume", can_go_on and not now.waiting, "It is training." if now.status == "running" else why, resume)
    _button(
        "Stop",
        now.status == "queued" or (training and now.waiting != "stop"),
        why,
        lambda: runs.command(now.run_id, "stop"),
    )


def _button(label: str, possible: bool, why_not: str, action: Callable[[], Any]) -> None:
    icon = {"Pause": ":material/pause:", "Resume": ":material/play_arrow:", "Stop": ":material/stop:"}[label]
    st.button(
        label,
        key=label.lower(),
        icon=icon,
        disabled=not possible,
        help=None if possible else why_not,
        on_click=_try,
        args=(action,),
    )


def _try(action: Callable[[], Any]) -> None:
    """Do what a button says, or keep the sentence that says why not."""
    try:
        action()
    except BSDError as error:
        st.session_state["command_error"] = str(error)


# -- time ------------------------------------------------------------------------------------------


def _epoch_to_show(now: Snapshot, palette: Palette) -> int | None:
    """Stages and the track to choose an epoch on; the global, 0-based epoch to show, None before the first.

    A choice comes after the track was sent, so the track is told at once by another run.
    """
    if now.run is None:
        st.html('<div style="height: 52px"></div>')
        return None
    schedule = now.run.config.schedule
    training, fraction = now.epoch_in_progress if now.live else (max(0, len(now.rows) - 1), 1.0)
    strip = figures.stage_strip(schedule, training, palette, progress=fraction)
    before = _position(now)
    after = timeline(strip, recorded=len(now.rows), total=now.total, theme=palette.name, position=before)
    st.session_state["position"] = after
    if after != before:
        st.rerun(scope="fragment")
    return after.epoch


def _position(now: Snapshot) -> Position:
    return st.session_state.setdefault("position", Position(None, True)).among(len(now.rows))


def _follow() -> None:
    st.session_state["position"] = Position(None, True)


# -- numbers ---------------------------------------------------------------------------------------


def _tiles(now: Snapshot, epoch: int | None, truth_shown: bool) -> None:
    """Five numbers after the shown epoch."""
    if now.run is None:
        labels = (
            "Clean accuracy (CA)",
            "Attack success (ASR)",
            "Clean pool",
            "Poison in the clean pool",
            "Suspected target class",
        )
        st.html('<div class="tiles">' + "".join(_tile(label, "–", "\N{NO-BREAK SPACE}") for label in labels) + "</div>")
        return
    row = now.rows[epoch] if epoch is not None else None
    later = f"from {epoch_text(now.run.config.schedule.altruistic_epochs, now.total)} on"
    tiles = [
        ("Clean accuracy (CA)", *_rate(row, "clean_accuracy", later, "higher is better")),
        _success_tile(now, row, later, truth_shown),
        _pool_tile(now, row, later),
        _poison_tile(now, row, later, truth_shown),
        _target_tile(now, row, truth_shown),
    ]
    st.html('<div class="tiles">' + "".join(_tile(*tile) for tile in tiles) + "</div>")


def _tile(label: str, value: str, note: str, aside: str = "") -> str:
    label, value, note, aside = (html.escape(text, quote=False) for text in (label, value, note, aside))
    return f'<div><div class="label">{label}</div><div class="value">{value} <small>{aside}</small></div><div class="note">{note}</div></div>'


def _rate(row: EpochRow | None, name: str, later: str, note: str) -> tuple[str, str]:
    """A percentage and what it is of, or why it is missing."""
    value = row.metrics.get(name) if row else None
    if value is not None:
        return percent(value), note
    return "–", later if row is None or row.main_epoch < 0 else "the data have no test part"


def _success_tile(now: Snapshot, row: EpochRow | None, later: str, truth_shown: bool) -> tuple[str, str, str]:
    label = "Attack success (ASR)"
    assert now.run is not None
    if not truth_shown:
        return label, "–", "hidden with the truth" if now.run.truth_known else "unknown without the attack"
    return label, *_rate(row, "attack_success_rate", later, "lower is better")


def _pool_tile(now: Snapshot, row: EpochRow | None, later: str) -> tuple[str, ...]:
    assert now.run is not None
    size = row.metrics.get("clean_pool_size") if row else None
    if size is None:
        return "Clean pool", "–", later
    return (
        "Clean pool",
        count(size),
        f"of {count(now.run.num_samples)} samples",
        percent(100 * size / now.run.num_samples, 0),
    )


def _poison_tile(now: Snapshot, row: EpochRow | None, later: str, truth_shown: bool) -> tuple[str, str, str]:
    label = "Poison in the clean pool"
    assert now.run is not None
    if not truth_shown:
        return label, "–", "hidden with the truth" if now.run.truth_known else "truth unknown"
    poison = row.metrics.get("poison_in_clean_pool") if row else None
    if row is None or poison is None:
        return label, "–", later
    return label, count(poison), f"samples; {count(row.metrics.get('poison_in_clean_pool_cumulative') or 0)} cumulative"


def _target_tile(now: Snapshot, row: EpochRow | None, truth_shown: bool) -> tuple[str, ...]:
    label = "Suspected target class"
    assert now.run is not None
    config = now.run.config
    if config.split.all_to_all != "off":
        return label, "every class", "all-to-all: no single target"
    if row is None:
        return label, "–", "voted on after each epoch"
    judged = end_of_warm_up(now) if config.split.target_estimator == "auto" else None
    found = judged.verdict["kind"] if judged is not None and judged.verdict and row.epoch >= judged.epoch else None
    if row.pseudo_target is None:
        said = {"several": "several", "no_attack": "none"}.get(found or "", "–")
        return label, said, words.estimator(config.split.target_estimator)
    if found == "no_attack":
        return label, _name(now, row.pseudo_target), "no attack found; the likeliest class"
    verdict = ""
    if truth_shown and config.attack.attack != "none" and _kind(config.attack.attack).has_target:
        right = row.pseudo_target == config.attack.target_label
        verdict = "right" if right else f"wrong: {_name(now, config.attack.target_label)}"
    return label, _name(now, row.pseudo_target), words.estimator(config.split.target_estimator), verdict


# -- pictures --------------------------------------------------------------------------------------


def _pictures(runs: RunRegistry, now: Snapshot, epoch: int | None, palette: Palette, truth_shown: bool) -> None:
    """The five streams and the accuracy, in places that stay."""
    view = (
        None
        if now.run is None or epoch is None
        else View(
            path=now.path,
            version=now.run.version,
            epoch=epoch,
            palette=palette,
            truth_shown=truth_shown,
            map_kind=st.session_state.get("map_kind") or "auto",
        )
    )
    left, right = st.columns(2)
    with left:
        with st.container(key="map_pane"):
            _plot("feature_map", view, palette, HERO_HEIGHT)
            st.segmented_control(
                "Map",
                ["auto", "PCA", "UMAP"],
                key="map_kind",
                default="auto",
                required=True,
                label_visibility="collapsed",
                help="auto: UMAP of the newest epoch that has one, else PCA.",
            )
        _plot("loss_discrepancy", view, palette, HERO_HEIGHT)
    with right:
        for name in ("altruistic_loss", "oss_distance", "poison_in_pool", "accuracy"):
            _plot(name, view, palette, SIDE_HEIGHT)
    votes = st.expander(
        "Which class is the target? The evidence, and how to overrule it", key="votes_open", on_change="rerun"
    )
    if votes.open:
        with votes:
            target_panel(runs, now, view, palette, truth_shown)


def _plot(name: str, view: View | None, palette: Palette, height: int) -> None:
    """One picture under a constant key, so that zoom and selection stay."""
    drawing = panels.waiting(name, palette) if view is None else panels.drawing(name, view)
    live_plot(drawing, key=name, height=height, remake=figure_commands.command_of(name, view))
