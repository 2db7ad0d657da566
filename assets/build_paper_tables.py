"""Make paper_tables.json, the numbers that the BSD paper (ICML 2025) reports, from a transcription in YAML.

    python -m assets.build_paper_tables TRANSCRIPTION.yaml       needs PyYAML, which the project itself does not

Numbers only, as printed, percent: [CA, ASR, DER], null where the printed table is ambiguous. Names of tables and rows
are those of the transcription; the text of the paper is not in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("paper_tables.json")
KEPT = {
    "table1": "1",
    "table2": "2",
    "table4": "4",
    "table6": "6",
    "table7": "7",
    "table10_no_attack": "10",
    "table12_badnets_all2all_cifar10": "12",
}
SOURCE = (
    "Bi-perspective Splitting Defense: Achieving Clean-Seed-Free Backdoor Security, ICML 2025, "
    "tables 1, 2, 4, 6, 7, 10 and 12"
)


def texts(value: Any) -> Any:
    """The same with names as texts, since JSON knows no others."""
    return {str(name): texts(part) for name, part in value.items()} if isinstance(value, dict) else value


def main(transcription: Path) -> None:
    """Write the file."""
    import yaml

    given = yaml.safe_load(transcription.read_text())
    tables = {number: texts(given[name]) for name, number in KEPT.items()}
    tables["1"].pop("defenses")
    lines = [f" {json.dumps(number)}: {json.dumps(table)}" for number, table in tables.items()]
    OUT.write_text('{\n "source": ' + json.dumps(SOURCE) + ",\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
