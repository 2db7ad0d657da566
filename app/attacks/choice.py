"""Which image of the poisoned set is shown large, and which images the buttons step through; kept in the session."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from app.attacks import texts
from app.attacks.poisoned_view import PoisonedView
from app.state import keys
from app.style.theme import class_name


def choose(view: PoisonedView) -> np.ndarray:
    """Show the filter and the buttons; returns the numbers of the images that pass the filter."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="image_choice"):
        kinds = [kind for kind in texts.KINDS if kind != "noise" or view.noise_mask.any()]
        # Another list of kinds is another widget: a choice that the new attack lacks cannot stay.
        kind = st.segmented_control(
            texts.SHOW,
            kinds,
            key=keys.attack_field(f"kind_{len(kinds)}"),
            default="poisoned",
            required=True,
            format_func=texts.KINDS.get,
        )
        label = _original_class(view)
        numbers = view.numbers(kind, None if label < 0 else label)
        _keep_number(view, numbers, (kind, label))
        _step_button(texts.PREVIOUS, numbers, -1, icon=":material/chevron_left:")
        _step_button(texts.NEXT, numbers, 1, icon=":material/chevron_right:", icon_position="right")
        st.number_input(texts.IMAGE_NUMBER, 0, view.size - 1, step=1, key=keys.IMAGE_NUMBER, width=130)
        st.caption(texts.position_among(_position(numbers), len(numbers)))
    return numbers


def shown_number() -> int:
    """Number of the image shown large."""
    return int(st.session_state[keys.IMAGE_NUMBER] or 0)


def _original_class(view: PoisonedView) -> int:
    """The chosen class, -1 for all."""
    names = [html.unescape(class_name(view.prepared.class_names, c)) for c in range(view.prepared.num_classes)]
    return st.selectbox(
        texts.ORIGINAL_CLASS,
        range(-1, len(names)),
        key=keys.attack_field(f"class_{hash(tuple(names))}"),  # another data set has another list of classes
        width=190,
        format_func=lambda c: texts.ALL_CLASSES if c < 0 else names[c],
    )


def _step_button(label: str, numbers: np.ndarray, by: int, **icon: str) -> None:
    st.button(label, key=label.lower(), on_click=_step, args=(numbers, by), disabled=len(numbers) < 2, **icon)


def _position(numbers: np.ndarray) -> int | None:
    """Position of the shown image among these, counted from 1; None where it is not one of them."""
    number = shown_number()
    index = int(np.searchsorted(numbers, number))
    return index + 1 if index < len(numbers) and numbers[index] == number else None


def _keep_number(view: PoisonedView, numbers: np.ndarray, choice: tuple[object, object]) -> None:
    """Another choice starts at its first image; a number beyond the set becomes its last one."""
    state = st.session_state
    number, is_new = state.get(keys.IMAGE_NUMBER), state.get(keys.IMAGE_CHOICE) != (choice, id(view))
    if len(numbers) and (number is None or (is_new and number not in numbers)):
        state[keys.IMAGE_NUMBER] = int(numbers[0])
    if is_new:
        state[keys.IMAGE_PAGE] = 0
    state[keys.IMAGE_CHOICE] = (choice, id(view))
    state[keys.IMAGE_NUMBER] = int(min(max(0, state.get(keys.IMAGE_NUMBER) or 0), view.size - 1))


def _step(numbers: np.ndarray, by: int) -> None:
    """To the next or previous of these images, around the ends."""
    now = st.session_state.get(keys.IMAGE_NUMBER) or 0
    index = np.searchsorted(numbers, now, "right" if by > 0 else "left") - (1 if by < 0 else 0)
    st.session_state[keys.IMAGE_NUMBER] = int(numbers[index % len(numbers)])
