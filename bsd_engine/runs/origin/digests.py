"""Digests of the files of a run folder, by which a damaged file is told from a sound one: digests.jsonl.

The writer of the folder adds one line for each file that it writes, before the file gets its name:

    {"file": "epochs/00007.npz", "digest": "0f3a..."}     BLAKE2b of the content, 16 bytes

A writer that is killed between the two leaves the older file under the name. So the newest two lines of a name are
valid, and a file that is replaced gets a line for its present content first. The end of a line that a dying writer left
incomplete belongs to no file.

Not covered: progress.json and commands.jsonl, which change all the time and decide nothing that is recorded; maps,
which carry checksums of their own; and the judgements. Digests are no signature: they find damage, not forgery.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from bsd_engine.files import bounded
from bsd_engine.files.atomic import renamed_when_complete, without_following

FILE = "digests.jsonl"
_BYTES = 16
_MOST_BYTES = 4_000_000  # 20,000 epochs and their checkpoints
_LINE = re.compile(
    rb'\{"file": "([a-z]+/[0-9]{5,}\.[a-z]+|[a-z]+\.[a-z]+)", "digest": "([0-9a-f]{%d})"\}' % (2 * _BYTES)
)
_PART_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Digests:
    """The valid digests of each file, oldest first, and the number of the first line that cannot be read, from 1."""

    of: dict[str, tuple[str, ...]]
    damaged_line: int | None

    def check(self, name: str, digest: str) -> None:
        """Raise `ValueError` if the digest is none of the file's."""
        if digest in self.of.get(name, ()):
            return
        if self.damaged_line is not None:
            raise ValueError(f"its digest cannot be found, because line {self.damaged_line} of {FILE} is damaged")
        what = "it differs from its digest" if name in self.of else "it has no digest"
        raise ValueError(f"{what} in {FILE}")


def digests_of(run: Path) -> Digests | None:
    """Return the digests in a run folder; None if it has no digests.jsonl."""
    try:
        return _digests_at(str(run), bounded.stamp_of(run / FILE))
    except FileNotFoundError:
        return None


@lru_cache(maxsize=8)
def _digests_at(run: str, stamp: bounded.Stamp) -> Digests:
    content = bounded.read_bytes(Path(run) / FILE, _MOST_BYTES, follow=False)
    found: dict[str, tuple[str, ...]] = {}
    damaged = None
    for number, line in enumerate(content.split(b"\n")[:-1], 1):  # what follows the last newline is incomplete
        if match := _LINE.fullmatch(line):
            name, digest = (part.decode() for part in match.groups())
            found[name] = (*found.get(name, ()), digest)[-2:]
        else:
            damaged = damaged or number
    return Digests(of=found, damaged_line=damaged)


def digest_of(content: bytes) -> str:
    """Return the digest of a file's content."""
    return hashlib.blake2b(content, digest_size=_BYTES).hexdigest()


def digest_of_file(file: BinaryIO) -> str:
    """Return the digest of an open file, read in parts from its start."""
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_BYTES)).hexdigest()  # type: ignore[arg-type]


def line_of(name: str, digest: str) -> bytes:
    """Return the line of a file."""
    return f'{{"file": "{name}", "digest": "{digest}"}}\n'.encode()


class DigestLog:
    """Writes the files of a run folder and their digests; for its one writer."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Write a file atomically and durably, its digest before it gets its name; may raise `OSError`."""
        digest = hashlib.blake2b(digest_size=_BYTES)
        with renamed_when_complete(self.run / name) as file:
            for part in [content] if isinstance(content, bytes) else content:
                file.write(part)
                digest.update(part)
            self._add(name, digest.hexdigest())

    def _add(self, name: str, digest: str) -> None:
        present = self._present(name)
        lines = [line_of(name, d) for d in (present, digest) if d is not None]
        with open(self.run / FILE, "a+b", opener=without_following) as file:
            _end_at_a_line(file)
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())

    def _present(self, name: str) -> str | None:
        """Return the digest of the file that has the name now; None if there is no such file, or it is damaged."""
        try:
            with bounded.opened(self.run / name, follow=False) as (file, _):
                digest = digest_of_file(file)
        except (OSError, ValueError):
            return None
        known = digests_of(self.run)
        return digest if known is not None and digest in known.of.get(name, ()) else None


def _end_at_a_line(file: BinaryIO) -> None:
    """Cut off the end of a line that an earlier write left incomplete."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _PART_BYTES)
    file.seek(start)
    complete = file.read().rfind(b"\n") + 1
    if start + complete < end:
        file.truncate(start + complete)
