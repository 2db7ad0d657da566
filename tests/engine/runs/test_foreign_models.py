"""Networks and images of a run that somebody else has written: bounded in memory, and no path of it is followed."""

from __future__ import annotations

import io
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine.errors import ConfigError, RunFolderError
from bsd_engine.runs import stored_models, stored_networks, trigger_bench
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels, load_models, load_undefended, stored_epochs, undefended_file
from tests.support.origins import edited_copy


def bytes_used() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(("model", "width"), [("resnet18", 512), ("mobilenet_v2", 512)])
def test_a_wide_network_is_refused_before_it_takes_memory(
    recorded_run: Path, tmp_path: Path, model: str, width: int
) -> None:
    run = edited_copy(recorded_run, tmp_path / "run", settings={"model": {"model": model, "width": width}})
    load_models(recorded_run, stored_epochs(recorded_run)[-1])
    before = bytes_used()
    with pytest.raises(RunFolderError, match=r"does not fit its settings|computes [\d,]+ MB for one image"):
        load_models(run, stored_epochs(run)[-1])
    assert bytes_used() - before < 100_000_000


def test_a_checkpoint_of_other_shapes_is_refused(recorded_run: Path, tmp_path: Path) -> None:
    run = edited_copy(recorded_run, tmp_path / "run", settings={"model": {"width": 9}})
    with pytest.raises(RunFolderError, match=r"stem\.0\.weight is torch\.float32 of shape \(8, 1, 3, 3\), expected"):
        StoredModels.of(RunReader(run))


@pytest.mark.parametrize("odd", ["complex", "text", "missing", "more", "list"])
def test_weights_that_are_not_weights_are_refused(recorded_run: Path, tmp_path: Path, odd: str) -> None:
    run = edited_copy(recorded_run, tmp_path / "run")
    file = run / f"checkpoints/{stored_epochs(run)[-1]:05d}.pt"
    content = torch.load(file, weights_only=True)
    weights = content["models"]["averaged"]
    if odd == "complex":
        weights["head.bias"] = weights["head.bias"].to(torch.complex64)
    elif odd == "missing":
        del weights["head.bias"]
    elif odd == "list":
        content["models"]["averaged"] = [1, 2]
    else:
        weights["head.bias" if odd == "text" else "more"] = "x" if odd == "text" else torch.zeros(3)
    torch.save(content, file)
    with pytest.raises(RunFolderError, match="does not fit its settings"):
        load_models(run, stored_epochs(run)[-1])


def test_a_large_foreign_checkpoint_is_not_read(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(recorded_run, tmp_path / "run"))
    monkeypatch.setattr(stored_networks, "MOST_FOREIGN_BYTES", 1000)
    for read in (lambda: load_models(run, stored_epochs(run)[-1]), lambda: StoredModels.of(RunReader(run))):
        with pytest.raises(RunFolderError, match="MB, expected at most 0 in a run that was not written by this"):
            read()
    provenance.write_signature(run)
    assert load_models(run, stored_epochs(run)[-1]).epoch == 9


def test_a_network_that_computes_too_much_for_an_image_is_not_loaded(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(recorded_run, tmp_path / "run"))
    monkeypatch.setattr(stored_networks, "_MOST_FOREIGN_ACTIVATIONS", 1000)
    with pytest.raises(RunFolderError, match="MB for one image"):
        load_models(run, stored_epochs(run)[-1])


def undefended(run: Path) -> bytes:
    weights = torch.load(run / f"checkpoints/{stored_epochs(run)[-1]:05d}.pt", weights_only=True)["models"]["averaged"]
    stream = io.BytesIO()
    torch.save(
        {"version": 1, "epoch": 0, "fingerprint": RunReader(run).fingerprint, "models": {"undefended": weights}}, stream
    )
    return stream.getvalue()


def test_an_undefended_network_is_not_looked_for_through_links(recorded_run: Path, tmp_path: Path) -> None:
    run, outside = Path(shutil.copytree(recorded_run, tmp_path / "runs/run")), tmp_path / "outside"
    outside.mkdir()
    (outside / "undefended.pt").write_bytes(undefended(run))
    (outside / "summary.json").write_text(f'{{"fingerprint": "{RunReader(run).fingerprint}"}}')
    (tmp_path / "runs/run-undefended").symlink_to(outside)
    (run / "undefended.pt").symlink_to(outside / "undefended.pt")
    assert undefended_file(run) is None and load_undefended(run) is None
    (tmp_path / "runs/run-undefended").unlink()
    outside.rename(tmp_path / "runs/run-undefended")
    assert undefended_file(run) == tmp_path / "runs/run-undefended/undefended.pt"
    assert load_undefended(run) is not None


def test_no_more_folders_than_a_bound_are_looked_into(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_models, "_MOST_NEIGHBOURS", 2)
    run = Path(shutil.copytree(recorded_run, tmp_path / "run"))
    for name in ("a", "b", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "undefended.pt").write_bytes(b"")
    (tmp_path / "z/summary.json").write_text(f'{{"fingerprint": "{RunReader(run).fingerprint}"}}')
    assert undefended_file(run) is None
    (tmp_path / "z").rename(tmp_path / "run-undefended")
    assert undefended_file(run) is not None


# -- the bench -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_adopted", [False, True], ids=["foreign", "adopted"])
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_test_images_are_not_read_from_a_place_that_a_foreign_run_names(
    recorded_run: Path, tmp_path: Path, kind: str, is_adopted: bool
) -> None:
    images, labels = np.zeros((20, 14, 14, 1), np.uint8), np.arange(20) % 10
    names = np.array(RunReader(recorded_run).class_names)
    np.savez(
        tmp_path / "set.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        class_names=names,
    )
    place = f"npz:{tmp_path / 'set.npz'}" if kind == "npz" else "folder:~"
    origin = {"adopted_from": "/elsewhere"} if is_adopted else {}
    run = edited_copy(recorded_run, tmp_path / "run", settings={"data": {"data": place}}, **origin)
    if is_adopted:
        provenance.write_signature(run)
    assert not trigger_bench.bench_images(RunReader(run)).are_test
    own = edited_copy(recorded_run, tmp_path / "own", settings={"data": {"data": f"npz:{tmp_path / 'set.npz'}"}})
    provenance.write_signature(own)
    assert trigger_bench.bench_images(RunReader(own)).are_test


def test_the_picture_that_a_foreign_run_names_is_not_opened(recorded_run: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "picture.png"
    os.mkfifo(pipe)
    attack = {"attack": "custom", "attack_parameters": {"image": str(pipe)}}
    run = edited_copy(recorded_run, tmp_path / "run", settings={"attack": attack})
    with pytest.raises(ConfigError, match="that file is not looked for here; upload the picture"):
        trigger_bench.own_attack(RunReader(run))
    provenance.write_signature(run)
    with pytest.raises(ConfigError, match="There is no file"):
        trigger_bench.own_attack(RunReader(run))
