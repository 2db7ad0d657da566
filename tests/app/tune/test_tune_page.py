"""The page Tune without a browser: its data, its texts, and its response to a bad address or folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.components import packet
from app.components.bundle import bundle
from app.components.linked_views import view
from app.components.served_script import install
from app.server import run_cache
from app.state.linked import Linked, encode_ids
from app.tune import epoch_packets, packets, what_if
from app.tune.asks import Want
from app.tune.request import ViewRequest
from app.tune.run_packets import own_settings
from bsd_engine.method import preview
from bsd_engine.method.preview import Settings
from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run

SCRIPT = """
from app.pages import run, tune
import streamlit as st
tune.render(st.Page(run.render, title="Run", url_path="run"))
"""
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


def sent(page: AppTest) -> tuple[dict, dict[str, np.ndarray]]:
    """The data sent to the views."""
    (found,) = page.main.get("bidi_component")
    return packet.unpack(found.proto.bytes)


def look(path: Path, **changes) -> ViewRequest:
    run = RunReader(path)
    return ViewRequest(
        **{
            "run": run,
            "truth_shown": True,
            "live": False,
            "busy": "",
            "view": Linked(run=run.run_id),
            "settings": Settings.of(run.config),
            **changes,
        }
    )


def test_without_a_run_or_recording_it_says_what_to_do(
    open_page: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    assert "There is no run to tune yet" in open_page().info[0].value


def test_a_first_visit_gets_geometry_and_the_epoch_of_the_address(
    open_page: Callable[..., AppTest], root: Path
) -> None:
    path = fake_run(root)
    header, arrays = sent(open_page(run=path.name, epoch=str(T1_EPOCH + 1), pin="7", sel=encode_ids([1, 5])))
    run = RunReader(path)
    np.testing.assert_array_equal(arrays["labels"], run.labels)
    np.testing.assert_array_equal(
        np.unpackbits(arrays["poison"], bitorder="little")[: run.num_samples], run.truth.is_poison
    )
    assert [e for e, _ in header["sent"]] == [T1_EPOCH] and f"{T1_EPOCH}/s_rank" in arrays
    assert header["state"]["epoch"] == T1_EPOCH and header["state"]["pin"] == 7 and header["state"]["selected"]
    assert (
        header["answer"]["honesty"] == "recorded" and header["answer"]["size"] == run.epoch(T1_EPOCH).clean_mask.sum()
    )


def test_settings_of_the_address_are_previewed_and_bad_ones_left_alone(
    open_page: Callable[..., AppTest], root: Path
) -> None:
    path = fake_run(root)
    header, _ = sent(open_page(run=path.name, epoch=str(T1_EPOCH + 1), whatif="0.9_0.5_8_8_min"))
    assert (
        header["settings"]["alpha"] == 0.9
        and header["answer"]["honesty"] == "exact"
        and header["answer"]["difference"]["gained"] > 0
    )
    for bad in ("x", "0.9_0.5", "2_0.5_8_8_min", "nan_0.5_8_8_min", "0.9_0.5_8_8_median", "0.9_0.5_8.5_8_min"):
        header, _ = sent(open_page(run=path.name, whatif=bad))
        assert header["settings"].items() <= own_settings(CONFIG).items()


@pytest.mark.parametrize("query", [{"epoch": "0"}, {"pin": "99999"}, {"sel": "nonsense"}, {"epoch": "x", "pin": "-1"}])
def test_a_bad_address_gives_a_sentence(open_page: Callable[..., AppTest], root: Path, query: dict[str, str]) -> None:
    page = open_page(run=fake_run(root).name, **query)
    assert len(page.toast) == len(query)
    assert all(name not in page.query_params for name in query)


def test_a_half_written_folder_says_what_is_broken(open_page: Callable[..., AppTest], root: Path) -> None:
    path = fake_run(root)
    (path / "samples.npz").write_bytes(b"PK")
    assert "samples.npz cannot be read" in open_page(run=path.name).error[0].value.replace("\\", "")
    shutil.rmtree(path)
    path = fake_run(root, epochs=3)
    (path / "epochs/00001.npz").unlink()
    header, _ = sent(open_page(run=path.name))
    assert len(header["epochs"]) == 1, "epochs are whole and without gaps"


def test_hidden_ground_truth_is_in_no_byte(root: Path) -> None:
    path = fake_run(root)
    content = packets.build(look(path, truth_shown=False), Want(geometry=True, columns=(T1_EPOCH,)), None)
    header, arrays = packet.unpack(content)
    assert "poison" not in arrays and "original" not in arrays
    assert header["grid"]["poison"] is None and header["grid"]["clean"] is None
    assert all(row[4] is None and row[6] is None for row in header["epochs"])
    shown = packet.unpack(packets.build(look(path), Want(geometry=True), None))[0]
    assert any(row[6] is not None for row in shown["epochs"]), "with the truth they are there"


def test_columns_are_sent_once_and_only_if_missing(root: Path) -> None:
    path = fake_run(root)
    header, arrays = packet.unpack(packets.build(look(path), Want(columns=(3, 20), grid=""), None))
    assert [e for e, _ in header["sent"]] == [3, 20] and "labels" not in arrays and "names" not in header
    key = header["grid"]["key"]
    again, arrays = packet.unpack(packets.build(look(path), Want(grid=key), None))
    assert "grid" not in again and not arrays


def test_a_page_that_follows_gets_the_newest_unasked_until_it_has_it(root: Path) -> None:
    path = fake_run(root, epochs=20)
    following = look(path, live=True)
    assert [e for e, _ in packet.unpack(packets.build(following, Want(last=18), None))[0]["sent"]] == [19]
    assert packet.unpack(packets.build(following, Want(last=19), None))[0]["sent"] == []
    staying = replace(following, view=Linked(run=following.run.run_id, epoch=4))
    assert packet.unpack(packets.build(staying, Want(last=4), None))[0]["sent"] == []


def test_rows_of_epochs_come_once_and_again_where_one_has_changed(root: Path) -> None:
    path = fake_run(root, epochs=20)

    def rows(known: str, truth_shown: bool = True) -> tuple[int, int, str]:
        header, _ = packet.unpack(packets.build(look(path, truth_shown=truth_shown), Want(rows=known), None))
        return header["from"], len(header["epochs"]), header["rows"]

    first = rows("")
    assert first[:2] == (0, 20) and rows(first[2]) == (20, 0, first[2])
    known = [epoch_packets.epoch_row(look(path), row) for row in run_cache.rows(path)[:15]]
    assert rows(epoch_packets.rows_digest(known)) == (15, 5, first[2])
    known[3][6] = 999
    assert rows(epoch_packets.rows_digest(known))[:2] == (0, 20)
    assert rows(first[2], truth_shown=False)[:2] == (0, 20)
    for bad in ("20:0", "999999:1", "-1:5", "x", "1:" + "9" * 70, "٣:1"):
        assert rows(bad) == first


def test_a_message_holds_a_bounded_number_of_epochs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_packets, "BYTES_AT_ONCE", 30_000)
    header, _ = packet.unpack(packets.build(look(fake_run(root)), Want(columns=tuple(range(20))), None))
    assert 1 <= len(header["sent"]) < 8


def test_thumbs_are_small_pictures_of_the_samples(root: Path) -> None:
    path = fake_run(root, epochs=2)
    header, arrays = packet.unpack(packets.build(look(path), Want(thumbs=(5, 0)), None))
    spec = header["thumbs"]
    pixels = arrays["thumbs"].reshape(2, spec["height"], spec["width"], spec["channels"])
    np.testing.assert_array_equal(pixels[1, :, :, 0], RunReader(path).images[0, 0])


@pytest.mark.parametrize(
    "epoch", range(0, CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t2, 3)
)  # before T2, since the made-up run drops nothing
def test_a_preview_with_the_runs_settings_is_the_run(root: Path, epoch: int) -> None:
    run = run_cache.reader(fake_run(root, run_id="r"))
    found = what_if.preview_at(run, Settings.of(run.config), epoch, run.truth.is_poison)
    if epoch < CONFIG.schedule.altruistic_epochs:
        assert found is None
    elif epoch >= T1_EPOCH:
        np.testing.assert_array_equal(found.pool, found.before)
        assert (found.difference.gained, found.difference.lost) == (0, 0)
        rows = what_if.class_rows(run, found, run.truth.is_poison)
        assert (
            sum(r["pool of the preview"] for r in rows) == found.pool.sum()
            and sum(r["samples"] for r in rows) == run.num_samples
        )


def test_before_the_first_split_a_preview_has_no_difference(root: Path) -> None:
    run = run_cache.reader(fake_run(root, epochs=CONFIG.schedule.altruistic_epochs + 3))
    found = what_if.preview_at(run, Settings.of(run.config), CONFIG.schedule.altruistic_epochs + 2, None)
    assert found.before is None and found.difference is None and found.pool.any()
    assert found.settings.t1 == 2 and found.worth.honesty == "exact"


def test_another_distance_needs_a_recording_of_it(root: Path) -> None:
    run = run_cache.reader(fake_run(root))  # like a folder of format 1
    assert what_if.preview_at(run, replace(Settings.of(run.config), distance="max"), T1_EPOCH, None) is None


def test_the_map_over_alpha_and_beta_is_of_the_shown_split(root: Path) -> None:
    run = run_cache.reader(fake_run(root))
    own = Settings.of(run.config)
    keys = [what_if.pool_map(run, own, epoch, truth_shown=True)[0] for epoch in (3, T1_EPOCH - 2, T1_EPOCH, 30)]
    assert keys[0] == "" and keys[1] != keys[2] == keys[3]
    grid = what_if.pool_map(run, own, T1_EPOCH, truth_shown=True)[1]
    pool = preview.first_pool(
        run.config,
        replace(own, alpha=0.6, beta=0.2),
        run.labels,
        preview.first_scores(
            run.config, own, *(run.epoch(f(run.config, own)) for f in (preview.loss_epoch, preview.distance_epoch))
        ),
    )
    assert grid.size[12, 4] == pool.sum()


def test_the_script_is_whole_and_installed_once(tmp_path: Path) -> None:
    text = bundle(view.SCRIPT)
    name = install(view.SCRIPT.name, text, tmp_path)
    target = tmp_path / "tune.js"
    assert target.read_text() == text and name.startswith("tune.js?v=")
    stamp = target.stat().st_mtime_ns
    assert install(view.SCRIPT.name, text, tmp_path) == name and target.stat().st_mtime_ns == stamp
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
