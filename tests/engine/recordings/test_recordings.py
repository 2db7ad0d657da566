"""Recordings: a run folder in one small file that decides as the run did, opens whole, and says in a sentence what is wrong with it."""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.server.registry import RunRegistry
from bsd_engine.compute import runtime
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.method import preview
from bsd_engine.method.scoring import hit_rate
from bsd_engine.prepare.prepare import prepare
from bsd_engine.recordings import file as recording_file
from bsd_engine.recordings import library
from bsd_engine.recordings.arrays import Rounded, pack_labels, pack_masks, unpack_labels, unpack_masks
from bsd_engine.recordings.card import facts_of, sentence_of
from bsd_engine.recordings.library import RecordingCard
from bsd_engine.recordings.pack import round_losses, with_scores
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, load_checkpoint
from bsd_engine.runs.stored_models import load_models, load_undefended, stored_epochs

CARD = RecordingCard(
    name="short",
    title="A short run",
    template="{clean_accuracy} % right, {poison} poisoned, {fewest_in_pool} of the fewest.",
    command="python -m bsd_engine",
)
BUNDLED = library.names()


@pytest.fixture(scope="module")
def file(recorded_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a run of 1,000 samples; nobody may write to it."""
    return library.pack(recorded_run, tmp_path_factory.mktemp("packed") / "short.bsdrec", CARD)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "recordings"


def pools(reader: RunReader, states: list[EpochState]) -> dict[int, np.ndarray]:
    """The first pool and all later ones, decided from the recorded scores as the page Tune does."""
    config, own = reader.config, preview.Settings.of(reader.config)
    first, losses = preview.distance_epoch(config, own), preview.loss_epoch(config, own)
    found = {
        first: preview.first_pool(
            config, own, reader.labels, preview.first_scores(config, own, states[losses], states[first])
        )
    }
    later = (s for s in states if s.stage in ("class_completion", "selective_drop"))
    return found | {s.epoch: preview.later_pool(config, own, reader.labels, s) for s in later}


def all_states(reader: RunReader) -> list[EpochState]:
    return [reader.epoch(epoch) for epoch in reader.epochs]


# -- round trip ------------------------------------------------------------------------------------


def test_what_is_unpacked_is_the_run(recorded_run: Path, file: Path, cache: Path) -> None:
    run, found = RunReader(recorded_run), RunReader(library.open_file(file, "short"))
    assert found.run_id == "recording-short" and found.status == "finished" and not found.can_resume
    for name in ("config", "class_names", "fingerprint", "summary", "epochs", "map_epochs"):
        assert getattr(found, name) == getattr(run, name)
    for name in ("images", "labels", "landmark_idx"):
        np.testing.assert_array_equal(getattr(found, name), getattr(run, name))
    np.testing.assert_array_equal(found.truth.is_poison, run.truth.is_poison)
    for a, b in zip(all_states(run), all_states(found), strict=True):
        assert (a.stage, a.pseudo_target, a.verdict, a.clean_ratio, a.metrics) == (
            b.stage,
            b.pseudo_target,
            b.verdict,
            b.clean_ratio,
            b.metrics,
        )
        for name in (
            "altruistic_prediction",
            "main_prediction",
            "nearest_class",
            "clean_mask",
            "residuals",
            "transplant_shares",
            "estimator_scores",
        ):
            assert (getattr(a, name) is None) == (getattr(b, name) is None)
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)
        for name in ("altruistic_loss", "main_loss", "oss_score", "oss_distances"):
            if getattr(a, name) is not None:
                np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=2e-4)
        np.testing.assert_array_equal(b.landmark_features, a.landmark_features[:, :2])


def test_the_unpacked_scores_decide_as_the_run_did(recorded_run: Path, file: Path, cache: Path) -> None:
    found = RunReader(library.open_file(file, "short"))
    decided = pools(found, all_states(found))
    assert len(decided) == 1 + found.config.schedule.t3 - found.config.schedule.t1 - found.config.schedule.init_epochs
    for epoch, pool in decided.items():
        np.testing.assert_array_equal(pool, RunReader(recorded_run).epoch(epoch).clean_mask)


def test_scores_closer_than_a_step_decide_as_they_did(recorded_run: Path) -> None:
    """All samples but two within one rounding step: every cut lies among them."""
    reader = RunReader(recorded_run)
    rng = np.random.default_rng(0)

    def close(scores: np.ndarray) -> np.ndarray:
        new = (1 + rng.permutation(scores.size).reshape(scores.shape) * 2e-7).astype(np.float32)
        new[..., :2] = 1e-5, 10
        return new

    states = []
    for state in all_states(reader):
        new = {
            name: close(getattr(state, name))
            for name in ("altruistic_loss", "main_loss", "oss_distances")
            if getattr(state, name) is not None
        }
        states.append(
            replace(state, **new, **({"oss_score": new["oss_distances"][0]} if "oss_distances" in new else {}))
        )
    rounded = round_losses(reader, states)
    plain = {
        name: Rounded.of(
            np.concatenate([np.atleast_2d(getattr(s, name)) for s in states if getattr(s, name) is not None])
        ).rows
        for name in rounded
    }
    wanted = pools(reader, states)
    assert any((pool != wanted[epoch]).any() for epoch, pool in pools(reader, with_scores(states, plain)).items()), (
        "rounding alone moves cuts"
    )
    for epoch, pool in pools(reader, with_scores(states, {name: part.rows for name, part in rounded.items()})).items():
        np.testing.assert_array_equal(pool, wanted[epoch])


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(0, 1e6, width=32))
)
def test_rounding_never_turns_an_order_round_and_keeps_the_ends(rows: np.ndarray) -> None:
    rounded = Rounded.of(rows)
    found = Rounded.from_arrays("x", rounded.arrays("x"), *rows.shape).rows
    for before, after in zip(rows, found):
        assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()
        assert (after.min(), after.max()) == (before.min(), before.max())


@pytest.mark.parametrize("odd", [np.inf, np.nan, -1.0, -0.0])
def test_a_row_with_odd_numbers_is_kept_whole(odd: float) -> None:
    rows = np.array([[1, 2, odd], [1, 2, 3]], np.float32)
    found = Rounded.from_arrays("x", Rounded.of(rows).arrays("x"), 2, 3).rows
    assert found.tobytes()[:12] == rows.tobytes()[:12]


@pytest.mark.parametrize("classes", [10, 300])
def test_labels_and_masks_come_back(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels, masks = rng.integers(0, classes, (4, 21)).astype(np.int16), rng.random((4, 21)) < 0.5
    np.testing.assert_array_equal(unpack_labels("x", {"x": pack_labels(labels)}, 4, 21), labels, strict=True)
    np.testing.assert_array_equal(unpack_masks("x", {"x": pack_masks(masks)}, 4, 21), masks, strict=True)


# -- cards -----------------------------------------------------------------------------------------


def test_numbers_of_a_card_come_from_the_run_and_a_missing_one_is_an_error() -> None:
    assert sentence_of("{a} of {b}", {"a": 1234, "b": 99.96}) == "1,234 of 100.0"
    for template in ("{missing}", "{none}", "{text}"):
        with pytest.raises(ValueError, match="not known of its run"):
            sentence_of(template, {"none": None, "text": "x"})


def test_an_unfinished_run_is_not_packed(recorded_run: Path, tmp_path: Path) -> None:
    shutil.copytree(recorded_run, tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    with pytest.raises(RunFolderError, match="has not ended"):
        library.pack(tmp_path / "run", tmp_path / "x.bsdrec", CARD)


# -- the cache -------------------------------------------------------------------------------------


def test_a_second_opening_writes_nothing_and_a_lost_file_comes_back(file: Path, cache: Path) -> None:
    folder = library.open_file(file, "short")
    stamps = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    (folder / "audit").mkdir()
    (folder / "audit/verdicts.jsonl").write_text("kept")
    assert library.open_file(file, "short") == folder
    assert all(p.stat().st_mtime_ns == then for p, then in stamps.items() if p.is_file())
    (folder / "epochs/00003.npz").unlink()
    assert RunReader(library.open_file(file, "short")).epoch(3).epoch == 3
    assert (folder / "audit/verdicts.jsonl").read_text() == "kept"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_threads_and_processes_open_the_same_recording_at_once(file: Path, cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        asked = processes.starmap_async(library.open_file, [(file, "short")] * 4)
        with ThreadPoolExecutor(4) as threads:
            here = list(threads.map(lambda _: library.open_file(file, "short"), range(4)))
        found = {*here, *asked.get(120)}
    (folder,) = found
    assert len(RunReader(folder).epochs) == len(list((folder / "epochs").iterdir()))
    # A page of an earlier test may still be opening another recording in a thread of this process: only this one's folder counts.
    assert list(cache.glob("short-*")) == [folder.parent] and list(folder.parent.iterdir()) == [folder]


def test_a_changed_file_is_unpacked_beside_the_old_one(
    recorded_run: Path, file: Path, cache: Path, tmp_path: Path
) -> None:
    before = library.open_file(file, "short")
    after = library.open_file(
        library.pack(recorded_run, tmp_path / "short.bsdrec", replace(CARD, title="Another")), "short"
    )
    assert before != after and before.is_dir() and after.name == before.name


def test_a_cache_that_cannot_be_written_is_said_in_a_sentence(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "file"))
    with pytest.raises(BSDError, match="Cannot write .* set BSD_DATA"):
        library.open_file(file, "short")


# -- bad files -------------------------------------------------------------------------------------


def changed(file: Path, out: Path, *, drop: str | None = None, **members: bytes) -> Path:
    """A recording with other members; __ in a name stands for a slash, and _dot_ for a dot."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in members.items()}
        for name in old.namelist():
            if name not in named and name != drop:
                new.writestr(name, old.read(name))
        for name, content in named.items():
            new.writestr(name, content)
    return out


def head_of(file: Path) -> dict:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("recording.json"))


