"""Fields made from an attack's own parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.attacks import texts
from app.state import keys
from app.style import words
from bsd_engine import attacks
from bsd_engine.attacks.described import Parameter, parameters_of


def parameter_fields(name: str, kind: type[attacks.Attack], start: Mapping[str, Any]) -> dict[str, Any]:
    """Show a field for each parameter; returns what differs from the attack's defaults.

    Parameters
    ----------
    start : what the fields start from, where it is not the default
    """
    shown = [p for p in parameters_of(kind) if (name, p.name) != ("custom", "image")]
    given = {p.name: _field(f"{name}_{p.name}", p, start.get(p.name, p.default)) for p in shown}
    return {p.name: given[p.name] for p in shown if given[p.name] != p.default and given[p.name] is not None}


def label_of(parameter: Parameter) -> str:
    """Name of a parameter with its unit, where the text that explains it names one."""
    name = texts.PARAMETER_NAMES.get(parameter.name, parameter.name.replace("_", " ").capitalize())
    unit = next((unit for pattern, unit in texts.PARAMETER_UNITS if re.search(pattern, parameter.help)), None)
    wants_unit = unit and unit not in name and parameter.kind in ("number", "whole number")
    return f"{name}, {unit}" if wants_unit else name


def _field(name: str, parameter: Parameter, value: Any) -> Any:
    """The widget that fits a parameter; an empty number means that the attack chooses."""
    label = label_of(parameter)
    more = {"help": words.unformatted(parameter.help), "key": keys.attack_field(name), "persist_state": "session"}
    if parameter.kind == "choice":
        first = parameter.choices.index(value)
        return st.selectbox(label, parameter.choices, first, format_func=_without_underscores, **more)
    if parameter.kind == "switch":
        return st.toggle(label, value, **more)
    if parameter.kind == "text":
        return st.text_input(label, value, **more)
    whole = parameter.kind == "whole number"
    # Streamlit wants value and step of one type, and a default may be written without a point.
    start = value if whole or value is None else float(value)
    step, pattern = (1, "%d") if whole else (_step(parameter.default), "%.6g")
    return st.number_input(label, value=start, step=step, format=pattern, placeholder=texts.CHOSEN_BY_ATTACK, **more)


def _without_underscores(word: str) -> str:
    return word.replace("_", " ")


def _step(default: float | None) -> float:
    """A step that suits the scale of a number."""
    return 1.0 if default is not None and default > 2 else 0.05
