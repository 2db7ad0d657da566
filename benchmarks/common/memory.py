"""Memory of processes, from /proc: Linux only."""

from __future__ import annotations

from pathlib import Path


def megabytes(field: str, pid: int | str = "self") -> float:
    """Return a field of a process's status in MB of 1,024 kB: VmRSS, VmHWM (peak VmRSS so far), RssAnon or RssFile.

    RssAnon is the process's own memory; RssFile is memory of file pages, which the system reclaims when it needs it.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
