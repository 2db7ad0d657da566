"""The last net of every command: what a user can act on becomes one sentence and exit status 2, never a traceback.

Errors that only a mistake in the program explains (a failed assertion, a TypeError) keep their traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from bsd_engine.errors import BSDError, ConfigError

REFUSED = 2
INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""


def status_of(command: Callable[[], int | None]) -> int:
    """Run a command; returns its exit status, which is 0 if it returns None."""
    _write_any_text()
    try:
        status = command()
        sys.stdout and sys.stdout.flush()
        return status or 0
    except BSDError as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _refused("the output was closed before everything was written; nothing else went wrong.")
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _refused(f"{where}{error.strerror or error}. Check the path and its permissions.")
    except (UnicodeError, ValueError, RuntimeError) as error:
        if sentence := _about_a_path(error):
            return _refused(sentence)
        raise


def checked_words(words: Sequence[str]) -> list[str]:
    """The arguments of a command; raises `ConfigError` for one with a zero byte, which no path can have."""
    for word in words:
        if "\0" in word:
            raise ConfigError(f"an option holds a zero byte ({word[:40]!a}); leave it out.")
    return list(words)


def _refused(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return REFUSED


def _about_a_path(error: Exception) -> str | None:
    """A sentence for an error that Python raises for the text of a path alone; None for any other error."""
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object[:80]!a} is not valid text; rename what has this name."
    if (isinstance(error, ValueError) and "null byte" in str(error)) or "null character" in str(error):
        return "a path holds a zero byte; leave it out."
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "a path begins with ~, and there is no such home folder; write the path out."
    return None


def _write_any_text() -> None:
    """Names of files need not be valid text; what cannot be written in the terminal's encoding is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
