"""Texts about the target of a run: the verdict on the evidence, and how to overrule it; markdown, no streamlit."""

from __future__ import annotations

import html
from typing import Any

from app.figures.target import by_warp
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import class_name
from bsd_engine.target.verdict import caution

NO_VERDICT_YET = (
    "The verdict comes at the end of the altruistic warm-up. Until then, the suspected class is the one with the "
    "highest probability floor."
)
NO_TRANSPLANT = "This run was recorded before residuals were transplanted; only the votes are known."
OVERRULE = (
    "**Overrule the target.** A new run takes over the altruistic model as it was after its warm-up, and defends "
    "against the class that you choose."
)
SEVERAL_TARGETS = "No single class is the target; the pools are decided as under an all-to-all attack."
TARGET = "Target"
BRANCH = "Branch with this target"
DRILL_HELP = (
    "Forces a wrong target on purpose, to show what OSS and selective drop do then, and what becomes of the attack "
    "(Fig. 10 of the paper)."
)
BUSY = "Another run is training; stop it first."
NO_CHECKPOINT = "The checkpoint at the end of the altruistic warm-up is missing; it is written when the warm-up ends."


def verdict_text(row: EpochRow | None, class_names: tuple[str, ...]) -> str:
    """What `auto` concludes from the evidence, in a sentence or two.

    Parameters
    ----------
    row : the record of the last epoch of the altruistic warm-up; None before it
    """
    if row is None:
        return NO_VERDICT_YET
    if row.verdict is None:
        return NO_TRANSPLANT
    return f"{_conclusion(row.verdict, class_names)} {caution(row.epoch + 1)}".rstrip()


def _conclusion(verdict: dict[str, Any], class_names: tuple[str, ...]) -> str:
    name = f"**{markdown_name(class_names, verdict['classes'][0])}**"
    if verdict["kind"] == "several":
        why = words.unformatted(verdict["why"])
        return f"**Several targets**: {why}. {SEVERAL_TARGETS}"
    z = f"z = {verdict['z']:.1f} against the other classes; {verdict['needed']:g} is needed"
    if verdict["kind"] == "no_attack":
        return (
            f"**No attack found**: nothing that sets a class apart turns other images into it (likeliest: {name}, {z})."
        )
    change = "are warped smoothly at random" if by_warp(verdict) else "get what sets this class apart"
    return f"Target {name}: where other images {change}, the altruistic model assigns them to it ({z})."


def markdown_name(class_names: tuple[str, ...], label: int) -> str:
    """Name of a class, safe in markdown."""
    return words.unformatted(html.unescape(class_name(class_names, label)))


def residuals_heading(verdict: dict[str, Any] | None) -> str:
    """Above the residuals, as HTML."""
    warp = "; a warp does not" if by_warp(verdict) else ""
    return (
        "<b>What sets the likeliest classes apart</b>: their unusual samples, minus images that look alike. "
        f"A trigger shows as a pattern of its own{warp}."
    )


def drill(class_names: tuple[str, ...], label: int) -> str:
    """Label of the button that forces a wrong target."""
    return f"Drill: force {markdown_name(class_names, label)}"
