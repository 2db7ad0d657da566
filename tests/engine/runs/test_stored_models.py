"""Stored networks: they answer as the trainer tests them, they are found, and damage is reported in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine.compute import runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.errors import RunFolderError
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs import stored_models
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint, record_run
from bsd_engine.runs.stored_models import load_models, load_undefended, probabilities, stored_epochs, undefended_file
from bsd_engine.training.trainer import BSDTrainer
from bsd_engine.training.undefended import train_undefended
from tests.support.run_edits import record
from tests.support.short_runs import short

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Path]:
    """A run of five epochs and, beside it, its undefended network."""
    root = tmp_path_factory.mktemp("runs")
    config = short(limit=200, undefended_epochs=1)
    record_run(config, root / "run")
    train_undefended(config, root / "plain")
    yield root


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Path:
    """A copy of the run, for tests that damage it."""
    shutil.copytree(folder, tmp_path / "runs")
    return tmp_path / "runs" / "run"


def images_of(run: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(RunReader(run).images[:8]))


@pytest.mark.parametrize("place", [0, -1], ids=["first stored epoch", "last"])
def test_the_answers_are_those_that_the_trainer_tests(folder: Path, place: int) -> None:
    run, epoch = folder / "run", stored_epochs(folder / "run")[place]
    config = RunReader(run).config
    trainer = BSDTrainer(config, prepare(config), checkpoint=load_checkpoint(run, epoch))
    found, images = load_models(run, epoch), images_of(run)
    for network, theirs in ((found.main, trainer.averaged), (found.altruistic, trainer.altruistic.network)):
        with torch.inference_mode():
            expected = theirs.eval()(trainer.steps.normalize(images)).softmax(1)
        # the trainer keeps its weights channels last, which rounds differently
        assert np.allclose(probabilities(network, images, found.normalize), expected.numpy(), rtol=0, atol=1e-6)
    assert found.epoch == epoch and not found.main.training


def test_averaged_weights_differ_from_the_last_ones_and_are_those_that_answer(folder: Path) -> None:
    run = folder / "run"
    checkpoint = load_checkpoint(run, stored_epochs(run)[-1])["models"]
    main = load_models(run, stored_epochs(run)[-1]).main.state_dict()
    assert any(not torch.equal(checkpoint["averaged"][name], checkpoint["main"][name]) for name in main)
    assert all(torch.equal(main[name], checkpoint["averaged"][name]) for name in main)


def test_the_normalizer_is_the_trainers(folder: Path) -> None:
    run = folder / "run"
    own = Normalizer.fit(prepare(RunReader(run).config).images)
    found = load_models(run, stored_epochs(run)[0]).normalize
    assert torch.equal(found.scale, own.scale) and torch.equal(found.bias, own.bias)


def test_a_checkpoint_of_weights_alone_in_half_precision_answers_nearly_the_same(run: Path) -> None:
    epoch = stored_epochs(run)[-1]
    before = load_models(run, epoch)
    content = load_checkpoint(run, epoch)
    halves = {
        name: {
            key: value.half() if value.is_floating_point() else value for key, value in content["models"][name].items()
        }
        for name in ("averaged", "altruistic")
    }
    torch.save({"version": content["version"], "epoch": epoch, "models": halves}, run / f"checkpoints/{epoch:05d}.pt")
    record(run, f"checkpoints/{epoch:05d}.pt")
    after, images = load_models(run, epoch), images_of(run)
    assert after is not before
    assert next(after.main.parameters()).dtype == torch.float32
    for name in ("main", "altruistic"):
        ours, theirs = (probabilities(getattr(found, name), images, found.normalize) for found in (before, after))
        assert np.abs(ours - theirs).max() < 0.01


def test_loaded_networks_are_kept_until_the_file_changes(run: Path) -> None:
    epoch = stored_epochs(run)[0]
    first = load_models(run, epoch)
    assert load_models(run, epoch) is first
    file = run / f"checkpoints/{epoch:05d}.pt"
    shutil.copy(file, run / "copy")
    (run / "copy").rename(file)
    assert load_models(run, epoch) is not first


def test_the_cache_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_models, "MOST_BYTES", 1)
    run = folder / "run"
    kept = [load_models(run, epoch) for epoch in stored_epochs(run)]
    assert load_models(run, stored_epochs(run)[-1]) is kept[-1]
    assert load_models(run, stored_epochs(run)[0]) is not kept[0]


def test_an_empty_checkpoint_does_not_count(run: Path) -> None:
    *others, last = stored_epochs(run)
    (run / f"checkpoints/{last:05d}.pt").write_bytes(b"")
    assert stored_epochs(run) == tuple(others)
    assert stored_epochs(run / "nowhere") == ()


def test_damage_and_newer_versions_are_reported(run: Path) -> None:
    first, *_, last = stored_epochs(run)
    file = run / f"checkpoints/{last:05d}.pt"
    content = load_checkpoint(run, last)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(RunFolderError, match=rf"after epoch {last + 1} of run cannot be read: .*cut or damaged"):
        load_models(run, last)
    torch.save({**content, "version": 99}, file)
    record(run, f"checkpoints/{last:05d}.pt")
    with pytest.raises(RunFolderError, match="has version 99, this program reads up to"):
        load_models(run, last)
    torch.save({**content, "models": {"averaged": content["models"]["averaged"]}}, file)
    record(run, f"checkpoints/{last:05d}.pt")
    with pytest.raises(RunFolderError, match="does not fit its settings"):
        load_models(run, last)
    with pytest.raises(RunFolderError, match="is missing; choose another epoch"):
        load_models(run, 999)
    load_models(run, first)


def test_outputs_that_are_not_finite_are_reported(folder: Path) -> None:
    found = load_models(folder / "run", 0)
    broken = type(found.normalize)(scale=found.normalize.scale * float("nan"), bias=found.normalize.bias)
    with pytest.raises(RunFolderError, match="not finite numbers"):
        probabilities(found.main, images_of(folder / "run"), broken)


# -- the undefended network ------------------------------------------------------------------------


def test_the_undefended_network_is_found_beside_the_run_by_the_fingerprint(run: Path) -> None:
    plain = run.parent / "plain"
    assert undefended_file(run) == plain / "undefended.pt"
    summary = json.loads((plain / "summary.json").read_text())
    (plain / "summary.json").write_text(json.dumps({**summary, "fingerprint": "0" * 16}))
    assert undefended_file(run) is None and load_undefended(run) is None
    (plain / "summary.json").unlink()
    assert load_undefended(run) is None


def test_the_undefended_network_answers_with_the_stored_weights(run: Path) -> None:
    found = load_undefended(run)
    stored = torch.load(run.parent / "plain" / "undefended.pt", weights_only=True)["models"]["undefended"]
    assert found is not None and not found.network.training
    assert all(torch.equal(value, stored[name]) for name, value in found.network.state_dict().items())
    shown = probabilities(found.network, images_of(run), found.normalize)
    assert shown.shape == (8, 10) and np.allclose(shown.sum(1), 1)


def test_the_undefended_accuracy_is_that_of_the_summary(run: Path) -> None:
    prepared = prepare(RunReader(run).config)
    found, summary = load_undefended(run), json.loads((run.parent / "plain" / "summary.json").read_text())
    answers = probabilities(found.network, prepared.test_images.permute(0, 3, 1, 2), found.normalize).argmax(1)
    accuracy = 100 * float((answers == prepared.test_labels.numpy()).mean())
    exact = runtime.choose("cpu").autocast_dtype is None
    assert accuracy == pytest.approx(summary["clean_accuracy"], abs=0.051 if exact else 2)


def test_an_undefended_network_in_the_run_folder_comes_first_and_must_fit_its_data(run: Path) -> None:
    shutil.copy(run.parent / "plain" / "undefended.pt", run / "undefended.pt")
    assert undefended_file(run) == run / "undefended.pt"
    load_undefended(run)
    content = torch.load(run / "undefended.pt", weights_only=True)
    torch.save({**content, "fingerprint": "0" * 16}, run / "undefended.pt")
    with pytest.raises(RunFolderError, match="was trained on other data than run"):
        load_undefended(run)
    (run / "undefended.pt").write_bytes(b"PK")
    with pytest.raises(RunFolderError, match="cannot be read"):
        load_undefended(run)


def test_the_command_writes_to_a_folder_that_is_searched() -> None:
    command = stored_models.undefended_command(Path("/tmp/my runs/a"))
    assert command == "python -m bsd_engine undefended --config '/tmp/my runs/a' --out '/tmp/my runs/a-undefended'"
