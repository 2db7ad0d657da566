"""Names from elsewhere are plain text wherever they are shown or written: in figures, on the page, in tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.run.panels import PANELS, View
from app.run.status import look, sentence
from app.server.registry import RunRegistry
from app.style import words
from app.style.theme import LIGHT
from bsd_engine.config.presets import smoke
from bsd_engine.prepare import export
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.reader import RunReader
from tests.support.hostile import NAMES, hostile_run

TAG = re.compile(r"<(?!/?(b|i|br|br/|sub|sup|span|em|extra)\b)[a-zA-Z!/]", re.ASCII)
"""Tags that Plotly or HTML would interpret, except those that the figures use themselves."""


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a figure's JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


@pytest.mark.parametrize("panel", PANELS)
def test_class_names_are_text_in_every_figure(tmp_path: Path, panel: str) -> None:
    run = RunReader(hostile_run(tmp_path, "run"))
    for epoch in (3, 12, 19):
        figure = PANELS[panel](View(path=run.path, version=run.version, epoch=epoch, palette=LIGHT, truth_shown=True))
        figure.layout.meta = None  # the summary is set as an attribute's value, not as HTML
        found = [text for text in texts(json.loads(figure.to_json(validate=False))) if TAG.search(text)]
        assert found == []


def test_the_sentence_about_a_hostile_run_can_be_shown(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    hostile_run(tmp_path, "run")
    assert NAMES[0] in sentence(look(registry, "run"), registry, truth_shown=True)  # escaped where it is put into HTML
    for name in NAMES:
        assert not re.search(r"(?<!\\)[<\[$:*]", words.unformatted(name))


def test_names_that_are_formulas_are_text_in_a_spreadsheet(tmp_path: Path) -> None:
    names = np.array(["=1+1", "+x", "-2", "@sum", "|cmd", "%x", "plain"])
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "set.npz",
        train_images=rng.integers(0, 256, (40, 8, 8), np.uint8),
        train_labels=np.arange(40) % 7,
        class_names=names,
    )
    config = smoke().with_settings(
        data=f"npz:{tmp_path}/set.npz", limit=None, attack="badnets", target_label=0, device="cpu"
    )
    export.save(prepare(config), tmp_path / "out.npz", "npz", lambda numbers: numbers)
    with (tmp_path / "out.poison.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "|", "%"))] and "'=1+1" in cells
