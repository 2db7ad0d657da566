"""What the page Learn can show: the bundled recordings as cards, and any run; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.server import run_cache
from app.server.registry import registry, runs_root
from app.style import words
from bsd_engine.errors import BSDError
from bsd_engine.recordings import library
from bsd_engine.runs.layout import list_runs

OWN_CARDS = 6


@dataclass(frozen=True, kw_only=True)
class RunCard:
    """One thing to choose."""

    run: str
    """Run id, that of a recording with its prefix."""
    title: str
    sentence: str
    """What to see in it."""
    command: str = ""
    """What makes it anew."""


def cards(shown: str | None = None) -> tuple[RunCard, ...]:
    """The bundled recordings, without any the newest runs of this machine; and the shown run, whatever it is."""
    bundled = [_recording_card(name) for name in library.names()]
    own = [] if bundled else [path.name for path in list_runs(runs_root())[:OWN_CARDS]]
    if shown is not None and shown not in (*own, *(card.run for card in bundled)):
        own = [shown, *own[: OWN_CARDS - 1]]
    return (*bundled, *(_own_card(run) for run in own))


def _recording_card(name: str) -> RunCard:
    try:
        found = library.describe(name)
    except BSDError as error:
        return RunCard(run=library.PREFIX + name, title=name, sentence=str(error))
    return RunCard(run=library.PREFIX + name, title=found.title, sentence=found.sentence, command=found.command)


def _own_card(run: str) -> RunCard:
    try:
        reader = run_cache.reader(folder(run))
    except BSDError as error:
        return RunCard(run=run, title=run, sentence=str(error))
    config, status = reader.config, words.STATUS[reader.status]
    return RunCard(
        run=run,
        title=f"{words.attack(config.attack.attack)} · {words.source(config.data.data)}",
        sentence=f"Your run of {words.moment(reader.created)}, {status}.",
    )


def folder(run: str) -> Path:
    """The folder of a run named by the address: a recording is unpacked first.

    Raises
    ------
    BSDError
        For a name that is none, and a recording that cannot be read; one sentence.
    """
    if run.startswith(library.PREFIX):  # without the registry, which would load torch beside the first picture
        return library.open_recording(run.removeprefix(library.PREFIX))
    return registry().path(run)
