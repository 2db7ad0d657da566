"""The head of a run: its settings as chips, a sentence on what it is doing, and the buttons that steer it."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import streamlit as st

from app.run import texts
from app.run.position import follow, position
from app.run.status import Snapshot, attack_kind, sentence
from app.server.registry import RunRegistry
from app.state import keys
from app.style import words
from app.style.theme import count
from bsd_engine.errors import BSDError

ICONS = {texts.PAUSE: "pause", texts.RESUME: "play_arrow", texts.STOP: "stop"}


def show(runs: RunRegistry, now: Snapshot, truth_shown: bool) -> None:
    """All of it."""
    st.html(_chips(now, truth_shown))
    left, right = st.columns([8, 7], vertical_alignment="center")
    with left:
        doing = html.escape(sentence(now, runs, truth_shown=truth_shown), quote=False)
        st.html(f'<div class="now">{doing}</div>')
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        _follow_button(now)
        _command_buttons(runs, now)


# -- chips -----------------------------------------------------------------------------------------


def _chips(now: Snapshot, truth_shown: bool) -> str:
    """Data, attack, truth, settings and device, each a chip."""
    if now.run is None:
        return f'<div class="chips"><span>{texts.NOT_STARTED.get(now.status, texts.STARTING)}</span></div>'
    config, split = now.run.config, now.run.config.split
    chips = [
        f"{words.source(config.data.data)}, {count(now.run.num_samples)} images",
        _attack_chip(now, truth_shown),
        _truth_chip(now, truth_shown),
        f"alpha {split.alpha:g} · beta {split.beta:g} · T1 {config.schedule.t1}",
        f"seed {config.seed}",
        words.short((now.summary or {}).get("device") or _device(config.device)),
    ]
    spans = "".join(f"<span>{html.escape(str(chip), quote=False)}</span>" for chip in chips)
    return f'<div class="chips">{spans}</div>'


def _truth_chip(now: Snapshot, truth_shown: bool) -> str:
    assert now.run is not None
    if not now.run.truth_known:
        return texts.TRUTH_UNKNOWN
    return texts.TRUTH_SHOWN if truth_shown else texts.TRUTH_HIDDEN


def _attack_chip(now: Snapshot, truth_shown: bool) -> str:
    assert now.run is not None
    attack = now.run.config.attack
    if attack.attack == "none":
        return texts.NO_ATTACK_ADDED
    if not truth_shown:
        return texts.ATTACK_HIDDEN
    kind = attack_kind(attack.attack)
    rate = kind.default_rate if attack.rate is None else attack.rate
    target = now.class_name(attack.target_label) if kind.has_target else texts.NEXT_CLASS
    of_class = " of the class" if kind.clean_label else ""
    return f"{words.attack(attack.attack)} {100 * rate:g} %{of_class} → {target}"


@lru_cache(maxsize=8)
def _device(setting: str) -> str:
    from bsd_engine.compute import runtime

    try:
        return runtime.choose(setting).description
    except BSDError:
        return setting


# -- buttons ---------------------------------------------------------------------------------------


def _follow_button(now: Snapshot) -> None:
    shown = position(now)
    label = texts.FOLLOW_LIVE if now.live else texts.LAST_EPOCH
    st.button(
        texts.newer(label, len(now.rows) - 1 - (shown.epoch or 0)),
        key="follow",
        type="secondary" if shown.following else "primary",
        disabled=shown.following,
        on_click=follow,
        help=texts.FOLLOWING if shown.following else None,
    )


def _command_buttons(runs: RunRegistry, now: Snapshot) -> None:
    """Pause, Resume, Stop: always there, and each says why it cannot be pressed."""
    running, paused = (now.is_own and now.status == status for status in ("running", "paused"))
    training = running or paused
    why = texts.COMMAND_PENDING if now.waiting else texts.WHY_NOT.get(now.status, texts.NOT_TRAINING)
    why = why if now.is_own else words.READ_ONLY
    _button(
        texts.PAUSE,
        running and not now.waiting,
        texts.ALREADY_PAUSED if paused else why,
        lambda: runs.command(now.run_id, "pause"),
    )
    _button(
        texts.RESUME,
        (paused or now.can_resume) and not now.waiting,
        texts.ALREADY_TRAINING if running else why,
        (lambda: runs.command(now.run_id, "resume")) if training else (lambda: runs.resume(now.run_id)),
    )
    _button(
        texts.STOP,
        now.status == "queued" or (training and now.waiting != "stop"),
        why,
        lambda: runs.command(now.run_id, "stop"),
    )


def _button(label: str, possible: bool, why_not: str, action: Callable[[], Any]) -> None:
    st.button(
        label,
        key=label.lower(),
        icon=f":material/{ICONS[label]}:",
        disabled=not possible,
        help=None if possible else why_not,
        on_click=_do,
        args=(action,),
    )


def _do(action: Callable[[], Any]) -> None:
    """Do what a button says, or keep the sentence that says why not."""
    try:
        action()
    except BSDError as error:
        st.session_state[keys.COMMAND_ERROR] = str(error)
