"""Names from outside as text of a table: valid Unicode, and never a formula."""

from __future__ import annotations

import unicodedata

_BEGINS_A_FORMULA = frozenset("=+-@|%\t\r\n")


def valid_text(name: str) -> str:
    """A name with the bytes that are not valid text written out, as in `\\udcff`: a Linux file may have any name."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def no_formula(text: str) -> str:
    """A text for a cell of a CSV file, with an apostrophe in front if a spreadsheet would take it for a formula.

    Some spreadsheets read wide forms of the signs as well (such as U+FF1D for =), and skip spaces and invisible
    characters before them.
    """
    text = valid_text(text)
    visible = next((letter for letter in text if not _is_skipped(letter)), "")
    begins = {text[:1], unicodedata.normalize("NFKC", visible)[:1]}
    return f"'{text}" if begins & _BEGINS_A_FORMULA else text


def _is_skipped(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc")
