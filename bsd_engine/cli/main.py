"""The commands by name, and `main`, which runs one of them.

Bad input gives one sentence on standard error and exit status 2; Ctrl-C stops cleanly with status 130. torch is not
loaded before a command needs it, so that settings and help appear at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from bsd_engine.cli.benchmark import bench
from bsd_engine.cli.exit_status import REFUSED, checked_words, status_of
from bsd_engine.cli.parsing import PROGRAM
from bsd_engine.cli.poisoning import poison
from bsd_engine.cli.progress import step_bar
from bsd_engine.cli.run_folders import adopt, cleaned, map_run, report, suspects
from bsd_engine.cli.training import check, target, train, undefended
from bsd_engine.compute.progress import shown_by
from bsd_engine.config.checks import shown
from bsd_engine.errors import ConfigError

Command = Callable[[list[str], str], None]
"""A function of the arguments after the command's name and of the words that start the command; its docstring is the
command's help."""

COMMANDS: dict[str, Command] = {
    "train": train,
    "undefended": undefended,
    "check": check,
    "target": target,
    "poison": poison,
    "bench": bench,
    "adopt": adopt,
    "map": map_run,
    "suspects": suspects,
    "report": report,
    "cleaned": cleaned,
}


def main(arguments: list[str] | None = None, prog: str = PROGRAM) -> int:
    """Run one command; returns the exit status.

    Parameters
    ----------
    arguments : the arguments after the program's name; those of this process when not given
    prog : the words that start the program, shown in its help
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    return status_of(lambda: _run(arguments, prog))


def _run(arguments: list[str], prog: str) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage(prog))
        return 0 if arguments else REFUSED
    name, *rest = checked_words(arguments)
    if name not in COMMANDS:
        raise ConfigError(f"there is no command {shown(name)}; expected one of {', '.join(COMMANDS)}.")
    with shown_by(step_bar):
        COMMANDS[name](rest, f"{prog} {name}")
    return 0


def _usage(prog: str) -> str:
    lines = [f"  {name:<12}{(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return (
        f"usage: {prog} COMMAND [options]\n\n" + "\n".join(lines) + "\n\nEach COMMAND explains its options with --help."
    )
