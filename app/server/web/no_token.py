"""The pages that a browser without the token gets: self-contained, without a script, and with nothing of the runs."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl

WRONG = '<p class="wrong" role="alert">That is not the token of this server.</p>'


@cache
def _template() -> str:
    return Path(__file__).with_name("no_token.html").read_text(encoding="utf-8")


def no_token_page(query: str, *, is_wrong: bool) -> str:
    """The page that asks for the token.

    Parameters
    ----------
    query : the rest of the address, which the form keeps
    is_wrong : whether a token was given
    """
    fields = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None)
    )
    return _template().replace("<!--wrong-->", WRONG if is_wrong else "").replace("<!--fields-->", fields)


def reopening_page() -> str:
    """A page that opens its own address again.

    A browser that follows a link on another site holds the cookie back; asked by this page, it sends it.
    """
    return '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>BSD dashboard</title>'
