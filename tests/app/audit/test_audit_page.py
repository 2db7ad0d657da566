"""The page Audit without a browser: every state opens, the filters hold, and hidden ground truth stays hidden."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.audit.audited import audited
from app.audit.table import Filter, as_arrow, rows
from app.figures.audit import class_cuts, passport_figure
from app.state.linked import decode_ids, encode_ids
from app.style.theme import DARK, LIGHT
from bsd_engine.audit.history import RunHistory
from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import FakeRun, fake_run
from tests.support.page.pages import everything

SCRIPT = """
import streamlit as st
from app.pages import audit
run = st.Page(lambda: st.text("run"), title="Run", url_path="run")
st.navigation([st.Page(lambda: audit.render(run), title="Audit", url_path="audit", default=True), run]).run()
"""
TRUTH = re.compile(
    r"poisoned, was|poisoned samples|is_poison|original_label|true_target|attack.success|Truth:|◆", re.IGNORECASE
)


def test_without_a_run_or_recording_the_page_says_how_to_begin(
    open_page: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    assert "There is no run to audit yet" in open_page().info[0].value


@pytest.mark.parametrize("epochs", [0, 1, 8, 10, 17, 38])
def test_the_page_opens_at_every_stage_of_a_run(root: Path, open_page: Callable[..., AppTest], epochs: int) -> None:
    if epochs:
        fake_run(root, run_id="a", epochs=epochs, status=None, samples=300)
    else:
        FakeRun(samples=300).create(root / "a").close()
    page = open_page(run="a")
    if not epochs:
        assert "no finished epoch yet" in page.error[0].value
        return
    sent = everything(page)
    assert "Not decided yet" in sent if epochs < 8 else "altruistic model" in sent
    for tool in ("Audit to a bound", "Downloads", "Sealed envelope", "In common"):
        page.segmented_control(key="audit_tool").set_value(tool).run()
        assert not page.exception, (tool, page.exception)


def test_the_sample_and_epoch_in_the_url_are_shown_and_a_wrong_sample_is_reported(
    root: Path, open_page: Callable[..., AppTest]
) -> None:
    fake_run(root, run_id="a", samples=300)
    sent = everything(open_page(run="a", pin="17", epoch="20"))
    assert "Sample 17" in sent and "at epoch 20" in sent
    page = open_page(run="a", pin="4000")
    assert any("names the sample 4000" in toast.value.replace("\\", "") for toast in page.toast)


def test_without_ground_truth_nothing_sent_mentions_it(root: Path, open_page: Callable[..., AppTest]) -> None:
    fake_run(root, run_id="a", truth=False, samples=300)
    page = open_page(run="a", pin="17")
    for tool in ("Audit to a bound", "Downloads", "In common"):
        page.segmented_control(key="audit_tool").set_value(tool).run()
        assert not TRUTH.search(everything(page)), TRUTH.search(everything(page))
    page.segmented_control(key="audit_tool").set_value("Sealed envelope").run()
    assert any("has no truth to open" in info.value or "already shown" in info.value for info in page.info)


def test_sealed_ground_truth_is_not_sent_until_the_envelope_is_opened(
    root: Path, open_page: Callable[..., AppTest]
) -> None:
    path = fake_run(root, run_id="a", samples=300)
    poison = int(np.flatnonzero(RunReader(path).truth.is_poison)[0])
    assert TRUTH.search(everything(open_page(run="a", pin=str(poison))))
    page = open_page(run="a", pin=str(poison), truth="false")
    for tool in ("Audit to a bound", "Downloads", "In common", "Sealed envelope"):
        page.segmented_control(key="audit_tool").set_value(tool).run()
        assert not TRUTH.search(everything(page)), TRUTH.search(everything(page))
    assert page.button(key="open_envelope").disabled
    page.button(key="judge_remove").click().run()
    page.button(key="open_envelope").click().run()
    assert not page.exception and "1 of 1" in repr(page.dataframe[1].value.to_dict())


def test_a_judgement_is_stored_shown_and_undone(root: Path, open_page: Callable[..., AppTest]) -> None:
    path = fake_run(root, run_id="a", samples=300)
    page = open_page(run="a", pin="7")
    page.text_input(key="judgement_note").set_value("a <b>note</b>").run()
    page.button(key="judge_unsure").click().run()
    judgements = audited(path).standing()
    assert judgements[7].choice == "unsure" and judgements[7].note == "a <b>note</b>"
    assert page.dataframe[0].value.set_index("sample").loc[7, "judgement"] == "unsure"
    page.button(key="judge_undo").click().run()
    assert audited(path).standing() == {}


def test_new_judgements_keep_the_selection_ticked(root: Path, open_page: Callable[..., AppTest]) -> None:
    fake_run(root, run_id="a", samples=300)
    page = open_page(run="a", pin="7", sel=encode_ids((7, 9)))
    for button in (None, "judge_unsure", "judge_undo"):
        if button:
            page.button(key=button).click().run()
        table = page.dataframe[0]
        ticked = json.loads(table.proto.selection_default)["selection"]["rows"]
        assert set(table.value["sample"].iloc[ticked]) == {7, 9}
    page.selectbox(key="audit_judgement").set_value("unsure").run()  # rows without them
    assert len(page.dataframe[0].value) == 0 and decode_ids(page.query_params["sel"], 300) == (7, 9)


def test_the_table_has_the_rows_of_its_filter(root: Path) -> None:
    audit = audited(fake_run(root, run_id="a", samples=300))
    suspects, history = audit.suspects, audit.history
    everything = rows(audit, Filter(), {})
    assert sorted(everything) == list(range(300)) and (np.diff(suspects.rank[everything]) == 1).all()
    some = rows(
        audit, Filter(label=3, flags=("ALS", "discrepancy"), pool="kept out", sort="smallest altruistic loss"), {}
    )
    assert set(some) == set(
        np.flatnonzero((history.labels == 3) & suspects.als_flag & suspects.discrepancy_flag & ~suspects.in_pool)
    )
    assert (np.diff(history.altruistic_loss[-1][some]) >= 0).all()
    assert rows(audit, Filter(only=(5, 9)), {}).tolist() in ([5, 9], [9, 5])
    audit.judgements.give([5, 6], "keep")
    judgements = audit.standing()
    assert (
        set(rows(audit, Filter(judgement="keep"), judgements)) == {5, 6}
        and len(rows(audit, Filter(judgement="none"), judgements)) == 298
    )
    table = as_arrow(audit, everything, judgements)
    assert table.num_rows == 300 and table.column("sample").to_pylist() == everything.tolist()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_figure_of_a_sample_shows_its_losses_cut_and_pools(history: RunHistory, palette) -> None:
    figure = passport_figure(history, 11, 7, palette)
    altruistic, main, cut, strip = figure.data
    np.testing.assert_allclose(altruistic.y, np.clip(history.altruistic_loss[:, 11], 1e-4, 20))
    assert len(main.x) == 8 and main.x[0] == 3 and strip.z.shape == (1, 10)
    assert strip.z[0].tolist() == [0, 0, *(history.in_pool[:, 11] + 1.0)]
    epoch, label = 9, history.labels[11]
    needed = class_cuts(history)[7, label] + history.main_loss[7, 11]
    if needed > 0:
        assert cut.y[7] == pytest.approx(np.clip(needed, 1e-4, 20), rel=1e-5)
        assert history.in_pool[7, 11] == (history.altruistic_loss[epoch, 11] >= needed) or history.pool(9)[11] == 0
