"""Presets: named settings to start a run from."""

from __future__ import annotations

from collections.abc import Callable

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError


def paper_cifar10() -> BSDConfig:
    """The paper's settings on CIFAR-10: ResNet-18, 25 + 120 epochs of 1024 iterations. Needs a GPU."""
    return BSDConfig().with_settings(data="cifar10")


def paper_gtsrb() -> BSDConfig:
    """The paper's settings on GTSRB: the altruistic model continues with MixMatch (appendix B.4). Needs a GPU.

    There is no mirroring, which would turn one traffic sign into another. The paper states neither that nor its target.
    """
    return BSDConfig(preset="paper-gtsrb").with_settings(data="gtsrb", flip=False, altruistic_update="mixmatch_full")


def paper_imagenet30() -> BSDConfig:
    """The paper's settings on 30 classes of ImageNet at 224 pixels, in folder:imagenet30. Needs a GPU.

    Appendix B.3 trains the undefended model for 90 epochs there.
    """
    return BSDConfig(preset="paper-imagenet30").with_settings(
        data="folder:imagenet30",
        image_size=224,
        model="torchvision:resnet18",
        undefended_epochs=90,
        undefended_drops=(1 / 3, 2 / 3),
    )


def demo() -> BSDConfig:
    """BSD on 6,000 of the bundled photographs of clothing, with a small network: 70 seconds on two CPU cores.

    With so few steps it learns enough only with gentler augmentation, more labelled images in a batch, averaged weights
    and an equal share of each class in the pool; each is a setting, and each differs from the paper.
    """
    return BSDConfig(preset="demo").with_settings(
        data="bundled",
        limit=6000,
        crop_padding=1,
        model="small_resnet",
        width=16,
        altruistic_epochs=6,
        t1=5,
        init_epochs=2,
        t2=11,
        t3=15,
        iterations=60,
        alpha=0.7,
        target_estimator="auto",
        completion="balanced",
        main_lr=4e-3,
        labeled_batch=128,
        unlabeled_batch=32,
        lambda_u=5.0,
        mixup_alpha=0.3,
        ema=0.99,
        guess_updates_bn=False,
        undefended_epochs=20,
        undefended_lr=0.05,
    )


def demo_gtsrb() -> BSDConfig:
    """BSD on 8,000 of GTSRB's traffic signs, with a small network: 3-4 minutes on two CPU cores.

    The trigger is the checkerboard: after eight epochs on as many images, plain training follows the paper's 2x2 patch
    on only 58 % of the test images, and no model learns it before the signs themselves. 43 classes of different sizes
    need more and smaller steps than the demo, and a pool without a fixed share of the target class: 385 of its 673
    samples are poisoned, so that any such share would hold some of them.
    """
    return demo().with_settings(
        preset="demo-gtsrb",
        data="gtsrb",
        limit=8000,
        flip=False,
        crop_padding=2,
        epoch_tests=2000,
        width=24,
        attack_parameters={"pattern": "checkerboard"},
        altruistic_epochs=3,
        altruistic_batch=64,
        altruistic_lr=2e-3,
        t1=5,
        init_epochs=1,
        t2=10,
        t3=14,
        iterations=150,
        labeled_batch=64,
        unlabeled_batch=16,
        alpha=0.8,
        alpha_start=0.75,
        completion="balanced_others",
        undefended_epochs=15,
    )


def audit() -> BSDConfig:
    """Whether images of one's own are poisoned: two minutes for 8,000 colour images of 32 pixels on two CPU cores.

    It adds no attack and does not mirror images, which may be signs or letters. Its warm-up is as long as the one that
    the verdict was calibrated for on colour images. It suits grey and colour images and 10 to 43 classes.
    """
    return demo_gtsrb().with_settings(
        preset="audit",
        data="bundled",
        limit=None,
        epoch_tests=1000,
        attack="none",
        attack_parameters={},
        altruistic_epochs=10,
        t2=9,
        t3=12,
        iterations=120,
    )


def audit_quick() -> BSDConfig:
    """The same on 3,000 of the images and with a warm-up of six epochs, for a first look."""
    return audit().with_settings(
        preset="audit-quick", limit=3000, altruistic_epochs=6, t1=4, t2=7, t3=9, iterations=60, undefended_epochs=15
    )


def smoke() -> BSDConfig:
    """The smallest run that passes through every stage; it takes seconds, for tests."""
    return demo().with_settings(
        preset="smoke",
        limit=200,
        width=8,
        altruistic_epochs=2,
        t1=2,
        init_epochs=1,
        t2=5,
        t3=6,
        iterations=2,
        labeled_batch=16,
        unlabeled_batch=16,
    )


PRESETS: dict[str, Callable[[], BSDConfig]] = {
    "demo": demo,
    "demo-gtsrb": demo_gtsrb,
    "audit": audit,
    "audit-quick": audit_quick,
    "paper-cifar10": paper_cifar10,
    "paper-gtsrb": paper_gtsrb,
    "paper-imagenet30": paper_imagenet30,
    "smoke": smoke,
}


def preset(name: str) -> BSDConfig:
    """The configuration with that name; raises `ConfigError` for an unknown name."""
    if name not in PRESETS:
        raise ConfigError(f"preset is {name!r}, expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]()
