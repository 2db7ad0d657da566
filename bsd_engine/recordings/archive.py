"""The file of a recording: a zip archive with members of known names, whose sizes are checked before unpacking.

    recording.json          format version, card (name, title, sentence, command), epochs of the arrays' rows
    config.json, samples.npz, truth.npz, files.json, summary.json, undefended.pt, checkpoints/00007.pt
                            as in a run folder
    epochs/00007.npz        as in a run folder, without the arrays that are in arrays.npz
    arrays.npz              losses, distances, predictions, masks, landmarks and maps of all epochs, rounded; the images

No name in the file becomes a path: any other name is refused. Members are stored or deflated, because an LZMA stream
can demand gigabytes of memory before it yields a byte.
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded

FORMAT_VERSION = 1
HEAD = "recording.json"
MOST_FILE_BYTES = 100_000_000
MOST_UNPACKED_BYTES = 500_000_000
MOST_MEMBERS = 5_000
_NAMES = re.compile(
    r"recording\.json|config\.json|samples\.npz|truth\.npz|files\.json|summary\.json|undefended\.pt|arrays\.npz"
    r"|epochs/\d{5}\.npz|checkpoints/\d{5}\.pt"
)
_DAMAGE_ERRORS = (
    OSError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    IndexError,
    TypeError,
    MemoryError,
)
"""Errors that zipfile, numpy and the checks of a recording raise for a file that is cut, damaged or malicious."""


def write_members(members: Mapping[str, bytes]) -> bytes:
    """Return the archive; equal members give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)  # dated 1980: the time of writing is not part of a recording
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=9)
    return buffer.getvalue()


def read_head(path: Path) -> dict[str, Any]:
    """Return only recording.json of a file; raises `RunFolderError` with one sentence."""
    with reading_errors(path), zipfile.ZipFile(_opened(path)) as archive:
        return _head(archive, path)


def read_members(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return recording.json and all other members; raises `RunFolderError` with one sentence."""
    with reading_errors(path), zipfile.ZipFile(_opened(path)) as archive:
        head, names = _head(archive, path), [member.filename for member in archive.infolist()]
        if unknown := [name for name in names if not _NAMES.fullmatch(name)]:
            raise ValueError(f"it holds {unknown[0][:60]!r}, which is not part of a recording")
        if len(set(names)) < len(names):
            raise ValueError("it holds the same name twice")
        if (claimed := sum(m.file_size for m in archive.infolist())) > MOST_UNPACKED_BYTES:
            raise ValueError(f"it would unpack to {claimed:,} bytes, expected at most {MOST_UNPACKED_BYTES:,}")
        return head, {name: _member(archive, name) for name in names if name != HEAD}


def checksum(images: np.ndarray) -> int:
    """Return the CRC-32 of an array's content."""
    return zlib.crc32(np.ascontiguousarray(images).data)


def _opened(path: Path) -> io.BytesIO:
    return io.BytesIO(bounded.read_bytes(path, MOST_FILE_BYTES))


def _head(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Return recording.json; a file of a newer version, whose other members may be anything, gets its own message."""
    if len(archive.infolist()) > MOST_MEMBERS:
        raise ValueError(f"it has {len(archive.infolist()):,} parts, expected at most {MOST_MEMBERS:,}")
    if archive.getinfo(HEAD).file_size > bounded.MOST_JSON_BYTES:
        raise ValueError(f"{HEAD} is too large")
    head = bounded.parse_object(_member(archive, HEAD))
    version = head.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError("it names no format version")
    if version > FORMAT_VERSION:
        raise RunFolderError(
            f"The recording {path.name} has format {version}, this program reads up to {FORMAT_VERSION}; "
            "update the program."
        )
    return head


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the content of a member after comparing its checksum; unpacks no more bytes than the member claims."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise ValueError(f"{name} is packed in a way that recordings do not use")
    with archive.open(info) as stream:
        content = stream.read(info.file_size)
    if len(content) != info.file_size:
        raise ValueError(f"{name} is cut")
    return content


@contextlib.contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turn any error in a recording's file into a `RunFolderError` with one sentence."""
    try:
        yield
    except _DAMAGE_ERRORS as error:
        what = " ".join((str(error) or type(error).__name__).split())[:200].rstrip(".")
        raise RunFolderError(
            f"The recording {path.name} cannot be read: {what}. The file is cut or damaged; get it again, or remake it "
            "with python -m assets.build_recordings."
        ) from None
