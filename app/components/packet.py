"""Packs named arrays and a small header into one byte string, which a browser component receives unchanged.

    b"BSDP", uint32 length of the header, header (JSON), then each array at a multiple of 8

The header's "arrays" gives the name, type, offset (from the end of the header, aligned) and length of each. A
dictionary that holds bytes would reach a component as one long text; bytes alone arrive as a Uint8Array.
packet.js reads them.
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
    """The packed bytes. Each array has one of `TYPES` and is flattened; the header is JSON without NaN."""
    flat = {name: np.ascontiguousarray(a).ravel() for name, a in arrays.items()}
    index, end = [], 0
    for name, a in flat.items():
        index.append([name, TYPES[a.dtype.name], end, len(a)])
        end += _aligned(a.nbytes)
    head = json.dumps({**header, "arrays": index}, separators=(",", ":"), allow_nan=False).encode()
    begin = _aligned(8 + len(head))
    content = bytearray(begin + end)
    content[: 8 + len(head)] = MAGIC + len(head).to_bytes(4, "little") + head
    for (_, _, offset, _), a in zip(index, flat.values(), strict=True):
        content[begin + offset : begin + offset + a.nbytes] = a.tobytes()
    return bytes(content)


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays from the bytes of `pack`, as the browser reads them."""
    length = int.from_bytes(content[4:8], "little")
    header, begin = json.loads(content[8 : 8 + length]), _aligned(8 + length)
    kinds = {short: name for name, short in TYPES.items()}
    return header, {
        name: np.frombuffer(content, kinds[kind], count, begin + offset)
        for name, kind, offset, count in header.pop("arrays")
    }
