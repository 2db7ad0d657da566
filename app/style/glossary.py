"""The terms of the method in plain words, each once, for every page that uses them; docs/glossary.md holds them.

A text names a term as `[[alpha]]`, which shows its symbol, or as `[[alpha|the share kept]]`, which shows other words:

    from app.style import glossary

    glossary.plain("the cut at [[alpha]]")      # "the cut at α": for Streamlit's captions, figures and aria labels
    glossary.markup("the cut at [[alpha]]")     # HTML: the symbol with its explanation as a title
    glossary.title("alpha")                     # one line, for `help=` and title attributes

The page Learn sends the texts as they are and opens an explanation when a term is pressed. Names of classes and files
come from outside: put them through `safe` before they go into such a text.
"""

from __future__ import annotations

import html
import re

from app.style.glossary_file import Term, glossary_path, read_terms

_MARK = re.compile(r"\[\[([a-zA-Z_0-9]+)(?:\|([^\]]*))?\]\]")

TERMS: dict[str, Term] = read_terms(glossary_path())
"""All terms by the keys that texts name them by."""


def safe(text: str) -> str:
    """A text from outside on one line, without marks, so that it cannot become a term."""
    return re.sub(r"[\[\]|]", "", " ".join(str(text).split()))[:60]


def _shown(match: re.Match[str]) -> str:
    term = TERMS.get(match[1])
    return match[2] or (term.symbol if term else match[1])


def plain(text: str) -> str:
    """The text as it reads, without marks."""
    return _MARK.sub(_shown, text)


def title(key: str) -> str:
    """ "alpha (α): the share ... (Eq. 7, 11)": one line on a term; raises `KeyError` for an unknown one."""
    term = TERMS[key]
    symbol = f" ({term.symbol})" if term.symbol != term.name else ""
    return f"{term.name}{symbol}: {term.plain}" + (f" ({term.equation})" if term.equation else "")


def markup(text: str) -> str:
    """Safe HTML of a text: each term with its explanation as a title."""
    parts, end = [], 0
    for match in _MARK.finditer(text):
        parts.append(html.escape(text[end : match.start()], quote=False))
        shown = html.escape(_shown(match), quote=False)
        parts.append(f'<abbr title="{html.escape(title(match[1]))}">{shown}</abbr>' if match[1] in TERMS else shown)
        end = match.end()
    return "".join([*parts, html.escape(text[end:], quote=False)])


def unknown(text: str) -> set[str]:
    """Keys in a text that name no term."""
    return {m[1] for m in _MARK.finditer(text)} - set(TERMS)


def to_dict() -> dict[str, dict[str, str]]:
    """All terms as plain values, for the browser."""
    return {
        key: {"symbol": t.symbol, "name": t.name, "plain": t.plain, "equation": t.equation} for key, t in TERMS.items()
    }
