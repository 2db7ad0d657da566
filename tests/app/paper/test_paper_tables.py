"""The paper's tables with our numbers: only recorded results are ours, and missing cells have a command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from app.paper import results as paper_results
from app.paper.cells import ALL_TO_ALL, Cell, cells
from app.paper.figures import CHARTS
from app.paper.results import measured, recorded_results
from app.paper.tables import TABLES, paper_table, triple
from app.style.theme import LIGHT
from bsd_engine.cli.training import train_options
from bsd_engine.metrics import defense_effectiveness_rating


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that replaces the one with the two result files."""
    monkeypatch.setattr(paper_results, "RESULTS", tmp_path / "paper_tables.jsonl")
    monkeypatch.setattr(paper_results, "ATTACK_TABLE", tmp_path / "attack_table.jsonl")
    return tmp_path


def _line(cell: Cell, defense: str, ca: float, asr: float, seed: int = 0, **other: object) -> str:
    preset, attack, target, _, settings = cell.key(defense)
    plain = cell if defense == "bsd" else Cell(preset=preset, attack=attack, target=target)
    return (
        json.dumps(
            {
                "preset": preset,
                "attack": attack,
                "target": target,
                "defense": defense,
                "settings": json.loads(settings),
                "seed": seed,
                "digest": plain.digest(),
                "clean_accuracy": ca,
                "attack_success_rate": asr,
                **other,
            }
        )
        + "\n"
    )


@pytest.mark.parametrize("number", TABLES)
def test_without_results_no_number_is_ours(results: Path, number: str) -> None:
    table = paper_table(number, recorded_results())
    kinds = [cell.kind for _, row in table.rows for cell in row]
    assert "ours" not in kinds and kinds.count("missing") == len(table.missing) > 0
    assert all(cell.text == "not run" for _, row in table.rows for cell in row if cell.kind == "missing")
    assert all(len(row) == len(table.head) - 1 for _, row in table.rows)
    for missing in table.missing:
        words = shlex.split(missing.command)
        assert words[:4] == ["python", "-m", "benchmarks.paper_tables", number]
        row, column = words[words.index("--rows") + 1], words[words.index("--columns") + 1]
        assert (row, column) in cells(number)


def test_a_cell_is_the_median_over_seeds_each_rated_against_its_own_baseline(results: Path) -> None:
    cell = cells("6")["wo_drop", "badnets"]
    runs = [(85.0, 2.0), (86.0, 3.0), (80.0, 1.0)]
    lines = [_line(cell, "bsd", *run, seed=i) for i, run in enumerate(runs)] + [
        _line(cell, "none", 88.0, 100.0, seed=i) for i in (0, 2)
    ]
    (results / "paper_tables.jsonl").write_text("".join(lines))
    result = measured(cell, "bsd", recorded_results())
    ratings = [
        defense_effectiveness_rating(*runs[i], baseline_clean_accuracy=88.0, baseline_attack_success_rate=100.0)
        for i in (0, 2)
    ]
    assert result is not None and (result.clean_accuracy, result.attack_success_rate, result.seeds) == (
        85.0,
        2.0,
        (0, 1, 2),
    )
    assert result.rating == pytest.approx(sum(ratings) / 2)
    row = dict(paper_table("6", recorded_results()).rows)["without selective drop"]
    assert (row[0].text, row[0].kind, row[1].text, row[1].kind) == (
        "94.6 / 1.1 / 99.3",
        "paper",
        f"85.0 / 2.0 / {result.rating:.1f}",
        "ours",
    )


def test_without_a_baseline_there_is_no_rating(results: Path) -> None:
    cell = cells("4")["7", "badnets"]
    (results / "paper_tables.jsonl").write_text(_line(cell, "bsd", 85.0, 2.0))
    assert dict(paper_table("4", recorded_results()).rows)["7"][1].text == "85.0 / 2.0"


def test_results_of_an_older_preset_are_ignored(results: Path) -> None:
    cell = cells("6")["default", "badnets"]
    (results / "paper_tables.jsonl").write_text(_line(cell, "bsd", 85.0, 2.0, digest="00000000"))
    assert recorded_results() == {}


def test_an_incomplete_line_is_ignored(results: Path) -> None:
    line = _line(cells("6")["default", "badnets"], "bsd", 85.0, 2.0)
    (results / "paper_tables.jsonl").write_text(line + line[:40])
    assert len(recorded_results()) == 1


def test_rows_of_the_attack_table_count_as_results(results: Path) -> None:
    numbers = {"clean_accuracy": 85.0, "attack_success_rate": 18.0}
    line = {
        "preset": "demo",
        "attack": "badnets_all2all@0.2",
        "seed": 0,
        "plain": {"clean_accuracy": 86.0, "attack_success_rate": 81.0},
        "bsd": numbers,
    }
    (results / "attack_table.jsonl").write_text(json.dumps(line) + "\n")
    (cell,) = cells("12").values()
    assert cell.settings == ALL_TO_ALL
    assert [row[1].text for _, row in paper_table("12", recorded_results()).rows] == [
        "86.0 / 81.0",
        "",
        "85.0 / 18.0 / 81.0",
    ]


@pytest.mark.parametrize("table", ["2", "6", "10", "12", "figure3", "figure10"])
def test_the_command_of_a_cell_has_its_settings(table: str) -> None:
    for cell in cells(table).values():
        if not cell.preset.startswith("demo"):
            continue
        words = shlex.split(cell.command(seed=1))
        parsed = train_options(words[4:]).config
        wanted = cell.config(seed=1)
        assert parsed.split == wanted.split and parsed.schedule == wanted.schedule and parsed.seed == 1
        assert (parsed.attack.attack, parsed.attack.rate) == (wanted.attack.attack, wanted.attack.rate)
        assert {name: str(value) for name, value in parsed.attack.attack_parameters.items()} == pytest.approx(
            {name: str(value) for name, value in wanted.attack.attack_parameters.items()}
        )
        assert cell.attack == "none" or parsed.attack.target_label == cell.target


def test_figures_3_and_10_draw_what_was_recorded(results: Path) -> None:
    rates, forced = cells("figure3"), cells("figure10")
    lines = [
        _line(rates["0.2", "badnets"], "bsd", 80.0, 3.0),
        _line(forced["5", "badnets"], "bsd", 82.0, 40.0, robust_accuracy=51.0),
    ]
    (results / "paper_tables.jsonl").write_text("".join(lines))
    curve = CHARTS["figure3"].draw([], LIGHT, True).data[0]
    assert (list(curve.x), list(curve.y)) == ([0.2], [80.0])
    assert [list(bar.y) for bar in CHARTS["figure10"].draw([], LIGHT, True).data] == [[82.0], [51.0], [40.0]]


def test_table_7_runs_alpha_and_beta_as_printed() -> None:
    for (row, _), cell in cells("7").items():
        split = cell.config().split
        if row == "a09_b02":
            assert (split.alpha, split.beta) == (0.9, 0.2)
        if row == "a07_b02":
            assert cell.settings == {}  # the demo's own settings, so that one run serves both tables


def test_triple_leaves_out_unknown_numbers() -> None:
    assert triple([95.14, 0.9, 99.6]) == "95.1 / 0.9 / 99.6"
    assert triple([94.9, 100.0, None]) == "94.9 / 100.0" and triple([None, 1.2, 99.4]) == "– / 1.2 / 99.4"
