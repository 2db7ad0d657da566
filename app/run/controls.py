"""The form that starts a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, get_args, get_type_hints

import streamlit as st

from app.server import data_paths
from app.server.eta import remaining_seconds
from app.server.registry import registry
from app.server.run_cache import prior_seconds
from app.style import words
from app.style.theme import LONGEST_NAME
from bsd_engine import attacks
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.config.method_settings import SplitConfig
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FIRST_PRESET = "demo"
FORM_KEY = "seen_form"
"""The form of the page Run that the fields of the page Attacks started from."""
ONE_CLICK = 3.0
"""Seconds."""
ESTIMATORS = tuple(name for name in get_args(get_type_hints(SplitConfig)["target_estimator"]) if name != "lga_vote")
COMPLETIONS = {
    "fewest": "fewest class (paper)",
    "balanced": "every class (ours)",
    "balanced_others": "all but the suspected (ours)",
    "off": "off",
}
FIRST_POOLS = {
    "intersection": "kept by both (Eq. 3)",
    "union": "kept by either",
    "als_only": "by loss alone",
    "oss_only": "by distance alone",
    "random": "at random",
}
NETWORKS = {"small_resnet": "small ResNet", "resnet18": "ResNet-18", "mobilenet_v2": "MobileNet-v2"}
ALPHA_HELP = (
    "The largest share of all samples in the clean pool. The first split keeps this share by altruistic loss. The paper "
    "recommends 0.3 to 0.8 and uses 0.6; low values starve the main model, high ones let poison in."
)
BETA_HELP = (
    "Does two things: the share of the suspected class that is kept by its distance from the other classes, and, unless "
    '"Completion starts from" under More settings says otherwise, the share of all samples that class completion starts from. '
    "The paper recommends less than 0.5 and uses 0.2. Never above alpha."
)
ALPHA_START_HELP = "Share of all samples that class completion starts from; beta when empty, as in the paper. Where it is above alpha, alpha is taken."
T1_HELP = (
    "Epochs in which the main model trains without the suspected class, before the first split. The later stages move along "
    "and keep their lengths. The paper uses 20, the demo 5."
)
RATE_HELP = "Share of the images of the other classes that get the trigger and the target's label. The paper uses 5 %."
CLEAN_RATE_HELP = "Share of the target class that gets the trigger; this attack changes no label. The paper uses 25 %."
ESTIMATOR_HELP = (
    "How the target class is guessed without the truth. Residual transplant (ours): what sets a class apart is put onto other "
    "images, and where the altruistic model follows, that is the target; it can also find no attack. Probability floor (ours): "
    "the class that the model rules out least anywhere. Paper's vote: the class that is second most likely most often."
)


def form_of(config: BSDConfig) -> dict[str, Any]:
    """Values of the form that give a configuration."""
    schedule, split = config.schedule, config.split
    kind, _, path = config.data.data.partition(":")
    return {
        "source": kind,
        "path": path,
        "attack": config.attack.attack,
        "target_label": config.attack.target_label,
        **_rates_of(config.attack),
        "picture": config.attack.attack_parameters.get("image", ""),
        "parameters": {config.attack.attack: config.attack.attack_parameters},
        "alpha": split.alpha,
        "beta": split.beta,
        "alpha_start": split.alpha_start,
        "t1": schedule.t1,
        "seed": config.seed,
        "device": config.device,
        "limit": config.data.limit,
        "flip": config.data.flip,
        "model": config.model.model,
        "width": config.model.width,
        "altruistic_epochs": schedule.altruistic_epochs,
        "init_epochs": schedule.init_epochs,
        "completion_epochs": schedule.t2 - schedule.t1 - schedule.init_epochs,
        "drop_epochs": schedule.t3 - schedule.t2,
        "iterations": schedule.iterations,
        "target_estimator": split.target_estimator,
        "assume_target": split.assume_target or 0,
        "completion": split.completion,
        "init_combine": split.init_combine,
        "selective_drop": split.selective_drop,
    }


def _rates_of(attack: AttackConfig) -> dict[str, float]:
    """Percent: a rate for attacks on the other classes and one for those on the target class, which mean different things."""
    rates = {"rate": attacks.Attack.default_rate, "clean_rate": attacks.kind("sig").default_rate}
    if attack.attack != "none" and attack.rate is not None:
        rates[_rate_field(attack.attack)] = attack.rate
    return {name: 100 * rate for name, rate in rates.items()}


def _rate_field(attack: str) -> str:
    return "clean_rate" if attack != "none" and attacks.kind(attack).clean_label else "rate"


def _attack_settings(form: Mapping[str, Any], before: AttackConfig) -> dict[str, Any]:
    """Attack, rate and parameters; parameters stay with the attack that they are of, and the attack's own rate is not spelled out."""
    name = form["attack"]
    rate = form[_rate_field(name)] / 100
    kept = {key: value for key, value in _own_parameters(form).items() if (name, key) != ("custom", "image")}
    picture = {"image": form["picture"].strip()} if name == "custom" and form["picture"].strip() else {}
    spelled_out = before.rate is not None or name == "none" or rate != attacks.kind(name).default_rate
    return {"attack": name, "rate": rate if spelled_out else None, "attack_parameters": {**kept, **picture}}


