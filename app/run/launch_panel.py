"""The launch form in the sidebar of the page Run: its Start button and its fields."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import streamlit as st

from app.run import texts
from app.run.launch_form import ESTIMATORS, FIRST_PRESET, WITH_PATH, rate_field
from app.run.launch_state import current_form, field_key, field_value, renew_fields, starting_form
from app.server.class_names import class_names
from app.server.eta import remaining_seconds
from app.server.registry import registry
from app.server.run_cache import prior_seconds
from app.state import keys
from app.style import words
from app.style.theme import LONGEST_NAME
from bsd_engine import attacks
from bsd_engine.config.presets import PRESETS
from bsd_engine.errors import BSDError

DOUBLE_CLICK = 3.0
"""Seconds within which two presses on Start with the same settings start one run."""


@st.fragment
def launch_panel() -> None:
    """The whole form. A fragment, so that a slider does not redraw the charts beside it."""
    _head()
    st.selectbox(
        texts.PRESET.label,
        list(PRESETS),
        list(PRESETS).index(FIRST_PRESET),
        format_func=lambda name: words.PRESETS.get(name, name),
        key=keys.PRESET,
        on_change=renew_fields,
        persist_state="session",
        help=texts.PRESET.help,
    )
    _data()
    _attack()
    _slider("alpha", 0.05, 1.0, 0.01)
    _slider("beta", 0.01, 1.0, 0.01)
    _slider("t1", 1, 60, 1)
    with st.expander(texts.MORE_SETTINGS):
        _more_settings()
        st.caption(texts.OTHER_STAGES)
        _stage_lengths_and_network()
    # The page shows the new run itself: the address of a timer tick may overtake one that this fragment sets.
    if keys.STARTED_RUN in st.session_state:
        st.rerun()


# -- head ------------------------------------------------------------------------------------------


def _head() -> None:
    """Start, what it would do, and why it did nothing; on top, where it stays visible whatever is open below."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with right:
        st.button(texts.START, key="start", type="primary", on_click=_start, width="stretch")
    with left:
        st.markdown(texts.NEW_RUN)
    form = current_form()
    refused, sentence = st.session_state.get(keys.REFUSAL) or (None, "")
    if refused == form:
        st.error(words.unformatted(sentence), icon=":material/error:")
        return
    try:
        config = form.to_config()
    except BSDError:
        st.caption("\N{NO-BREAK SPACE}")
        return
    seconds = remaining_seconds(config.schedule, (), prior=prior_seconds(registry().root, config))
    st.caption(texts.length(config.schedule.total_epochs, seconds))


def _start() -> None:
    """Start a run with the form's settings, or keep the sentence that says why not.

    Two presses within `DOUBLE_CLICK` with the same settings count as one: a double click, or a click that arrived twice
    because a tick of the page overtook it (seen once in fifteen walks on a busy machine: two runs waited).
    """
    form = current_form()
    last_form, pressed = st.session_state.get(keys.LAST_START, (None, 0.0))
    if form == last_form and time.monotonic() - pressed < DOUBLE_CLICK:
        return
    st.session_state[keys.REFUSAL] = None
    try:
        st.session_state[keys.STARTED_RUN] = registry().start(form.to_config())
    except BSDError as error:
        st.session_state[keys.REFUSAL] = (form, str(error))
    st.session_state[keys.LAST_START] = (form, time.monotonic())


# -- data and attack -------------------------------------------------------------------------------


def _data() -> None:
    _choice("source", words.SOURCES, format_func=words.SOURCES.get, on_change=_attack_of_source)
    source = field_value("source")
    if source in WITH_PATH:
        _text("path", placeholder=texts.PATH_EXAMPLES[source])


def _attack_of_source() -> None:
    """Choose no attack for images of the user's own, which may be poisoned already, and the preset's for others."""
    own_data = field_value("source") in WITH_PATH
    st.session_state[field_key("attack")] = "none" if own_data else starting_form().attack


