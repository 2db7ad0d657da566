"""The form of the page Attacks: data, attack, and fields made from the attack's own parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.run.launch_form import LaunchForm
from app.run.launch_state import current_form
from app.server import uploads
from app.server.class_names import class_names
from app.state import keys
from app.style import words
from app.style.theme import LONGEST_NAME
from bsd_engine import attacks
from bsd_engine.attacks.custom import MAX_BYTES
from bsd_engine.attacks.described import Parameter, parameters_of
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, ConfigError

RATE_HELP = "Share of the images of the other classes that get the trigger. Above 0, at most 90 %."
CLEAN_RATE_HELP = (
    "Share of the target class that gets the trigger; this attack changes no label. Above 0, at most 90 %."
)
PICTURE_HELP = "Small PNG or JPEG; transparent parts stay invisible. Without one a drawn star is taken."
HIGHEST_RATE = 90.0
_UPLOADED = ("seen_picture", "seen_refusal", "seen_upload")
_LABELS = {"col": "Column", "eps": "Epsilon (largest change)"}
_UNITS = (
    (r", pixels\b|^(Row|Column) of", "pixels"),
    (r", grey levels\b", "grey levels"),
    (r", 0 to 1\b|^Share of", "0 to 1"),
    (r"^Periods", "periods"),
    (r"^Control points", "points a side"),
    (r"^Number of scenes", "scenes"),
    (r"^(Number of e|E)pochs|, epochs\b", "epochs"),
)


def attack_form() -> BSDConfig:
    """Show the form; returns the configuration that it asks for, raises `ConfigError` or `StorageError` with one sentence."""
    start = current_form()
    _begin_anew()
    source, path = _data(start)
    spec = f"{source}:{path.strip()}" if source in ("folder", "npz") else source
    first = start.attack if start.attack in attacks.names() else attacks.names()[0]
    name = st.selectbox(
        "Attack", attacks.names(), attacks.names().index(first), format_func=words.attack, **_kept("attack")
    )
    kind = attacks.kind(name)
    target = _target(class_names(spec), start.target_label, kind.has_target)
    label, text = (
        ("Poisoned share of the target class, %", CLEAN_RATE_HELP)
        if kind.clean_label
        else ("Poisoning rate, %", RATE_HELP)
    )
    usual = (
        getattr(start, "clean_rate" if kind.clean_label else "rate")
        if name == start.attack
        else 100 * kind.default_rate
    )
    rate = st.number_input(label, value=usual, step=0.5, format="%.2f", help=text, **_kept(f"rate_{name}"))
    given = _picture() if name == "custom" else {}
    given |= _parameters(name, kind, start.parameters.get(name, {}))
    limit = st.number_input(
        "Training images",
        20,
        None,
        start.limit,
        step=1,
        placeholder="all",
        help="Drawn so that the classes keep their shares.",
        **_kept("limit"),
    )
    seed = st.number_input(
        "Seed",
        0,
        2**31 - 1,
        start.seed,
        step=1,
        **_kept("seed"),
        help="Decides which images are poisoned, and what is random about the trigger.",
    )
    if rate is None or not 0 < rate <= HIGHEST_RATE:
        found = "not given" if rate is None else f"{rate:g} %"
        raise ConfigError(
            f"The poisoning rate is {found}, expected more than 0 % and at most {HIGHEST_RATE:g} %; change it."
        )
    return preset(start.preset).with_settings(
        data=spec,
        limit=limit,
        seed=0 if seed is None else seed,
        attack=name,
        target_label=target,
        rate=None if rate == 100 * kind.default_rate else rate / 100,
        attack_parameters=given,
    )


def _begin_anew() -> None:
    """Once another preset is chosen, the fields start from it again, as those of the page Run do."""
    number = st.session_state.get("new_form", 0)
    if st.session_state.setdefault(keys.ATTACK_FORM_NUMBER, number) != number:
        for key in [key for key in st.session_state if str(key).startswith("seen_") and key not in _UPLOADED]:
            del st.session_state[key]
        st.session_state[keys.ATTACK_FORM_NUMBER] = number


def _kept(name: str) -> dict[str, Any]:
    """Key of a field whose value outlives a visit to another page."""
    return {"key": f"seen_{name}", "persist_state": "session"}


def _data(start: LaunchForm) -> tuple[str, str]:
    kinds = list(words.SOURCES)
    source = st.selectbox("Data", kinds, kinds.index(start.source), format_func=words.SOURCES.get, **_kept("source"))
    if source not in ("folder", "npz"):
        return source, ""
    path = st.text_input(
        "Path",
        start.path,
        placeholder="/home/me/images" if source == "folder" else "/home/me/images.npz",
        help="A folder with train/CLASS/*.png and, if there is one, test/CLASS/*.png; or an .npz file.",
        **_kept("path"),
    )
    return source, path


def _target(names: tuple[str, ...], start: int, has_target: bool) -> int:
    """The target by its name, or by its number where the names are not known; all-to-all has none."""
    why = None if has_target else "Every class is sent to the next one."
    if not names:
        number = st.number_input(
            "Target class",
            0,
            9999,
            start,
            step=1,
            disabled=not has_target,
            help=why or "Number of the class, from 0.",
            **_kept("target_number"),
        )
        return start if number is None else number
    first = start if start < len(names) else 0
    # The names are part of the key: another data set has another list of classes.
    return st.selectbox(
        "Target class",
        range(len(names)),
        first,
        format_func=lambda c: names[c][:LONGEST_NAME],
        disabled=not has_target,
        help=why,
        **_kept(f"target_{hash(names)}"),
    )


# -- the attack's own parameters -------------------------------------------------------------------


def _parameters(name: str, kind: type[attacks.Attack], start: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the attack's defaults; the fields start from the preset's parameters."""
    wanted = [p for p in parameters_of(kind) if (name, p.name) != ("custom", "image")]
    given = {p.name: _field(f"{name}_{p.name}", p, start.get(p.name, p.default)) for p in wanted}
    return {p.name: given[p.name] for p in wanted if given[p.name] != p.default and given[p.name] is not None}