def _own_parameters(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters of the chosen attack that have no field here: the page Attacks or the preset set them."""
    return form["parameters"].get(form["attack"], {})


def config_of(form: Mapping[str, Any]) -> BSDConfig:
    """The configuration that a filled form asks for; raises `ConfigError` with one sentence.

    T2 and T3 follow from the lengths of the stages, by way of `ScheduleConfig.with_warmup`.
    """
    config = preset(form["preset"])
    start = config.schedule.t1 + form["init_epochs"]
    t2 = start + form["completion_epochs"]
    schedule = replace(
        config.schedule,
        altruistic_epochs=form["altruistic_epochs"],
        init_epochs=form["init_epochs"],
        t2=t2,
        t3=t2 + form["drop_epochs"],
        iterations=form["iterations"],
    ).with_warmup(form["t1"])
    settings = {
        name: form[name]
        for name in (
            "target_label",
            "alpha",
            "beta",
            "seed",
            "device",
            "limit",
            "flip",
            "model",
            "width",
            "target_estimator",
            "completion",
            "init_combine",
            "selective_drop",
        )
    }
    given, start = form["target_estimator"] == "given", form["alpha_start"]
    return replace(
        config.with_settings(
            data=_spec(form),
            **_attack_settings(form, config.attack),
            assume_target=form["assume_target"] if given else None,
            alpha_start=None if start is None else min(start, form["alpha"]),
            **settings,
        ),
        schedule=schedule,
    )


def class_names(spec: str) -> tuple[str, ...]:
    """Names of a source's classes; none where finding out would be slow, or the source is not there or may not be read."""
    if spec == "cifar10":
        return CIFAR10
    if spec == "gtsrb" or spec.endswith(":") or not data_paths.may_read(spec):
        return ()
    return _class_names(spec, data_paths.stamps(spec))


@lru_cache(maxsize=16)
def _class_names(spec: str, stamps: tuple[Any, ...]) -> tuple[str, ...]:
    from bsd_engine.data import sources

    try:
        return sources.open_source(spec).class_names
    except BSDError:
        return ()


def _spec(form: Mapping[str, Any]) -> str:
    return f"{form['source']}:{form['path'].strip()}" if form["source"] in ("folder", "npz") else form["source"]


def _key(name: str) -> str:
    """Key of a field. Choosing a preset makes new fields: a late timer tick can only bring back values of the old ones."""
    return f"new_{name}_{st.session_state.get('new_form', 0)}"


def _on_preset() -> None:
    st.session_state["new_form"] = st.session_state.get("new_form", 0) + 1
    st.session_state.pop("new_values", None)


def _values() -> tuple[str, dict[str, Any]]:
    """The preset, and what the fields start from: its values, or what another page filled in."""
    name = st.session_state.get("new_preset", FIRST_PRESET)
    return name, {**form_of(preset(name)), **st.session_state.get("new_values", {})}


def current_form() -> dict[str, Any]:
    """The form as it stands; fields that are not on the page have the value that they start from."""
    name, values = _values()
    return {"preset": name, **{field: st.session_state.get(_key(field), value) for field, value in values.items()}}


def fill_in(config: BSDConfig) -> None:
    """Put data, attack and seed of a configuration into the form, under new fields; the others keep what they have."""
    form, chosen = form_of(config), config.attack
    rate = attacks.kind(chosen.attack).default_rate if chosen.rate is None else chosen.rate
    taken = {
        name: form[name]
        for name in ("source", "path", "attack", "target_label", "picture", "parameters", "seed", "limit")
    }
    values = {**current_form(), **taken, _rate_field(chosen.attack): 100 * rate}
    del values["preset"]
    _on_preset()
    st.session_state["new_values"] = values
    st.session_state[FORM_KEY] = st.session_state["new_form"]  # what was filled in is what the page Attacks shows


def _start() -> None:
    """Start a run with the form's settings, or keep the sentence that says why not.

    Twice within `ONE_CLICK` with the same settings is once: a double click, or a click that came here twice because a tick of the
    page overtook it (seen once in fifteen walks on a busy machine: two runs waited).
    """
    form = current_form()
    started, when = st.session_state.get("last_start", (None, 0.0))
    if form == started and time.monotonic() - when < ONE_CLICK:
        return
    st.session_state["refusal"] = None
    try:
        st.session_state["started_run"] = registry().start(config_of(form))
    except BSDError as error:
        st.session_state["refusal"] = (form, str(error))
    st.session_state["last_start"] = (form, time.monotonic())


@st.fragment
def launch_panel() -> None:
    """The whole form. A fragment, so that a slider does not redraw the charts beside it."""
    _head()
    st.selectbox(
        "Preset",
        list(PRESETS),
        list(PRESETS).index(FIRST_PRESET),
        format_func=lambda p: words.PRESETS.get(p, p),
        key="new_preset",
        on_change=_on_preset,
        persist_state="session",
        help="Sets every field below; change what you like afterwards.",
    )
    form = current_form()
    _data_and_attack(form)
    _split(form)
    with st.expander("More settings"):
        _more(form)
    if (
        "started_run" in st.session_state
    ):  # the page takes it from there: the address of a tick may overtake that of this fragment
        st.rerun()


def _head() -> None:
    """Start, what it would do, and why it did nothing; on top, where it stays in sight whatever is open below."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with right:
        st.button("Start", key="start", type="primary", on_click=_start, width="stretch")
    with left:
        st.markdown("**New run**")
    form = current_form()
    refused, sentence = st.session_state.get("refusal") or (None, "")
    if refused == form:
        st.error(words.unformatted(sentence), icon=":material/error:")
        return
    try:
        config = config_of(form)
    except BSDError:
        st.caption("\N{NO-BREAK SPACE}")
        return
    seconds = remaining_seconds(config.schedule, (), prior=prior_seconds(registry().root, config))
    about = f", about {words.duration(seconds)}" if seconds else ""
    st.caption(f"{config.schedule.total_epochs} epochs{about}")


def _kept(name: str) -> dict[str, Any]:
    """Key of a field whose value outlives a visit to another page."""
    return {"key": _key(name), "persist_state": "session"}


def _choice(label: str, name: str, options: Iterable[Any], form: Mapping[str, Any], **more: Any) -> None:
    options = list(options)
    st.selectbox(label, options, options.index(form[name]) if form[name] in options else 0, **_kept(name), **more)


def _number(label: str, name: str, low: int, high: int | None, form: Mapping[str, Any], **more: Any) -> None:
    st.number_input(label, low, high, form[name], step=1, **_kept(name), **more)


def _data_and_attack(form: Mapping[str, Any]) -> None:
    _choice("Data", "source", words.SOURCES, form, format_func=words.SOURCES.get)
    source = st.session_state[_key("source")]
    if source in ("folder", "npz"):
        st.text_input(
            "Path",
            form["path"],
            placeholder="/home/me/images" if source == "folder" else "/home/me/images.npz",
            help="A folder with train/CLASS/*.png and, if there is one, test/CLASS/*.png; or an .npz file.",
            **_kept("path"),
        )
    names = class_names(_spec(current_form()))
    left, right = st.columns(2)
    with left:
        _choice(
            "Attack",
            "attack",
            [*attacks.names(), "none"],
            form,
            format_func=words.attack,
            help="none: for data that may be poisoned already.",
        )
    attack = st.session_state[_key("attack")]
    poisoned = attack != "none"
    with right:
        _class_field(
            "Target class", "target_label", names, form, disabled=not poisoned or not attacks.kind(attack).has_target
        )
    if attack == "custom":
        st.text_input(
            "Picture",
            form["picture"],
            placeholder="/home/me/trigger.png",
            help="A PNG or JPEG file; without one a drawn star.",
            **_kept("picture"),
        )
    if _rate_field(attack) == "clean_rate":
        _rate(
            "Poisoned share of the target class", "clean_rate", (1.0, 90.0, 1.0), "%.0f %%", form, help=CLEAN_RATE_HELP
        )
    else:
        _rate("Poisoning rate", "rate", (0.5, 30.0, 0.5), "%.1f %%", form, disabled=not poisoned, help=RATE_HELP)
    _other_parameters(attack)


def _rate(
    label: str, name: str, usual: tuple[float, float, float], unit: str, form: Mapping[str, Any], **more: Any
) -> None:
    """A slider over the usual rates and the one that another page filled in."""
    low, high, step = usual
    start = _values()[1][name]
    st.slider(label, min(low, start), max(high, start), form[name], step, unit, **_kept(name), **more)


def _other_parameters(attack: str) -> None:
    """Parameters that the attack has besides, in words."""
    own = {
        name: value for name, value in _own_parameters({**current_form(), "attack": attack}).items() if name != "image"
    }
    if own:
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in own.items())
        st.caption(f"{words.unformatted(said)}: set on the page Attacks")


def _class_field(
    label: str, name: str, names: tuple[str, ...], form: Mapping[str, Any], disabled: bool = False
) -> None:
    """A class by its name, or by its number where the names are not known."""
    if names:
        _choice(label, name, range(len(names)), form, disabled=disabled, format_func=lambda c: names[c][:LONGEST_NAME])
    else:
        _number(label, name, 0, 9999, form, disabled=disabled, help="Number of the class, from 0.")


def _split(form: Mapping[str, Any]) -> None:
    st.slider("alpha: share of samples kept", 0.05, 1.0, form["alpha"], 0.01, help=ALPHA_HELP, **_kept("alpha"))
    st.slider("beta: share of the suspected class kept", 0.01, 1.0, form["beta"], 0.01, help=BETA_HELP, **_kept("beta"))
    st.slider("T1: warm-up epochs of the main model", 1, 60, form["t1"], help=T1_HELP, **_kept("t1"))


def _more(form: Mapping[str, Any]) -> None:
    _number("Seed", "seed", 0, 2**31 - 1, form, help="The same seed gives the same pools.")
    _choice("Device", "device", ["auto", "cpu", "cuda"], form, help="auto takes the GPU if there is one.")
    _number(
        "Training images",
        "limit",
        20,
        None,
        form,
        placeholder="all",
        help="Drawn so that the classes keep their shares.",
    )
    _choice("Target guessed", "target_estimator", ESTIMATORS, form, format_func=words.estimator, help=ESTIMATOR_HELP)
    if st.session_state[_key("target_estimator")] == "given":
        _class_field("Assumed target", "assume_target", class_names(_spec(current_form())), form)
    _choice(
        "Class completion",
        "completion",
        COMPLETIONS,
        form,
        format_func=COMPLETIONS.get,
        help="Which classes are kept from starving while the pool grows.",
    )
    st.number_input(
        "Completion starts from",
        0.01,
        1.0,
        form["alpha_start"],
        0.01,
        placeholder="beta",
        help=ALPHA_START_HELP,
        **_kept("alpha_start"),
    )
    _choice("First pool", "init_combine", FIRST_POOLS, form, format_func=FIRST_POOLS.get)
    st.toggle(
        "Selective drop",
        form["selective_drop"],
        help="From T2 on, drop samples that both models call the suspected class.",
        **_kept("selective_drop"),
    )
    st.toggle("Mirror images", form["flip"], help="Augment by mirroring; off for signs and letters.", **_kept("flip"))
    st.caption("Epochs of the other stages")
    _number("Altruistic warm-up", "altruistic_epochs", 1, 1000, form)
    _number("Initial pools", "init_epochs", 0, 1000, form)
    _number("Class completion", "completion_epochs", 0, 9000, form)
    _number("Selective drop", "drop_epochs", 0, 9000, form)
    _number("Iterations in an epoch", "iterations", 1, 100000, form)
    _choice(
        "Network",
        "model",
        dict.fromkeys([*NETWORKS, form["model"]]),
        form,
        format_func=lambda name: NETWORKS.get(name, name),
    )
    _number("Channels of its first stage", "width", 8, 1024, form)
