"""The form of the page Attacks: data, attack, target, rate, and the attack's own parameters."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.attacks import texts
from app.attacks.parameter_fields import parameter_fields
from app.attacks.trigger_upload import trigger_upload
from app.run.launch_form import WITH_PATH, LaunchForm
from app.run.launch_state import current_form
from app.server.class_names import class_names
from app.state import keys
from app.style import words
from app.style.theme import LONGEST_NAME
from bsd_engine import attacks
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError

HIGHEST_RATE = 90.0
"""Percent."""
UPLOAD_KEYS = (keys.TRIGGER_PATH, keys.TRIGGER_REFUSAL, keys.TRIGGER_UPLOAD)


def attack_form() -> BSDConfig:
    """Show the form, which starts from the launch form; returns the configuration that it asks for.

    Raises
    ------
    ConfigError, StorageError
        With one sentence, where a value does not fit.
    """
    start = current_form()
    _start_anew()
    spec = _data(start)
    first = start.attack if start.attack in attacks.names() else attacks.names()[0]
    name = st.selectbox(
        texts.ATTACK, attacks.names(), attacks.names().index(first), format_func=words.attack, **_kept("attack")
    )
    kind = attacks.kind(name)
    target = _target(class_names(spec), start.target_label, kind.has_target)
    rate = _rate(name, kind, start)
    parameters: dict[str, Any] = dict(trigger_upload()) if name == "custom" else {}
    parameters |= parameter_fields(name, kind, start.parameters.get(name, {}))
    limit, seed = _limit_and_seed(start)
    if rate is None or not 0 < rate <= HIGHEST_RATE:
        raise ConfigError(texts.bad_rate(rate, HIGHEST_RATE))
    return preset(start.preset).with_settings(
        data=spec,
        limit=limit,
        seed=0 if seed is None else seed,
        attack=name,
        target_label=target,
        rate=None if rate == 100 * kind.default_rate else rate / 100,
        attack_parameters=parameters,
    )


def _start_anew() -> None:
    """Once another preset is chosen, the fields start from it again, as those of the page Run do."""
    number = st.session_state.get(keys.FORM_NUMBER, 0)
    if st.session_state.setdefault(keys.ATTACK_FORM_NUMBER, number) == number:
        return
    stale = [key for key in st.session_state if str(key).startswith(keys.ATTACK_PREFIX) and key not in UPLOAD_KEYS]
    for key in stale:
        del st.session_state[key]
    st.session_state[keys.ATTACK_FORM_NUMBER] = number


def _kept(name: str) -> dict[str, Any]:
    """Key of a field whose value outlives a visit to another page."""
    return {"key": keys.attack_field(name), "persist_state": "session"}


def _data(start: LaunchForm) -> str:
    """The source of the images, as the engine names it."""
    kinds = list(words.SOURCES)
    source = st.selectbox(
        texts.DATA, kinds, kinds.index(start.source), format_func=words.SOURCES.get, **_kept("source")
    )
    if source not in WITH_PATH:
        return source
    path = st.text_input(
        texts.PATH, start.path, placeholder=texts.PATH_EXAMPLES[source], help=texts.PATH_HELP, **_kept("path")
    )
    return f"{source}:{path.strip()}"


def _target(names: tuple[str, ...], start: int, has_target: bool) -> int:
    """The target label by its name, or by its number where the names are not known; all-to-all has none."""
    why_not = None if has_target else texts.NO_TARGET_HELP
    if not names:
        number = st.number_input(
            texts.TARGET_CLASS,
            0,
            9999,
            start,
            step=1,
            disabled=not has_target,
            help=why_not or texts.TARGET_NUMBER_HELP,
            **_kept("target_number"),
        )
        return start if number is None else number
    return st.selectbox(
        texts.TARGET_CLASS,
        range(len(names)),
        start if start < len(names) else 0,
        format_func=lambda c: names[c][:LONGEST_NAME],
        disabled=not has_target,
        help=why_not,
        **_kept(f"target_{hash(names)}"),  # another data set has another list of classes
    )


def _rate(name: str, kind: type[attacks.Attack], start: LaunchForm) -> float | None:
    """The poisoning rate in percent; None where the field is empty."""
    label, text = (texts.CLEAN_RATE, texts.CLEAN_RATE_HELP) if kind.clean_label else (texts.RATE, texts.RATE_HELP)
    usual = 100 * kind.default_rate
    if name == start.attack:
        usual = start.clean_rate if kind.clean_label else start.rate
    return st.number_input(label, value=usual, step=0.5, format="%.2f", help=text, **_kept(f"rate_{name}"))


def _limit_and_seed(start: LaunchForm) -> tuple[int | None, int | None]:
    limit = st.number_input(
        texts.LIMIT,
        20,
        None,
        start.limit,
        step=1,
        placeholder=texts.ALL_IMAGES,
        help=texts.LIMIT_HELP,
        **_kept("limit"),
    )
    seed = st.number_input(texts.SEED, 0, 2**31 - 1, start.seed, step=1, help=texts.SEED_HELP, **_kept("seed"))
    return limit, seed
