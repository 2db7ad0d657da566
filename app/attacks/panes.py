"""Images of a poisoned set as HTML: one large, beside what the attack changed, and many small. Pure functions."""

from __future__ import annotations

import html

import numpy as np

from app.attacks import texts
from app.attacks.poisoned_view import PoisonedView
from app.figures.pixels import GAIN, data_uri, difference_picture, enlarged, fitting_gain, thumbnail
from app.style.theme import Palette, class_name

SIDE = 224
"""Pixels."""


def panes(view: PoisonedView, number: int, palette: Palette) -> str:
    """Original, poisoned, difference and trigger side by side, with what they are called."""
    trigger, difference = view.trigger, view.difference(number)
    original, given = _labels(view, number)
    gain = fitting_gain(trigger.difference)
    shown = [
        (texts.ORIGINAL, view.original(number), f"label {original}"),
        (texts.AS_TRAINED, view.poisoned(number), f"label {given}"),
        (
            texts.difference_title(GAIN),
            difference_picture(difference),
            texts.difference_note(int(np.abs(difference).max(initial=0))),
        ),
        (
            texts.trigger_title(gain),
            difference_picture(trigger.difference, gain),
            texts.trigger_note(trigger.ground, trigger.varies),
        ),
    ]
    figures = "".join(_figure(title, pixels, note) for title, pixels, note in shown)
    truth = (
        f'<div class="truth">{_sign(view, number, palette)} Image {number} {texts.WHAT_BECAME[view.kind(number)]}</div>'
    )
    return f'{truth}<div class="panes">{figures}</div>'


def strip(view: PoisonedView, numbers: np.ndarray, chosen: int, palette: Palette) -> str:
    """Small images with their labels; the chosen one has a ring."""
    figures = "".join(_small(view, int(number), palette, int(number) == chosen) for number in numbers)
    return f'<div class="strip">{figures}</div>'


def _labels(view: PoisonedView, number: int) -> tuple[str, str]:
    """Original and given label, as safe text."""
    names, prepared = view.prepared.class_names, view.prepared
    return class_name(names, int(prepared.original_labels[number])), class_name(names, int(prepared.labels[number]))


def _sign(view: PoisonedView, number: int, palette: Palette) -> str:
    """The mark of poison or of a clean image in its colour."""
    colour, sign = (palette.poison, "◆") if view.kind(number) == "poisoned" else (palette.clean, "○")
    return f'<b style="color:{colour}">{sign}</b>'


def _figure(title: str, pixels: np.ndarray, note: str) -> str:
    """An image with a title and a note; both are safe text."""
    alt = html.escape(f"{title}, {html.unescape(note)}", quote=True)
    image = f'<img src="{data_uri(enlarged(pixels, SIDE))}" alt="{alt}">'
    return f"<figure><figcaption><b>{title}</b></figcaption>{image}<figcaption>{note}</figcaption></figure>"


def _small(view: PoisonedView, number: int, palette: Palette, chosen: bool) -> str:
    original, given = _labels(view, number)
    labels = f"{original} → {given}" if given != original else f"{original}, kept"
    ring = ' class="chosen"' if chosen else ""
    return (
        f'<figure{ring}><img src="{data_uri(thumbnail(view.poisoned(number)))}" alt="image {number}">'
        f"<figcaption>{_sign(view, number, palette)} {number}<br>{labels}</figcaption></figure>"
    )
