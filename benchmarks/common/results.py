"""Results of runs as JSON lines: one line per run, added at its end, so that an interrupted benchmark can continue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks/results"
SUMMARY_KEYS = (
    "clean_accuracy",
    "attack_success_rate",
    "pseudo_target",
    "true_target",
    "poison_in_clean_pool",
    "clean_pool_size",
    "seconds",
)
"""The entries of a run's summary that are kept."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the results in a file, if it exists; skips a last line that a killed run left incomplete."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def append_line(path: Path, result: Mapping[str, Any]) -> None:
    """Add a result; adds the newline that a killed run left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        is_torn = file.tell() > 0 and not path.read_bytes().endswith(b"\n")
        file.write(b"\n" * is_torn + (json.dumps(result) + "\n").encode())
