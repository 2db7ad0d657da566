"""What the page Learn can show, as cards: the bundled recordings, and any run; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.learn import texts
from app.server import run_cache
from app.server.registry import registry, runs_root
from app.style import words
from bsd_engine.errors import BSDError
from bsd_engine.recordings import library
from bsd_engine.runs.layout import list_runs

OWN_CARDS = 6
"""Cards for runs of this machine."""


@dataclass(frozen=True, kw_only=True)
class RunCard:
    """One recording or run to choose."""

    run: str
    """Run id; that of a recording has its prefix."""
    title: str
    sentence: str
    """What to see in it."""
    command: str = ""
    """The command that makes it; "" if unknown."""


def cards(shown: str | None = None) -> tuple[RunCard, ...]:
    """The bundled recordings or, if there are none, the newest runs of this machine; and the shown run in any case."""
    bundled = [_recording_card(name) for name in library.names()]
    own = [] if bundled else [path.name for path in list_runs(runs_root())[:OWN_CARDS]]
    if shown is not None and shown not in (*own, *(card.run for card in bundled)):
        own = [shown, *own[: OWN_CARDS - 1]]
    return (*bundled, *(_own_card(run) for run in own))


def _recording_card(name: str) -> RunCard:
    try:
        recording = library.describe(name)
    except BSDError as error:
        return RunCard(run=library.PREFIX + name, title=name, sentence=str(error))
    return RunCard(
        run=library.PREFIX + name, title=recording.title, sentence=recording.sentence, command=recording.command
    )


def _own_card(run: str) -> RunCard:
    try:
        reader = run_cache.reader(folder(run))
        config, status = reader.config, words.STATUS[reader.status]
    except BSDError as error:
        return RunCard(run=run, title=run, sentence=str(error))
    return RunCard(
        run=run,
        title=texts.RUN_CARD.format(attack=words.attack(config.attack.attack), data=words.source(config.data.data)),
        sentence=texts.RUN_CARD_SENTENCE.format(moment=words.moment(reader.created), status=status),
    )


def folder(run: str) -> Path:
    """The folder of the run that an address names; a recording is unpacked first.

    Raises
    ------
    BSDError
        If there is no such run, or the recording cannot be read; one sentence.
    """
    if run.startswith(library.PREFIX):  # without the registry, which would load torch beside the first picture
        return library.open_recording(run.removeprefix(library.PREFIX))
    return registry().path(run)
