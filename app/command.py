"""The command `bsd`: everything that `python -m bsd_engine` does, the dashboard, and the app's own files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bsd_engine.cli.main import main as engine_main

USAGE = """
Commands of the dashboard:

  dashboard   Open the dashboard in a browser.
  replay      Write a page that plays a run offline.
  figure      Write a figure of the dashboard as a file."""


def dashboard(arguments: Sequence[str]) -> int:
    """Replace this process by the dashboard's server; other options go to Streamlit.

    The server's settings are those of the project (.streamlit/config.toml), whatever the current folder is.
    """
    parser = argparse.ArgumentParser(
        prog="bsd dashboard",
        description="Open the dashboard in a browser.",
        epilog="$BSD_TOKEN chooses the token in the dashboard's address; BSD_TOKEN=off asks for none.",
    )
    parser.add_argument("--runs", type=Path, help="folder of run folders (default: $BSD_RUNS, else ./runs)")
    parser.add_argument("--port", type=int, default=8501, help="port on 127.0.0.1 (default: %(default)s)")
    given, others = parser.parse_known_args(arguments)
    from app.server.home import prepare_home

    script = prepare_home() / "streamlit_app.py"
    os.environ["BSD_RUNS"] = str((given.runs or Path(os.environ.get("BSD_RUNS") or "runs")).resolve())
    # -P keeps the current folder out of the module path: it may hold a package called `app` of its own.
    words = ["-P", "-m", "streamlit", "run", str(script), "--server.port", str(given.port), *others]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *words])


def _replay(arguments: Sequence[str]) -> int:
    from app.replay.__main__ import main

    return main(arguments)


def _figure(arguments: Sequence[str]) -> int:
    from app.figure_file import main

    return main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"dashboard": dashboard, "replay": _replay, "figure": _figure}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]](given[1:])
    status = engine_main(given, prog="bsd")
    if not given or given[0] in ("-h", "--help"):
        print(USAGE)
    return status


if __name__ == "__main__":
    sys.exit(main())
