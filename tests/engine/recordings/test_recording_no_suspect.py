"""A recording of a run that suspects no single class gives every pool of the run, decided from rounded scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bsd_engine.audit.explain.traces import trace
from bsd_engine.audit.history import RunHistory
from bsd_engine.recordings import library
from bsd_engine.recordings.card import RecordingCard
from bsd_engine.recordings.pack import pack
from bsd_engine.runs.reader import RunReader

CARD = RecordingCard(name="short", title="A short run", template="", command="python -m bsd_engine")


def test_the_recording_decides_every_pool_as_the_run_did(
    unsuspecting_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "cache"))
    file = pack(unsuspecting_run, tmp_path / "short.bsdrec", CARD)
    run = RunHistory.of(RunReader(unsuspecting_run))
    recording = RunHistory.of(RunReader(library.open_file(file, "short")))
    assert recording.rules == run.rules
    assert not np.array_equal(recording.altruistic_loss, run.altruistic_loss)
    for epoch in range(run.first_main, run.num_epochs):
        np.testing.assert_array_equal(trace(recording, epoch).clean_mask, run.pool(epoch))
