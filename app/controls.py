"""The form that starts a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import streamlit as st

from app import words
from app.recorded import prior_seconds
from app.session import registry
from app.theme import LONGEST_NAME
from bsd_engine import attacks
from bsd_engine.config import BSDConfig
from bsd_engine.errors import BSDError
from app.eta import remaining_seconds
from bsd_engine.presets import PRESETS, preset

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FIRST_PRESET = "demo"
ALPHA_HELP = (
    "The largest share of all samples in the clean pool. The first split keeps this share by altruistic loss. The paper "
    "recommends 0.3 to 0.8 and uses 0.6; low values starve the main model, high ones let poison in."
)
BETA_HELP = (
    "Does two things: the share of the suspected class that is kept by its distance from the other classes, and the share "
    "of all samples that class completion starts from. The paper recommends less than 0.5 and uses 0.2. Never above alpha."
)
T1_HELP = (
    "Epochs in which the main model trains without the suspected class, before the first split. The later stages move along "
    "and keep their lengths. The paper uses 20; the demo 8."
)
RATE_HELP = "Share of the images of the other classes that get the trigger and the target's label. The paper uses 5 %."
ESTIMATOR_HELP = (
    "How the target class is guessed without the truth. Median probability (ours): the class that the altruistic model "
    "gives some probability everywhere. Paper's vote: the class that is second most likely most often."
)


def form_of(config: BSDConfig) -> dict[str, Any]:
    """Values of the form that give a configuration."""
    schedule, split = config.schedule, config.split
    kind, _, path = config.data.data.partition(":")
    return {
        "source": kind, "path": path, "attack": config.attack.attack, "target_label": config.attack.target_label,
        "rate": 100 * config.attack.rate, "alpha": split.alpha, "beta": split.beta, "t1": schedule.t1,
        "seed": config.seed, "device": config.device, "limit": config.data.limit, "flip": config.data.flip,
        "model": config.model.model, "width": config.model.width, "altruistic_epochs": schedule.altruistic_epochs,
        "init_epochs": schedule.init_epochs, "completion_epochs": schedule.t2 - schedule.t1 - schedule.init_epochs,
        "drop_epochs": schedule.t3 - schedule.t2, "iterations": schedule.iterations,
        "target_estimator": split.target_estimator, "assume_target": split.assume_target or 0,
        "completion": split.completion, "init_combine": split.init_combine, "selective_drop": split.selective_drop,
    }


def config_of(form: Mapping[str, Any]) -> BSDConfig:
    """The configuration that a filled form asks for; raises `ConfigError` with one sentence.

    T2 and T3 follow from the lengths of the stages, by way of `ScheduleConfig.with_warmup`.
    """
    config = preset(form["preset"])
    start = config.schedule.t1 + form["init_epochs"]
    t2 = start + form["completion_epochs"]
    schedule = replace(
        config.schedule, altruistic_epochs=form["altruistic_epochs"], init_epochs=form["init_epochs"], t2=t2,
        t3=t2 + form["drop_epochs"], iterations=form["iterations"],
    ).with_warmup(form["t1"])
    settings = {name: form[name] for name in (
        "attack", "target_label", "alpha", "beta", "seed", "device", "limit", "flip", "model", "width", "target_estimator",
        "completion", "init_combine", "selective_drop",
    )}
    spec = f"{form['source']}:{form['path'].strip()}" if form["source"] in ("folder", "npz") else form["source"]
    given = form["target_estimator"] == "given"
    return replace(config.with_settings(
        data=spec, rate=form["rate"] / 100, assume_target=form["assume_target"] if given else None, **settings,
    ), schedule=schedule)


@lru_cache(maxsize=16)
def class_names(source: str, path: str) -> tuple[str, ...]:
    """Names of a source's classes; none where finding out would be slow or the source is not there."""
    from bsd_engine import sources

    if source == "cifar10":
        return CIFAR10
    if source == "gtsrb" or (source in ("folder", "npz") and not path.strip()):
        return ()
    try:
        return sources.open_source(f"{source}:{path.strip()}" if path else source).class_names
    except BSDError:
        return ()


def _key(name: str) -> str:
    return f"new_{name}"


def _fill(config: BSDConfig) -> None:
    for name, value in form_of(config).items():
        st.session_state[_key(name)] = value


def _on_preset() -> None:
    _fill(preset(st.session_state[_key("preset")]))


def _form() -> dict[str, Any]:
    names = ["preset", *form_of(preset(FIRST_PRESET))]
    return {name: st.session_state[_key(name)] for name in names}


def _start() -> None:
    """Start a run with the form's settings, or keep the sentence that says why not."""
    st.session_state["start_error"] = None
    try:
        st.session_state["started_run"] = registry().start(config_of(_form()))
    except BSDError as error:
        st.session_state["start_error"] = str(error)


@st.fragment
def launch_panel() -> None:
    """The whole form. A fragment, so that a slider does not redraw the charts beside it."""
    if _key("preset") not in st.session_state:
        st.session_state[_key("preset")] = FIRST_PRESET
        _fill(preset(FIRST_PRESET))
    st.markdown("**New run**")
    _data_and_attack()
    _split()
    with st.expander("More settings"):
        _more()
    started = st.session_state.pop("started_run", None)
    st.button("Start", key="start", type="primary", on_click=_start, width="stretch")
    _foot()
    if started:
        st.session_state["chosen_run"] = started
        st.rerun()