def _attack() -> None:
    names = class_names(current_form().data_spec)
    left, right = st.columns(2)
    with left:
        _choice("attack", [*attacks.names(), "none"], format_func=words.attack)
    attack = field_value("attack")
    poisoned = attack != "none"
    with right:
        _class("target_label", names, disabled=not poisoned or not attacks.kind(attack).has_target)
    if attack == "custom":
        _text("trigger_image", placeholder=texts.TRIGGER_EXAMPLE)
    if rate_field(attack) == "clean_rate":
        _rate("clean_rate", (1.0, 90.0, 1.0), "%.0f %%")
    else:
        _rate("rate", (0.5, 30.0, 0.5), "%.1f %%", disabled=not poisoned)
    others = {name: value for name, value in current_form().own_parameters.items() if name != "image"}
    if others:
        st.caption(f"{words.unformatted(texts.other_parameters(others))}: {texts.SET_ELSEWHERE}")


def _rate(name: str, usual: tuple[float, float, float], unit: str, **more: Any) -> None:
    """A slider over the usual rates and the one that the form starts from."""
    low, high, step = usual
    start = getattr(starting_form(), name)
    _slider(name, min(low, start), max(high, start), step, format=unit, **more)


# -- more settings ---------------------------------------------------------------------------------


def _more_settings() -> None:
    _number("seed", 0, 2**31 - 1)
    _choice("device", ["auto", "cpu", "cuda"])
    _number("limit", 20, None, placeholder=texts.ALL_IMAGES)
    _choice("target_estimator", ESTIMATORS, format_func=words.estimator)
    if field_value("target_estimator") == "given":
        _class("assume_target", class_names(current_form().data_spec))
    _choice("completion", texts.COMPLETIONS, format_func=texts.COMPLETIONS.get)
    _number("alpha_start", 0.01, 1.0, step=0.01, placeholder=texts.AS_BETA)
    _choice("init_combine", texts.FIRST_POOLS, format_func=texts.FIRST_POOLS.get)
    _toggle("selective_drop")
    _toggle("flip")


def _stage_lengths_and_network() -> None:
    _number("altruistic_epochs", 1, 1000)
    _number("init_epochs", 0, 1000)
    _number("completion_epochs", 0, 9000)
    _number("drop_epochs", 0, 9000)
    _number("iterations", 1, 100000)
    networks = dict.fromkeys([*texts.NETWORKS, field_value("model")])
    _choice("model", networks, format_func=lambda name: texts.NETWORKS.get(name, name))
    _number("width", 8, 512)


# -- fields ----------------------------------------------------------------------------------------


def _options(name: str) -> dict[str, Any]:
    """What every field has: label, help, and a key whose value outlives a visit to another page."""
    text = texts.FIELDS[name]
    return {"label": text.label, "help": text.help, "key": field_key(name), "persist_state": "session"}


def _choice(name: str, options: Iterable[Any], **more: Any) -> None:
    options, value = list(options), field_value(name)
    first = options.index(value) if value in options else 0
    st.selectbox(options=options, index=first, **{**_options(name), **more})


def _number(name: str, low: float, high: float | None, *, step: float = 1, **more: Any) -> None:
    st.number_input(min_value=low, max_value=high, value=field_value(name), step=step, **{**_options(name), **more})


def _slider(name: str, low: float, high: float, step: float, **more: Any) -> None:
    st.slider(min_value=low, max_value=high, value=field_value(name), step=step, **{**_options(name), **more})


def _text(name: str, **more: Any) -> None:
    st.text_input(value=field_value(name), **_options(name), **more)


def _toggle(name: str) -> None:
    st.toggle(value=field_value(name), **_options(name))


def _class(name: str, names: tuple[str, ...], disabled: bool = False) -> None:
    """A class by its name, or by its number where the names are not known."""
    if names:
        _choice(name, range(len(names)), disabled=disabled, format_func=lambda c: names[c][:LONGEST_NAME])
    else:
        _number(name, 0, 9999, disabled=disabled, help=texts.CLASS_NUMBER_HELP)
