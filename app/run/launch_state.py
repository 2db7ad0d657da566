"""The launch form in the session: what its fields hold now, and what they start from."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

import streamlit as st

from app.run.launch_form import FIRST_PRESET, LaunchForm
from app.state import keys
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig


def field_key(name: str) -> str:
    """Key of a field of the form as it stands."""
    return keys.launch_field(name, st.session_state.get(keys.FORM_NUMBER, 0))


def field_value(name: str) -> Any:
    """Value of a field, or what it will start from where it is not on the page."""
    return st.session_state.get(field_key(name), getattr(starting_form(), name))


def starting_form() -> LaunchForm:
    """What the fields start from: the chosen preset, or what another page filled in."""
    name = st.session_state.get(keys.PRESET, FIRST_PRESET)
    return st.session_state.get(keys.FORM_START) or _preset_form(name)


@lru_cache(maxsize=16)
def _preset_form(name: str) -> LaunchForm:
    return LaunchForm.from_config(preset(name))


def current_form() -> LaunchForm:
    """The form as it stands; fields that are not on the page have the value that they start from."""
    names = [field.name for field in fields(LaunchForm) if field.name != "preset"]
    return replace(starting_form(), **{name: field_value(name) for name in names})


def renew_fields() -> None:
    """Have new fields, which start from the preset."""
    st.session_state[keys.FORM_NUMBER] = st.session_state.get(keys.FORM_NUMBER, 0) + 1
    st.session_state.pop(keys.FORM_START, None)


def fill_in(config: BSDConfig) -> None:
    """Put data, attack and seed of a configuration into the form, under new fields; other fields keep their values."""
    form = current_form().with_data_and_attack(config)
    renew_fields()
    st.session_state[keys.FORM_START] = form
    # What was filled in is what the page Attacks shows, so that page need not start anew.
    st.session_state[keys.ATTACK_FORM_NUMBER] = st.session_state[keys.FORM_NUMBER]
