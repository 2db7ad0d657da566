"""Run folders that tests change by hand: the digest is recorded anew, and the folder stays one's own.

edit_json(run, "config.json", class_names=["ant", "bee"])
replace_file(run, "epochs/00001.npz", content)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bsd_engine.runs.origin import digests
from bsd_engine.runs.origin.provenance import is_own, write_signature


def replace_file(run: Path, name: str, content: bytes) -> None:
    """Replace a file of a run folder as if its writer had written it."""
    own = is_own(run)
    (run / name).write_bytes(content)
    record(run, name)
    if own:
        write_signature(run)


def record(run: Path, name: str) -> None:
    """Add the digest of a file as it is now, if the folder has digests."""
    if (run / digests.FILE).exists():
        with (run / digests.FILE).open("ab") as file:
            file.write(digests.line_of(name, digests.digest_of((run / name).read_bytes())))


def edit_json(run: Path, name: str, **changes: Any) -> None:
    """Change values of a JSON file in a run folder."""
    content = json.loads((run / name).read_text()) | changes
    replace_file(run, name, json.dumps(content).encode())


def without_digests(run: Path) -> None:
    """Turn a folder into one of the format before digests."""
    edit_json(run, "config.json", format_version=3)
    (run / digests.FILE).unlink()
