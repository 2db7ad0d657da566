"""The bundled recordings: they are small, and their cards describe their runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from app.server.registry import RunRegistry
from bsd_engine.compute import runtime
from bsd_engine.errors import RunFolderError
from bsd_engine.method.scoring import hit_rate
from bsd_engine.prepare.prepare import prepare
from bsd_engine.recordings import library
from bsd_engine.recordings.card import facts_of, sentence_of
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import load_models, load_undefended, stored_epochs
from tests.support.recordings import all_states, head_of, pools

BUNDLED = library.names()


def test_the_bundled_recordings_exist_and_are_small() -> None:
    assert BUNDLED == library.NAMES
    sizes = [library.describe(name).size_bytes for name in BUNDLED]
    assert max(sizes) <= 5_000_000 and sum(sizes) <= 25_000_000


@pytest.mark.parametrize("name", BUNDLED)
def test_the_card_of_a_bundled_recording_describes_its_run(name: str) -> None:
    reader, head = RunReader(library.open_recording(name)), head_of(library.file_of(name))
    plain = {key: value for key, value in head["numbers"].items() if key.startswith("plain_")}
    assert head["numbers"] == {**reader.summary, **facts_of(reader), **plain}
    card = library.describe(name)
    assert card.name == name and card.sentence == sentence_of(
        head["card"]["template"], reader.summary, facts_of(reader), plain
    )
    assert (
        reader.run_id == f"recording-{name}"
        and reader.config.preset == "demo"
        and f"--seed {reader.config.seed}" in card.command
    )
    assert not re.search(r"\d\.\d", re.sub(r"\{\w+\}", "", head["card"]["template"])), "a rate written by hand"
    assert len(reader.map_epochs) == len(reader.epochs) == reader.config.schedule.total_epochs
    for epoch, pool in pools(reader, all_states(reader)).items():
        np.testing.assert_array_equal(pool, reader.epoch(epoch).clean_mask)


@pytest.mark.skipif("healthy" not in BUNDLED, reason="the recording is missing")
def test_the_stored_networks_reach_the_rates_of_the_summary(one_thread: None) -> None:
    folder, numbers = library.open_recording("healthy"), head_of(library.file_of("healthy"))["numbers"]
    prepared, place = prepare(RunReader(folder).config), runtime.choose("cpu", "float32")
    defended, plain = load_models(folder, stored_epochs(folder)[-1]), load_undefended(folder)
    tests = {
        "clean_accuracy": (prepared.test_images, prepared.test_labels),
        "attack_success_rate": (prepared.triggered_images, prepared.triggered_labels),
    }
    assert prepared.fingerprint == RunReader(folder).fingerprint
    assert stored_epochs(folder) == RunReader(folder).config.schedule.stage_ends
    for name, (images, labels) in tests.items():
        assert hit_rate(defended.main, images, labels, defended.normalize, place) == pytest.approx(
            numbers[name], abs=0.2
        )
        assert hit_rate(plain.network, images, labels, plain.normalize, place) == pytest.approx(
            numbers[f"plain_{name}"], abs=0.2
        )


@pytest.mark.parametrize("name", ["nope", "../healthy", "healthy/../healthy", "", "x" * 300, "healthy\0"])
def test_an_unknown_recording_gives_one_sentence(name: str) -> None:
    with pytest.raises(RunFolderError, match="There is no recording called .* there are healthy"):
        library.open_recording(name)


def test_the_registry_gives_recordings_by_id_and_keeps_other_runs_apart(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path)
    assert runs.recording_ids() == [f"recording-{name}" for name in BUNDLED] and runs.run_ids() == []
    assert RunReader(runs.path("recording-healthy")).run_id == "recording-healthy"
    for run_id in ("recording-", "recording-nope", "recording-../healthy"):
        with pytest.raises(RunFolderError, match="no recording called"):
            runs.path(run_id)
