"""Memory that is free, and the check that something fits into it before it is allocated."""

from __future__ import annotations

import contextlib
import math
import resource
from pathlib import Path
from typing import Any

from bsd_engine.errors import ConfigError

_CONTAINER = Path("/sys/fs/cgroup")


def free_bytes() -> float:
    """Bytes of memory available to this process without swapping; infinite if the system does not say.

    That is the least of what the machine has, what its container may still take, and the process's own limit.
    """
    return max(0.0, min(_of_machine(), _of_container(), _of_process()))


def check_fits(setting: str, value: Any, needed: float, *, free: float | None = None) -> None:
    """Raise `ConfigError` if a setting needs more bytes than are free, of the machine's memory unless given."""
    free = free_bytes() if free is None else free
    if needed > free:
        raise ConfigError(
            f"{setting} is {value}, with which at least {needed / 1e9:,.1f} GB of memory would be needed, and "
            f"{free / 1e9:,.1f} GB are free. Choose another value, or end other programs."
        )


def _of_machine() -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    return math.inf


def _of_container() -> float:
    with contextlib.suppress(OSError, ValueError):  # "max" without a limit
        return float(int((_CONTAINER / "memory.max").read_text()) - int((_CONTAINER / "memory.current").read_text()))
    return math.inf


def _of_process() -> float:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    with contextlib.suppress(OSError, ValueError, IndexError):
        return float(limit - resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0]))
    return math.inf
