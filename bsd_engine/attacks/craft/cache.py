"""A cache on disk for what takes minutes to craft: weights of surrogates, and perturbations.

    crafted/KEY.npy      a plain array and 16 bytes of its digest; KEY follows from everything that the array depends on

The folder may be deleted at any time; what is needed is crafted again.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bsd_engine.data import dataset
from bsd_engine.files.atomic import renamed_when_complete
from bsd_engine.files.locations import cache_folder

FORMAT_VERSION = 1  # to be raised when the same settings give other arrays
_DIGEST_BYTES = 16
_log = logging.getLogger(__name__)


def digest(*tensors: Tensor) -> str:
    """32 hex digits that change with any value, shape or dtype, but not with the memory order."""
    total = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for tensor in tensors:
        total.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
        for chunk in dataset.chunks(tensor):
            total.update(chunk.contiguous().cpu().numpy().data)
    return total.hexdigest()


def cached(key: tuple, make: Callable[[], Tensor]) -> Tensor:
    """The array that `make` returns, from the cache if it is there.

    A cache folder that cannot be written to is not an error: a warning is logged, and the array is not cached.

    Parameters
    ----------
    key : tuple
        Everything that the array depends on, as plain values that `repr` tells apart.
    make : callable
        Crafts the array, on the CPU.
    """
    name = hashlib.blake2b(repr((FORMAT_VERSION, *key)).encode(), digest_size=_DIGEST_BYTES).hexdigest()
    path = cache_folder() / "crafted" / f"{name}.npy"
    array = _read(path)
    if array is None:
        array = make().numpy()
        _write(path, array)
    return torch.from_numpy(array)


def _read(path: Path) -> np.ndarray | None:
    """The array in a file, or None if the file is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    array, stored_digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    return np.load(io.BytesIO(array), allow_pickle=False) if _digest_of(array) == stored_digest else None


def _write(path: Path, array: np.ndarray) -> None:
    """Write the file so that it appears complete or not at all."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with renamed_when_complete(path, durable=False) as file:
            file.write(stream.getvalue() + _digest_of(stream.getvalue()))
    except OSError as error:
        _log.warning(
            "%s cannot cache what was crafted (%s); it is crafted again next time.",
            path.parent,
            error.strerror or error,
        )


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
