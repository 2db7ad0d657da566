"""Names from outside as text of a table: valid Unicode, and never a formula."""

from __future__ import annotations

import re
import unicodedata

_BEGINS_A_FORMULA = frozenset("=+-@|%")
_AFTER_A_CELL = re.compile(r"(?<=[;\t\n])")
"""What the settings of other countries take for the end of a cell."""


def valid_text(name: str) -> str:
    """A name with the bytes that are not valid text written out, as in `\\udcff`: a Linux file may have any name."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def no_formula(text: str) -> str:
    """A text for a cell of a CSV file, with an apostrophe wherever a spreadsheet would take what follows for a formula.

    Some spreadsheets read wide forms of the signs as well (such as U+FF1D for =), and skip spaces and invisible
    characters before them. Line ends become "\\n", since a lone "\\r" would begin a new line of the table.
    """
    text = valid_text(text).replace("\r\n", "\n").replace("\r", "\n")
    start = next((i for i, letter in enumerate(text) if not _is_skipped(letter)), len(text))
    first, *others = _AFTER_A_CELL.split(text[start:])
    quoted = "'" if text[:1] in ("\t", "\n") or _is_formula(first) else ""
    return quoted + text[:start] + first + "".join(f"'{part}" if _is_formula(part) else part for part in others)


def _is_formula(part: str) -> bool:
    visible = next((letter for letter in part if not _is_skipped(letter)), "")
    return unicodedata.normalize("NFKC", visible)[:1] in _BEGINS_A_FORMULA


def _is_skipped(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc")
