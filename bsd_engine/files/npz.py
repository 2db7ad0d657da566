"""Arrays as the bytes of .npz and .npy files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An uncompressed .npz file with these arrays, in this order."""
    named: dict[str, Any] = dict(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    """An .npy file with one array."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
