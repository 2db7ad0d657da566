"""Predictions of a run's stored networks for an image without and with a trigger; nothing is trained or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bsd_engine import attacks
from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.craft.noise import CraftedNoise
from bsd_engine.attacks.custom import read_picture
from bsd_engine.attacks.patterns import pictures
from bsd_engine.attacks.patterns.placing import Change
from bsd_engine.compute.augment import Normalizer
from bsd_engine.data import sources
from bsd_engine.data.decoding import resize
from bsd_engine.errors import BSDError, ConfigError
from bsd_engine.files import bounded
from bsd_engine.files.bounded import Stamp
from bsd_engine.files.locations import cache_folder
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import load_models, load_undefended, probabilities


@dataclass(frozen=True, kw_only=True)
class BenchImages:
    """Images to try a trigger on; none of them is poisoned."""

    images: Tensor
    """(M, C, H, W) uint8."""
    labels: np.ndarray
    """(M,) int64: true labels."""
    are_test: bool
    """True if they are the run's test images, False if they are its clean training images."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Class probabilities of the models for the clean and the triggered image, (2, C) float32 each."""

    undefended: np.ndarray | None
    """None if the network is not stored or cannot be used; in the latter case `problem` says why."""
    problem: str
    altruistic: np.ndarray
    main: np.ndarray


def bench_images(run: RunReader) -> BenchImages:
    """Return the test images of a run's data; if they are not on this machine, or the run names a place for them that
    is not this user's own, the training images that are not known to be poisoned. Nothing is downloaded."""
    return _bench_images(str(run.path), bounded.stamp_of(run.path / "config.json"), run.trusts_paths)


@lru_cache(maxsize=2)
def _bench_images(path: str, stamp: Stamp, trusts_paths: bool) -> BenchImages:
    run = RunReader(path)
    test = _test_images(run) if trusts_paths or run.config.data.path is None else None
    return test or _training_images(run)


def _test_images(run: RunReader) -> BenchImages | None:
    spec, size = run.config.data.data, run.config.data.image_size
    if not _is_on_disk(spec):
        return None
    try:
        source = sources.open_source(spec, size)
        images = None if source.test_labels is None else source.read(np.array([0]))[1]
        images = resize(images, size) if images is not None and size else images
    except BSDError:
        return None
    labels = source.test_labels
    if images is None or labels is None or source.class_names != run.class_names:
        return None
    if (images.shape[3], *images.shape[1:3]) != run.images.shape[1:]:
        return None
    return BenchImages(images=torch.from_numpy(images).permute(0, 3, 1, 2), labels=labels, are_test=True)


def _is_on_disk(spec: str) -> bool:
    """Return whether a source can be opened without a download."""
    root = cache_folder()
    folders = {"cifar10": ("cifar10/train", "cifar-10-batches-py"), "gtsrb": ("gtsrb/train", "gtsrb/GTSRB")}.get(spec)
    return folders is None or any((root / folder).is_dir() for folder in folders)


def _training_images(run: RunReader) -> BenchImages:
    truth = run.truth
    clean = np.arange(run.num_samples) if truth is None else np.flatnonzero(~truth.is_poison)
    labels = run.labels if truth is None else truth.original_labels
    return BenchImages(images=torch.from_numpy(np.array(run.images[clean])), labels=labels[clean], are_test=False)


def fitted_picture(path: Path, shape: tuple[int, int, int]) -> Tensor:
    """Return the middle of a picture, cropped and resized to a shape: (C, H, W) uint8; transparent parts become white.

    Raises `ConfigError` if the file is not a picture.
    """
    channels, height, width = shape
    picture = read_picture(path)
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    scale = min(flat.width / width, flat.height / height)
    left, top = (flat.width - scale * width) / 2, (flat.height - scale * height) / 2
    middle = flat.crop(
        (
            round(left),
            round(top),
            max(round(left) + 1, round(left + scale * width)),
            max(round(top) + 1, round(top + scale * height)),
        )
    )
    return pictures.pixels(middle, channels, height, width)[0].round().byte()


def trigger_names() -> tuple[str, ...]:
    """Return the attacks whose trigger needs no training; of attacks with the same trigger, one."""
    distinct: dict[object, str] = {}
    for name in attacks.names():
        if not issubclass(attacks.kind(name), CraftedNoise) and name != "custom":
            distinct.setdefault(attacks.kind(name)._trigger, name)
    return tuple(distinct.values())


