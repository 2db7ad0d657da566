"""Reading docs/glossary.md, which is a page of the documentation and the source of the terms in the interface.

After its introduction, the file has nothing but entries of this form:

    ## alpha

    Key: alpha · Symbol: α · Paper: Eq. 7, 11

    One paragraph in plain words.

The heading is the term's name. The key names the term in the texts of the pages. A term without a symbol is shown by
its name; a term that the paper does not define has no place in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CANDIDATES = (HERE.parents[1] / "docs" / "glossary.md", HERE / "glossary.md")
"""In the repository, and where an installed package has its copy."""
LABELS = ("Key", "Symbol", "Paper")
_HEADING = re.compile(r"^## +", re.MULTILINE)
_KEY = re.compile(r"[a-zA-Z_0-9]+")


class GlossaryError(ValueError):
    """The glossary is missing or an entry has another form than this module describes."""


@dataclass(frozen=True)
class Term:
    """One term."""

    symbol: str
    """As formulas and texts show it."""
    name: str
    plain: str
    """What it is, for somebody who has never heard of it."""
    equation: str = ""
    """Where the paper defines it; "" where it does not or has no number for it."""


def glossary_path() -> Path:
    """The file of the glossary; raises `GlossaryError` where there is none."""
    for path in CANDIDATES:
        if path.is_file():
            return path
    raise GlossaryError(f"There is no glossary at {' or '.join(map(str, CANDIDATES))}; install the package anew.")


def read_terms(path: Path) -> dict[str, Term]:
    """The terms of a glossary by their keys, in the order of the file.

    Raises
    ------
    GlossaryError
        For an entry without the form of this module, and for a key or a name that occurs twice.
    """
    terms: dict[str, Term] = {}
    for entry in _HEADING.split(path.read_text(encoding="utf-8"))[1:]:
        key, term = _parse(entry, path)
        if key in terms or term.name in {other.name for other in terms.values()}:
            raise GlossaryError(f"{path}: the key {key!r} or the name {term.name!r} occurs twice; keep one entry.")
        terms[key] = term
    if not terms:
        raise GlossaryError(f"{path} has no entries; each begins with a line '## TERM'.")
    return terms


def _parse(entry: str, path: Path) -> tuple[str, Term]:
    """Key and term of the text of one entry, which starts with the name."""
    name, *blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", entry.strip()))
    if len(blocks) != 2:
        raise GlossaryError(
            f"{path}: the entry {name!r} has {len(blocks)} blocks below its heading, expected 2: a line "
            "'Key: KEY · Symbol: SYMBOL · Paper: PLACE' and one paragraph."
        )
    line, plain = blocks
    values = _values(line, name, path)
    return values["Key"], Term(values.get("Symbol", name), name, plain, values.get("Paper", ""))


def _values(line: str, name: str, path: Path) -> dict[str, str]:
    """What the line below a heading gives for each label."""
    pairs = [part.partition(": ") for part in line.split(" · ")]
    values = {label: value.strip() for label, _, value in pairs}
    known = len(values) == len(pairs) and set(values) <= set(LABELS) and all(values.values())
    if not known or not _KEY.fullmatch(values.get("Key", "")):
        raise GlossaryError(
            f"{path}: the entry {name!r} has the line {line!r}, expected 'Key: KEY', of letters, digits and _, and "
            "after it 'Symbol: SYMBOL' and 'Paper: PLACE' where there are any, separated by ' · '."
        )
    return values
