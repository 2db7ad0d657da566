"""Settings check themselves, name what is wrong, and survive being written and read."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, get_args, get_type_hints

import pytest

from bsd_engine.config import settings as config
from bsd_engine.config.method_settings import STAGES, ScheduleConfig
from bsd_engine.config.presets import PRESETS, demo, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError

# Ends of the allowed range of every setting that is a number.
RANGES: dict[str, tuple[float, float]] = {
    "limit": (20, math.inf),
    "epoch_tests": (20, math.inf),
    "crop_padding": (0, 7),
    "image_size": (8, 1024),
    "target_label": (0, math.inf),
    "rate": (0, 0.9),
    "width": (8, 1024),
    "altruistic_epochs": (1, 1000),
    "t1": (1, 1000),
    "init_epochs": (1, 1000),
    "t2": (1, 10000),
    "t3": (1, 10000),
    "iterations": (1, 1_000_000),
    "altruistic_lr": (1e-9, 10),
    "altruistic_batch": (2, 65536),
    "main_lr": (1e-9, 10),
    "labeled_batch": (2, 65536),
    "unlabeled_batch": (2, 65536),
    "lambda_u": (0, 1e6),
    "rampup": (1, math.inf),
    "temperature": (1e-3, 10),
    "mixup_alpha": (1e-3, 100),
    "ema": (0, 0.99999),
    "alpha": (0, 1),
    "beta": (0, 1),
    "als_init_ratio": (1e-9, 1),
    "alpha_start": (1e-9, 0.6),
    "drop_start": (1, math.inf),
    "lga_gamma": (0, 100),
    "undefended_epochs": (1, 10000),
    "undefended_lr": (1e-9, 10),
}
UNBOUNDED = {"assume_target"}  # checked against the classes of the data
FIELDS = {f.name: group for group, kind in config.GROUPS.items() for f in dataclasses.fields(kind)}
HINTS = {name: get_type_hints(config.GROUPS[group])[name] for name, group in FIELDS.items()}
CHOICES = [name for name, hint in HINTS.items() if "Literal" in str(hint)]
WHOLE = [name for name, hint in HINTS.items() if hint in (int, int | None) and name in RANGES]


def refusal(**settings: Any) -> str:
    """The sentence with which a change of the default settings is refused."""
    with pytest.raises(ConfigError) as refused:
        BSDConfig().with_settings(**settings)
    return str(refused.value)


def outside() -> list[tuple[str, float]]:
    """A value below and one above each range, and what is no finite number."""
    cases = []
    for name, (low, high) in RANGES.items():
        step = 1 if HINTS[name] in (int, int | None) else 1e-3
        cases += [(name, low - step), (name, math.nan)]
        cases += [(name, high + step)] if math.isfinite(high) else []
    return cases


def test_every_number_has_a_range_that_is_tested_here() -> None:
    numbers = {name for name, hint in HINTS.items() if hint in (int, float, int | None, float | None)}
    assert numbers == set(RANGES) | UNBOUNDED


@pytest.mark.parametrize(("name", "value"), outside())
def test_a_number_outside_its_range_is_refused_by_name_value_and_range(name: str, value: float) -> None:
    sentence = refusal(**{name: value})
    low, high = RANGES[name]
    assert sentence.startswith(f"{name} is {value!r}, expected a {'whole ' * (name in WHOLE)}number ")
    assert (f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}") in sentence


@pytest.mark.parametrize("value", ["0.5", None, (1,)])
def test_a_number_of_another_kind_is_refused(value: Any) -> None:
    assert refusal(alpha=value).startswith(f"alpha is {value!r}, expected a number between 0 and 1")


@pytest.mark.parametrize("name", WHOLE)
def test_a_count_must_be_whole(name: str) -> None:
    low, _ = RANGES[name]
    assert refusal(**{name: low + 1.5}).startswith(f"{name} is {low + 1.5!r}, expected a whole number")


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_word_is_refused_with_the_known_ones(name: str) -> None:
    assert refusal(**{name: "nonsense"}) == f"{name} is 'nonsense', expected one of {', '.join(get_args(HINTS[name]))}."


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"alpha": 0}, "alpha is 0, expected a number above 0."),
        ({"beta": 0}, "beta is 0, expected a number above 0."),
        ({"alpha": 0.1, "beta": 0.3}, "alpha is 0.1, expected at least beta = 0.3. Raise alpha or lower beta."),
        ({"rate": 0}, "rate is 0, expected a number above 0. For data without an added attack use --attack none."),
        (
            {"attack_parameters": {"opacity": math.nan}},
            "attack_parameters: opacity is nan, expected a finite number or a word.",
        ),
        (
            {"attack_parameters": {"opacity": [1]}},
            "attack_parameters: opacity is [1], expected a finite number or a word.",
        ),
        (
            {"attack": "none", "attack_parameters": {"a": 1}},
            "attack_parameters is {'a': 1}, expected none without an attack.",
        ),
        ({"t2": 29}, "t2 is 29, expected at least warmup + init_epochs = 30. Raise t2 or shorten the warm-up."),
        ({"t3": 89}, "t3 is 89, expected at least t2 = 90."),
        (
            {"target_estimator": "given"},
            "assume_target is None, expected a class index exactly when target_estimator is given.",
        ),
        ({"assume_target": 3}, "assume_target is 3, expected a class index exactly when target_estimator is given."),
        ({"data": "imagenet"}, "data is 'imagenet', expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH."),
        ({"seed": -1}, "seed is -1, expected a whole number from 0 to 2147483647."),
        ({"seed": 2**31}, "seed is 2147483648, expected a whole number from 0 to 2147483647."),
        ({"seed": 1.5}, "seed is 1.5, expected a whole number from 0 to 2147483647."),
        ({"device": "tpu"}, "device is 'tpu', expected auto, cpu, cuda or cuda:N."),
        ({"model": "vgg"}, "model is 'vgg', expected one of small_resnet, resnet18, mobilenet_v2 or torchvision:NAME."),
        (
            {"model": "torchvision:"},
            "model is 'torchvision:', expected one of small_resnet, resnet18, mobilenet_v2 or torchvision:NAME.",
        ),
        ({"model": None}, "model is None, expected one of small_resnet, resnet18, mobilenet_v2 or torchvision:NAME."),
        ({"model": "mobilenet_v2", "width": 24}, "width is 24, expected a multiple of 8 from 32 for mobilenet_v2."),
        ({"model": "mobilenet_v2", "width": 44}, "width is 44, expected a multiple of 8 from 32 for mobilenet_v2."),
        (
            {"model": "torchvision:resnet18", "width": 16},
            "width is 16, expected 64 for a network of torchvision. Its layers are not scaled.",
        ),
        ({"device": "cuda:x"}, "device is 'cuda:x', expected auto, cpu, cuda or cuda:N."),
    ],
)
def test_settings_that_contradict_are_refused_in_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    assert refusal(**settings) == sentence


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 1, "beta": 1},
        {"alpha": 0.7, "beta": 0.7},
        {"attack": "none", "rate": 0},
        {"t2": 30, "t3": 30},
        {"limit": 20},
        {"target_estimator": "given", "assume_target": 0},
        {"data": "folder:/some where"},
        {"data": "npz:x.npz"},
        {"rampup": 1},
        {"device": "cuda:1"},
        {"lambda_u": 0},
        {"ema": 0.999},
        {"width": 8},
        {"model": "mobilenet_v2", "width": 32},
        {"model": "torchvision:resnet18", "width": 64},
    ],
)
def test_the_ends_of_ranges_and_rare_combinations_are_allowed(settings: dict[str, Any]) -> None:
    changed = BSDConfig().with_settings(**settings)
    for name, value in settings.items():
        holder = changed if name == "device" else getattr(changed, FIELDS[name])
        assert getattr(holder, name) == value


# --- presets, writing and reading ---


def test_the_defaults_are_the_papers() -> None:
    paper = preset("paper-cifar10")
    schedule, mix, split = paper.schedule, paper.mixmatch, paper.split
    assert (schedule.altruistic_epochs, schedule.t1, schedule.init_epochs, schedule.t2, schedule.t3) == (
        25,
        20,
        10,
        90,
        120,
    )
    assert (mix.main_lr, mix.labeled_batch, mix.unlabeled_batch, mix.lambda_u, mix.temperature, mix.mixup_alpha) == (
        2e-3,
        64,
        64,
        15,
        0.5,
        0.75,
    )
    assert (schedule.iterations, mix.rampup, mix.ema, paper.altruistic.altruistic_lr) == (1024, None, 0, 1e-3)
    assert (split.alpha, split.beta, split.init_combine, split.completion) == (0.6, 0.2, "intersection", "fewest")
    assert (paper.attack.attack, paper.attack.target_label, paper.attack.rate) == ("badnets", 3, None)
    assert (paper.data.data, paper.model.model, paper.model.width) == ("cifar10", "resnet18", 64)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as refused:
        preset("fast")
    assert str(refused.value) == f"preset is 'fast', expected one of {', '.join(PRESETS)}."


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_being_written_as_json(name: str) -> None:
    original = preset(name)
    assert original.preset == name
    assert BSDConfig.from_dict(json.loads(json.dumps(original.to_dict()))) == original


def test_an_attacks_parameters_survive_and_count_in_comparisons() -> None:
    original = demo().with_settings(
        attack="blended",
        attack_parameters={"opacity": 0.2, "pattern": "noise"},
        rate=0.1,
        poison_count_mode="exact_all",
        asr_exclude_target=False,
    )
    assert BSDConfig.from_dict(json.loads(json.dumps(original.to_dict()))) == original
    assert original != original.with_settings(attack_parameters={"opacity": 0.3, "pattern": "noise"})
    assert len({original, BSDConfig.from_dict(original.to_dict()), demo()}) == 2
    original.to_dict()["attack"]["attack_parameters"].clear()
    assert original.attack.attack_parameters["opacity"] == 0.2


def test_a_configuration_from_before_these_settings_is_read() -> None:
    values = demo().to_dict()
    values["attack"] = {"attack": "badnets", "target_label": 3, "rate": 0.05}
    assert BSDConfig.from_dict(values) == demo().with_settings(rate=0.05)


def test_changed_settings_survive_too() -> None:
    original = demo().with_settings(
        limit=None, als_init_ratio=0.3, rampup=7, target_estimator="given", assume_target=2, seed=9
    )
    assert BSDConfig.from_dict(original.to_dict()) == original


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values["split"].update(gamma=1),
        lambda values: values.pop("mixmatch"),
        lambda values: values.update(unheard_of=1),
        lambda values: values.update(schedule=3),
    ],
    ids=["unknown setting", "missing group", "unknown group", "no group"],
)
def test_a_stored_configuration_that_does_not_fit_is_refused(damage: Any) -> None:
    values = demo().to_dict()
    damage(values)
    with pytest.raises(ConfigError, match=r"does not fit this version: .*Start a new run\."):
        BSDConfig.from_dict(values)


def test_a_stored_value_out_of_range_is_refused() -> None:
    values = demo().to_dict()
    values["split"]["alpha"] = 7
    with pytest.raises(ConfigError, match="alpha is 7"):
        BSDConfig.from_dict(values)


# --- changing settings ---


def test_settings_find_their_group_and_leave_the_others_alone() -> None:
    before = demo()
    after = before.with_settings(
        seed=5,
        device="cpu",
        data="npz:x",
        attack="none",
        model="resnet18",
        t3=31,
        altruistic_lr=0.1,
        temperature=1.0,
        alpha=0.9,
        undefended_epochs=3,
    )
    found = {
        "seed": after.seed,
        "device": after.device,
        "data": after.data.data,
        "attack": after.attack.attack,
        "model": after.model.model,
        "t3": after.schedule.t3,
        "altruistic_lr": after.altruistic.altruistic_lr,
        "temperature": after.mixmatch.temperature,
        "alpha": after.split.alpha,
        "undefended_epochs": after.undefended.undefended_epochs,
    }
    assert found == {
        "seed": 5,
        "device": "cpu",
        "data": "npz:x",
        "attack": "none",
        "model": "resnet18",
        "t3": 31,
        "altruistic_lr": 0.1,
        "temperature": 1.0,
        "alpha": 0.9,
        "undefended_epochs": 3,
    }
    undone = after.with_settings(
        seed=before.seed,
        device=before.device,
        **{name: getattr(getattr(before, FIELDS[name]), name) for name in found if name not in ("seed", "device")},
    )
    assert undone == before


def test_every_setting_has_a_name_of_its_own() -> None:
    names = [f.name for kind in config.GROUPS.values() for f in dataclasses.fields(kind)]
    assert len(set(names)) == len(names) and not {"preset", "seed", "device"} & set(names)


def test_an_unknown_setting_is_refused() -> None:
    assert refusal(gamma=1) == "there is no setting 'gamma'; see python -m bsd_engine train --help."


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        demo().split.alpha = 0.9


# --- schedule ---

PAPER, DEMO = ScheduleConfig(), demo().schedule


@pytest.mark.parametrize(
    ("t", "stage"),
    [
        (-25, "altruistic_warmup"),
        (-1, "altruistic_warmup"),
        (0, "oss_warmup"),
        (19, "oss_warmup"),
        (20, "initial_pools"),
        (21, "initial_pools"),
        (29, "initial_pools"),
        (30, "class_completion"),
        (89, "class_completion"),
        (90, "selective_drop"),
        (119, "selective_drop"),
    ],
)
def test_stages_of_the_papers_schedule(t: int, stage: str) -> None:
    epoch = t + 25
    assert PAPER.stage(epoch) == stage and PAPER.main_epoch(epoch) == t


@pytest.mark.parametrize(
    "schedule", [PAPER, DEMO, ScheduleConfig(t1=3, init_epochs=2, t2=5, t3=5)], ids=["paper", "demo", "short"]
)
def test_each_stage_is_as_long_as_its_settings_say(schedule: ScheduleConfig) -> None:
    stages = [schedule.stage(epoch) for epoch in range(schedule.total_epochs)]
    lengths = [
        schedule.altruistic_epochs,
        schedule.t1,
        schedule.init_epochs,
        schedule.t2 - schedule.t1 - schedule.init_epochs,
        schedule.t3 - schedule.t2,
    ]
    assert stages == [stage for stage, length in zip(STAGES, lengths) for _ in range(length)]


def test_the_paper_trains_145_epochs() -> None:
    assert PAPER.total_epochs == 145


@pytest.mark.parametrize("t1", [1, 20, 33])
def test_another_warmup_moves_t2_and_t3_along(t1: int) -> None:
    moved = PAPER.with_warmup(t1)
    assert (moved.t1, moved.init_epochs, moved.t2, moved.t3) == (t1, 10, 70 + t1, 100 + t1)
    assert moved.with_warmup(20) == PAPER
