"""Actions of the server at its start and at its end."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import threading
from collections.abc import Callable

from bsd_engine.errors import BSDError


def before_shutdown(close: Callable[[], None]) -> None:
    """Call a function when the interpreter ends, while threads still run.

    `atexit` comes too late: by then executors refuse work, so a training in progress would fail instead of stopping,
    and a thread inside torch ends the process with an abort.
    """
    getattr(threading, "_register_atexit", atexit.register)(close)


def load_engine() -> None:
    """Load the slow parts of a first run: imports (2.7 s), the bundled images and torch's optimisers (1.9 s)."""
    from bsd_engine.config import presets
    from bsd_engine.runs import record

    with contextlib.suppress(BSDError), contextlib.closing(record.BSDTrainer(presets.smoke()).run()) as events:
        for _ in itertools.islice(events, 3):
            pass
