"""The terms of the method in plain words, each once, for every page that uses them.

A text names a term as `[[alpha]]`, which shows its symbol, or as `[[alpha|the share kept]]`, which shows other words for it:

    from app import glossary

    glossary.plain("the cut at [[alpha]]")      # "the cut at α": for Streamlit's captions, figures and aria labels
    glossary.markup("the cut at [[alpha]]")     # HTML: the symbol with its explanation as a title
    glossary.title("alpha")                     # one line, for `help=` and title attributes

The page Learn sends the texts as they are and opens an explanation at a press. Names of classes and files come from outside:
put them through `safe` before they go into such a text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_MARK = re.compile(r"\[\[([a-zA-Z_0-9]+)(?:\|([^\]]*))?\]\]")


@dataclass(frozen=True)
class Term:
    """One term."""

    symbol: str
    """As formulas and texts show it."""
    name: str
    plain: str
    """What it is, for somebody who has never heard of it."""
    equation: str = ""
    """Where the paper has it; "" where it has no number."""


TERMS: dict[str, Term] = {
    "backdoor": Term(
        "backdoor",
        "backdoor",
        "A habit hidden in a network: it answers as it should until an image carries the trigger, then it answers what the attacker chose.",
    ),
    "poison": Term(
        "poison",
        "poisoned sample",
        "A training image with the trigger in it, whose label is the attacker's class. Clean-label attacks keep the right label.",
        "Section 2",
    ),
    "trigger": Term(
        "trigger", "trigger", "The small change, a patch or a pattern, that the attacker puts into an image."
    ),
    "target": Term(
        "target class", "attacked class", "The class that the attacker wants triggered images to be called."
    ),
    "D": Term(
        "D",
        "training set",
        "All training images with their given labels; nobody knows which are poisoned.",
        "Section 3.1",
    ),
    "D_c": Term(
        "D_c", "clean pool", "The samples that are trusted now: the main model learns from their labels.", "Section 3.1"
    ),
    "D_p": Term("D_p", "poison pool", "All others: the main model sees the images, but not the labels.", "Section 3.1"),
    "D_t": Term("D_t", "suspected class", "The samples labelled with the suspected target class.", "Eq. 4"),
    "D_nt": Term("D_nt", "other classes", "The samples with any other label.", "Eq. 4"),
    "y_t": Term(
        "y_t",
        "suspected target class",
        "The class that the defence takes for the attacker's. It is guessed from the altruistic model, never told.",
        "Section 3.2",
    ),
    "f": Term(
        "f", "main model", "The network that is to be used in the end; it learns labels from the clean pool only."
    ),
    "g": Term(
        "g",
        "altruistic model",
        "A second network that learns everything, poison too, so that the main model need not. It gives itself up and is thrown away.",
        "Section 3.3",
    ),
    "sce": Term(
        "SCE",
        "symmetric cross-entropy",
        "How wrong a model is about a label: 0 is sure and right. It is the loss that both models are compared by, in nats.",
        "Section 3.3",
    ),
    "loss_g": Term(
        "L_g",
        "altruistic loss",
        "How wrong the altruistic model is about a sample's given label. What is learned by heart has a small loss.",
        "Eq. 7",
    ),
    "loss_f": Term("L_f", "main loss", "How wrong the main model is about a sample's given label.", "Eq. 9"),
    "als": Term(
        "ALS",
        "altruistic-model-based loss split",
        "The cut by altruistic loss: the share alpha with the largest losses is kept.",
        "Eq. 7",
    ),
    "oss": Term(
        "OSS",
        "open-set-recognition-based split",
        "The cut by distance: of the suspected class, the share beta that lies farthest from all other classes is kept.",
        "Eq. 5, 6",
    ),
    "distance": Term(
        "S",
        "OSS distance",
        "How far a sample lies from the nearest other class, as the main model sees it, which has not learned the suspected class.",
        "Eq. 6",
    ),
    "alpha": Term(
        "α",
        "alpha",
        "The share of all samples that the cut by loss keeps, and the end of the pool's growth.",
        "Eq. 7, 11",
    ),
    "beta": Term(
        "β",
        "beta",
        "The share of the suspected class that the cut by distance keeps, and the start of the pool's growth.",
        "Eq. 5, 11",
    ),
    "alpha_T": Term(
        "α_T",
        "share at epoch T",
        "The share of all samples in the clean pool at epoch T; it grows from beta to alpha along half a cosine.",
        "Eq. 11",
    ),
    "gap": Term(
        "I",
        "loss discrepancy",
        "Altruistic loss minus main loss. Poison is easy for the altruistic model and hard for the main one, so its gap is negative.",
        "Eq. 9",
    ),
    "T": Term(
        "T", "epoch", "How often the main model has been over the pool; below 0 only the altruistic model learns."
    ),
    "T1": Term("T1", "end of the OSS warm-up", "The epoch at which the first clean pool is decided.", "Algorithm 1"),
    "T2": Term(
        "T2",
        "end of class completion",
        "The epoch from which the pool no longer grows and the altruistic model rests.",
        "Algorithm 1",
    ),
    "T3": Term("T3", "end of the training", "The epoch at which the training ends.", "Algorithm 1"),
    "completion": Term(
        "class completion",
        "class completion",
        "The pool is filled up so that no class has too few samples to be learned.",
        "Eq. 8",
    ),
    "drop": Term(
        "selective drop",
        "selective drop",
        "What both models call the suspected class leaves the pool: better to lose some of its images than to keep poison.",
        "Eq. 10",
    ),
    "semi": Term(
        "L_semi",
        "semi-supervised loss",
        "Learning from the clean pool with labels and from the rest without (MixMatch).",
        "Eq. 1, 2",
    ),
    "CA": Term(
        "CA",
        "clean accuracy",
        "Share of ordinary test images that are called what they show. Higher is better.",
        "Section 5.1",
    ),
    "ASR": Term(
        "ASR",
        "attack success rate",
        "Share of test images with the trigger that are called the attacker's class. Lower is better.",
        "Section 5.1",
    ),
}


def safe(text: str) -> str:
    """A text from outside, on one line and without marks, so that it stays words in a text with terms."""
    return re.sub(r"[\[\]|]", "", " ".join(str(text).split()))[:60]


def _shown(match: re.Match[str]) -> str:
    term = TERMS.get(match[1])
    return match[2] or (term.symbol if term else match[1])


def plain(text: str) -> str:
    """The text as it reads, without marks."""
    return _MARK.sub(_shown, text)


def title(key: str) -> str:
    """ "alpha (α): the share ... (Eq. 7, 11)": one line on a term; raises `KeyError` for an unknown one."""
    term = TERMS[key]
    symbol = f" ({term.symbol})" if term.symbol != term.name else ""
    return f"{term.name}{symbol}: {term.plain}" + (f" ({term.equation})" if term.equation else "")


def markup(text: str) -> str:
    """Safe HTML of a text: each term with its explanation as a title."""
    parts, end = [], 0
    for match in _MARK.finditer(text):
        parts.append(html.escape(text[end : match.start()], quote=False))
        shown = html.escape(_shown(match), quote=False)
        parts.append(f'<abbr title="{html.escape(title(match[1]))}">{shown}</abbr>' if match[1] in TERMS else shown)
        end = match.end()
    return "".join([*parts, html.escape(text[end:], quote=False)])


def unknown(text: str) -> set[str]:
    """Marks in a text that name no term."""
    return {m[1] for m in _MARK.finditer(text)} - set(TERMS)


def to_dict() -> dict[str, dict[str, str]]:
    """All terms as plain values, for the browser."""
    return {
        key: {"symbol": t.symbol, "name": t.name, "plain": t.plain, "equation": t.equation} for key, t in TERMS.items()
    }
