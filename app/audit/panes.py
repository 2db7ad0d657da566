"""Rows of images with captions as HTML; no streamlit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from app.audit.audited import Audited
from app.figures.pixels import data_uri, enlarged
from app.style.markup import LINE_BREAK, Markup, image, join, tag


def note(text: str) -> Markup:
    """A paragraph in small type."""
    return tag("p", text, class_="note")


def facts(*children: str) -> Markup:
    """A block of text in the passport."""
    return tag("div", *children, class_="passport-facts")


def pane(title: str, pixels: np.ndarray, side: int, below: str | None = None) -> Markup:
    """An enlarged (H, W, C) uint8 image with a title above it and, unless it is None, a caption below."""
    heading, picture = tag("figcaption", tag("b", title)), image(data_uri(enlarged(pixels, side)), title)
    return tag("figure", heading, picture, *([] if below is None else [tag("figcaption", below)]))


def panes(figures: Iterable[Markup], kind: str) -> Markup:
    """A grid of figures; `kind` is a class in page.css."""
    return tag("div", *figures, class_=f"panes {kind}")


def thumbnail_figure(audit: Audited, sample: int, *, below: str = "", chosen: bool = False) -> Markup:
    """A thumbnail with the sample's number, its label and optionally a third line."""
    lines = [str(sample), LINE_BREAK, audit.label_name(sample)]
    if below:
        lines += [LINE_BREAK, below]
    picture = image(audit.thumbnail_uri(sample), f"sample {sample}")
    return tag("figure", picture, tag("figcaption", join(*lines)), class_="chosen" if chosen else "")


def strip(figures: Iterable[Markup]) -> Markup:
    """A row of thumbnails that wraps."""
    return tag("div", *figures, class_="strip")
