"""Scripts of large components as files that the browser fetches once.

Streamlit sends a component's script with every message: for the linked views that would be 150 kB, beside the 280 kB of
an epoch of 50,000 samples. So Streamlit gets the few lines of served_script.js, and the script itself is a file in
./static. The root element names the file. Its default export is `mount`, like that of every component, and it gives the
root an `app` with `close()`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.bundle import bundle
from app.components.live_plot import STATIC

logger = logging.getLogger(__name__)

LOADER = Path(__file__).with_suffix(".js")


def install(name: str, text: str, folder: Path = STATIC) -> str:
    """Write a script into a folder that Streamlit serves; returns its name with the version of its text."""
    target, version = folder / name, hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.{secrets.token_hex(3)}.tmp"  # two servers may start at once
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return f"{name}?v={version}"


@cache
def component(root: str, entry: Path, *, mode: str = "") -> Any:
    """The component of an entry module.

    Parameters
    ----------
    root : class of the root element
    entry : its name is the name of the served file
    mode : for a script with several components: `data-mode` of the root, and name of the component
    """
    try:
        source = install(entry.name, bundle(entry))
    except OSError as error:
        logger.warning("Cannot write %s: %s. A page needs it; make the folder writable.", STATIC / entry.name, error)
        source = entry.name
    html = f'<div class="{root}" data-mode="{mode}" data-script="{source}"></div>'
    return st.components.v2.component(mode or entry.stem, html=html, js=bundle(LOADER), isolate_styles=False)


def last_value(key: str, name: str) -> Any:
    """The last value that a component sent under a name, unchecked; readable before the component is mounted."""
    state = st.session_state.get(key)
    return state.get(name) if hasattr(state, "get") else None
