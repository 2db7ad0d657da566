"""Texts about the target of a run: the verdict on the evidence, and how to overrule it; markdown, no streamlit."""

from __future__ import annotations

import html
from typing import Any

from app.figures.target import by_warp
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import class_name
from bsd_engine.target.verdict import caution
from bsd_engine.target.words import HEADLINES, headline, sentence

NO_VERDICT_YET = (
    "The verdict comes at the end of the altruistic warm-up. Until then, the suspected class is the one with the "
    "highest probability floor."
)
NO_TRANSPLANT = "This run was recorded before residuals were transplanted; only the votes are known."
OVERRULE = (
    "**Overrule the target.** A new run takes over the altruistic model as it was after its warm-up, and defends "
    "against the class that you choose."
)
TARGET = "Target"
BRANCH = "Branch with this target"
DRILL_HELP = (
    "Forces a wrong target on purpose, to show what OSS and selective drop do then, and what becomes of the attack "
    "(Fig. 10 of the paper)."
)
BUSY = "Another run is training; stop it first."
NO_CHECKPOINT = "The checkpoint at the end of the altruistic warm-up is missing; it is written when the warm-up ends."


def headline_of(verdict: dict[str, Any], class_names: tuple[str, ...]) -> str:
    """The verdict in a few words, as plain text, with names of classes that fit the page."""
    return headline(verdict, _short_names(class_names))


def verdict_text(
    verdicts: list[tuple[int, dict[str, Any]]], class_names: tuple[str, ...], warmup: EpochRow | None
) -> str:
    """The newest verdict in the engine's words, and how it changed; markdown.

    Parameters
    ----------
    verdicts : each with the epoch that recorded it, oldest first
    warmup : the record of the last epoch of the altruistic warm-up; None before it
    """
    if not verdicts:
        return NO_VERDICT_YET if warmup is None else NO_TRANSPLANT
    names, (first, _), (last, verdict) = _short_names(class_names), verdicts[0], verdicts[-1]
    said, rest = headline(verdict, names), sentence(verdict, names)
    text = f"**{words.unformatted(said)}**{words.unformatted(rest[len(said) :])} {_history(verdicts, names)}"
    return f"{text} {caution(first + 1)}".rstrip() if last == first else text.rstrip()


def _history(verdicts: list[tuple[int, dict[str, Any]]], names: tuple[str, ...]) -> str:
    """When the question was asked and what the answers were, if it was asked more than once."""
    if len(verdicts) < 2:
        return ""
    answers = [f"epoch {epoch + 1}: {_answer(verdict, names)}" for epoch, verdict in verdicts]
    changed = len({_answer(verdict, names) for _, verdict in verdicts}) > 1
    begin = "The answer has changed" if changed else "Asked again with the same answer"
    return words.unformatted(f"{begin} ({'; '.join(answers)}).")


def _answer(verdict: dict[str, Any], names: tuple[str, ...]) -> str:
    kind = verdict["kind"]
    return HEADLINES[kind].lower() if kind in ("no_attack", "several") else f"{names[verdict['classes'][0]]} ({kind})"


def _short_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of classes as plain text that fits the page."""
    return tuple(html.unescape(class_name(class_names, label)) for label in range(len(class_names)))


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
