"""Reading of untrusted files: the sizes that they claim are checked before memory is allocated.

A folder from elsewhere may be damaged or malicious: a header that announces a petabyte, a zip file that unpacks to a
petabyte, JSON nested a million levels deep, a pipe in place of a file. All functions raise `ValueError` or `OSError`.
"""

from __future__ import annotations

import contextlib
import errno
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


class LinkError(ValueError):
    """The file is a symbolic link, and links are not followed there."""

    def __init__(self) -> None:
        super().__init__("it is a link; copy what it points to into its place")


def stamp_of(path: Path | str, *, follow: bool = True) -> Stamp:
    """Return the current stamp of a file; raises `OSError` if there is no file, and `LinkError` for a symbolic link
    unless `follow`."""
    status = os.stat(path, follow_symlinks=follow)
    if stat.S_ISLNK(status.st_mode):
        raise LinkError
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_bytes(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most `most` bytes; a pipe or device, which might block, is refused.

    Raises `LinkError` for a symbolic link unless `follow`.
    """
    with opened(path, follow=follow) as (file, size):
        if size > most:
            raise ValueError(f"it has {size:,} bytes, expected at most {most:,}")
        return file.read(size)  # read(most) would allocate that much memory: 512 MB for an epoch


@contextlib.contextmanager
def opened(path: Path, *, follow: bool = True) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file and yield it with its size in bytes; anything else is refused without blocking."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if not follow and error.errno == errno.ELOOP:
            raise LinkError from None
        raise
    with os.fdopen(descriptor, "rb") as file:
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


def read_object(path: Path, *, follow: bool = True) -> dict[str, Any]:
    """Return the JSON object in a file."""
    return parse_object(read_bytes(path, MOST_JSON_BYTES, follow=follow))


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


def read_arrays(path: Path, *, follow: bool = True) -> dict[str, np.ndarray]:
    """Return the arrays in an .npz file."""
    return unpack_arrays(read_bytes(path, MOST_NPZ_BYTES, follow=follow))


def unpack_array(content: bytes) -> np.ndarray:
    """Return the array in the content of an .npy file, read-only and without a copy."""
    stream = io.BytesIO(content)
    shape, order, dtype = _checked_header(stream, len(content))
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order=order)


def map_array(path: Path, *, follow: bool = True) -> np.ndarray:
    """Return the array in an .npy file, read-only and memory-mapped.

    Truncating a mapped file while it is in use kills the process (SIGBUS), so small files should be read instead.
    """
    with opened(path, follow=follow) as (file, size):
        shape, order, dtype = _checked_header(file, size)
        array = np.zeros(shape, dtype) if 0 in shape else np.memmap(file, dtype, "r", file.tell(), shape, order)
    array.flags.writeable = False
    return array


def _checked_header(stream: BinaryIO, size: int) -> tuple[tuple[int, ...], Order, np.dtype]:
    """Return what `_header` does; raises `ValueError` alone."""
    try:
        return _header(stream, size)
    except UNREADABLE as error:
        raise ValueError(f"{error}" or type(error).__name__) from None


def check_stored_zip(file: BinaryIO, size: int) -> None:
    """Check a zip file of `size` bytes: nothing compressed, no name twice, and every checksum right."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > size:
                raise ValueError("it is compressed")
            if len({m.filename for m in members}) < len(members):
                raise ValueError("it holds a name twice")
            damaged = archive.testzip()
    except (*UNREADABLE, NotImplementedError) as error:
        raise ValueError(f"{error}" or type(error).__name__) from None
    if damaged is not None:
        raise ValueError(f"its part {damaged[:60]!r} is damaged")