def test_a_newer_version_is_told_apart_from_damage(file: Path, cache: Path, tmp_path: Path) -> None:
    newer = changed(
        file,
        tmp_path / "n.bsdrec",
        recording_dot_json=json.dumps({"format_version": 2, "layers": []}).encode(),
        layers_dot_bin=b"x",
    )
    with pytest.raises(RunFolderError, match="has format 2, this program reads up to 1; update the program"):
        library.open_file(newer, "n")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 0.9999])
def test_a_cut_file_is_said_in_a_sentence(file: Path, cache: Path, tmp_path: Path, share: float) -> None:
    content = file.read_bytes()
    (tmp_path / "cut.bsdrec").write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunFolderError, match=r"The recording cut\.bsdrec cannot be read.*cut or damaged"):
        library.open_file(tmp_path / "cut.bsdrec", "cut")
    assert not list(cache.glob("*/recording-*"))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_opens_as_it_was_or_is_said_in_a_sentence(
    data: st.DataObject, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path_factory.mktemp("damaged") / "d.bsdrec"
    damaged.write_bytes(content)
    try:
        library.unpacked(damaged)
    except RunFolderError as error:
        assert re.match(r"The recording d\.bsdrec (cannot be read|has format)", str(error))


@pytest.mark.parametrize(
    "name",
    ["../evil.npz", "/etc/evil", "epochs/../../evil.npz", "epochs/1.npz", "checkpoints/00001.pt.sh", "config.json "],
)
def test_names_that_recordings_do_not_have_are_refused(file: Path, cache: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(RunFolderError, match="which recordings do not"):
        library.open_file(changed(file, tmp_path / "p.bsdrec", **{name.replace(".", "_dot_"): b"x"}), "p")
    assert not list(tmp_path.rglob("evil*"))


def test_a_name_twice_is_refused(file: Path, cache: Path, tmp_path: Path) -> None:
    twice = tmp_path / "t.bsdrec"
    shutil.copy(file, twice)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", b"{}")
    with pytest.raises(RunFolderError, match="a name twice"):
        library.open_file(twice, "t")


def test_a_bomb_is_refused_before_it_is_unpacked(
    file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says how large it is by what it says, one that lies by its checksum, after no more bytes than it claims."""
    monkeypatch.setattr(recording_file, "MOST_UNPACKED_BYTES", 20_000_000)
    big = changed(file, tmp_path / "b.bsdrec", undefended_dot_pt=bytes(30_000_000))
    with pytest.raises(RunFolderError, match="would unpack to"):
        library.open_file(big, "b")
    content = bytearray(big.read_bytes())
    place = content.rfind(b"undefended.pt") - 46  # its entry in the central directory
    content[place + 24 : place + 28] = struct.pack("<I", 1000)
    big.write_bytes(content)
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(big, "b")


@pytest.mark.parametrize(
    ("key", "value"),
    [("rows", None), ("rows", {"main_loss": [0, 1]}), ("rows", {"main_loss": ["a"]}), ("images_crc", 1)],
)
def test_a_head_that_does_not_fit_is_said_in_a_sentence(
    file: Path, cache: Path, tmp_path: Path, key: str, value: object
) -> None:
    odd = changed(file, tmp_path / "o.bsdrec", recording_dot_json=json.dumps({**head_of(file), key: value}).encode())
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(odd, "o")


@pytest.mark.parametrize("member", ["recording.json", "arrays.npz", "config.json"])
def test_a_missing_part_is_said_in_a_sentence(file: Path, cache: Path, tmp_path: Path, member: str) -> None:
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(changed(file, tmp_path / "m.bsdrec", drop=member), "m")


# -- weights ---------------------------------------------------------------------------------------


def test_weights_are_those_of_the_run_in_half_precision_and_cannot_be_trained_on(
    recorded_run: Path, file: Path, cache: Path, tmp_path: Path
) -> None:
    folder = library.open_file(file, "short")
    last = RunReader(recorded_run).epochs[-1]
    ours, theirs = load_checkpoint(folder, last), load_checkpoint(recorded_run, last)
    for model in ("averaged", "altruistic"):
        for name, weights in theirs["models"][model].items():
            np.testing.assert_allclose(ours["models"][model][name].float(), weights.float(), rtol=1e-3, atol=1e-7)
    with pytest.raises(RunFolderError, match="This is a recording.*Start a run"):
        branch_run(folder, last, RunReader(folder).config, tmp_path / "branch")
    assert not (tmp_path / "branch").exists()


# -- the bundled ones ------------------------------------------------------------------------------


def test_the_bundled_recordings_are_there_and_small() -> None:
    assert BUNDLED == library.NAMES
    sizes = [library.describe(name).size_bytes for name in BUNDLED]
    assert max(sizes) <= 5_000_000 and sum(sizes) <= 25_000_000


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_recording_says_what_its_run_shows(name: str) -> None:
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


@pytest.mark.skipif("healthy" not in BUNDLED, reason="the recording is not there")
def test_the_stored_networks_reach_what_the_summary_says(one_thread: None) -> None:
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
def test_an_unknown_recording_is_said_in_a_sentence(name: str) -> None:
    with pytest.raises(RunFolderError, match="There is no recording called .* there are healthy"):
        library.open_recording(name)


def test_the_registry_gives_recordings_by_id_and_keeps_own_runs_apart(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path)
    assert runs.recording_ids() == [f"recording-{name}" for name in BUNDLED] and runs.run_ids() == []
    assert RunReader(runs.path("recording-healthy")).run_id == "recording-healthy"
    for run_id in ("recording-", "recording-nope", "recording-../healthy"):
        with pytest.raises(RunFolderError, match="no recording called"):
            runs.path(run_id)


def test_files_are_the_same_bytes_when_they_are_packed_again(recorded_run: Path, file: Path) -> None:
    again = library.pack(recorded_run, file.parent / "again.bsdrec", CARD)
    assert again.read_bytes() == file.read_bytes()
