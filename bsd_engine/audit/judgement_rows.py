"""The rows of verdicts.sqlite: what each must hold, and the digests that chain them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

Choice = Literal["keep", "remove", "unsure"]
LONGEST_NOTE = 2000
LONGEST_WHO = 200
CHOICES = (*get_args(Choice), None)
_YEAR_10000 = 253_402_300_800.0  # seconds since 1970


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The current judgement of a sample."""

    sample: int
    choice: Choice
    note: str
    who: str
    time: float
    """Seconds since 1970."""


class Change(NamedTuple):
    """One row: a judgement, its withdrawal, or the part of an undo that concerns a sample."""

    action: int
    """Rows that were written together have the same action; actions count from 1."""
    sample: int
    choice: Choice | None
    """None takes the sample's judgement back."""
    note: str
    who: str
    time: float
    """Seconds since 1970."""
    undoes: int | None
    """The action that an undo takes back."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All rows so far, checked, and what follows from them."""

    rows: tuple[Change, ...] = ()
    digest: bytes | None = None
    """That of the last row; None without rows, or in a database from before digests."""
    standing: dict[int, Judgement] = field(default_factory=dict)
    """The current judgement of each sample that has one, by sample."""

    @property
    def last_action(self) -> int:
        """The newest action; 0 without rows."""
        return self.rows[-1].action if self.rows else 0


def extended(ledger: Ledger, found: Sequence[tuple[Any, ...]], num_samples: int, *, has_digests: bool = True) -> Ledger:
    """Return the ledger with more rows, which may be damaged or forged.

    Parameters
    ----------
    found : values as SQLite returns them: the id, the fields of `Change`, and the digest
    has_digests : whether the database is from a version that writes digests

    Raises
    ------
    ValueError
        If an id is missing, a value cannot be, or a digest does not fit; names the row.
    """
    rows: list[Change] = []
    digest, action, newest = ledger.digest, ledger.last_action, {}
    for place, (number, *values, stored) in enumerate(found, len(ledger.rows) + 1):
        if type(number) is not int or number != place:
            raise ValueError(f"row {place} is missing")
        row = Change(*values)
        if problem := _problem(row, action, num_samples):
            raise ValueError(f"row {place} has {problem}")
        digest = digest_of(row, digest) if has_digests else None
        if stored != digest:
            raise ValueError(f"row {place} or one before it has changed since it was written: its digest does not fit")
        rows.append(row)
        action, newest[row.sample] = row.action, row
    return Ledger(rows=ledger.rows + tuple(rows), digest=digest, standing=_standing(ledger.standing, newest))


def _standing(before: Mapping[int, Judgement], newest: Mapping[int, Change]) -> dict[int, Judgement]:
    """Return the judgements that stand after further changes, by sample."""
    changed = {
        row.sample: Judgement(sample=row.sample, choice=row.choice, note=row.note, who=row.who, time=row.time)
        for row in newest.values()
        if row.choice is not None
    }
    kept = {sample: judgement for sample, judgement in before.items() if sample not in newest}
    return dict(sorted((kept | changed).items()))


def _problem(row: Change, last_action: int, num_samples: int) -> str:
    """Return what is wrong with the values of a row; "" if nothing is."""
    action, sample, choice, note, who, time, undoes = row
    if type(action) is not int or not (action == last_action + 1 or action == last_action > 0):
        return f"the action {_shown(action)}, expected {last_action} or {last_action + 1}"
    if type(sample) is not int or not 0 <= sample < num_samples:
        return f"the sample {_shown(sample)}, expected 0 to {num_samples - 1}"
    if choice not in CHOICES:
        return f"the verdict {_shown(choice)}, expected one of {', '.join(CHOICES[:-1])}"
    if type(note) is not str or len(note) > LONGEST_NOTE:
        return f"the note {_shown(note)}, expected a text of at most {LONGEST_NOTE:,} characters"
    if type(who) is not str or len(who) > LONGEST_WHO:
        return f"the name {_shown(who)}, expected a text of at most {LONGEST_WHO} characters"
    if type(time) is not float or not -_YEAR_10000 < time < _YEAR_10000:
        return f"the time {_shown(time)}, expected seconds since 1970"
    if undoes is not None and (type(undoes) is not int or not 1 <= undoes < action):
        return f"{_shown(undoes)} for the action that it undoes, expected one before {action}"
    return ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def digest_of(row: Change, before: bytes | None) -> bytes:
    """Return the digest of a row and of all rows before it, whose digest is given; None for the first row."""
    text = (
        f"{row.action}\0{row.sample}\0{row.choice}\0{row.time.hex()}\0{row.undoes}\0{len(row.who)}\0{row.who}{row.note}"
    )
    return hashlib.blake2b((before or b"") + text.encode(), digest_size=16).digest()


def with_digests(rows: Iterable[Change], before: bytes | None) -> list[tuple[Any, ...]]:
    """Return rows as the database stores them after a row with a digest."""
    stored = []
    for row in rows:
        before = digest_of(row, before)
        stored.append((*row, before))
    return stored
