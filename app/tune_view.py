"""The linked views: one browser component for quadrant, map, losses, images, curves and the cursor over them.

Plain JavaScript, put together from the files in app/tune in this order; there is no build step and nothing from outside.
Streamlit sends a component's script with every message (124 kB here, beside the 280 kB of an epoch of 50,000 samples), so
the component is a loader of some lines, and the script a file in ./static that the browser fetches once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.live_plot import STATIC

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "tune"
SCRIPTS = ("splits", "packet", "raster", "model", "plot", "axes", "quadrant", "panels", "heat", "time", "controls", "inspector", "texts", "algorithm", "tour", "learn", "main")
SCRIPT_NAME = "tune.js"


def script(*names: str) -> str:
    """The text of some of the scripts, or of all."""
    return "\n".join((FOLDER / f"{name}.js").read_text() for name in names or SCRIPTS)


def whole_script() -> str:
    """The module that the browser fetches: the scripts, with the page's elements and styles."""
    texts = {"HTML": (FOLDER / "tune.html").read_text(), "CSS": (FOLDER / "tune.css").read_text() + (FOLDER / "learn.css").read_text()}
    return "\n".join([*(f"const {name} = {json.dumps(text)}" for name, text in texts.items()), script()])


def install_script(folder: Path = STATIC) -> str:
    """Put the script into a folder that Streamlit serves; returns its name with what tells this version from others."""
    text = whole_script()
    target, version = folder / SCRIPT_NAME, hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    if not target.exists() or target.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{SCRIPT_NAME}.{secrets.token_hex(3)}.tmp"  # two servers may start at once
        try:
            temporary.write_text(text)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return f"{SCRIPT_NAME}?v={version}"


@cache
def _install_once() -> str:
    try:
        return install_script()
    except OSError as error:
        logger.warning("Cannot write %s: %s. The page Tune needs it; make the folder writable.", STATIC / SCRIPT_NAME, error)
        return SCRIPT_NAME


LOADER = """
let loaded = null

function load() {
  const main = document.querySelector('script[type=module][src*="/static/js/"]')  // its address survives a change of page
  const base = main ? new URL('../../', main.src) : document.baseURI
  return loaded ??= import(new URL('app/static/SOURCE', base)).catch(() => {
    loaded = null
    throw new Error('The script app/static/tune.js did not load, so there are no views here. '
      + 'Reload the page; if that does not help, check that server.enableStaticServing is on.')
  })
}

export default function (component) {
  const root = component.parentElement.querySelector('.tn')
  root.latest = component
  load().then(module => { if (root.isConnected && root.latest === component) module.show(root, component) })
    .catch(error => { root.textContent = error.message; root.setAttribute('role', 'alert') })
  return () => setTimeout(() => { if (!root.isConnected) root.app?.close() })
}
"""


@cache
def _component(mode: str) -> Any:
    return st.components.v2.component(mode, html=f'<div class="tn" data-mode="{mode}"></div>', js=LOADER.replace("SOURCE", _install_once()), isolate_styles=False)


def last_ask(key: str) -> Any:
    """What the views with that key asked for last; unchecked. To be read before they are mounted, which their data depend on."""
    state = st.session_state.get(key)
    return state.get("ask") if hasattr(state, "get") else None


def tune_view(data: bytes, *, key: str) -> Any:
    """Show the views; returns an unchecked "run this" in the one script run that it causes, else None."""
    return _component("tune")(key=key, data=data, height="content", on_ask_change=lambda: None, on_run_change=lambda: None).run


def learn_view(data: bytes, *, key: str) -> Any:
    """Show the views in their teaching layout; returns an unchecked "open this run" in the one script run that it causes, else None."""
    return _component("learn")(key=key, data=data, height="content", on_ask_change=lambda: None, on_open_change=lambda: None).open
