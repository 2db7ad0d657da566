"""Named arrays and a small header as one run of bytes, which a browser component gets as they are.

    b"BSDP", uint32 length of the header, header (JSON), then each array at a multiple of 8

The header's "arrays" says name, type, offset (from the first byte of all) and length of each. A dictionary that holds bytes
would reach a component as one long text; bytes alone arrive as a Uint8Array.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

MAGIC = b"BSDP"
TYPES = {"uint8": "u1", "uint16": "u2", "uint32": "u4", "float32": "f4"}


def _aligned(n: int) -> int:
    return -(-n // 8) * 8


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes; arrays are flat or flattened, of one of `TYPES`, and the header is JSON without NaN."""
    flat = {name: np.ascontiguousarray(a).ravel() for name, a in arrays.items()}
    index: list[list[Any]] = [[name, TYPES[a.dtype.name], 0, len(a)] for name, a in flat.items()]
    for _ in range(3):  # the offsets are in the header, whose length moves them
        head = json.dumps({**header, "arrays": index}, separators=(",", ":"), allow_nan=False).encode()
        at = _aligned(8 + len(head) + 16)
        for entry, a in zip(index, flat.values(), strict=True):
            entry[2], at = at, _aligned(at + a.nbytes)
    content = bytearray(at)
    content[:8] = MAGIC + len(head).to_bytes(4, "little")
    content[8 : 8 + len(head)] = head
    for entry, a in zip(index, flat.values(), strict=True):
        content[entry[2] : entry[2] + a.nbytes] = a.tobytes()
    return bytes(content)


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of `pack`, as the browser reads them."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[4:8], "little")])
    kinds = {short: name for name, short in TYPES.items()}
    return header, {name: np.frombuffer(content, kinds[kind], length, offset) for name, kind, offset, length in header.pop("arrays")}
