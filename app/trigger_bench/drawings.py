"""Converts drawings and files to and from text, for the address of the page and the browser's messages.

Both come from outside, so all of it is checked.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import numpy as np

LARGEST_DRAWING = 4 * 512 * 512
"""Bytes of a drawing in a message."""
LONGEST_DRAWING = 3000
"""Characters of a drawing in the address; a longer one is kept in the session only."""


def has_ink(drawing: np.ndarray | None) -> bool:
    """Whether anything is drawn."""
    return drawing is not None and bool(drawing[..., 3].any())


def encode_drawing(drawing: np.ndarray) -> str:
    """An (H, W, 4) uint8 drawing as text for an address."""
    return base64.urlsafe_b64encode(zlib.compress(np.ascontiguousarray(drawing).tobytes(), 9)).decode().rstrip("=")


def decode_drawing(text: str, height: int, width: int) -> np.ndarray:
    """The drawing from a text of `encode_drawing`, for images of a size; raises `ValueError` for any other text."""
    size = 4 * height * width
    if len(text) > LONGEST_DRAWING:
        raise ValueError("too long")
    try:
        unpacker = zlib.decompressobj()  # bounded: a short text can unpack to gigabytes
        content = unpacker.decompress(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), size + 1
        )
    except (binascii.Error, zlib.error) as error:
        raise ValueError("not a drawing") from error
    if len(content) != size or not unpacker.eof:
        raise ValueError("another size")
    return np.frombuffer(content, np.uint8).reshape(height, width, 4)


def parse_drawing(text: Any, height: int, width: int) -> np.ndarray | None:
    """The drawing in a message: base64 of H x W x 4 bytes; None for anything else."""
    if not isinstance(text, str) or len(text) > 2 * LARGEST_DRAWING:
        return None
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return np.frombuffer(content, np.uint8).reshape(height, width, 4) if len(content) == 4 * height * width else None


def parse_file(value: Any, most: int) -> bytes | None:
    """The content of a file in a message: base64; None for anything else and for more than `most` bytes."""
    if not isinstance(value, str) or len(value) > 4 * (most + 2) // 3 + 4:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
