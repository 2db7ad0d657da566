"""The page that plays a run offline: its content, no hidden ground truth, and no injection from a run's texts."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.components import packet
from app.replay.__main__ import main, source
from app.replay.packets import LARGEST_SHEET, sheets
from app.replay.page import LARGEST_BYTES, UNNAMED, replay_page
from app.server import run_cache
from app.state.linked import Linked
from app.tune import packets
from app.tune.asks import Want
from app.tune.request import ViewRequest
from bsd_engine.errors import RunFolderError
from bsd_engine.method.preview import Settings
from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, FakeRun, fake_run
from tests.support.hostile import NAMES, hostile_run
from tests.support.page.replay_pages import run_of_truth, run_with_distances, taken_apart

TAGS = {
    "html",
    "head",
    "meta",
    "link",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "p",
    "main",
    "div",
    "noscript",
    "footer",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "script",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(run_with_distances(tmp_path_factory.mktemp("runs"), init_combine="intersection"))


def test_the_page_holds_every_column_that_the_server_would_send(run: RunReader) -> None:
    page = taken_apart(replay_page(run))
    request = ViewRequest(
        run=run, truth_shown=True, live=False, busy="", view=Linked(epoch=3), settings=Settings.of(run.config)
    )
    epochs = tuple(range(len(run_cache.rows(run.path))))
    for epoch in epochs:
        _, arrays = packet.unpack(
            packets.build(request, Want(geometry=epoch == 0, columns=(epoch,), distances=(epoch,)), None)
        )
        assert any(name.startswith(f"{epoch}/") for name in arrays)
        for name, values in arrays.items():
            assert np.array_equal(page.arrays[name], values), name
    assert [e for e, _ in page.header["sent"]] == list(epochs) and len(page.header["epochs"]) == len(epochs)
    assert "16/mean_rank" in page.arrays
    assert page.header["state"]["epoch"] == CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


def test_the_page_begins_with_the_given_view(run: RunReader) -> None:
    settings = Settings(alpha=0.4, beta=0.3, t1=5, altruistic_epochs=7, distance="max")
    page = taken_apart(
        replay_page(
            run, view=Linked(run=run.run_id, epoch=20, pinned=5, selected=(1, 5)), settings=settings, title="A title"
        )
    )
    assert page.header["state"]["epoch"] == 20 and page.header["state"]["pin"] == 5 and page.header["state"]["selected"]
    assert page.header["settings"]["alpha"] == 0.4 and page.header["settings"]["distance"] == "max"
    assert "<h1>A title</h1>" in page.text


def test_without_truth_the_page_is_the_same_whatever_the_truth_is(tmp_path: Path) -> None:
    """Equal byte by byte, so nothing in it can depend on the poisoned samples, the attack or its success."""
    rng, made = np.random.default_rng(0), datetime(2026, 1, 1, tzinfo=UTC)
    pages = []
    for k, (rate, told) in enumerate(
        [(0.05, CONFIG), (0.3, CONFIG.with_settings(attack="blended", rate=0.11, target_label=7))]
    ):
        run = RunReader(run_of_truth(tmp_path, f"run-{k}", rng.random(1200) < rate, told))
        pages.append((replay_page(run, with_truth=False, made=made), replay_page(run, made=made)))
    (blind, seeing), (other_blind, other_seeing) = pages
    assert blind == other_blind
    assert seeing != other_seeing
    page = taken_apart(blind)
    assert not {"poison", "original"} & set(page.arrays) and page.header["truth"] is False
    assert all(row[4] is None and row[6] is None for row in page.header["epochs"])
    assert "poison" in taken_apart(seeing).arrays


def test_a_run_without_truth_has_none_to_leave_out(tmp_path: Path) -> None:
    page = taken_apart(replay_page(RunReader(fake_run(tmp_path, epochs=20, truth=False))))
    assert "poison" not in page.arrays and "Attack" not in page.text


def test_numbers_stand_with_their_epoch_and_the_command_with_its_options(run: RunReader) -> None:
    text = taken_apart(replay_page(run)).text
    assert re.search(r"after epoch 38: clean accuracy \d\d\.\d %, attack success", text)
    assert (
        "BadNets" in text
        and "seed 0" in text
        and "python -m bsd_engine train --preset demo" in text
        and "--t1" not in text
        and "--warmup 8" in text
    )


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    page = taken_apart(
        replay_page(RunReader(hostile_run(tmp_path, "20260101-000000-abcdef")), title=NAMES[1] + NAMES[2])
    )
    assert set(page.tags) <= TAGS and page.tags.count("script") == 3
    assert "onerror=window.broken=1&gt;" in page.text and "<img" not in page.text.split('<script type="module">')[0]


def test_the_policy_names_the_hashes_of_the_one_script_and_the_one_style(run: RunReader) -> None:
    text = taken_apart(replay_page(run)).text
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
    for kind, pattern in (
        ("script", r'<script type="module">(.*?)</script>'),
        ("style", r"<style data-tn>(.*?)</style>"),
    ):
        found = re.findall(pattern, text, re.DOTALL)
        assert len(found) == 1
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (7, 3, 32, 20), (3, 3, 200, 150), (1, 1, 4, 4)])
def test_a_tile_of_the_sheet_is_its_sample(tmp_path: Path, shape: tuple[int, ...]) -> None:
    run = FakeRun(samples=shape[0])
    ramp = np.linspace(0, 255, shape[3])[None, None, None, :] * np.ones(shape)
    run.images = (ramp * np.linspace(0.3, 1, shape[0])[:, None, None, None]).astype(np.uint8)
    run.create(tmp_path / "a").close()
    reader = RunReader(tmp_path / "a")
    sheet = next(sheets(reader))
    image = np.asarray(Image.open(io.BytesIO(sheet.content)).convert("RGB"), np.int16)
    step = -(-max(shape[2:]) // packets.THUMB_SIDE)
    assert max(image.shape) <= LARGEST_SHEET and sheet.count == shape[0]
    for k in range(shape[0]):
        top, left = k // sheet.columns * sheet.height, k % sheet.columns * sheet.width
        tile = image[top : top + sheet.height, left : left + sheet.width]
        assert np.abs(tile - run.images[k, :, ::step, ::step].transpose(1, 2, 0)).mean() < 8


def test_a_page_that_would_be_too_large_has_coarser_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RunReader(fake_run(tmp_path, epochs=18))
    fine = len(replay_page(reader))
    monkeypatch.setattr("app.replay.page.LARGEST_BYTES", fine - 1)
    assert len(replay_page(reader)) < fine


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = fake_run(tmp_path, epochs=18), tmp_path / "page.html"
    assert main([str(run), "--out", str(out), "--epoch", "3", "--without-truth"]) == 0
    assert taken_apart(out.read_bytes()).header["state"]["epoch"] == 2
    assert re.fullmatch(r".*page\.html: \d\.\d\d MB\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", ["nowhere", "empty", "none-yet"])
def test_a_path_without_a_run_gives_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "empty").mkdir()
    FakeRun(samples=20).create(tmp_path / "none-yet").close()
    assert main([str(tmp_path / name), "--out", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and not (tmp_path / "page.html").exists()


def test_a_run_before_its_first_epoch_has_no_page(tmp_path: Path) -> None:
    FakeRun(samples=20).create(tmp_path / "a").close()
    with pytest.raises(RunFolderError, match="epoch"):
        replay_page(RunReader(tmp_path / "a"))


def test_a_recording_has_its_title_which_goes_with_the_truth() -> None:
    if "healthy" not in library.names():
        pytest.skip("no bundled recording called healthy")
    run = source("recording-healthy")
    title = library.describe("healthy").title
    page, blind = replay_page(run), replay_page(run, with_truth=False)
    assert max(len(page), len(blind)) <= LARGEST_BYTES
    assert f"<h1>{title}</h1>" in taken_apart(page).text
    told = taken_apart(blind).text.split('<script type="module">')[0]
    assert title not in told and "healthy" not in told and "badnets" not in told.lower() and UNNAMED in told
