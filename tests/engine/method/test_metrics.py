"""The defense effectiveness rating recomputes the paper's tables; counts are None where the truth is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from bsd_engine.metrics import defense_effectiveness_rating, poison_in_pool

# (CA, ASR) without a defence, then {defence: (CA, ASR, printed DER)}; all percent.
TABLES = {
    "Table 1, CIFAR-10, BadNets": (
        (94.9, 100.0),
        {
            "fp": (93.9, 1.8, 98.6),
            "nad": (88.2, 4.6, 94.4),
            "abl": (93.8, 1.1, 98.9),
            "dbd": (92.3, 0.8, 98.3),
            "asd": (93.4, 1.2, 98.7),
            "bsd": (95.1, 0.9, 99.6),
        },
    ),
    "Table 1, CIFAR-10, Blended": (
        (94.1, 98.3),
        {
            "fp": (92.9, 77.1, 60.0),
            "nad": (85.8, 3.4, 93.3),
            "abl": (91.9, 1.6, 97.3),
            "dbd": (91.7, 0.7, 97.6),
            "asd": (93.7, 1.6, 98.2),
            "bsd": (94.9, 0.8, 98.8),
        },
    ),
    "Table 1, CIFAR-10, WaNet": (
        (93.6, 99.9),
        {
            "fp": (90.4, 98.6, 49.1),
            "nad": (71.3, 6.7, 85.5),
            "abl": (84.1, 2.2, 94.1),
            "dbd": (91.4, 0.0, 98.9),
            "asd": (93.1, 1.7, 98.9),
            "bsd": (94.5, 0.8, 99.6),
        },
    ),
    "Table 1, GTSRB, BadNets": (
        (97.6, 100.0),
        {
            "fp": (84.2, 0.0, 93.3),
            "nad": (97.1, 0.2, 99.7),
            "abl": (97.1, 0.0, 99.8),
            "dbd": (91.4, 0.0, 96.9),
            "asd": (96.7, 0.0, 99.6),
            "bsd": (97.6, 0.0, 100.0),
        },
    ),
    "Table 1, ImageNet-30, WaNet": (
        (77.1, 81.0),
        {
            "fp": (76.9, 0.4, 90.2),
            "nad": (74.0, 1.3, 88.3),
            "abl": (74.9, 1.1, 88.9),
            "dbd": (77.2, 5.2, 87.9),
            "asd": (78.4, 14.0, 83.5),
            "bsd": (78.7, 0.0, 90.5),
        },
    ),
    "Table 2, LC": (
        (94.4, 99.9),
        {
            "fp": (87.1, 24.4, 84.1),
            "nad": (85.9, 50.5, 70.5),
            "abl": (80.2, 1.6, 92.1),
            "dbd": (83.2, 98.1, 45.3),
            "asd": (93.9, 73.2, 63.1),
            "bsd": (92.4, 1.2, 98.4),
        },
    ),
    "Table 2, Narcissus": (
        (95.2, 99.5),
        {
            "fp": (87.2, 63.4, 64.0),
            "nad": (86.5, 81.0, 54.8),
            "abl": (79.3, 7.1, 88.2),
            "dbd": (87.3, 99.5, 46.0),
            "asd": (93.9, 0.0, 99.1),
            "bsd": (94.3, 0.0, 99.3),
        },
    ),
    "Table 3, BadNets": (
        (94.3, 100.0),
        {
            "fp": (77.9, 8.3, 87.7),
            "nad": (78.5, 11.7, 86.2),
            "abl": (79.7, 13.6, 85.9),
            "dbd": (65.5, 0.0, 85.6),
            "asd": (93.2, 100.0, 49.4),
            "bsd": (91.1, 0.4, 98.2),
        },
    ),
    "Table 6, WaNet": (
        (93.6, 99.9),
        {
            "default": (94.5, 0.8, 99.6),
            "wo_init": (93.6, 91.5, 54.2),
            "wo_comp": (89.8, 0.2, 98.0),
            "wo_drop": (94.5, 1.9, 99.0),
        },
    ),
    "Table 12": ((91.8, 93.8), {"asd": (70.2, 2.4, 84.9), "bsd": (91.2, 10.5, 91.3)}),
}
CELLS = [
    pytest.param(baseline, *cell, id=f"{table}, {defense}")
    for table, (baseline, cells) in TABLES.items()
    for defense, cell in cells.items()
]
# Cells that depend on the clamp of a negative gain in ASR: baseline, (CA, ASR, printed DER), whether it was used.
TELLING = [
    pytest.param((95.0, 95.2), (80.1, 99.9, 42.6), True, id="Table 2, SIG, dbd"),
    pytest.param((95.0, 95.2), (93.5, 96.5, 49.3), True, id="Table 2, SIG, asd"),
    pytest.param((94.0, 95.7), (83.0, 97.7, 44.5), True, id="Table 3, WaNet, asd"),
    pytest.param((75.7, 99.5), (81.1, 100.0, 50.0), True, id="Table 1, ImageNet-30, BadNets, asd"),
    pytest.param((97.2, 99.4), (91.5, 99.9, 46.9), False, id="Table 1, GTSRB, Blended, dbd"),
    pytest.param((74.5, 97.7), (61.9, 100.0, 42.6), False, id="Table 1, ImageNet-30, Blended, abl"),
    pytest.param((94.1, 98.3), (95.0, 99.2, 49.6), False, id="Table 6, Blended, wo_init"),
]


def rating(baseline: tuple[float, float], clean_accuracy: float, attack_success_rate: float, **options: bool) -> float:
    return defense_effectiveness_rating(
        clean_accuracy,
        attack_success_rate,
        baseline_clean_accuracy=baseline[0],
        baseline_attack_success_rate=baseline[1],
        **options,
    )


@pytest.mark.parametrize(("baseline", "clean_accuracy", "attack_success_rate", "printed"), CELLS)
def test_der_recomputes_the_paper(
    baseline: tuple[float, float], clean_accuracy: float, attack_success_rate: float, printed: float
) -> None:
    assert rating(baseline, clean_accuracy, attack_success_rate) == pytest.approx(printed, abs=0.1 + 1e-9)


@pytest.mark.parametrize(("baseline", "cell", "clamped"), TELLING)
def test_der_with_and_without_clamp_recomputes_the_cells_that_tell(baseline: tuple, cell: tuple, clamped: bool) -> None:
    *rates, printed = cell
    assert rating(baseline, *rates, clamp=clamped) == pytest.approx(printed, abs=0.1)
    assert abs(rating(baseline, *rates, clamp=not clamped) - printed) > 0.2


def test_der_is_clamped_unless_asked_otherwise() -> None:
    assert rating((90, 95), 90, 99) == 50 and rating((90, 95), 90, 99, clamp=False) == 48


@pytest.mark.parametrize(
    ("baseline", "rates", "expected"),
    [((95, 100), (95, 0), 100), ((95, 100), (99, 0), 100), ((95, 100), (95, 100), 50), ((100, 0), (0, 0), 0)],
)
def test_der_of_the_extremes(baseline: tuple[float, float], rates: tuple[float, float], expected: float) -> None:
    assert rating(baseline, *rates) == expected


def test_poison_in_the_pool_is_counted() -> None:
    pool, is_poison = np.array([True, True, False, False, True]), np.array([True, False, True, False, True])
    count = poison_in_pool(pool, is_poison)
    assert count == 2 and type(count) is int


def test_poison_in_the_pool_is_unknown_where_the_truth_is() -> None:
    assert poison_in_pool(np.ones(3, bool), None) is None