def _keyed(name: str) -> dict[str, Any]:
    """Key of a field; its value outlives a visit to another page."""
    return {"key": _key(name), "persist_state": "session"}


def _data_and_attack() -> None:
    st.selectbox("Preset", list(PRESETS), format_func=lambda p: words.PRESETS.get(p, p), on_change=_on_preset,
                 help="Sets every field below; change what you like afterwards.", **_keyed("preset"))
    st.selectbox("Data", list(words.SOURCES), format_func=words.SOURCES.get, **_keyed("source"))
    if st.session_state[_key("source")] in ("folder", "npz"):
        st.text_input("Path", placeholder="/home/me/images", help="A folder with train/CLASS/*.png and, if there is one, "
                      "test/CLASS/*.png; or an .npz file.", **_keyed("path"))
    left, right = st.columns(2)
    with left:
        st.selectbox("Attack", [*attacks.names(), "none"], format_func=words.attack,
                     help="none: for data that may be poisoned already.", **_keyed("attack"))
    poisoned = st.session_state[_key("attack")] != "none"
    with right:
        _class_field("Target class", "target_label", disabled=not poisoned)
    st.slider("Poisoning rate", 0.5, 30.0, step=0.5, format="%.1f %%", disabled=not poisoned, help=RATE_HELP, **_keyed("rate"))


def _class_field(label: str, name: str, disabled: bool = False) -> None:
    """A class by its name, or by its number where the names are not known."""
    names = class_names(st.session_state[_key("source")], st.session_state[_key("path")])
    if not names:
        st.number_input(label, 0, 9999, step=1, disabled=disabled, help="Number of the class, from 0.", **_keyed(name))
        return
    st.session_state[_key(name)] = min(st.session_state[_key(name)], len(names) - 1)
    st.selectbox(label, range(len(names)), format_func=lambda c: f"{names[c]}"[:LONGEST_NAME], disabled=disabled, **_keyed(name))


def _split() -> None:
    st.slider("alpha: share of samples kept", 0.05, 1.0, step=0.01, help=ALPHA_HELP, **_keyed("alpha"))
    st.slider("beta: share of the suspected class kept", 0.01, 1.0, step=0.01, help=BETA_HELP, **_keyed("beta"))
    st.slider("T1: warm-up epochs of the main model", 1, 60, help=T1_HELP, **_keyed("t1"))


def _more() -> None:
    number = partial(st.number_input, step=1)
    number("Seed", 0, 2**31 - 1, help="The same seed gives the same pools.", **_keyed("seed"))
    st.selectbox("Device", ["auto", "cpu", "cuda"], help="auto takes the GPU if there is one.", **_keyed("device"))
    number("Training images", 20, None, placeholder="all", help="Drawn with an equal share for each class.", **_keyed("limit"))
    st.selectbox("Target guessed", list(words.ESTIMATORS), format_func=words.ESTIMATORS.get, help=ESTIMATOR_HELP,
                 **_keyed("target_estimator"))
    if st.session_state[_key("target_estimator")] == "given":
        _class_field("Assumed target", "assume_target")
    st.selectbox("Class completion", ["fewest", "balanced", "off"], format_func={
        "fewest": "fewest class (paper)", "balanced": "every class (ours)", "off": "off"}.get,
        help="Which classes are kept from starving while the pool grows.", **_keyed("completion"))
    st.selectbox("First pool", ["intersection", "union", "als_only", "oss_only", "random"], format_func={
        "intersection": "kept by both (Eq. 3)", "union": "kept by either", "als_only": "loss alone",
        "oss_only": "distance alone", "random": "at random"}.get, **_keyed("init_combine"))
    st.toggle("Selective drop", help="From T2 on, drop samples that both models call the suspected class.",
              **_keyed("selective_drop"))
    st.toggle("Mirror images", help="Augment by mirroring; off for signs and letters.", **_keyed("flip"))
    st.caption("Epochs of the other stages")
    number("Altruistic warm-up", 1, 1000, **_keyed("altruistic_epochs"))
    number("Initial pools", 0, 1000, **_keyed("init_epochs"))
    number("Completion", 0, 9000, **_keyed("completion_epochs"))
    number("Selective drop", 0, 9000, **_keyed("drop_epochs"))
    number("Iterations in an epoch", 1, 100000, **_keyed("iterations"))
    st.selectbox("Network", ["small_resnet", "resnet18"], format_func={
        "small_resnet": "small ResNet", "resnet18": "ResNet-18"}.get, **_keyed("model"))
    number("Channels of its first stage", 1, 1024, **_keyed("width"))


def _foot() -> None:
    """What Start would do, or why it did nothing."""
    error = st.session_state.get("start_error")
    if error:
        st.error(words.unformatted(error), icon=":material/error:")
        return
    try:
        config = config_of(_form())
    except BSDError:
        st.caption("\N{NO-BREAK SPACE}")
        return
    seconds = remaining_seconds(config.schedule, (), prior=prior_seconds(registry().root, config))
    about = f", about {words.duration(seconds)} by the last run like it" if seconds else ""
    st.caption(f"{config.schedule.total_epochs} epochs{about}")
