"""What the audit takes from the stored models: weights, neighbours and saliency."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine.audit.export.commands import write_weights
from bsd_engine.audit.features import features, neighbours
from bsd_engine.audit.saliency import saliency
from bsd_engine.compute import architectures
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels
from tests.support.origins import own_copy


def read_safetensors(content: bytes) -> tuple[dict, dict[str, torch.Tensor]]:
    """The format read by its definition."""
    (size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    kinds = {"F32": torch.float32, "I64": torch.int64}
    return header.pop("__metadata__"), {
        name: torch.frombuffer(
            bytearray(body[e["data_offsets"][0] : e["data_offsets"][1]]), dtype=kinds[e["dtype"]]
        ).reshape(e["shape"])
        for name, e in header.items()
    }


def test_weights_build_the_model_that_was_tested(recorded_run: Path, tmp_path: Path) -> None:
    run = RunReader(recorded_run)
    content = write_weights(recorded_run, tmp_path / "f.safetensors").read_bytes()
    metadata, tensors = read_safetensors(content)
    network = architectures.build(metadata["model"], channels_in=1, num_classes=10, width=int(metadata["width"])).eval()
    network.load_state_dict(tensors)
    scale, bias = (torch.tensor(json.loads(metadata[name])).view(1, -1, 1, 1) for name in ("scale", "bias"))
    images = torch.from_numpy(run.images[:50].astype(np.float32))
    both = StoredModels.of(run)
    with torch.inference_mode():
        torch.testing.assert_close(network(images * scale + bias), both.main(both.normalize(images)))
    assert json.loads(metadata["classes"]) == list(run.class_names) and not {"attack", "target_label"} & set(metadata)


def test_the_safetensors_library_reads_them(recorded_run: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    content = write_weights(recorded_run, tmp_path / "f.safetensors").read_bytes()
    for name, tensor in library.load(content).items():
        torch.testing.assert_close(tensor, read_safetensors(content)[1][name])


def test_features_are_kept_and_neighbours_are_the_nearest(recorded_run: Path, tmp_path: Path) -> None:
    run = RunReader(recorded_run)
    assert features(run, compute=False) is None
    made, again = features(run), features(run, compute=False)
    np.testing.assert_array_equal(made.main, again.main)
    assert made.main.shape == made.altruistic.shape == (1000, 32) and made.epoch == 9
    np.testing.assert_allclose(np.linalg.norm(made.main, axis=1), 1, atol=2e-3)
    found, distance = neighbours(made.altruistic, 7, 5)
    slow = np.argsort(np.where(np.arange(1000) == 7, np.inf, 1 - made.altruistic @ made.altruistic[7]), kind="stable")[
        :5
    ]
    np.testing.assert_array_equal(found, slow)
    assert 7 not in found and (np.diff(distance) >= 0).all() and len(neighbours(made.main[:3], 0, 9)[0]) == 2


def test_features_of_a_foreign_run_stay_in_memory_and_its_own_are_not_believed(
    recorded_run: Path, tmp_path: Path
) -> None:
    made = features(RunReader(own_copy(recorded_run, tmp_path / "own")))
    foreign = Path(shutil.copytree(tmp_path / "own", tmp_path / "foreign"))
    (file,) = (foreign / "audit").iterdir()
    zeros = np.zeros((1000, 32), np.float16)
    file.write_bytes(pack_arrays(epoch=np.array(9), main=zeros, altruistic=zeros))
    before = sorted(foreign.rglob("*"))
    run = RunReader(foreign)
    assert features(run, compute=False) is None
    np.testing.assert_array_equal(features(run).main, made.main)
    np.testing.assert_array_equal(features(run, compute=False).altruistic, made.altruistic)
    assert sorted(foreign.rglob("*")) == before


@pytest.mark.parametrize("damage", ["link", "cut", "dtype", "shape", "values", "missing", "epoch"])
def test_kept_features_that_were_not_written_here_are_made_again(
    recorded_run: Path, tmp_path: Path, damage: str
) -> None:
    run = RunReader(own_copy(recorded_run, tmp_path / "own"))
    made = features(run)
    file = run.path / f"audit/features-{made.epoch:05d}.npz"
    halves = {"main": made.main.astype(np.float16), "altruistic": made.altruistic.astype(np.float16)}
    epoch, content = np.array(made.epoch), file.read_bytes()
    if damage == "link":
        file.rename(tmp_path / "elsewhere.npz")
        file.symlink_to(tmp_path / "elsewhere.npz")
    elif damage == "cut":
        file.write_bytes(content[:-200])
    else:
        halves["main"] = {
            "dtype": made.main,
            "shape": halves["main"][:-1],
            "values": np.full_like(halves["main"], np.nan),
        }.get(damage, halves["main"])
        epoch = np.array([1, 2]) if damage == "epoch" else epoch
        arrays = {"epoch": epoch, **halves}
        arrays.pop("altruistic" if damage == "missing" else "", None)
        file.write_bytes(pack_arrays(**arrays))
    assert features(run, compute=False) is None
    np.testing.assert_array_equal(features(run).main, made.main)
    assert not file.is_symlink() and features(run, compute=False) is not None


def test_saliency_adds_up_to_what_the_image_gains_over_grey(recorded_run: Path) -> None:
    run = RunReader(recorded_run)
    both, image, label = StoredModels.of(run), run.images[5], int(run.labels[5])
    found = saliency(both.altruistic, both.normalize, image, label, steps=256)

    def says(pixels: torch.Tensor) -> float:
        logits = both.altruistic(both.normalize(pixels[None]))[0]
        return float(logits[label] - (logits.sum() - logits[label]) / 9)

    with torch.inference_mode():
        gain = says(torch.from_numpy(image.copy()).float()) - says(torch.full(image.shape, 127.5))
    assert found.shape == image.shape[1:] and found.sum() == pytest.approx(gain, rel=0.05, abs=0.05)
