"""Functions that turn arrays into the content of .npz and .npy files; `bounded` reads them back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np


def write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed .npz file; arrays of Python objects raise `ValueError`."""
    np.savez(file, allow_pickle=False, **arrays)


def pack_arrays(**arrays: np.ndarray) -> bytes:
    """Return the content of an uncompressed .npz file."""
    buffer = io.BytesIO()
    write_npz(buffer, arrays)
    return buffer.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    """Return the content of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
