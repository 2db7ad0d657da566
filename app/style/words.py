"""Names for what the engine calls by identifiers, and texts made safe for Streamlit's markdown."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

from bsd_engine.runs.layout import Status

STATUS: dict[Status, str] = {
    "running": "live",
    "paused": "live",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}
ATTACKS = {
    "badnets": "BadNets",
    "blended": "Blended",
    "wanet": "WaNet",
    "refool": "ReFool",
    "sig": "SIG",
    "badnets_all2all": "BadNets all-to-all",
    "label_consistent": "Label-consistent",
    "narcissus": "Narcissus",
    "adaptive": "adaptive noise",
    "adaptive_blend": "adaptive blend",
    "source_specific": "source-specific patch",
    "custom": "custom trigger",
    "none": "none added",
}
SOURCES = {
    "bundled": "bundled: Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "gtsrb": "GTSRB traffic signs",
    "folder": "folder of images",
    "npz": "npz file",
}
PRESETS = {
    "demo": "demo: minutes on a CPU",
    "demo-gtsrb": "demo: traffic signs, on a CPU",
    "audit": "audit: images of your own, on a CPU",
    "audit-quick": "audit: a first look",
    "paper-cifar10": "paper: CIFAR-10 on a GPU",
    "paper-gtsrb": "paper: GTSRB on a GPU",
    "paper-imagenet30": "paper: 30 classes of ImageNet",
    "smoke": "smoke: a test of a few seconds",
}
ESTIMATORS = {
    "auto": "by residual transplant (ours)",
    "median_probability": "by median probability (ours)",
    "lga_vote": "by the LGA vote",
    "residual_transplant": "by residual transplant (ours)",
    "probability_floor": "by probability floor (ours)",
    "second_logit_mode": "by the paper's vote",
    "given": "given in the settings",
    "low_loss_mode": "by the lowest losses",
    "label_count": "by the most frequent label",
}

NOT_READABLE = "cannot be read"
READ_ONLY = "This run is read-only: this installation did not write it. Make a copy of your own first."
LONGEST = 60
"""Characters of a name from outside, such as that of a class, that a page shows."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")


def unformatted(text: str) -> str:
    """A sentence that markdown shows as it is; file names and class names come from outside."""
    return _MARKDOWN.sub(r"\\\1", text)


def short(text: object, most: int = LONGEST) -> str:
    """A text from outside on one line, cut so that it cannot push anything else off the page."""
    line = " ".join(str(text)[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def duration(seconds: float) -> str:
    """7.4 -> "7 s", 94 -> "1 min 34 s", 7500 -> "2 h 5 min"."""
    s = max(0, round(seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60} s" if s < 600 else f"{round(s / 60)} min"
    return f"{s // 3600} h {s % 3600 // 60} min"


def moment(created: str) -> str:
    """An ISO time as "22 Nov 08:15", or "today 08:15"."""
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return short(created)
    day = "today" if when.date() == datetime.now().date() else f"{when.day} {when:%b}"
    return f"{day} {when:%H:%M}"


def source(spec: str) -> str:
    """A data source in a few words: "Fashion-MNIST", or the last part of a path."""
    kind, _, path = spec.partition(":")
    if path:
        return short(re.split(r"[\\/]", path.rstrip("\\/"))[-1] or path)
    return {"bundled": "Fashion-MNIST", "gtsrb": "GTSRB"}.get(kind, SOURCES.get(kind, short(kind)))


def estimator(name: str) -> str:
    """How the target class was estimated."""
    return ESTIMATORS.get(name, "by " + name.replace("_", " "))


def attack(name: str) -> str:
    """An attack's name as its paper spells it."""
    return ATTACKS.get(name, short(name))


def shell(path: Path) -> str:
    """A path quoted for a command line, relative where it lies below the working folder."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
