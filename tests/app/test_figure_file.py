"""A figure redrawn in a terminal has the same data as on the page, and bad input gives one sentence."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from app import figure_file
from app.components.saving import record
from app.paper.figures import CHARTS
from app.run import figure_commands, panels
from app.run.panels import PANELS, View
from app.server import run_cache
from app.style.theme import DARK, LIGHT
from bsd_engine.config.presets import smoke


def _rerun(command: str, out: Path) -> dict:
    """The file that the command of a figure writes to `out`."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "app.figure_file"]
    words[words.index("--out") + 1] = str(out)
    assert figure_file.main(words[3:]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize("name", list(PANELS))
def test_the_command_of_a_panel_reproduces_its_data(recorded_run: Path, tmp_path: Path, name: str) -> None:
    view = View(
        path=recorded_run,
        version=run_cache.reader(recorded_run).version,
        epoch=5,
        palette=DARK,
        truth_shown=False,
        map_kind="PCA",
    )
    again = _rerun(figure_commands.command_of(name, view), tmp_path / "figure.json")
    shown = record(panels.PANELS[name](view), "")
    assert (
        again["data"] == shown["data"] and again["layout"] == shown["layout"] and again["summary"] == shown["summary"]
    )


def test_before_an_epoch_there_is_no_command() -> None:
    assert figure_commands.command_of("accuracy", None) == ""


def test_the_commands_of_other_figures_reproduce_them(recorded_run: Path, tmp_path: Path) -> None:
    paper = figure_commands.command("figure7c", [recorded_run], palette=LIGHT)
    assert (
        _rerun(paper, tmp_path / "a.json")["data"]
        == record(CHARTS["figure7c"].draw([recorded_run], LIGHT, True), "")["data"]
    )
    passport = figure_commands.command(figure_commands.PASSPORT, [recorded_run], palette=LIGHT, epoch=4, sample=17)
    assert "sample 17" in _rerun(passport, tmp_path / "b.json")["summary"]
    attack = figure_commands.command(
        "attack_classes", palette=LIGHT, config=smoke().with_settings(attack="badnets", rate=0.1)
    )
    redrawn = _rerun(attack, tmp_path / "c.json")
    assert redrawn["summary"].startswith("Poisoned classes: 18 poisoned images") and "--rate 0.1" in redrawn["command"]


def test_saved_data_are_plain_numbers_and_gaps_are_null() -> None:
    import plotly.graph_objects as go

    figure = go.Figure(
        [
            {"type": "heatmap", "z": np.array([[1.0, np.nan], [3.0, 4.0]], np.float32)},
            {"type": "scatter", "y": np.arange(3, dtype=np.int16)},
        ]
    )
    saved = record(figure, "make it")
    assert (
        saved["data"][0]["z"] == [[1.0, None], [3.0, 4.0]]
        and saved["data"][1]["y"] == [0, 1, 2]
        and saved["command"] == "make it"
    )


def test_an_html_file_loads_nothing_from_outside(recorded_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "figure.html"
    assert figure_file.main(["accuracy", "--run", str(recorded_run), "--out", str(out)]) == 0
    page = out.read_text()
    assert "Plotly.newPlot" in page and 'src="http' not in page


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing", "--out", "a.json"], "there is no figure 'nothing'"),
        (["accuracy", "--out", "a.json"], "accuracy needs --run with one run folder, found 0"),
        (["accuracy", "--run", "missing", "--out", "a.json"], "There is no run called 'missing'"),
        (["accuracy", "--run", "RUN", "--epoch", "99", "--out", "a.json"], "epoch is 99, expected 1 to"),
        (["passport_losses", "--run", "RUN", "--out", "a.json"], "sample is None, expected 0 to 999"),
        (["figure7a", "--out", "a.json"], "figure7a needs --run"),
        (["accuracy", "--run", "RUN", "--out", "a.svg"], "expected a name that ends in .json or .html"),
        (["attack_spectrum", "--out", "a.json", "--", "--attack", "none"], "needs an attack"),
    ],
)
def test_bad_input_is_one_sentence(
    recorded_run: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture
) -> None:
    words = [str(recorded_run) if word == "RUN" else word for word in arguments]
    assert figure_file.main(words) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and sentence in message and message.count("\n") == 1


def test_names_are_unique() -> None:
    assert len(set(figure_file.NAMES)) == len(figure_file.NAMES)
