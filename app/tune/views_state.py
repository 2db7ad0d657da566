"""The state of the linked views and their missing data: from the browser's last message, at first from the address."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import streamlit as st

from app.components.linked_views.view import last_ask
from app.state import linked
from app.state.linked import Linked
from app.state.run_choice import looked_at
from app.tune import texts
from app.tune.asks import Ask, Want, parse_ask, parse_settings
from bsd_engine.method.preview import Settings
from bsd_engine.runs.reader import RunReader

ADDRESS = "whatif"
"""Name of the settings in the address."""


def asked(run: RunReader, key: str, epochs: int) -> tuple[Linked, Settings, Want, Any]:
    """The shown state, its settings, the data that the browser lacks, and its message.

    Before the first message, the state is that of the address, and all data are missing. The message is unchecked. It
    is None unless it is a new one.
    """
    raw = last_ask(key)
    ask: Ask | None = parse_ask(raw, run=run.run_id, samples=run.num_samples, epochs=epochs)
    fresh = ask is not None and ask.seq > st.session_state.get("tune_seq", 0)
    if ask is not None and fresh and ask.view is not None and ask.settings is not None:
        st.session_state["tune_seq"] = ask.seq
        linked.write(ask.view)
        write_settings(run, ask.settings)
    view = looked_at(run=run.run_id, samples=run.num_samples, epochs=epochs)
    return view, read_settings(run), Want(geometry=True) if ask is None else ask.want, raw if fresh else None


def write_settings(run: RunReader, settings: Settings) -> None:
    """Write settings into the session and the address, as "0.6_0.2_5_6_min"; the run's own settings are left out."""
    st.session_state["tune_settings"] = (run.run_id, settings)
    text = "_".join(f"{part:g}" if isinstance(part, float) else str(part) for part in astuple(settings))
    if settings == Settings.of(run.config):
        st.query_params.pop(ADDRESS, None)
    elif st.query_params.get(ADDRESS) != text:
        st.query_params[ADDRESS] = text


def _settings_in_address() -> Settings | None:
    """The settings in the address; None if they are missing or cannot be read."""
    parts = st.query_params.get(ADDRESS, "").split("_")
    if len(parts) != 5:
        return None
    try:
        return parse_settings(
            {
                "alpha": float(parts[0]),
                "beta": float(parts[1]),
                "t1": int(parts[2]),
                "altruistic_epochs": int(parts[3]),
                "distance": parts[4],
            }
        )
    except ValueError:
        return None


def read_settings(run: RunReader) -> Settings:
    """The settings in the address, else those of the session, else the run's own."""
    kept = st.session_state.get("tune_settings")
    return _settings_in_address() or (
        kept[1] if kept is not None and kept[0] == run.run_id else Settings.of(run.config)
    )


def problem() -> str | None:
    """A sentence about settings in the address that cannot be read; None if there is no mistake."""
    return texts.BAD_SETTINGS if st.query_params.get(ADDRESS) and _settings_in_address() is None else None