def own_attack(run: RunReader) -> Attack | None:
    """Return the attack that a run's data were poisoned with; None if this program did not poison them.

    Raises `ConfigError` if the trigger was crafted by training, its picture no longer exists, or the run that names the
    picture comes from somebody else.
    """
    chosen = run.config.attack
    if chosen.attack == "none":
        return None
    if issubclass(attacks.kind(chosen.attack), CraftedNoise):
        raise ConfigError(
            "The trigger of this run was crafted by training a network on its data, and the run folder does not hold "
            "it; choose another trigger."
        )
    parameters = attacks.parse(chosen.attack, chosen.attack_parameters)
    if chosen.picture is not None and not run.trusts_paths:
        raise ConfigError(
            "The trigger of this run is a picture on the machine where it was trained, and the settings come from "
            "elsewhere, so that file is not looked for here; upload the picture, or choose another trigger."
        )
    return _made(run, chosen.attack, **parameters)


def attack_named(run: RunReader, name: str, **parameters: object) -> Attack:
    """Return an attack for a run's images, with its default parameters except those given."""
    return _made(run, name, **parameters)


def picture_attack(run: RunReader, picture: str, size: int) -> Attack:
    """Return an attack that puts a picture, `size` pixels high, in the middle of a run's images; a star if no file.

    A picture that would be wider than the images is made small enough to fit.
    """
    _, height, width = run.images.shape[1:]
    ratio = 1.0 if not picture else _ratio(Path(picture))
    high = max(1, min(size, height, int(width / ratio)))
    wide = min(width, max(1, round(high * ratio)))
    return _made(run, "custom", image=picture, size=high, row=(height - high) // 2, col=(width - wide) // 2)


def _ratio(path: Path) -> float:
    """Return the width of a picture divided by its height."""
    picture = read_picture(path)
    return picture.width / picture.height


def _made(run: RunReader, name: str, **parameters: object) -> Attack:
    return attacks.make(name, tuple(run.images.shape[1:]), len(run.class_names), run.config.seed, **parameters)


def change_of(attack: Attack, number: int) -> Change:
    """Return the change that an attack makes to the image with a number; attacks with per-sample noise need the
    number."""

    def change(images: Tensor) -> Tensor:
        triggered = attack.apply(images, torch.full((len(images),), number))
        assert isinstance(triggered, Tensor), "tensors become tensors"
        return triggered

    return change


def wanted_label(run: RunReader, label: int | None) -> int | None:
    """Return the label that the run's attacker wants for a triggered image of a class; None if it is unknown.

    A user's own image has no label (None); its wanted label is known only for an attack with a single target.
    """
    attack, classes = run.config.attack, len(run.class_names)
    if attack.attack == "none":
        return None
    if attacks.kind(attack.attack).has_target:
        return attack.target_label if attack.target_label < classes else None
    return None if label is None else (label + 1) % classes


def answers(path: Path, epoch: int, pair: Tensor) -> Answers:
    """Return the predictions of all networks after an epoch for (2, C, H, W) uint8 images: clean and triggered."""
    both = load_models(path, epoch)
    undefended, problem = None, ""
    try:
        plain = load_undefended(path)
        undefended = None if plain is None else _answer(plain.network, pair, plain.normalize)
    except BSDError as error:  # the other two still answer
        problem = str(error)
    return Answers(
        undefended=undefended,
        problem=problem,
        altruistic=_answer(both.altruistic, pair, both.normalize),
        main=_answer(both.main, pair, both.normalize),
    )


_last_clean: WeakKeyDictionary[nn.Module, tuple[bytes, np.ndarray]] = WeakKeyDictionary()


def _answer(network: nn.Module, pair: Tensor, normalize: Normalizer) -> np.ndarray:
    """Return (2, C) float32 probabilities; those of the last clean image are cached, so that moving the trigger costs
    one forward pass instead of two."""
    key = pair[0].numpy().tobytes()
    last = _last_clean.get(network)
    if last is None or last[0] != key:
        both = probabilities(network, pair, normalize)
        _last_clean[network] = key, both[0]
        return both
    clean, same = last[1], torch.equal(pair[0], pair[1])
    return np.stack([clean, clean if same else probabilities(network, pair[1:], normalize)[0]])


def over_epochs(path: Path, epochs: Sequence[int], pair: Tensor) -> np.ndarray:
    """Return (E, 2, 2, C) float32: for each epoch, for g and f, the probabilities for the clean and triggered image.

    The values of an unreadable checkpoint are NaN.
    """
    answers_of = [_answers_of_both(path, epoch, pair) for epoch in epochs]
    shape = next((both.shape for both in answers_of if both is not None), (2, 2, 1))
    return np.array([np.full(shape, np.nan) if both is None else both for both in answers_of], np.float32)


def _answers_of_both(path: Path, epoch: int, pair: Tensor) -> np.ndarray | None:
    """Return (2, 2, C) for g and f, clean and triggered image; None if the checkpoint cannot be read."""
    try:
        both = load_models(path, epoch)
        return np.stack([_answer(network, pair, both.normalize) for network in (both.altruistic, both.main)])
    except BSDError:
        return None
