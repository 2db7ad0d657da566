"""The poisoned sets that the page Attacks shows, kept from one click to the next."""

from __future__ import annotations

import json
from collections.abc import Iterator

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.attacks import texts
from app.attacks.poisoned_view import PoisonedView, poisoned_view
from app.server import data_paths
from app.server.registry import registry
from app.style import words
from bsd_engine.compute.progress import Bar, shown_by
from bsd_engine.config.settings import BSDConfig

MOST_VIEWS = 2


def cached_view(config: BSDConfig) -> PoisonedView:
    """The poisoned set of a configuration; a bar shows the progress of an attack that trains a network of its own.

    Raises
    ------
    BSDError
        If the images may not be read, or cannot be read or poisoned.
    """
    data_paths.check_config(config, registry().triggers)
    views, key = _views(), _key(config)
    if (view := views.get(key)) is None:
        what = texts.poisoning(config.data.limit, words.attack(config.attack.attack))
        with st.spinner(what), shown_by(_bar(st.empty())):
            view = poisoned_view(config)
        while len(views) >= MOST_VIEWS:
            views.pop(next(iter(list(views))), None)  # a list, since another session may change the dict meanwhile
        views[key] = view
    return view


# Not `cache_data`, which would copy a set of 150 MB at every click; nobody writes to a view. A function with
# `cache_resource` of its own could not move a bar that was drawn outside it.
@st.cache_resource(show_spinner=False)
def _views() -> dict[str, PoisonedView]:
    return {}


def _key(config: BSDConfig) -> str:
    """All that the poisoned set depends on; files and folders of images are known by their times, too."""
    parts = config.to_dict()
    stamps = data_paths.stamps(config.data.data)
    return json.dumps([config.seed, parts["data"], parts["attack"], stamps], sort_keys=True)


def _bar(slot: DeltaGenerator) -> Bar:
    def steps(numbers: range, what: str) -> Iterator[int]:
        for i in numbers:
            slot.progress(i / len(numbers), texts.crafting(what, i + 1, len(numbers)))
            yield i
        slot.empty()

    return steps
