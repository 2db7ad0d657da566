"""The pages Audit and Tune open at every epoch, with every tool, for runs without a single suspected class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.tune import what_if
from bsd_engine.method.preview import Settings
from bsd_engine.runs.reader import RunReader
from tests.support.origins import own_copy
from tests.support.page.pages import everything

SCRIPT = """
import streamlit as st
from app.pages import audit
run = st.Page(lambda: st.text("run"), title="Run", url_path="run")
st.navigation([st.Page(lambda: audit.render(run), title="Audit", url_path="audit", default=True), run]).run()
"""


@pytest.fixture
def copied(root: Path, unsuspecting_run: Path) -> Path:
    return own_copy(unsuspecting_run, root / "a")


@pytest.mark.parametrize("epoch", ["1", "4", "5", "6", "8", "10"])
def test_the_page_audit_opens_at_an_epoch_of_every_stage(
    copied: Path, open_page: Callable[..., AppTest], epoch: str
) -> None:
    page = open_page(run="a", pin="17", epoch=epoch)
    assert "Sample 17" in everything(page)


def test_every_tool_of_the_page_audit_opens(copied: Path, open_page: Callable[..., AppTest]) -> None:
    page = open_page(run="a", pin="17")
    for tool in ("Audit to a bound", "Downloads", "Sealed envelope", "In common"):
        page.segmented_control(key="audit_tool").set_value(tool).run()
        assert not page.exception, (tool, page.exception)


def test_a_preview_with_the_runs_settings_is_the_pool_it_had(copied: Path) -> None:
    run = RunReader(copied)
    own = Settings.of(run.config)
    for epoch in range(2, 10):
        answer = what_if.preview_at(run, own, epoch, None)
        assert answer is not None
        if epoch >= 4:
            np.testing.assert_array_equal(answer.pool, run.epoch(epoch).clean_mask)
        assert what_if.pool_map(run, own, epoch, truth_shown=False)[1] is not None
