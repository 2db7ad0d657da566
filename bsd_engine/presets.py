"""Named starting points for a run."""

from __future__ import annotations

from collections.abc import Callable

from bsd_engine.config import BSDConfig
from bsd_engine.errors import ConfigError


def paper_cifar10() -> BSDConfig:
    """The paper's settings on CIFAR-10: ResNet-18, 25 + 120 epochs of 1024 iterations. Needs a GPU."""
    return BSDConfig().with_settings(data="cifar10")


def demo() -> BSDConfig:
    """BSD on 6,000 bundled photographs with a small network: minutes on two CPU cores."""
    return BSDConfig(preset="demo").with_settings(
        data="bundled", limit=6000, model="small_resnet", width=16,
        altruistic_epochs=8, t1=8, init_epochs=4, t2=24, t3=30, iterations=60,
        target_estimator="median_probability", completion="balanced",
    )


def smoke() -> BSDConfig:
    """The smallest run that passes through every stage: seconds, for tests."""
    return demo().with_settings(
        preset="smoke", limit=200, width=8, altruistic_epochs=2, t1=2, init_epochs=1, t2=5, t3=6, iterations=2,
        labeled_batch=16, unlabeled_batch=16,
    )


PRESETS: dict[str, Callable[[], BSDConfig]] = {"demo": demo, "paper-cifar10": paper_cifar10, "smoke": smoke}


def preset(name: str) -> BSDConfig:
    """The configuration with that name."""
    if name not in PRESETS:
        raise ConfigError(f"preset is {name!r}, expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]()
