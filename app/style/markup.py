"""HTML for `st.html`, escaped in one place."""

from __future__ import annotations

import html


class Markup(str):
    """HTML that is safe to show; every other text is escaped before it becomes part of one."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """An element with its children: `Markup` as it is, any other text escaped.

    Parameters
    ----------
    attributes : plain texts, which are escaped; empty ones are left out; `class_` stands for class
    """
    given = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items() if value)
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def image(uri: str, alt: str) -> Markup:
    """An image with its alternative text."""
    return Markup(f'<img src="{html.escape(uri)}" alt="{html.escape(alt)}">')


def join(*children: str) -> Markup:
    """Children one after the other, escaped unless they are `Markup`."""
    return Markup(
        "".join(child if isinstance(child, Markup) else html.escape(child, quote=False) for child in children)
    )


LINE_BREAK = Markup("<br>")
