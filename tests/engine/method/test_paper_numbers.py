"""The paper's numbers as data: spot checks against the printed tables, and the arithmetic that holds within them."""

from __future__ import annotations

import json

import pytest

from app.paper.cells import NUMBERS, paper_numbers
from app.paper.settings import TABLE_7
from bsd_engine.metrics import defense_effectiveness_rating


@pytest.mark.parametrize(
    ("table", "path", "printed"),
    [
        ("1", ("cifar10", "badnets", "bsd"), [95.1, 0.9, 99.6]),
        ("1", ("gtsrb", "blended", "dbd"), [91.5, 99.9, 46.9]),
        ("1", ("imagenet30", "wanet", "asd"), [78.4, 14.0, 83.5]),
        ("1", ("imagenet30", "badnets", "none"), [75.7, 99.5, None]),
        ("2", ("sig", "bsd"), [93.8, 0.0, 97.0]),
        ("2", ("narcissus", "fp"), [87.2, 63.4, 64.0]),
        ("4", ("badnets", "8"), [92.0, 0.3, 98.4]),
        ("4", ("wanet", "avg"), [92.5, 0.4, 99.1]),
        ("6", ("blended", "wo_init"), [95.0, 99.2, 49.6]),
        ("6", ("badnets", "wo_comp"), [90.7, 0.0, 97.9]),
        ("7", ("a07_b07", "wanet"), [94.0, 32.8, 83.6]),
        ("7", ("a04_b02", "badnets"), [None, 1.2, 99.4]),
        ("10", ("cifar10", "bsd"), [94.9, 0.6]),
        ("10", ("gtsrb", "none"), [97.7, 0.2]),
        ("12", ("bsd",), [91.2, 10.5, 91.3]),
    ],
)
def test_numbers_are_those_of_the_printed_tables(
    table: str, path: tuple[str, ...], printed: list[float | None]
) -> None:
    found = paper_numbers()[table]
    for word in path:
        found = found[word]
    assert found == printed


def _rows() -> list[tuple[str, dict[str, list[float | None]]]]:
    numbers = paper_numbers()
    rows = [
        (f"1 {data} {attack}", row)
        for data, part in numbers["1"].items()
        for attack, row in part.items()
        if attack != "avg_der"
    ]
    return [
        *rows,
        *((f"2 {attack}", row) for attack, row in numbers["2"].items() if attack != "avg_der"),
        ("12", numbers["12"]),
    ]


def test_every_printed_rating_is_equation_12_of_its_neighbours() -> None:
    """A mistake in the transcription would show here; some cells ignore the clamp of Eq. 12, see `metrics`."""
    checked = 0
    for where, row in _rows():
        ca, asr, _ = row["none"]
        for method, (own_ca, own_asr, der) in row.items():
            if der is None:
                continue
            ratings = [
                defense_effectiveness_rating(
                    own_ca, own_asr, baseline_clean_accuracy=ca, baseline_attack_success_rate=asr, clamp=clamp
                )
                for clamp in (True, False)
            ]
            assert min(abs(rating - der) for rating in ratings) < 0.151, (where, method, ratings, der)
            checked += 1
    assert checked == 9 * 6 + 4 * 6 + 2


def test_the_file_names_its_source_and_holds_numbers_only() -> None:
    content = json.loads(NUMBERS.read_text())
    assert "ICML 2025" in content.pop("source")

    def leaves(value: object) -> list[object]:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        return [leaf for part in parts for leaf in (leaves(part) if isinstance(part, (dict, list)) else [part])]

    assert set(content) == {"1", "2", "4", "6", "7", "10", "12"}
    assert all(leaf is None or (isinstance(leaf, (int, float)) and 0 <= leaf <= 100) for leaf in leaves(content))


def test_the_settings_that_tune_marks_are_those_of_table_7() -> None:
    assert [(s.alpha, s.beta) for s in TABLE_7][:3] == [(0.6, 0.2), (0.3, 0.2), (0.4, 0.2)]
    assert TABLE_7[-1].wanet == (94.0, 32.8, 83.6) and len(TABLE_7) == 11
