"""People's judgements of samples, in an SQLite database in the run folder: verdicts.sqlite, safe with two tabs.

Every change is a row that is never overwritten. The newest row of a sample is its judgement, and an undo is a row too.
So the person and the time of every judgement are kept. If two tabs judge the same sample, both are recorded.

Only a run of one's own can be judged. A foreign one's judgements are shown once every row is checked.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bsd_engine.audit import judgement_file
from bsd_engine.audit.judgement_rows import CHOICES, LONGEST_NOTE, LONGEST_WHO, Change, Choice, Judgement, Ledger
from bsd_engine.errors import ConfigError
from bsd_engine.runs.origin import provenance

__all__ = ["FILE", "Choice", "Judgement", "Judgements"]

FILE = "verdicts.sqlite"
_MOST_KEPT = 4  # databases in memory


class Judgements:
    """The judgements of one run folder. Every method looks at the file anew, so any thread may call it."""

    def __init__(self, run: Path, num_samples: int) -> None:
        self.run = Path(run)
        self.path = self.run / FILE
        self.num_samples = num_samples

    def give(self, samples: Iterable[int], choice: Choice | None, note: str = "", who: str | None = None) -> int:
        """Give a judgement on samples, or with None take it back; returns the number of samples.

        Raises
        ------
        ConfigError
            For an unknown word, too long a note, or a sample that the run does not have.
        RunFolderError
            If this installation did not write the run.
        """
        wanted, who = sorted({int(s) for s in samples}), who or _user()
        self._check(wanted, choice, note, who)
        provenance.refuse_foreign(self.run, "judged")
        if not wanted:
            return 0
        with judgement_file.changed(self.path, self._last_known(), self.num_samples) as (db, ledger):
            action = ledger.last_action + 1
            rows = tuple(Change(action, sample, choice, note, who, time.time(), None) for sample in wanted)
            judgement_file.append(db, ledger, rows)
        return len(wanted)

    def _check(self, samples: list[int], choice: str | None, note: str, who: str) -> None:
        if choice not in CHOICES:
            raise ConfigError(f"The verdict is {choice!r}, expected one of {', '.join(CHOICES[:-1])}.")
        if len(note) > LONGEST_NOTE:
            raise ConfigError(f"The note has {len(note):,} characters, expected at most {LONGEST_NOTE:,}; shorten it.")
        if len(who) > LONGEST_WHO:
            raise ConfigError(f"The name has {len(who):,} characters, expected at most {LONGEST_WHO}; shorten it.")
        if any("\ud800" <= letter <= "\udfff" for letter in note + who):
            raise ConfigError("The note or the name has half a character (a lone surrogate); type it again.")
        if samples and not 0 <= samples[0] <= samples[-1] < self.num_samples:
            raise ConfigError(
                f"Samples {samples[0]} to {samples[-1]} are judged, but the run has 0 to {self.num_samples - 1}."
            )

    def standing(self) -> dict[int, Judgement]:
        """The current judgement of each sample that has one."""
        return dict(self._ledger().standing)

    def rows(self) -> tuple[Change, ...]:
        """Every change ever made, oldest first, checked."""
        return self._ledger().rows

    @property
    def version(self) -> int:
        """A number that grows with every change by anybody: compare it before redrawing."""
        return len(self._ledger().rows)

    def undo(self, who: str | None = None) -> tuple[int, ...]:
        """Take back the newest action by anybody that is not yet taken back; returns its samples, if any.

        Each sample gets back the judgement that it had before that action.
        """
        provenance.refuse_foreign(self.run, "judged")
        if not self.path.exists():
            return ()
        with judgement_file.changed(self.path, self._last_known(), self.num_samples) as (db, ledger):
            rows = _undoing(ledger.rows, who or _user())
            judgement_file.append(db, ledger, rows)
        return tuple(row.sample for row in rows)

    def import_rows(self, rows: Sequence[Change]) -> None:
        """Copy the changes of another database, with their people and times, into a run of one's own that has none.

        Raises `ConfigError` if there are judgements already, `StorageError` for rows that `rows` would refuse.
        """
        provenance.refuse_foreign(self.run, "judged")
        if not rows:
            return
        with judgement_file.changed(self.path, Ledger(), self.num_samples) as (db, ledger):
            if ledger.rows:
                raise ConfigError(f"{self.path} holds verdicts already; others are copied into a run without any.")
            judgement_file.append_checked(db, tuple(rows), self.num_samples)

    def _ledger(self) -> Ledger:
        """All rows, kept in memory until the file changes; none before the first change."""
        key = judgement_file.key_of(self.path)
        if key is None:
            return Ledger()
        is_own = provenance.is_own(self.run)
        kept = _kept.get(self._place(is_own))
        if kept is not None and kept[0] == key:
            return kept[1]
        before = self._last_known() if is_own else Ledger()
        ledger = judgement_file.read(self.path, before, self.num_samples, is_own=is_own)
        _kept[self._place(is_own)] = key, ledger
        for place in list(_kept)[:-_MOST_KEPT]:
            _kept.pop(place, None)
        return ledger

    def _last_known(self) -> Ledger:
        """The rows of one's own run that were read last: later ones alone need to be read and checked."""
        kept = _kept.get(self._place(is_own=True))
        return kept[1] if kept else Ledger()

    def _place(self, is_own: bool) -> tuple[str, int, bool]:
        return str(self.path), self.num_samples, is_own


_kept: dict[tuple[str, int, bool], tuple[judgement_file.Key, Ledger]] = {}


def _undoing(rows: tuple[Change, ...], who: str) -> tuple[Change, ...]:
    """The rows that take back the newest action that is not taken back; none if there is no such action."""
    undone = {row.undoes for row in rows}
    newest = max((row.action for row in rows if row.undoes is None and row.action not in undone), default=None)
    if newest is None:
        return ()
    samples = [row.sample for row in rows if row.action == newest]
    before = {row.sample: row for row in rows if row.action < newest}
    action, now = rows[-1].action + 1, time.time()
    return tuple(
        Change(action, sample, *((old.choice, old.note) if old else (None, "")), who, now, newest)
        for sample, old in ((sample, before.get(sample)) for sample in sorted(samples))
    )


def _user() -> str:
    try:
        return getpass.getuser()[:LONGEST_WHO].encode(errors="replace").decode()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "unknown"
