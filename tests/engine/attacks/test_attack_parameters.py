"""Parameters of attacks: what is refused, and how words of a command line become values."""

import dataclasses
import math

import pytest

from bsd_engine import attacks
from bsd_engine.errors import ConfigError

BASE = {"image_shape", "num_classes", "seed"}


def refusal(name: str, **parameters: object) -> str:
    """The sentence with which an attack's parameters are refused."""
    with pytest.raises(ConfigError) as refused:
        attacks.make(name, **parameters)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("blended", {"opacity": 1.1}, "opacity is 1.1, expected a number between 0 and 1."),
        ("blended", {"opacity": math.nan}, "opacity is nan, expected a finite number."),
        ("blended", {"pattern": "stripes"}, "expected one of auto, cartoon, noise."),
        ("wanet", {"grid": 1}, "grid is 1, expected a number between 2 and 1024."),
        ("wanet", {"grid": 4.0}, "grid is 4.0, expected a whole number."),
        ("wanet", {"noise_rate": 2.0}, "noise_rate is 2.0, expected a number between 0 and 1."),
        ("wanet", {"strength": -1.0}, "strength is -1.0, expected a number between 0 and 32."),
        ("sig", {"weight": "heavy"}, "weight is 'heavy', expected a finite number."),
        ("sig", {"variant": "abl"}, "expected one of sig_abl, additive."),
        ("refool", {"candidates": 0}, "candidates is 0, expected a number between 1 and 10000."),
        ("refool", {"weight_low": 0.9}, "weight_low is 0.9, expected a number between 0 and 0.45."),
        ("refool", {"blur_low": 0.0}, "blur_low is 0.0, expected a number between 0.05 and 1.5."),
        (
            "badnets_all2all",
            {"opacity": 1},
            "badnets_all2all has no parameter 'opacity'; it has pattern, size, row, col.",
        ),
    ],
)
def test_wrong_parameters_are_named(name: str, parameters: dict[str, object], said: str) -> None:
    assert refusal(name, **parameters).endswith(said)


def test_parameters_are_read_in_their_declared_types() -> None:
    words = {"opacity": "0.20", "size": "5", "mode": "blend", "image": 7}
    assert attacks.parse("custom", words) == {"opacity": 0.2, "size": 5, "mode": "blend", "image": "7"}
    assert attacks.parse("custom", {"size": "none"}) == {"size": None}
    for name, values, said in (
        ("custom", {"size": "2.5"}, "size is '2.5', expected a whole number."),
        ("sig", {"weight": "x"}, "expected a finite number."),
        ("sig", {"opacity": "1"}, "sig has no parameter 'opacity'; it has variant, weight, delta, frequency."),
        ("nonsense", {}, "attack is 'nonsense', expected one of badnets, "),
    ):
        with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
            attacks.parse(name, values)


@pytest.mark.parametrize("name", attacks.names())
def test_each_parameter_has_a_default_and_an_attack_compares_by_them(name: str) -> None:
    attack = attacks.make(name)
    assert attack == attacks.make(
        name, **{f.name: getattr(attack, f.name) for f in dataclasses.fields(attack) if f.name not in BASE}
    )
