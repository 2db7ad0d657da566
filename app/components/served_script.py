"""Scripts of browser components as files that the browser fetches once.

Streamlit sends a component's script with every message, so the component is a loader of some lines, and the script a file
in ./static. A component's root is one element with a class; the script exports `show(root, component)`, called with each
message, and gives the root an `app` with `close()`.
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

from app.components.live_plot import STATIC

logger = logging.getLogger(__name__)

LOADER = """
let loaded = null

function load() {
  const main = document.querySelector('script[type=module][src*="/static/js/"]')  // its address survives a change of page
  const base = main ? new URL('../../', main.src) : document.baseURI
  return loaded ??= import(new URL('app/static/SOURCE', base)).catch(() => {
    loaded = null
    throw new Error('The script app/static/NAME did not load, so there are no views here. '
      + 'Reload the page; if that does not help, check that server.enableStaticServing is on.')
  })
}

export default function (component) {
  const root = component.parentElement.querySelector('.ROOT')
  root.latest = component
  load().then(module => { if (root.isConnected && root.latest === component) module.show(root, component) })
    .catch(error => { root.textContent = error.message; root.setAttribute('role', 'alert') })
  return () => setTimeout(() => { if (!root.isConnected) root.app?.close() })
}
"""


def install(name: str, text: str, folder: Path = STATIC) -> str:
    """Put a script into a folder that Streamlit serves; returns its name with what tells this version from others."""
    target, version = folder / name, hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    if not target.exists() or target.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.{secrets.token_hex(3)}.tmp"  # two servers may start at once
        try:
            temporary.write_text(text)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return f"{name}?v={version}"


@cache
def component(root: str, name: str, text: str, *, mode: str = "") -> Any:
    """The component whose root element has a class, and a mode if its script has several, and whose script has a name and a text."""
    try:
        source = install(name, text)
    except OSError as error:
        logger.warning("Cannot write %s: %s. A page needs it; make the folder writable.", STATIC / name, error)
        source = name
    loader = LOADER.replace("SOURCE", source).replace("NAME", name).replace("ROOT", root)
    html = f'<div class="{root}" data-mode="{mode}"></div>'
    return st.components.v2.component(mode or name.removesuffix(".js"), html=html, js=loader, isolate_styles=False)


def last_value(key: str, name: str) -> Any:
    """What the component with that key said last; unchecked. To be read before it is mounted, where its data depend on it."""
    state = st.session_state.get(key)
    return state.get(name) if hasattr(state, "get") else None
