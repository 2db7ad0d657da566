"""Opening of verdicts.sqlite: SQLite opens the file of a run of one's own; that of another is read into memory first.

SQLite obeys what lies beside a database: a journal may name any file, which is then deleted. So no file of a foreign
run is given to it. What a database holds is checked before it is used: its schema is exactly ours, and views, triggers
and virtual tables, which are programs, are refused.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from bsd_engine.audit.judgement_rows import Change, Ledger, extended, with_digests
from bsd_engine.errors import StorageError
from bsd_engine.files import bounded
from bsd_engine.files.atomic import without_following

MOST_FOREIGN_BYTES = 16_000_000
"""Size of the largest database that is read from a foreign run: about 200,000 judgements, which take a second."""
_COMPANIONS = ("-journal", "-wal", "-shm")
_READ_WAIT, _WRITE_WAIT = 2.0, 10.0  # seconds for another program's lock
_LONGEST_QUERY = 1.0  # seconds, in a foreign database
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_TABLE = (
    "CREATE TABLE change (id INTEGER PRIMARY KEY, action INTEGER NOT NULL, sample INTEGER NOT NULL, "
    "choice TEXT, note TEXT NOT NULL, who TEXT NOT NULL, time REAL NOT NULL, undoes INTEGER, digest BLOB)"
)
_OLD_TABLE = _TABLE.replace(", digest BLOB", "")
_OLD_INDICES = {
    "CREATE INDEX change_of_sample ON change (sample, id)",
    "CREATE INDEX change_of_action ON change (action, sample)",
}
_FIELDS = ", ".join(Change._fields)

Key = tuple[bounded.Stamp, bytes]
"""The stamp of the database and the start of its file, where SQLite counts the changes; a stamp alone may stay the same
after two changes in one tick of the clock."""


def key_of(path: Path) -> Key | None:
    """Return a value that changes with every change of the database; None if there is no file."""
    try:
        stamp = bounded.stamp_of(path)
        if not path.is_file() or path.is_symlink():
            raise _unusable(path, "it is a link or no regular file")
        with open(path, "rb", opener=without_following) as file:
            return stamp, file.read(100)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None


def read(path: Path, ledger: Ledger, num_samples: int, *, is_own: bool) -> Ledger:
    """Return all rows of the database, checked; rows after those of the ledger alone are read if it is still the same.

    Raises
    ------
    StorageError
        If the file is locked for too long, damaged or forged.
    """
    with _opened(path, wait=_READ_WAIT) if is_own else _in_memory(path) as db:
        return _read_on(db, ledger, num_samples)


@contextlib.contextmanager
def changed(path: Path, ledger: Ledger, num_samples: int) -> Iterator[tuple[sqlite3.Connection, Ledger]]:
    """Yield a connection for `append` with all rows so far; what the block adds is written whole or not at all.

    The block runs after all other writers. An older database gets digests. Raises `StorageError`.
    """
    with _opened(path, wait=_WRITE_WAIT, mode="rwc") as db:
        db.execute("BEGIN IMMEDIATE")  # waits for other writers, which a later lock could not do
        try:
            ledger = _read_on(db, ledger, num_samples)
            if ledger.digest is None:  # a new database or an older one
                db.execute("DROP TABLE IF EXISTS change")
                db.execute(_TABLE)
                append(db, Ledger(), ledger.rows)
                ledger = _read_on(db, Ledger(), num_samples)
            yield db, ledger
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def append(db: sqlite3.Connection, ledger: Ledger, rows: tuple[Change, ...]) -> None:
    """Add rows after those of the ledger."""
    marks = ", ".join("?" * (len(Change._fields) + 1))
    db.executemany(f"INSERT INTO change ({_FIELDS}, digest) VALUES ({marks})", with_digests(rows, ledger.digest))
    db.execute(f"PRAGMA user_version = {len(ledger.rows) + len(rows)}")  # so that a lost last row is noticed


def append_checked(db: sqlite3.Connection, rows: tuple[Change, ...], num_samples: int) -> None:
    """Add rows of another database to an empty one; raises `StorageError` for rows that could not be read again."""
    append(db, Ledger(), rows)
    _read_on(db, Ledger(), num_samples)


@contextlib.contextmanager
def _opened(path: Path, *, wait: float, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """Yield a connection to a database of one's own."""
    try:
        if path.is_symlink():
            raise ValueError("it is a link, which may lead to another program's database")
        address = f"file:{quote(str(path.absolute()))}?mode={mode}"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None)) as db:
            yield db
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
            raise StorageError(
                f"Another program has held {path} locked for {wait:.0f} seconds, so the verdicts cannot be read or "
                "written now. Close that program or try again; leave the file where it is."
            ) from None
        raise _unusable(path, str(error)) from None
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from None


