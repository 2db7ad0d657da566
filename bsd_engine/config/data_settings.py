"""Settings of the data, the attack, the networks and plain training, as frozen dataclasses that check themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from bsd_engine.config.checks import (
    MOST,
    MOST_LETTERS,
    check,
    check_choices,
    check_floats,
    check_kinds,
    check_numbers,
    is_number,
    shown,
)

OWN_DATA = ("folder:", "npz:")
"""Beginnings of sources that are paths of the user's own."""
PoisonCountMode = Literal["exact_nontarget", "bernoulli_nontarget", "exact_all", "exact_all_from_nontarget"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The images to train on."""

    data: str = "bundled"
    """Source of the images: bundled, cifar10, gtsrb, folder:PATH or npz:PATH."""
    limit: int | None = None
    """Largest number of training images, drawn so that classes keep their shares; all when not given or there are
    fewer."""
    epoch_tests: int | None = None
    """Test images, and as many triggered ones, that every epoch but the last is measured on; all when not given."""
    crop_padding: int = 4
    """Augment by moving the image by up to so many pixels (ASD: 4)."""
    flip: bool = True
    """Augment by mirroring left to right; off for signs and letters, whose meaning it changes."""
    image_size: int | None = None
    """Height and width that all images are resized to, pixels. When not given, images of one size keep it, and files of
    different sizes or above 64 pixels become 32x32."""

    def __post_init__(self) -> None:
        check_kinds(self)
        known = self.data in ("bundled", "cifar10", "gtsrb") or self.data.startswith(OWN_DATA)
        check(known, "data", self.data, "bundled, cifar10, gtsrb, folder:PATH or npz:PATH", self._path_hint)
        check_numbers(self, crop_padding=(0, 7))
        for name in ("limit", "epoch_tests"):
            if getattr(self, name) is not None:
                check_numbers(self, **{name: (20, MOST)})
        if self.image_size is not None:
            check_numbers(self, image_size=(8, 1024))

    @property
    def _path_hint(self) -> str:
        """Advice for a source that looks like a path."""
        if "/" not in self.data and "\\" not in self.data and not self.data.endswith(".npz"):
            return ""
        kind = "npz:" if self.data.endswith(".npz") else "folder:"
        return f"For a path of your own write {kind}{shown(self.data).strip(chr(39))}."

    @property
    def path(self) -> str | None:
        """The folder or file that the images are read from; None for a source of the program's own."""
        _, colon, path = self.data.partition(":")
        return path if colon else None


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """How the training set is poisoned; `none` for data that may be poisoned already."""

    attack: str = "badnets"
    """Name of the attack, or none."""
    target_label: Annotated[int, tyro.conf.arg(name="target")] = 3
    """Class that triggered images are sent to (0-based)."""
    rate: float | None = None
    """Poisoning rate rho: share of the images of the other classes that carry the trigger, or of the target class for a
    clean-label attack; when not given, the attack's own: 0.05, 0.25 for clean-label (paper), 0.01 for adaptive."""
    poison_count_mode: PoisonCountMode = "exact_nontarget"
    """How many are poisoned. exact_nontarget: int(rate n) of the n images of the other classes; bernoulli_nontarget:
    each of them with probability rate (ASD, DBD); exact_all: int(rate N) of all N images, the target class among them
    (BackdoorBench); exact_all_from_nontarget: as many, none of the target class (VIBE). Clean-label and all-to-all
    attacks know the first two."""
    asr_exclude_target: bool = True
    """Whether triggered test images of the target class are left out of the attack success rate (ASD, DBD: yes)."""
    attack_parameters: dict[str, int | float | str] = field(default_factory=dict, hash=False)
    """The attack's own parameters, as pairs: --attack-parameters opacity 0.2 pattern noise. An unknown name is answered
    with the list of known ones."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_choices(self)
        check_numbers(self, target_label=(0, MOST))
        if self.rate is not None:
            check_numbers(self, rate=(0, 0.9))
            check(
                self.attack == "none" or self.rate > 0,
                "rate",
                self.rate,
                "a number above 0",
                "For data without an added attack use --attack none.",
            )
        for name, value in self.attack_parameters.items():
            plain = isinstance(value, bool) or is_number(value, -MOST, MOST)
            plain = plain or (isinstance(value, str) and len(value) <= MOST_LETTERS)
            check(
                plain, f"attack_parameters: {shown(name).strip(chr(39))}", value, f"a number up to {MOST:,} or a word"
            )
        check(
            self.attack != "none" or not self.attack_parameters,
            "attack_parameters",
            self.attack_parameters,
            "none without an attack",
        )

    @property
    def picture(self) -> str | None:
        """The file of the trigger's picture; None without one."""
        given = self.attack_parameters.get("image") if self.attack == "custom" else None
        return str(given) if given else None


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of the main model f, and of the altruistic model g unless altruistic_model names another."""

    model: str = "resnet18"
    """resnet18: the CIFAR ResNet-18 of the paper; small_resnet: three stages behind a stride-2 stem, for CPUs;
    mobilenet_v2: for small images too; torchvision:NAME: a network of torchvision with random weights, such as
    torchvision:resnet18, for 224 pixels."""
    width: int = 64
    """Channels of the first stage of a ResNet (paper: 64), later stages double it; mobilenet_v2 has all its layers
    scaled by width / 64, and needs a multiple of 8 from 32; networks of torchvision have one width, called 64."""

    def __post_init__(self) -> None:
        name = self.model
        known = isinstance(name, str) and (name in NETWORKS or (name.startswith(TORCHVISION) and name != TORCHVISION))
        check(known, "model", name, f"one of {', '.join(NETWORKS)} or torchvision:NAME")
        # Below 8 channels, oneDNN 3.12 (torch 2.13) writes past a buffer in the backward pass of a strided
        # channels_last convolution on AVX2, and the process dies. The narrowest layer of mobilenet_v2 has a quarter of
        # its width.
        check_numbers(self, width=(8, 512))
        if name == "mobilenet_v2":
            check(
                self.width >= 32 and self.width % 8 == 0,
                "width",
                self.width,
                "a multiple of 8 from 32 for mobilenet_v2",
            )
        if name.startswith(TORCHVISION):
            check(
                self.width == 64, "width", self.width, "64 for a network of torchvision", "Its layers are not scaled."
            )


NETWORKS = ("small_resnet", "resnet18", "mobilenet_v2")
TORCHVISION = "torchvision:"


@dataclass(frozen=True, kw_only=True)
class UndefendedConfig:
    """Plain training for comparison (command `undefended`)."""

    undefended_epochs: int = 200
    """Epochs (paper: 200)."""
    undefended_lr: float = 0.1
    """Learning rate of SGD (paper: 0.1)."""
    undefended_drops: tuple[float, float] = (0.5, 0.75)
    """Shares of the epochs after which the learning rate falls to a tenth (paper: 100 and 150 of 200; ImageNet: 30 and
    60 of 90)."""

    def __post_init__(self) -> None:
        check_numbers(self, undefended_epochs=(1, 10000), undefended_lr=(1e-9, 10))
        check_floats(
            self,
            "undefended_drops",
            0,
            1,
            "two ascending numbers between 0 and 1",
            count=2,
            fits=lambda drops: drops[0] <= drops[1],
        )
