"""The page Attacks: how an attack changes images, which ones it changes, and the poisoned set as a download."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app.attacks import panes, texts
from app.attacks.choice import choose, shown_number
from app.attacks.form import attack_form
from app.attacks.head import head
from app.attacks.poisoned_view import PoisonedView
from app.attacks.trigger_upload import without_path
from app.attacks.view_cache import cached_view
from app.components.live_plot import live_plot
from app.figures.attacks import class_bars, spectrum_figure
from app.run import figure_commands
from app.state import keys
from app.style import words
from app.style.theme import Palette, palette_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.prepare.spectrum import spectrum

FIGURE_HEIGHT = 300
"""Pixels."""
IMAGES_PER_PAGE = 24


def render(run_page: st.Page) -> None:
    """Draw the whole page; `run_page` is where a run with this attack is started."""
    try:
        with st.sidebar:
            st.markdown(texts.FORM_TITLE)
            config = attack_form()
        view = cached_view(config)
    except BSDError as error:
        st.error(words.unformatted(without_path(str(error))), icon=":material/error:")
        return
    head(config, view, run_page)
    _images(config, view)


@st.fragment
def _images(config: BSDConfig, view: PoisonedView) -> None:
    """Draw everything below the head. It is a fragment, so that the next image does not run the form again."""
    palette = palette_for(st.context.theme.type)
    numbers = choose(view)
    st.html(panes.panes(view, shown_number(), palette))
    _figures(config, view, palette)
    _strip(view, numbers, palette)


def _figures(config: BSDConfig, view: PoisonedView, palette: Palette) -> None:
    """Draw the trigger's spectrum, and the classes of the changed images."""
    left, right = st.columns(2)
    with left:
        live_plot(
            spectrum_figure(spectrum(view.trigger.difference), palette),
            key="attack_spectrum",
            height=FIGURE_HEIGHT,
            remake=figure_commands.command("attack_spectrum", palette=palette, config=config),
        )
    with right:
        poisoned, noise = view.counts(view.poison_mask), view.counts(view.noise_mask)
        live_plot(
            class_bars(poisoned, noise, view.prepared.class_names, palette),
            key="attack_classes",
            height=FIGURE_HEIGHT,
            remake=figure_commands.command("attack_classes", palette=palette, config=config),
        )


def _strip(view: PoisonedView, numbers: np.ndarray, palette: Palette) -> None:
    """Draw the chosen images, a page at a time."""
    pages = max(1, -(-len(numbers) // IMAGES_PER_PAGE))
    page = min(st.session_state.setdefault(keys.IMAGE_PAGE, 0), pages - 1)
    start = page * IMAGES_PER_PAGE
    shown = numbers[start : start + IMAGES_PER_PAGE]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(texts.strip_heading(start + 1, start + len(shown), len(numbers)))
        st.button(texts.EARLIER, key="earlier", on_click=_turn_to, args=(page - 1,), disabled=page == 0)
        st.button(texts.LATER, key="later", on_click=_turn_to, args=(page + 1,), disabled=page >= pages - 1)
    st.html(panes.strip(view, shown, shown_number(), palette))


def _turn_to(page: int) -> None:
    st.session_state[keys.IMAGE_PAGE] = page
