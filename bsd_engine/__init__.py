"""Bi-perspective Splitting Defense: train a clean classifier on poisoned data, without any clean seed samples.

The names in `__all__` are the ones to use in a notebook. Each loads its module, and with it torch, on first use:

    from bsd_engine import BSDTrainer, prepare_data, preset

    config = preset("demo")
    for event in BSDTrainer(config, prepare_data(config)).run():
        print(event)
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bsd_engine.audit.history import RunHistory
    from bsd_engine.audit.suspects import suspects
    from bsd_engine.config.presets import preset
    from bsd_engine.config.settings import BSDConfig
    from bsd_engine.prepare.prepare import prepare as prepare_data
    from bsd_engine.runs.reader import RunReader
    from bsd_engine.runs.record import record_run, resume_run
    from bsd_engine.training.trainer import BSDTrainer

__all__ = [
    "BSDConfig",
    "BSDTrainer",
    "RunHistory",
    "RunReader",
    "__version__",
    "prepare_data",
    "preset",
    "record_run",
    "resume_run",
    "suspects",
]
__version__ = "1.0.0"

# Threads that wait for each other spin briefly, then sleep. OpenMP reads this when torch is loaded. While a browser
# draws on the same two cores, an altruistic warm-up epoch of the demo takes 2-3 s with it and 6-8 s without; on an
# idle machine it makes no difference.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "BSDConfig": ("bsd_engine.config.settings", "BSDConfig"),
    "BSDTrainer": ("bsd_engine.training.trainer", "BSDTrainer"),
    "RunHistory": ("bsd_engine.audit.history", "RunHistory"),
    "RunReader": ("bsd_engine.runs.reader", "RunReader"),
    # `bsd_engine.prepare` is the subpackage, so the function `prepare` has a longer name here.
    "prepare_data": ("bsd_engine.prepare.prepare", "prepare"),
    "preset": ("bsd_engine.config.presets", "preset"),
    "record_run": ("bsd_engine.runs.record", "record_run"),
    "resume_run": ("bsd_engine.runs.record", "resume_run"),
    "suspects": ("bsd_engine.audit.suspects", "suspects"),
}
"""Module and name there of each public name that is loaded on first use (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
