"""The head of the page Attacks: what was done to the set, and what can be done with it."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app.attacks import texts
from app.attacks.poisoned_view import PoisonedView
from app.run.launch_state import fill_in
from app.server import uploads
from app.server.noting import noted_export
from app.server.registry import registry, runs_root
from app.style import words
from app.style.theme import class_name
from bsd_engine import attacks
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.prepare import export

LARGEST_DOWNLOAD = 200_000_000
"""Bytes."""


def head(config: BSDConfig, view: PoisonedView, run_page: st.Page) -> None:
    """All of it; `run_page` is where a run with this attack is started."""
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        st.html(f'<div class="now three">{html.escape(summary(config, view), quote=False)}</div>')
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        _save(config, view)
        if st.button(
            texts.TRAIN, key="train_with", type="primary", icon=":material/play_arrow:", help=texts.TRAIN_HELP
        ):
            _carry_over(config, run_page)


def summary(config: BSDConfig, view: PoisonedView) -> str:
    """What the attack did to the set, in plain text."""
    kind = attacks.kind(config.attack.attack)
    target = html.unescape(class_name(view.prepared.class_names, config.attack.target_label))
    return texts.summary(
        config.attack.attack,
        words.source(config.data.data),
        int(view.poison_mask.sum()),
        view.size,
        texts.labels_given(target, has_target=kind.has_target, clean_label=kind.clean_label),
        int(view.noise_mask.sum()),
    )


def _save(config: BSDConfig, view: PoisonedView) -> None:
    """The set as a file, and the command that makes it, which is all there is where it is too large for a browser."""
    size = view.prepared.nbytes
    if size <= LARGEST_DOWNLOAD:
        st.download_button(
            texts.download(size),
            noted_export(runs_root(), "", "poisoned.npz", lambda: export.npz_bytes(view.prepared)),
            "poisoned.npz",
            "application/octet-stream",
            key="download",
            on_click="ignore",
            icon=":material/download:",
            help=texts.DOWNLOAD_HELP,
        )
    with st.popover(texts.COMMAND, help=texts.COMMAND_HELP):
        if size > LARGEST_DOWNLOAD:
            st.markdown(texts.too_large(size))
        st.markdown(texts.COMMAND_NOTE)
        st.code(export.command(config), language="bash", wrap_lines=True)


def _carry_over(config: BSDConfig, run_page: st.Page) -> None:
    """Fill in the launch form of the page Run and go there."""
    parameters = dict(config.attack.attack_parameters)
    try:
        if "image" in parameters:
            parameters["image"] = str(uploads.kept(Path(parameters["image"]), registry().triggers))
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return
    fill_in(replace(config, attack=replace(config.attack, attack_parameters=parameters)))
    st.switch_page(run_page)
