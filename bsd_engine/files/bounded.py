"""Files that nobody vouches for: what they claim to hold is checked before memory is taken for it.

A folder from elsewhere may be damaged, or made to do damage: a header that announces a petabyte, a zip file that unpacks
to one, JSON nested a million deep, a pipe in the place of a file. Everything here raises `ValueError` or `OSError`.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MOST_JSON_BYTES = 16_000_000
MOST_NPZ_BYTES = 512_000_000  # an epoch of a million samples has 30 MB
_MOST_ARRAYS = 64
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    TypeError,
    KeyError,
    EOFError,
    RuntimeError,
    OverflowError,
    IndexError,
    AttributeError,
    MemoryError,
)
"""What zipfile and numpy raise for what they cannot read, besides `OSError` and `ValueError`. A header that is no Python literal ends
in the tokenizer, a deeply nested one in IndexError or MemoryError."""

Stamp = tuple[int, int, int]
"""Changes when a file is written anew, even if the clock was set back: inode, size, and time in nanoseconds."""


def stamp_of(path: Path) -> Stamp:
    """The present stamp of a file; raises `OSError` where there is none."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_bytes(path: Path, most: int) -> bytes:
    """Content of a regular file of at most so many bytes; a pipe or a device, which could be waited for, is refused."""
    with _opened(path) as (file, size):
        if size > most:
            raise ValueError(f"it has {size:,} bytes, expected at most {most:,}")
        return file.read(size)  # `most` would set aside as much memory: 512 MB for an epoch


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file and how many bytes it has; anything else is refused without waiting for it."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no regular file")
        yield file, found.st_size


def parse_object(text: str | bytes, *, finite: bool = True) -> dict[str, Any]:
    """A JSON object; with `finite`, numbers that are not become None, which means unknown."""
    try:
        content = (
            json.loads(text, parse_constant=lambda _: None, parse_float=_finite_or_none) if finite else json.loads(text)
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return content


def _finite_or_none(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    return parse_object(read_bytes(path, MOST_JSON_BYTES))


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Arrays of an .npz file as `numpy.savez` writes it, uncompressed; writable, and no larger than the file is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_ARRAYS or any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise ValueError(f"it is compressed or has more than {_MOST_ARRAYS} arrays")
            if sum(member.file_size for member in members) > len(content):
                raise ValueError("its parts are larger than the file")
            return {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
    except UNREADABLE as error:
        raise ValueError(f"{error}" or type(error).__name__) from None


def _array(content: bytes) -> np.ndarray:
    """The array in an .npy file, a copy."""
    stream = io.BytesIO(content)
    shape, order, dtype = _header(stream, len(content))
    return np.frombuffer(bytearray(content[stream.tell() :]), dtype).reshape(shape, order=order)


def _header(stream: BinaryIO, size: int) -> tuple[tuple[int, ...], str, np.dtype]:
    """Shape, order of memory and dtype of an .npy file that is exactly as large as they say; what follows is the array."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"it has the .npy format {version}, expected 1.0 or 2.0")
    shape, is_fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject or any(not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError("it holds no plain array")
    announced, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if announced != there:
        raise ValueError(f"it announces {announced:,} bytes and holds {there:,}")
    return shape, "F" if is_fortran else "C", dtype


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an .npz file."""
    return unpack_arrays(read_bytes(path, MOST_NPZ_BYTES))


def open_array(path: Path, *, in_memory_below: int) -> np.ndarray:
    """The array in an .npy file, not writable: read if it is small, else mapped into memory.

    A mapped file that is cut short while somebody looks at it ends the process (SIGBUS), so what can be read is read.
    """
    with _opened(path) as (file, size):
        try:
            shape, order, dtype = _header(file, size)
        except UNREADABLE as error:
            raise ValueError(f"{error}" or type(error).__name__) from None
        if 0 in shape or size > in_memory_below:
            array = np.memmap(file, dtype, "r", file.tell(), shape, order) if 0 not in shape else np.zeros(shape, dtype)
        else:
            array = np.frombuffer(file.read(), dtype).reshape(shape, order=order)
    array.flags.writeable = False
    return array
