"""Class names of a data source, where they are known without loading its images."""

from __future__ import annotations

from functools import lru_cache

from app.server import data_paths
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import Stamp

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def class_names(spec: str) -> tuple[str, ...]:
    """Names of the classes; empty where looking them up would be slow, or the source is missing or may not be read."""
    if spec == "cifar10":
        return CIFAR10
    if spec == "gtsrb" or spec.endswith(":") or not data_paths.may_read(spec):
        return ()
    return _class_names(spec, data_paths.stamps(spec))


@lru_cache(maxsize=16)
def _class_names(spec: str, stamps: tuple[Stamp | None, ...]) -> tuple[str, ...]:
    from bsd_engine.data import sources

    try:
        return sources.open_source(spec).class_names
    except BSDError:
        return ()
