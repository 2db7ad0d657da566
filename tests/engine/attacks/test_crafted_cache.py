"""Crafted triggers and surrogates: the same bytes for the same seed, and what is kept on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bsd_engine import attacks
from bsd_engine.attacks import adaptive, label_consistent, narcissus
from bsd_engine.attacks.craft import cache as crafted_cache
from bsd_engine.attacks.craft import surrogate
from bsd_engine.attacks.craft.surrogate import Training
from bsd_engine.compute import progress, runtime
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.files.locations import cache_folder
from tests.support.attack.crafted_attacks import CRAFTED, SHAPE, TARGET, TINY, faint_stripes, poisoned_images, refused

pytestmark = pytest.mark.usefixtures("one_thread", "cache")


@pytest.mark.parametrize("name", CRAFTED)
def test_same_seed_same_bytes_without_a_cache(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results = []
    for i, seed in enumerate((0, 0, 1)):
        monkeypatch.setenv("BSD_DATA", str(tmp_path / str(i)))
        torch.manual_seed(i)
        state = torch.get_rng_state()
        images, labels = faint_stripes()
        results.append(attacks.make(name, SHAPE, 3, seed, **TINY[name]).poison(images, labels, 0.5, TARGET, 0).images)
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


@pytest.mark.parametrize("name", CRAFTED)
def test_what_is_in_the_cache_is_not_crafted_again(name: str, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    first = poisoned_images(name)
    assert cache.is_dir() and not list(cache.glob(".*"))
    monkeypatch.setattr(surrogate, "_train", refused)
    for module in (adaptive.Adaptive, narcissus.Narcissus):
        monkeypatch.setattr(module, "_craft", refused)
    monkeypatch.setattr(label_consistent.LabelConsistent, "_noise", refused)
    assert torch.equal(poisoned_images(name), first)
    with pytest.raises(AssertionError, match="come from the cache"):
        poisoned_images(name, surrogate_epochs=2)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda b: b[:-7],
    "empty": lambda b: b"",
    "one bit": lambda b: b[:-40] + bytes([b[-40] ^ 1]) + b[-39:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_crafted_again(damage: Callable[[bytes], bytes], cache: Path) -> None:
    first = poisoned_images("adaptive")
    before = {path: path.read_bytes() for path in cache.iterdir()}
    for path, content in before.items():
        path.write_bytes(damage(content))
    assert torch.equal(poisoned_images("adaptive"), first)
    assert {path: path.read_bytes() for path in cache.iterdir()} == before


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = poisoned_images("adaptive")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "file"))
    assert torch.equal(poisoned_images("adaptive"), first)


def test_the_key_knows_every_value_of_the_data() -> None:
    images, labels = faint_stripes()
    changed = images.clone()
    changed[77, 0, 3, 3] ^= 1
    others = ((changed, labels), (images, labels.flip(0)), (images.view(150, 256), labels))
    assert len({crafted_cache.digest(x, y) for x, y in ((images, labels), *others)}) == 4
    assert crafted_cache.digest(
        images.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    ) == crafted_cache.digest(images.expand(-1, 3, -1, -1).contiguous())


def test_arrays_are_kept_under_their_key_alone() -> None:
    assert crafted_cache.cached(("a", 1), lambda: torch.arange(3)).tolist() == [0, 1, 2]
    assert crafted_cache.cached(("a", 1), refused).tolist() == [0, 1, 2]
    assert crafted_cache.cached(("a", 2), lambda: torch.arange(2)).tolist() == [0, 1]


# --- the surrogate ---


def test_a_surrogate_learns_its_classes_and_comes_back_from_the_cache_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels = faint_stripes()
    last_axis = images.permute(0, 2, 3, 1).contiguous()
    training = Training(model=ModelConfig(model="small_resnet", width=16), num_classes=3, epochs=15, seed=0)
    first = surrogate.trained(last_axis, labels, training)
    logits = first.logits(images.float())
    assert (logits.argmax(1) == labels).float().mean() > 0.6 and not logits.requires_grad
    monkeypatch.setattr(surrogate, "_train", refused)
    assert torch.equal(surrogate.trained(last_axis, labels, training).logits(images.float()), logits)


def test_a_last_batch_of_one_image_is_left_out() -> None:
    images = torch.zeros(surrogate.BATCH + 1, 8, 8, 1, dtype=torch.uint8)
    batches = list(surrogate.cropped_batches(images, runtime.choose("cpu"), torch.Generator().manual_seed(0)))
    assert [len(part) for part, _ in batches] == [surrogate.BATCH] and batches[0][1].shape == (surrogate.BATCH, 1, 8, 8)


def test_progress_is_told_to_whoever_asks() -> None:
    seen = []
    with progress.shown_by(lambda steps, what: seen.append((what, len(steps))) or steps):
        poisoned_images("adaptive")
    assert seen == [("surrogate", 3), ("average noise", 15)]
    assert list(progress.steps(3, "nobody looks")) == [0, 1, 2] and len(seen) == 2


def test_crafting_is_below_the_cache_folder(cache: Path) -> None:
    poisoned_images("narcissus")
    assert cache.parent == cache_folder() and {path.suffix for path in cache.iterdir()} == {".npy"}
