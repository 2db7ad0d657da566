"""Presets hold the paper's values; settings survive being written, read and changed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bsd_engine.config import settings as config
from bsd_engine.config.presets import PRESETS, demo, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from tests.support.settings import FIELDS, refusal


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
