"""The verdict on the target in words: the same on the command line, on every page and in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bsd_engine.target.verdict import confidence

HEADLINES = {
    "target": "Attack found",
    "uncertain": "Uncertain",
    "no_attack": "No attack found",
    "several": "Attack found",
}
NOT_ASKED = "Not decided yet: the verdict comes at the end of the altruistic warm-up."
BLIND = (
    "An attack that plain training does not learn, or a trigger that differs from image to image other than by a warp, "
    "would not have been found."
)
CLUES = {
    "foreign": "what its unusual images have in common turns other images into this class",
    "full": "what its best-learned images have in common turns other images into this class",
    "returned": "what its unusual images have in common turns other images into this class, and without it they belong "
    "to many classes",
    "warped": "randomly warped images of other classes are assigned to it",
    "apart": "it consists of two kinds of images, and the difference turns other images into this class",
    "separation": "it consists of two kinds of images",
    "mark": "a group of its images carries the same fine pattern, which images of other classes lack",
}
"""What each clue says about the class that stands out."""


def headline(verdict: Mapping[str, Any] | None, class_names: Sequence[str]) -> str:
    """The verdict in a few words; class names stand as they were given."""
    if verdict is None:
        return NOT_ASKED
    kind, first = verdict["kind"], _name(class_names, verdict["classes"][0])
    if kind == "several":
        return f"{HEADLINES[kind]}: every class is a target (all-to-all)"
    if kind == "target":
        return f"{HEADLINES[kind]}: the target is {first} (confidence {confidence(verdict)})"
    but = f": {first} stands out, but not enough" if kind == "uncertain" else ""
    return f"{HEADLINES[kind]}{but} (confidence {confidence(verdict)})"


def sentence(verdict: Mapping[str, Any] | None, class_names: Sequence[str]) -> str:
    """The verdict with what speaks for it and against it, in a few sentences; class names stand as they were given."""
    if verdict is None:
        return NOT_ASKED
    parts = [f"{headline(verdict, class_names)}."]
    clue, kind = CLUES.get(verdict.get("clue", "")), verdict["kind"]
    if clue and kind != "no_attack":
        parts.append(f"{_name(class_names, verdict['classes'][0])} stands out: {clue}.")
    parts.append(f"{verdict['why'][:1].upper()}{verdict['why'][1:]}.")
    if rivals := verdict.get("rivals"):
        names = ", ".join(_name(class_names, c) for c in rivals[:3])
        parts.append(f"Other evidence points to {names}: compare a branch that defends against it.")
    if kind == "no_attack":
        parts.append(f"If there is one, {_name(class_names, verdict['classes'][0])} is its likeliest target.")
    if kind != "several" and kind != "target":
        parts.append(BLIND)
    return " ".join(parts)


def _name(class_names: Sequence[str], label: int) -> str:
    return class_names[label] if 0 <= label < len(class_names) else f"class {label}"
