"""Commands from viewers to the writer of a run folder: pause, resume, stop."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import get_args

from bsd_engine.files import bounded
from bsd_engine.files.atomic import storage_errors, without_following
from bsd_engine.runs.layout import Command
from bsd_engine.runs.origin.provenance import refuse_foreign


def read_commands(path: Path) -> list[Command]:
    """Return the commands given so far, oldest first; none if they cannot be read."""
    try:
        lines = (
            bounded.read_bytes(path / "commands.jsonl", bounded.MOST_JSON_BYTES, follow=False)
            .decode(errors="replace")
            .splitlines()
        )
    except (OSError, ValueError):
        return []
    return [command for command in map(_command_of, lines) if command]


def _command_of(line: str) -> Command | None:
    """Return the command in a line; None for a line that a viewer has left incomplete."""
    try:
        command = bounded.parse_object(line)["command"]
    except (ValueError, KeyError):
        return None
    return command if command in get_args(Command) else None


def send_command(path: Path, command: Command) -> None:
    """Ask the writer of a run folder to pause, resume or stop; it obeys within an iteration.

    Raises `RunFolderError` for a folder that this installation did not write.
    """
    with storage_errors(path):
        path.stat()
    refuse_foreign(path, "paused, resumed or stopped")
    # The leading newline ends a line that a dying viewer left incomplete.
    line = "\n" + json.dumps({"command": command, "time": time.time()}) + "\n"
    with storage_errors(path), open(path / "commands.jsonl", "a", opener=without_following) as file:
        file.write(line)
