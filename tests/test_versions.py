"""A run folder opens in every later version. A packed folder of each format lies here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from app.run.panels import PANELS, View
from app.run.status import look, sentence
from app.server.registry import RunRegistry
from app.style.theme import LIGHT
from bsd_engine.errors import RunFolderError
from bsd_engine.runs.layout import FORMAT_VERSION
from bsd_engine.runs.reader import RunReader
from tests.support.make_run_fixture import FOLDER
from tests.support.run_edits import edit_json

WRITTEN = sorted(FOLDER.glob("format-*.zip"))
MOST_BYTES = 100_000


@pytest.fixture(params=WRITTEN, ids=lambda p: p.stem)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> RunReader:
    """A folder as written by that version."""
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path / "run")
    return RunReader(tmp_path / "run")


def test_the_present_format_has_its_folder() -> None:
    assert FOLDER / f"format-{FORMAT_VERSION}.zip" in WRITTEN, (
        "run python -m tests.support.make_run_fixture and commit what it writes"
    )
    assert all(path.stat().st_size < MOST_BYTES for path in WRITTEN)


def test_it_is_read_whole(run: RunReader) -> None:
    assert run.epochs == list(range(6)) and run.num_samples == 40 and run.class_names == ("ant", "bee", "<b>", "=1+1")
    assert {run.epoch(e).stage for e in run.epochs} == {
        "altruistic_warmup",
        "oss_warmup",
        "initial_pools",
        "class_completion",
        "selective_drop",
    }
    assert (
        run.epoch(5).clean_mask.shape == (40,) and run.images.shape == (40, 1, 8, 8) and run.truth.is_poison.sum() > 0
    )
    assert run.map(2).shape == (len(run.landmark_idx), 2) and run.status == "finished" and not run.can_resume


def test_the_page_shows_it(run: RunReader) -> None:
    registry = RunRegistry(run.path.parent)
    now = look(registry, "run")
    assert len(now.rows) == 6 and now.damage is None and "Finished in" in sentence(now, registry, truth_shown=True)
    for epoch in (0, 1, 5):
        for draw in PANELS.values():
            assert draw(
                View(path=run.path, version=run.version, epoch=epoch, palette=LIGHT, truth_shown=True)
            ).layout.meta["summary"]


def test_a_newer_format_is_refused_with_a_sentence(run: RunReader) -> None:
    edit_json(run.path, "config.json", format_version=FORMAT_VERSION + 1, class_names={"of": "another kind"})
    with pytest.raises(
        RunFolderError,
        match=f"has format {FORMAT_VERSION + 1}, this program reads up to {FORMAT_VERSION}; update the program",
    ):
        RunReader(run.path)
