"""The table of docs/audit.md from the results of the grid."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.audit_grid.cells import LIMIT
from benchmarks.target_grid.tables import markdown

Cell = dict[str, Any]
MARKERS = "<!-- audit grid -->", "<!-- end of audit grid -->"
UNPOISONED = ("none", "noise")


def right(cell: Cell) -> bool:
    """Return whether the verdict names the attack and its class, or no attack where there is none."""
    if cell["attack"] in UNPOISONED:
        return cell["verdict"] == "no_attack"
    return cell["verdict"] == "target" and cell["suspect"] == cell["target"]


def write_table(cells: list[Cell], path: Path) -> None:
    """Replace the text between the markers of a document."""
    begin, end = MARKERS
    text = f"{begin}\n{len(cells)} of 54 cells.\n\n{bars(cells)}\n\n{rows(cells)}\n{end}"
    path.write_text(re.sub(f"{begin}.*{end}", lambda _: text, path.read_text(), flags=re.DOTALL))


def bars(cells: list[Cell]) -> str:
    """Return a table of the goals and the results."""
    attacked = [c for c in cells if c["attack"] not in UNPOISONED]
    found = [c for c in attacked if right(c)]
    missed = [c for c in attacked if not right(c)]
    unpoisoned = [c for c in cells if c["attack"] in UNPOISONED]
    noisy = [c for c in cells if c["attack"] == "noise"]
    return markdown(
        ("what", "bar", "measured"),
        (
            ("verdict right: attack and class, or none", "at least 90 %", share(cells, [right(c) for c in cells])),
            (
                "unpoisoned and noisy sets accused",
                "at most 3 %",
                share(unpoisoned, [c["verdict"] in ("target", "several") for c in unpoisoned]),
            ),
            ("places that tell another verdict", "0", f"{sum(c['told_otherwise'] for c in cells)}"),
            (
                "poison left in the cleaned set, attacks found: median; largest",
                "at most 2 %",
                spread([100 * c["balanced"]["poison_left"] / c["sought"] for c in found], " %"),
            ),
            (
                "ASR of plain training on it: median; largest",
                "at most 10 %",
                spread([c["plain_cleaned"][1] for c in found], " %"),
            ),
            ("clean images lost: median; largest", "at most 20 %", spread([_clean_lost(c) for c in found], " %")),
            (
                "accuracy of plain training on it less that on the found set: median; smallest",
                "at least -2 points",
                spread([c["plain_cleaned"][0] - c["plain_found"][0] for c in found], "", largest=False),
            ),
            (
                "share of wrong labels in the cleaned set: median; largest",
                "at most 10 %",
                spread([100 * c["balanced"]["wrong_left"] / c["balanced"]["kept"] for c in noisy], " %"),
            ),
            (
                "AUROC where the target is right: median; smallest",
                "at least 0.97",
                spread([c["auroc"] for c in found], "", largest=False, digits=3),
            ),
            (
                "AUROC where it is wrong: median; smallest",
                "at least 0.85",
                spread([c["auroc"] for c in missed], "", largest=False, digits=3),
            ),
        ),
    )


def rows(cells: list[Cell]) -> str:
    """Return a row for each attack on each data set."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["data"], cell["attack"]), []).append(cell)
    return markdown(
        ("data", "attack", "verdict right", "evidence", "AUROC", "poison left", "clean lost", "plain CA", "plain ASR"),
        (_row(*names, group) for names, group in sorted(groups.items())),
    )


def _row(data: str, attack: str, group: list[Cell]) -> tuple[str, ...]:
    attacked = attack not in UNPOISONED
    evidence = [c["evidence"] for c in group]
    return (
        data,
        attack.replace("_", " "),
        f"{sum(map(right, group))} of {len(group)}",
        f"{min(evidence):.1f} to {max(evidence):.1f}",
        ", ".join(f"{c['auroc']:.2f}" for c in group) if group[0]["sought"] else "",
        ", ".join(f"{c['balanced']['poison_left']} of {c['sought']}" for c in group) if attacked else "",
        ", ".join(f"{_clean_lost(c):.1f} %" for c in group) if attacked else "",
        _change(group, 0),
        _change(group, 1) if attacked else "",
    )


def _clean_lost(cell: Cell) -> float:
    """Return the share of the clean images that the default rule removes, percent."""
    return 100 * cell["balanced"]["clean_lost"] / (LIMIT - cell["sought"])


def _change(group: list[Cell], i: int) -> str:
    """Return the medians of a rate of plain training on the found set and on the cleaned one."""
    found, cleaned = (median(c[name][i] for c in group) for name in ("plain_found", "plain_cleaned"))
    return f"{found:.1f} -> {cleaned:.1f}"


def share(cells: list[Cell], holds: list[bool]) -> str:
    """Return the share of cells as text, such as "38 of 40 (95 %)"."""
    return f"{sum(holds)} of {len(cells)} ({100 * sum(holds) / len(cells):.0f} %)" if cells else "no cell yet"


def spread(values: Iterable[float], unit: str, *, largest: bool = True, digits: int = 1) -> str:
    """Return the median and the worst of some numbers."""
    numbers = list(values)
    if not numbers:
        return "no cell yet"
    worst = max(numbers) if largest else min(numbers)
    return f"{median(numbers):.{digits}f}{unit}; {worst:.{digits}f}{unit}"