def label_of(parameter: Parameter) -> str:
    """Name of a parameter with its unit, where the text that explains it names one."""
    name = _LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize())
    unit = next((unit for pattern, unit in _UNITS if re.search(pattern, parameter.help)), None)
    wants_unit = unit and unit not in name and parameter.kind in ("number", "whole number")
    return f"{name}, {unit}" if wants_unit else name


def _field(key: str, parameter: Parameter, value: Any) -> Any:
    """The widget that fits a parameter; an empty number means that the attack chooses."""
    label = label_of(parameter)
    more = {"help": words.unformatted(parameter.help), **_kept(key)}
    if parameter.kind == "choice":
        return st.selectbox(label, parameter.choices, parameter.choices.index(value), format_func=_plain, **more)
    if parameter.kind == "switch":
        return st.toggle(label, value, **more)
    if parameter.kind == "text":
        return st.text_input(label, value, **more)
    whole = parameter.kind == "whole number"
    step, form, default = (1, "%d", value) if whole else (_step(parameter.default), "%.6g", _float(value))
    return st.number_input(label, value=default, step=step, format=form, placeholder="chosen by the attack", **more)


def _float(value: float | None) -> float | None:
    """Streamlit wants value and step of one type, and a default may be written without a point."""
    return None if value is None else float(value)


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _step(default: float | None) -> float:
    """A tenth of the scale of a number."""
    return 1.0 if default is not None and default > 2 else 0.05


# -- a picture of one's own ------------------------------------------------------------------------


def _picture() -> dict[str, Any]:
    """The uploaded picture as a parameter; it stays chosen during visits to other pages."""
    st.file_uploader(
        "Picture",
        ["png", "jpg", "jpeg"],
        key="seen_upload",
        on_change=_on_upload,
        max_upload_size=MAX_BYTES // 10**6,
        help=PICTURE_HELP,
    )
    if refusal := st.session_state.get("seen_refusal"):
        raise ConfigError(refusal)
    path = st.session_state.get("seen_picture")
    if path is None or not path.is_file():
        return {}
    if st.session_state.get("seen_upload") is None:
        st.button("Take the star instead", on_click=_forget_picture)
    return {"image": str(path)}


def _on_upload() -> None:
    """Take the picture, or keep the sentence that says why not."""
    _forget_picture()
    if (file := st.session_state.get("seen_upload")) is None:
        return
    try:
        st.session_state["seen_picture"] = uploads.stored(file.getvalue())
    except BSDError as error:
        st.session_state["seen_refusal"] = str(error)


def _forget_picture() -> None:
    st.session_state["seen_picture"] = st.session_state["seen_refusal"] = None
