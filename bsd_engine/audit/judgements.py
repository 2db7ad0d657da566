"""People's judgements of samples, in an SQLite database in the run folder: verdicts.sqlite, safe with two tabs.

Every change is a row that is never overwritten. The newest row of a sample is its judgement, and an undo is a row too.
So the person and the time of every judgement are kept. If two tabs judge the same sample, both are recorded.
"""

from __future__ import annotations

import contextlib
import getpass
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bsd_engine.errors import ConfigError, StorageError

Choice = Literal["keep", "remove", "unsure"]
FILE = "verdicts.sqlite"
LONGEST_NOTE = 2000
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS change (id INTEGER PRIMARY KEY, action INTEGER NOT NULL, sample INTEGER NOT NULL, "
    "choice TEXT, note TEXT NOT NULL, who TEXT NOT NULL, time REAL NOT NULL, undoes INTEGER)",
    "CREATE INDEX IF NOT EXISTS change_of_sample ON change (sample, id)",
    "CREATE INDEX IF NOT EXISTS change_of_action ON change (action, sample)",
)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The current judgement of a sample."""

    sample: int
    choice: Choice
    note: str
    who: str
    time: float
    """Seconds since 1970."""


class Judgements:
    """The judgements of one run folder. Every method opens the database anew, so any thread may call it."""

    def __init__(self, run: Path, num_samples: int) -> None:
        self.path = Path(run) / FILE
        self.num_samples = num_samples

    @contextlib.contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection. The changes in the block are written together or not at all, after all other writers."""
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
                if write:
                    db.execute("BEGIN IMMEDIATE")  # waits for other writers, which a later lock could not do
                    for statement in _SCHEMA:
                        db.execute(statement)
                try:
                    yield db
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
                if db.in_transaction:
                    db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(
                f"The verdicts in {self.path} cannot be read or written ({error}); check disk and permission, or move "
                "the file away to start anew."
            ) from None

    def _read(self, query: str) -> list[tuple]:
        """Its rows; none before the first change, whose writer makes the file first and the table with the change."""
        if not self.path.exists():
            return []
        with self._open() as db:
            begun = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'change'").fetchone()
            return db.execute(query).fetchall() if begun else []

    def give(self, samples: Iterable[int], choice: Choice | None, note: str = "", who: str | None = None) -> int:
        """Give a judgement on samples, or with None take it back; returns the number of samples.

        Raises `ConfigError` for an unknown word, too long a note, or a sample that the run does not have.
        """
        wanted = sorted({int(s) for s in samples})
        self._check(wanted, choice, note)
        if not wanted:
            return 0
        with self._open(write=True) as db:
            action = 1 + (db.execute("SELECT max(action) FROM change").fetchone()[0] or 0)
            _insert(db, [(action, s, choice, note, who or _user(), time.time(), None) for s in wanted])
        return len(wanted)

    def _check(self, samples: list[int], choice: str | None, note: str) -> None:
        if choice is not None and choice not in get_args(Choice):
            raise ConfigError(f"The verdict is {choice!r}, expected one of {', '.join(get_args(Choice))}.")
        if len(note) > LONGEST_NOTE:
            raise ConfigError(f"The note has {len(note):,} characters, expected at most {LONGEST_NOTE:,}; shorten it.")
        if samples and not 0 <= samples[0] <= samples[-1] < self.num_samples:
            raise ConfigError(
                f"Samples {samples[0]} to {samples[-1]} are judged, but the run has 0 to {self.num_samples - 1}."
            )

    def standing(self) -> dict[int, Judgement]:
        """The current judgement of each sample that has one."""
        rows = self._read(
            "SELECT sample, choice, note, who, time FROM change "
            "WHERE id IN (SELECT max(id) FROM change GROUP BY sample) AND choice IS NOT NULL ORDER BY sample"
        )
        return {row[0]: Judgement(sample=row[0], choice=row[1], note=row[2], who=row[3], time=row[4]) for row in rows}

    @property
    def version(self) -> int:
        """A number that grows with every change by anybody: compare it before redrawing."""
        rows = self._read("SELECT coalesce(max(id), 0) FROM change")
        return rows[0][0] if rows else 0

    def undo(self, who: str | None = None) -> tuple[int, ...]:
        """Take back the newest action by anybody that is not yet taken back; returns its samples, if any.

        Each sample gets back the judgement that it had before that action.
        """
        if not self.path.exists():
            return ()
        with self._open(write=True) as db:
            undone = "SELECT undoes FROM change WHERE undoes IS NOT NULL"
            newest = db.execute(
                f"SELECT max(action) FROM change WHERE undoes IS NULL AND action NOT IN ({undone})"
            ).fetchone()[0]
            if newest is None:
                return ()
            samples = [
                row[0] for row in db.execute("SELECT sample FROM change WHERE action = ? ORDER BY sample", (newest,))
            ]
            action = 1 + db.execute("SELECT max(action) FROM change").fetchone()[0]
            rows = [(action, s, *_before(db, s, newest), who or _user(), time.time(), newest) for s in samples]
            _insert(db, rows)
            return tuple(samples)


def _insert(db: sqlite3.Connection, rows: list[tuple]) -> None:
    db.executemany(
        "INSERT INTO change (action, sample, choice, note, who, time, undoes) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
    )


def _before(db: sqlite3.Connection, sample: int, action: int) -> tuple[str | None, str]:
    """Choice and note of a sample before an action."""
    row = db.execute(
        "SELECT choice, note FROM change WHERE sample = ? "
        "AND id < (SELECT min(id) FROM change WHERE action = ? AND sample = ?) ORDER BY id DESC LIMIT 1",
        (sample, action, sample),
    ).fetchone()
    return row or (None, "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "unknown"
