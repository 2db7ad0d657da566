"""The command that writes a run as a page that plays offline.

    python -m app.replay runs/20261122-143000-demo01 --out replay.html
    python -m app.replay recording-healthy --out replay.html --without-truth

Bad input ends with one sentence and exit status 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.replay.page import LARGEST_BYTES, replay_page
from app.server import run_cache
from app.state.linked import Linked
from bsd_engine.cli.exit_status import checked_words, status_of
from bsd_engine.files.outputs import Kind, check_output, write_output
from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader

PAGE = Kind(name="a page that plays a run", marks=(b"<style data-tn>",))


def source(name: str) -> RunReader:
    """The run named on the command line: a folder, or a bundled recording."""
    if Path(name).is_dir() or not name.startswith(library.PREFIX):
        return run_cache.reader(Path(name))
    return run_cache.reader(library.open_recording(name.removeprefix(library.PREFIX)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page. The exit status is 2, with one sentence, for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m app.replay", description="Write one page that plays a run offline."
    )
    parser.add_argument("run", help="run folder, or recording-NAME")
    parser.add_argument(
        "--out", type=Path, default=Path("replay.html"), help="the page to write (default: %(default)s)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace such a page if it exists already; other files are never replaced",
    )
    parser.add_argument(
        "--without-truth",
        action="store_true",
        help="leave out which samples are poisoned, and everything that depends on it",
    )
    parser.add_argument(
        "--epoch", type=int, help="epoch to begin at, counted from 1; by default that of the first split"
    )
    parser.add_argument("--title", help="title of the page")
    return status_of(lambda: _write(parser.parse_args(checked_words(sys.argv[1:] if arguments is None else arguments))))


def _write(given: argparse.Namespace) -> None:
    check_output(given.out, PAGE, overwrite=given.overwrite)
    run = source(given.run)
    view = None if given.epoch is None else Linked(run=run.run_id, epoch=max(0, given.epoch - 1))
    page = replay_page(run, with_truth=not given.without_truth, view=view, title=given.title)
    write_output(given.out, page, PAGE, overwrite=given.overwrite)
    large = f"; more than {LARGEST_BYTES / 1e6:g} MB, because the run is large" if len(page) > LARGEST_BYTES else ""
    print(f"{given.out}: {len(page) / 1e6:.2f} MB{large}")


if __name__ == "__main__":
    sys.exit(main())
