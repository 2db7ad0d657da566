"""Several readers of one input: all are tried, even if the first one refuses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from bsd_engine.errors import BSDError


def try_all(readers: Iterable[Callable[[], Any]], most_seconds: float = float("inf")) -> None:
    """Call every reader; afterwards raises the first refusal. Each may take that many seconds."""
    refused: list[BSDError] = []
    for number, read in enumerate(readers):
        begin = time.perf_counter()
        try:
            read()
        except BSDError as error:
            refused.append(error)
        if (seconds := time.perf_counter() - begin) > most_seconds:
            raise TimeoutError(f"reader {number} took {seconds:.1f} s")
    if refused:
        raise refused[0]
