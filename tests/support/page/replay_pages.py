"""The offline page of a run, taken apart into its parts, and runs made for it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from app.components import packet
from bsd_engine.config.settings import BSDConfig
from tests.support.fake_run import CONFIG, FakeRun
from tests.support.run_edits import edit_json


@dataclass(frozen=True)
class Parts:
    """The parts of a page."""

    text: str
    """Everything but the data."""
    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    images: bytes
    """WebP."""
    sheet: dict[str, int]
    tags: list[str]
    """Names of all elements, in order."""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append(tag)


def taken_apart(page: bytes) -> Parts:
    """The parts of a page; the data are unpacked as a browser does."""
    text = page.decode()
    run, images = (
        re.search(rf'<script type="text/plain" id="{name}"[^>]*>([^<]*)</script>', text)
        for name in ("rp-run", "rp-images")
    )
    sheet = json.loads(re.search(r"data-sheet='([^']*)'", text)[1].replace("&quot;", '"'))
    header, arrays = packet.unpack(zlib.decompress(base64.b64decode(run[1])))
    tags = _Tags()
    tags.feed(text)
    return Parts(
        text.replace(run[1], "").replace(images[1], ""), header, arrays, base64.b64decode(images[1]), sheet, tags.found
    )


def run_of_truth(root: Path, name: str, truth: np.ndarray, told: BSDConfig, *, epochs: int = 38) -> Path:
    """A run folder whose record is always the same; only what it tells about the ground truth differs.

    Parameters
    ----------
    truth : (1200,) bool, the samples that count as poisoned; the numbers that depend on it are their count and share
    told : configuration to write
    """
    path, run = root / name, FakeRun()
    states = [run.state(epoch) for epoch in range(epochs)]
    run.config, run.is_poison = told, truth
    run.original_labels = (run.labels + truth) % 10
    with run.create(path) as writer:
        for state in states:
            told_of = {
                "attack_success_rate": float(100 * truth.mean()),
                "poison_in_clean_pool": int(truth.sum()),
                "poison_in_clean_pool_cumulative": 7,
            }
            writer.epoch(replace(state, metrics={**state.metrics, **told_of}))
        writer.summary(run.summary("finished", epochs))
    edit_json(path, "config.json", created="2026-01-01T00:00:00+00:00")
    return path


def run_with_distances(root: Path, **settings: Any) -> Path:
    """A finished run that has all three distances in its record."""
    run = FakeRun(CONFIG.with_settings(**settings))
    path = root / ("20260101-000000-" + "-".join(map(str, settings.values())).replace("_", "") + "x")
    rng = np.random.default_rng(1)
    with run.create(path) as writer:
        for epoch in range(38):
            state = run.state(epoch)
            if state.oss_score is not None:
                s = state.oss_score
                state = replace(
                    state,
                    oss_distances=np.stack([s, s + rng.random(len(s)), s + 2 * rng.random(len(s))]).astype(np.float32),
                )
            writer.epoch(state)
        writer.summary(run.summary("finished", 38))
    return path
