"""The tables of docs/target.md from the results of the grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

Cell = dict[str, Any]
ESTIMATORS = ("auto", "second_logit_mode", "low_loss_mode", "label_count", "median_probability", "probability_floor")
HEADS = ("auto", "paper's vote", "lowest losses", "most frequent label", "median probability", "probability floor")
CLEAN_LABEL = ("sig",)
MARKERS = "<!-- grid -->", "<!-- end of grid -->"


def learned(cell: Cell) -> bool:
    """Return whether a cell's attack success is high enough to count: 90 %, for clean-label attacks 80 %."""
    return (cell["attack_success_rate"] or 0) >= (80 if cell["attack"] in CLEAN_LABEL else 90)


def right(cell: Cell, estimator: str = "auto") -> bool:
    """Return whether an estimator names the target of the attack."""
    return cell["answers"][estimator] == cell["target"]


def usual(cell: Cell) -> bool:
    """Return whether a cell belongs to the main grid, not to the poisoning rates of BadNets."""
    return cell["attack"] in ("blended", "sig", "wanet") or (cell["attack"] == "badnets" and cell["rate"] is None)


def share(cells: Iterable[Cell], holds: Callable[[Cell], bool]) -> str:
    """Return the share of cells as text, such as "38 of 40 (95 %)"."""
    chosen = [holds(cell) for cell in cells]
    return f"{sum(chosen)} of {len(chosen)} ({100 * sum(chosen) / len(chosen):.0f} %)" if chosen else "no cell yet"


def markdown(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows))


def bars(cells: list[Cell]) -> str:
    """Return a table of the goals and the results."""
    dirty = [c for c in cells if usual(c) and c["attack"] not in CLEAN_LABEL and learned(c)]
    clean_label = [c for c in cells if usual(c) and c["attack"] in CLEAN_LABEL and learned(c)]
    unpoisoned = [c for c in cells if c["attack"] == "none"]
    cost = [
        c["transplant_seconds"] / (c["seconds"] - c["transplant_seconds"]) for c in cells if "transplant_seconds" in c
    ]
    return markdown(
        ("what", "bar", "measured"),
        (
            (
                "auto names the target, dirty-label attacks with an attack success of at least 90 %",
                "95 %",
                share(dirty, right),
            ),
            ("the same, clean-label with at least 80 %", "80 %", share(clean_label, right)),
            (
                '"attack" said on unpoisoned data',
                "at most 5 %",
                share(unpoisoned, lambda c: c["verdict"] != "no_attack"),
            ),
            (
                "seconds of the transplant beside those of the rest, median; largest",
                "at most 5 %",
                f"{100 * median(cost):.1f} %; {100 * max(cost):.1f} % ({len(cost)} cells)" if cost else "no cell yet",
            ),
        ),
    )


def grid(cells: list[Cell]) -> str:
    """Return a table with a row for each data set and attack."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in filter(usual, cells):
        groups.setdefault((cell["data"], cell["attack"]), []).append(cell)
    rows = []
    for (data, attack), group in sorted(groups.items()):
        counted = [c for c in group if learned(c)]
        rate = f", {100 * group[0]['rate']:g} %" if group[0]["rate"] else ""
        rows.append(
            (
                data,
                attack + _parameters(group[0]) + rate,
                len(group),
                _range(group),
                len(counted),
                *(sum(right(c, name) for c in counted) for name in ESTIMATORS),
                sum(right(c) for c in group),
            )
        )
    return markdown(("data", "attack", "cells", "ASR %", "counted", *HEADS, "auto, all cells"), rows)


def _range(group: list[Cell]) -> str:
    """Return the lowest and highest attack success."""
    rates = [c["attack_success_rate"] for c in group]
    return f"{min(rates):.0f}-{max(rates):.0f}"


def _parameters(cell: Cell) -> str:
    return "".join(f", {name} {value}" for name, value in cell["parameters"].items())


def unpoisoned(cells: list[Cell]) -> str:
    """Return a table of the verdicts without an attack."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell["attack"] == "none":
            groups.setdefault(cell["data"], []).append(cell)
    return markdown(
        ("data", "sets", "no attack found", "largest z"),
        (
            (data, len(group), sum(c["verdict"] == "no_attack" for c in group), f"{max(c['z'] for c in group):.1f}")
            for data, group in sorted(groups.items())
        ),
    )


def rates(cells: list[Cell]) -> str:
    """Return a table of BadNets on the bundled images, by poisoning rate."""
    chosen = [c for c in cells if c["data"] == "bundled" and c["attack"] == "badnets"]
    groups: dict[float, list[Cell]] = {}
    for cell in chosen:
        groups.setdefault(cell["rate"] or 0.05, []).append(cell)
    return markdown(
        ("rate", "cells", "ASR %", *HEADS),
        (
            (
                f"{100 * rate:g} %",
                len(group),
                _range(group),
                *(sum(right(c, name) for c in group) for name in ESTIMATORS),
            )
            for rate, group in sorted(groups.items())
        ),
    )


def misses(cells: list[Cell]) -> str:
    """Return a table of the cells that count and that auto got wrong, one row each."""
    wrong = [c for c in cells if c["attack"] not in ("none", "badnets_all2all") and learned(c) and not right(c)]
    wrong += [c for c in cells if c["attack"] == "none" and c["verdict"] != "no_attack"]
    wrong += [c for c in cells if c["attack"] == "badnets_all2all" and c["verdict"] != "several"]
    if not wrong:
        return "None so far."
    return markdown(
        ("data", "attack", "rate", "target", "seed", "ASR %", "auto", "z of the likeliest, its class"),
        (
            (
                c["data"],
                c["attack"] + _parameters(c),
                "-" if c["rate"] is None else c["rate"],
                "-" if c["attack"] == "none" else c["target"],
                c["seed"],
                "-" if c["attack_success_rate"] is None else f"{c['attack_success_rate']:.0f}",
                c["verdict"].replace("_", " "),
                f"{c['z']:.1f}, {c['suspect']}",
            )
            for c in wrong
        ),
    )


def all_tables(cells: list[Cell], planned: int) -> str:
    """Return the text between the markers of docs/target.md."""
    several = [c for c in cells if c["attack"] == "badnets_all2all"]
    return "\n\n".join(
        (
            f"{len(cells)} of {planned} cells.",
            bars(cells),
            "Right answers of the cells that count, by estimator:",
            grid(cells),
            "Unpoisoned sets:",
            unpoisoned(cells),
            "BadNets on the bundled images, right answers by poisoning rate:",
            rates(cells),
            "BadNets all-to-all on the bundled images at 30 %, several targets found: "
            f"{share(several, lambda c: c['verdict'] == 'several')}.",
            "Answers of auto that are wrong, of the cells that count:",
            misses(cells),
        )
    )


def write_tables(cells: list[Cell], planned: int, path: Path) -> None:
    """Write the tables between the markers of a document."""
    first, last = map(re.escape, MARKERS)
    tables = f"{MARKERS[0]}\n{all_tables(cells, planned)}\n{MARKERS[1]}"
    path.write_text(re.sub(f"{first}.*{last}", lambda _: tables, path.read_text(), flags=re.DOTALL))
    print(tables)