@contextlib.contextmanager
def _in_memory(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a copy in memory of a foreign run's database."""
    advice = "remove it from the folder to look at the run without its verdicts"
    try:
        for ending in _COMPANIONS:
            if path.with_name(path.name + ending).is_symlink() or path.with_name(path.name + ending).exists():
                raise ValueError(
                    f"{path.name}{ending} beside it would make SQLite change files, so neither is opened; ask for a "
                    "folder without it"
                )
        content = _content(path)
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            if content:
                db.deserialize(content)
            end = time.monotonic() + _LONGEST_QUERY
            db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
            yield db
    except (OSError, ValueError, sqlite3.Error) as error:
        raise _unusable(path, str(error), advice) from None


def _content(path: Path) -> bytes:
    """Return the content of a regular file that is not a link."""
    with open(path, "rb", opener=without_following) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_FOREIGN_BYTES:
            raise ValueError(f"it has {status.st_size:,} bytes, expected a file of at most {MOST_FOREIGN_BYTES:,}")
        return file.read(MOST_FOREIGN_BYTES)


def _read_on(db: sqlite3.Connection, ledger: Ledger, num_samples: int) -> Ledger:
    """Return the ledger of a database; `ledger` is one that the file had before, if it still is that file."""
    db.execute("PRAGMA trusted_schema = OFF")
    schema = {(kind, sql) for kind, sql in db.execute("SELECT type, sql FROM sqlite_master")}
    if not schema:  # its writer makes the file first, and the table with the first change
        return Ledger()
    has_digests = schema == {("table", _TABLE)}
    if not has_digests and schema != {("table", _OLD_TABLE), *(("index", sql) for sql in _OLD_INDICES)}:
        raise ValueError("it has other tables than this program makes")
    if not has_digests or not _continues(db, ledger):
        ledger = Ledger()
        _check_integrity(db)
    ledger = extended(ledger, _rows_after(db, len(ledger.rows), has_digests), num_samples, has_digests=has_digests)
    if has_digests and db.execute("PRAGMA user_version").fetchone()[0] != len(ledger.rows):
        raise ValueError(f"it has {len(ledger.rows)} rows, and another number was written")
    return ledger


def _rows_after(db: sqlite3.Connection, count: int, has_digests: bool) -> list[tuple]:
    """Return the rows after the first `count`; in the order of the table, never through an index that may differ."""
    digest = "digest" if has_digests else "NULL"
    return db.execute(
        f"SELECT id, {_FIELDS}, {digest} FROM change NOT INDEXED WHERE id > ? ORDER BY id", (count,)
    ).fetchall()


def _continues(db: sqlite3.Connection, ledger: Ledger) -> bool:
    """Return whether a database begins with the rows of a ledger, by the digest of the last of them."""
    row = db.execute("SELECT digest FROM change WHERE id = ?", (len(ledger.rows),)).fetchone()
    return row is not None and ledger.digest is not None and row[0] == ledger.digest


def _check_integrity(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise ValueError(f"it is damaged ({' '.join(str(found).split())[:200]})")


def _unusable(path: Path, problem: str, advice: str | None = None) -> StorageError:
    advice = advice or "check disk and permission, restore the file from a copy, or move the file away to start anew"
    return StorageError(
        f"The verdicts in {path} cannot be read or written: {problem}. Nothing of them is used; {advice}."
    )
