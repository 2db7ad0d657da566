"""The data of the bench: a run, the files that the session uploaded, and one request from the browser; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.server import run_cache
from app.trigger_bench.state import BenchState, Limits
from bsd_engine.runs import trigger_bench
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import stored_epochs
from bsd_engine.runs.trigger_bench import BenchImages


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Uploads and drawings of this session."""

    image: Path | None = None
    """File of the user's own test image."""
    picture: Path | None = None
    """File of the picture used as the trigger; without one, a star is used."""
    drawing: np.ndarray | None = None
    """(H, W, 4) uint8."""
    refusal: str = ""
    """The reason why the last file was refused; "" if it was accepted."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A run, its images, and the choices on the page."""

    run: RunReader
    images: BenchImages
    limits: Limits

    @classmethod
    def of(cls, path: Path) -> Bench | None:
        """The bench of a run folder; None if it has no checkpoint."""
        run = run_cache.reader(path)
        epochs = stored_epochs(path)
        if not epochs:
            return None
        images = trigger_bench.bench_images(run)
        own = ("own",) if run.config.attack.attack != "none" else ()
        limits = Limits(
            epochs=epochs,
            images=len(images.labels),
            triggers=(*own, *trigger_bench.trigger_names(), "picture", "drawn"),
            height=run.images.shape[2],
            width=run.images.shape[3],
        )
        return cls(run=run, images=images, limits=limits)


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """A request: a bench and the state that a page shows."""

    bench: Bench
    state: BenchState
    uploads: Uploads
    seq: int
    """Number of the message to answer."""
    settled: bool
    """Whether the last gesture is over. Only then do all checkpoints answer, which takes time."""
    static: bool
    """Whether the browser has no data yet."""
