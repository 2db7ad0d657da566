"""Reading of untrusted files: the sizes that they claim are checked before memory is allocated.

A folder from elsewhere may be damaged or malicious: a header that announces a petabyte, a zip file that unpacks to a
petabyte, JSON nested a million levels deep, a pipe in place of a file. All functions raise `ValueError` or `OSError`.
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
from typing import Any, BinaryIO, Literal

import numpy as np

MOST_JSON_BYTES = 16_000_000
MOST_NPZ_BYTES = 512_000_000  # an epoch of a million samples takes 30 MB
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
"""Errors that zipfile and numpy raise for unreadable content, besides `OSError` and `ValueError`. A header that is not
a Python literal fails in the tokenizer, a deeply nested one with IndexError or MemoryError."""

Order = Literal["C", "F"]
"""Memory order of an array, in numpy's notation."""
Stamp = tuple[int, int, int]
"""Inode, size and modification time in nanoseconds: they change when a file is rewritten, even if the clock was set
back."""


def stamp_of(path: Path) -> Stamp:
    """Return the current stamp of a file; raises `OSError` if there is no file."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes; a pipe or device, which might block, is refused."""
    with opened(path) as (file, size):
        if size > most:
            raise ValueError(f"it has {size:,} bytes, expected at most {most:,}")
        return file.read(size)  # read(most) would allocate that much memory: 512 MB for an epoch


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file and yield it with its size in bytes; others raise `ValueError` without waiting."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        yield file, status.st_size


def parse_object(text: str | bytes, *, finite: bool = True) -> dict[str, Any]:
    """Return the JSON object in a text; with `finite`, NaN and infinities become None, which means unknown."""
    try:
        content = (
            json.loads(text, parse_constant=lambda _: None, parse_float=_finite_or_none) if finite else json.loads(text)
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it does not hold a JSON object")
    return content


def _finite_or_none(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    return parse_object(read_bytes(path, MOST_JSON_BYTES))


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays in an uncompressed .npz file from `numpy.savez`: writable, and no larger than the file."""
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
    """Return a copy of the array in the content of an .npy file."""
    stream = io.BytesIO(content)
    shape, order, dtype = _header(stream, len(content))
    return np.frombuffer(bytearray(content[stream.tell() :]), dtype).reshape(shape, order=order)


def _header(stream: BinaryIO, size: int) -> tuple[tuple[int, ...], Order, np.dtype]:
    """Return the shape, memory order and dtype of an .npy file of `size` bytes, which must be just what they need.

    The stream is left at the start of the array.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"it has the .npy format {version}, expected 1.0 or 2.0")
    shape, is_fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject or any(not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError("it does not hold a plain array")
    announced, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if announced != present:
        raise ValueError(f"it announces {announced:,} bytes and holds {present:,}")
    return shape, "F" if is_fortran else "C", dtype


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file."""
    return unpack_arrays(read_bytes(path, MOST_NPZ_BYTES))


def open_array(path: Path, *, in_memory_below: int) -> np.ndarray:
    """Return the array in an .npy file, read-only: read into memory if it is small, else memory-mapped.

    Truncating a mapped file while it is in use kills the process (SIGBUS), so small files are not mapped.
    """
    with opened(path) as (file, size):
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
