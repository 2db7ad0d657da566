"""Memory of processes, from /proc: Linux only."""

from __future__ import annotations

from pathlib import Path


def megabytes(field: str, pid: int | str = "self") -> float:
    """A field of a process's status in MB of 1,024 kB: VmRSS, VmHWM (the largest VmRSS so far), RssAnon or RssFile.

    RssAnon is memory of the process's own; RssFile are pages of files, which the system takes back when it needs them.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
