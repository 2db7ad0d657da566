"""What the page Learn can show: the bundled recordings as cards, and any run; no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app import recorded, words
from app.session import registry, runs_root
from bsd_engine.errors import BSDError
from bsd_engine.runs import list_runs

try:
    from bsd_engine import recordings
except ImportError:  # a checkout without bundled recordings shows the runs of this machine
    recordings = None  # type: ignore[assignment]

PREFIX = "recording-"
OWN_CARDS = 6


@dataclass(frozen=True, kw_only=True)
class Card:
    """One thing to choose."""

    run: str
    """Run id, that of a recording with `PREFIX`."""
    title: str
    sentence: str
    """What to see in it."""
    command: str = ""
    """What makes it anew."""


def cards(shown: str | None = None) -> tuple[Card, ...]:
    """The bundled recordings, without any the newest runs of this machine; and the shown run, whatever it is."""
    bundled = [Card(run=PREFIX + r.name, title=r.title, sentence=r.sentence, command=r.command) for r in _bundled()]
    own = [] if bundled else [path.name for path in list_runs(runs_root())[:OWN_CARDS]]
    if shown is not None and shown not in (*own, *(card.run for card in bundled)):
        own = [shown, *own[: OWN_CARDS - 1]]
    return (*bundled, *(_own_card(run) for run in own))


def _bundled() -> Sequence:
    return [] if recordings is None else [recordings.describe(name) for name in recordings.names()]


def _own_card(run: str) -> Card:
    try:
        reader = recorded.reader(folder(run))
    except BSDError as error:
        return Card(run=run, title=run, sentence=str(error))
    config, status = reader.config, words.STATUS[reader.status]
    return Card(run=run, title=f"{words.attack(config.attack.attack)} · {words.source(config.data.data)}", sentence=f"Your run of {words.moment(reader.created)}, {status}.")


def folder(run: str) -> Path:
    """The folder of a run named by the address: a recording is unpacked first.

    Raises
    ------
    BSDError
        For a name that is none, and a recording that cannot be read; one sentence.
    """
    if recordings is not None and run.startswith(PREFIX):
        return recordings.open_recording(run.removeprefix(PREFIX))
    return registry().path(run)
