"""Settings check themselves, name what is wrong, and survive being written and read."""

from __future__ import annotations

import math
from typing import Any, get_args, get_type_hints

import pytest

from bsd_engine.config import settings as config
from bsd_engine.config.checks import MOST_LETTERS, shown
from bsd_engine.config.settings import BSDConfig
from tests.support.settings import FIELDS, refusal

# Ends of the allowed range of every setting that is a number.
RANGES: dict[str, tuple[float, float]] = {
    "limit": (20, 10**9),
    "epoch_tests": (20, 10**9),
    "crop_padding": (0, 7),
    "image_size": (8, 1024),
    "target_label": (0, 10**9),
    "rate": (0, 0.9),
    "width": (8, 512),
    "altruistic_epochs": (1, 1000),
    "t1": (1, 1000),
    "init_epochs": (1, 1000),
    "t2": (1, 10000),
    "t3": (1, 10000),
    "iterations": (1, 100_000),
    "altruistic_lr": (1e-9, 10),
    "altruistic_batch": (2, 16384),
    "main_lr": (1e-9, 10),
    "labeled_batch": (2, 16384),
    "unlabeled_batch": (2, 16384),
    "lambda_u": (0, 1e6),
    "rampup": (1, 10**9),
    "temperature": (1e-3, 10),
    "mixup_alpha": (1e-3, 100),
    "ema": (0, 0.99999),
    "alpha": (0, 1),
    "beta": (0, 1),
    "als_init_ratio": (1e-9, 1),
    "alpha_start": (1e-9, 0.6),
    "drop_start": (1, 10**9),
    "lga_gamma": (0, 100),
    "undefended_epochs": (1, 10000),
    "undefended_lr": (1e-9, 10),
    "assume_target": (0, 10**9),
}
HINTS = {name: get_type_hints(config.GROUPS[group])[name] for name, group in FIELDS.items()}
CHOICES = [name for name, hint in HINTS.items() if "Literal" in str(hint)]
WHOLE = [name for name, hint in HINTS.items() if hint in (int, int | None) and name in RANGES]


def outside() -> list[tuple[str, float]]:
    """A value below and one above each range, and what is no finite number."""
    cases = []
    for name, (low, high) in RANGES.items():
        step = 1 if HINTS[name] in (int, int | None) else 1e-3
        cases += [(name, low - step), (name, math.nan)]
        cases += [(name, high + step), (name, math.inf), (name, 10**300)]
    return cases


def test_every_number_has_a_range_that_is_tested_here() -> None:
    numbers = {name for name, hint in HINTS.items() if hint in (int, float, int | None, float | None)}
    assert numbers == set(RANGES)


@pytest.mark.parametrize(("name", "value"), outside())
def test_a_number_outside_its_range_is_refused_by_name_value_and_range(name: str, value: float) -> None:
    sentence = refusal(**{name: value})
    low, high = RANGES[name]
    assert sentence.startswith(f"{name} is {shown(value)}, expected a {'whole ' * (name in WHOLE)}number ")
    assert "between {} and {}.".format(*(x if isinstance(x, int) else f"{x:g}" for x in (low, high))) in sentence
    assert len(sentence) < 300


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
            "attack_parameters: opacity is nan, expected a number up to 1,000,000,000 or a word.",
        ),
        (
            {"attack_parameters": {"opacity": [1]}},
            "attack_parameters: opacity is [1], expected a number up to 1,000,000,000 or a word.",
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
        ({"device": "cuda:9999"}, "device is 'cuda:9999', expected auto, cpu, cuda or cuda:N."),
        ({"device": "cuda:\u00b2"}, "device is 'cuda:\u00b2', expected auto, cpu, cuda or cuda:N."),
        ({"assume_target": "3"}, "assume_target is '3', expected a whole number between 0 and 1000000000."),
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


@pytest.mark.parametrize("name", ["data", "attack", "model", "device", "preset"])
def test_a_text_of_any_length_is_refused_in_a_short_sentence(name: str) -> None:
    sentence = refusal(**{name: "folder:" + "x" * MOST_LETTERS})
    assert sentence.startswith(f"{name} is 'folder:xxx") and "(4,105 characters), expected" in sentence
    assert len(sentence) < 300


ENDLESS = {"4,000 digits": 10**4000, "5,000 digits": -(10**5000), "letters": "x" * 10**6, "list": [[[]]]}


@pytest.mark.parametrize("value", [*ENDLESS.values(), 1e300, math.inf], ids=[*ENDLESS, "1e300", "inf"])
def test_no_value_of_an_attacks_parameter_gives_a_traceback_or_a_long_message(value: Any) -> None:
    assert len(refusal(attack_parameters={"opacity": value})) < 300
    assert len(refusal(attack_parameters={"x" * 10**6: [value]})) < 400
    assert len(refusal(seed=value)) < 300 and len(refusal(alpha=value)) < 300


def test_a_message_shows_the_beginning_and_the_end_of_a_long_value() -> None:
    assert shown("x" * 98) == repr("x" * 98)
    assert shown("a" * 99 + "z") == f"'{'a' * 49}...{'a' * 23}z' (102 characters)"
    assert shown(10**5000) == "a value that is too long to be shown"
