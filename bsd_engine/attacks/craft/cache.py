"""Results of minutes of crafting kept on disk: weights of surrogates and perturbations.

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

FORMAT_VERSION = 1  # rises when the same settings give other arrays
_DIGEST_BYTES = 16
_log = logging.getLogger(__name__)


def digest(*tensors: Tensor) -> str:
    """32 hex digits that change with any value or shape; the order in memory does not count."""
    found = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for tensor in tensors:
        found.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
        for chunk in dataset.chunks(tensor):
            found.update(chunk.contiguous().cpu().numpy())
    return found.hexdigest()


def kept(key: tuple, make: Callable[[], Tensor]) -> Tensor:
    """The array that `make` gives, from the cache where it is in it.

    Parameters
    ----------
    key : tuple
        All that the array depends on, as plain values whose `repr` tells them apart.
    make : callable
        Crafts the array, on the CPU. A folder that cannot be written to keeps nothing, which is no error.
    """
    name = hashlib.blake2b(repr((FORMAT_VERSION, *key)).encode(), digest_size=_DIGEST_BYTES).hexdigest()
    path = cache_folder() / "crafted" / f"{name}.npy"
    array = _read(path)
    if array is None:
        array = make().numpy()
        _write(path, array)
    return torch.from_numpy(array)


def _read(path: Path) -> np.ndarray | None:
    """The array in a file, or None where it is absent or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    array, found = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    return np.load(io.BytesIO(array), allow_pickle=False) if _digest_of(array) == found else None


def _write(path: Path, array: np.ndarray) -> None:
    """The file appears under its name whole or not at all."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with renamed_when_complete(path, durable=False) as file:
            file.write(stream.getvalue() + _digest_of(stream.getvalue()))
    except OSError as error:
        _log.warning(
            "%s cannot keep what was crafted (%s); it is crafted again next time.", path.parent, error.strerror or error
        )


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
