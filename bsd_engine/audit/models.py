"""Both models of a run as a checkpoint left them, for what the record does not hold: features and gradients."""

from __future__ import annotations

from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels as AuditModels
from bsd_engine.runs.stored_models import channels_last

__all__ = ["AuditModels", "channels_last", "has_models"]


def has_models(run: RunReader) -> bool:
    """Whether the run folder has a checkpoint that holds something."""
    return any(path.stat().st_size for path in checkpoint_paths(run.path))
