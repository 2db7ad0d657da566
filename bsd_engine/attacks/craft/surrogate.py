"""The attacker's own network, trained plainly or against single steps of FGSM, and cached on disk.

On a CPU the weights are a function of data, settings, seed and number of threads, because sums over a batch are split
among threads. On a GPU they are so only approximately. A cached network is for one type of device and number of
threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.craft import cache, pgd
from bsd_engine.attacks.parameters import check_range
from bsd_engine.compute import models, progress, runtime
from bsd_engine.compute.architectures import Network
from bsd_engine.compute.augment import Normalizer, crop_flip
from bsd_engine.compute.plans import draw_crops
from bsd_engine.compute.runtime import Runtime
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.data.dataset import MIN_PIXELS
from bsd_engine.errors import ConfigError

BATCH = 128
_PEAK_LR, _MOMENTUM, _WEIGHT_DECAY = 0.1, 0.9, 5e-4


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a surrogate is trained: everything its weights depend on except the data."""

    model: ModelConfig
    num_classes: int
    epochs: int
    eps: float = 0.0
    """Bound of the perturbations that it is trained against, grey levels; 0 for plain training."""
    seed: int
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """A trained network in evaluation mode with frozen weights."""

    network: Network
    normalize: Normalizer
    runtime: Runtime

    def logits(self, images: Tensor) -> Tensor:
        """(B, C) for (B, C, H, W) float32 images in 0 ... 255 on the network's device."""
        return self.network(self.normalize(images))

    def features(self, images: Tensor) -> Tensor:
        """(B, D) for such images."""
        return self.network.features(self.normalize(images))

    def batches(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) float32 parts of (N, H, W, C) uint8 images, on the network's device."""
        size = self.runtime.score_batch_for(images.shape[1], images.shape[2])
        return [part.permute(0, 3, 1, 2).to(self.runtime.device).float() for part in images.split(size)]


@dataclass(frozen=True, kw_only=True)
class SurrogateAttack(Attack):
    """Base of the attacks that train a surrogate."""

    surrogate: str = "small_resnet"
    """The attacker's network, named as for --model (paper: resnet18)."""
    surrogate_width: int = 16
    """Width of the attacker's network (paper: 64)."""
    surrogate_epochs: int = 10
    """Epochs for which the attacker's network is trained."""
    device: str = "auto"
    """Device for that training: auto, cpu, cuda or cuda:N. A run passes its own device."""

    def __post_init__(self) -> None:
        super().__post_init__()
        height, width = self.image_shape[1:]
        if min(height, width) < MIN_PIXELS:
            raise ConfigError(
                f"The images are {height}x{width} pixels, expected at least {MIN_PIXELS} each way for the attacker's "
                "network; choose an attack without one."
            )
        check_range("surrogate_epochs", self.surrogate_epochs, 1, 1000)
        _ = self._model  # raises if the network's settings are invalid

    @property
    def _model(self) -> ModelConfig:
        try:
            return ModelConfig(model=self.surrogate, width=self.surrogate_width)
        except ConfigError as error:
            raise ConfigError(f"The surrogate's {error}") from None

    def _trained(self, images: Tensor, labels: Tensor, num_classes: int, eps: float = 0.0) -> Surrogate:
        """The attacker's network for (N, H, W, C) uint8 images."""
        return trained(
            images,
            labels,
            Training(
                model=self._model,
                num_classes=num_classes,
                epochs=self.surrogate_epochs,
                eps=float(eps),
                seed=self.seed,
                device=self.device,
            ),
        )


def runtime_key(device: str) -> tuple[str, int]:
    """Type of device and number of threads, on which the last bits of results depend."""
    chosen = runtime.choose(device)
    return chosen.device.type, chosen.threads


def trained(images: Tensor, labels: Tensor, training: Training) -> Surrogate:
    """A surrogate for (N, H, W, C) uint8 images and (N,) int64 labels, from the cache if it was trained before.

    SGD with a one-cycle learning rate and crops by an eighth of the height. There are no flips: in some data they turn
    one class into another. With `eps`, each batch is perturbed by one FGSM step of 1.25 eps from a random start
    (fast-AT).

    Raises
    ------
    ConfigError
        If the network cannot be built or cannot take images of that size.
    """
    chosen = runtime.choose(training.device)
    network = models.seeded(training.model, images.shape, training.num_classes, training.seed)
    network = models.on_device(network, chosen.device)
    normalize = Normalizer.fit(images).to(chosen.device)

    def weights_after_training() -> Tensor:
        with runtime.intra_op_threads(chosen.threads):
            _train(network, images, labels, normalize, chosen, training)
        return torch.cat([t.flatten().cpu() for t in _floats(network)])

    key = ("surrogate", asdict(training), runtime_key(training.device), cache.digest(images, labels))
    vector = cache.cached(key, weights_after_training)
    for tensor, values in zip(_floats(network), vector.split([t.numel() for t in _floats(network)])):
        tensor.copy_(values.view_as(tensor))
    return Surrogate(network=network.eval().requires_grad_(False), normalize=normalize, runtime=chosen)


def _floats(network: nn.Module) -> list[Tensor]:
    """Weights and running statistics, without the batch counters, which do not matter here."""
    return [t for t in network.state_dict().values() if t.is_floating_point()]


def _train(
    network: nn.Module, images: Tensor, labels: Tensor, normalize: Normalizer, chosen: Runtime, training: Training
) -> None:
    generator = torch.Generator().manual_seed(training.seed)
    images, labels = runtime.resident(images, chosen), labels.to(chosen.device)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=_PEAK_LR, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY)
    steps = training.epochs * max(1, len(_batch_sizes(len(images))))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_LR, total_steps=steps + 1)
    what = "robust surrogate" if training.eps else "surrogate"
    for _ in progress.steps(training.epochs, what):
        for part, batch in cropped_batches(images, chosen, generator):
            target = labels[part.to(labels.device)]
            if training.eps:
                batch = _fgsm(network, normalize, batch, target, training.eps, generator)
            loss = F.cross_entropy(network(normalize(batch)), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


def _batch_sizes(count: int) -> list[int]:
    """Sizes of an epoch's batches; a last batch of one image is left out, since batch norm needs two."""
    return [min(BATCH, count - start) for start in range(0, count, BATCH) if count - start > 1]


def cropped_batches(images: Tensor, chosen: Runtime, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """(B,) indices and (B, C, H, W) float32 crops: one epoch over (N, H, W, C) uint8 images in random order."""
    order = torch.randperm(len(images), generator=generator)
    shift, flips = draw_crops((len(images),), images.shape[1] // 8, False, generator)
    sizes = _batch_sizes(len(images))
    for part, s, f in zip(*(x.to(images.device)[: sum(sizes)].split(sizes) for x in (order, shift, flips))):
        yield part, crop_flip(images, part, s, f).to(chosen.device).float()


def _fgsm(
    network: nn.Module, normalize: Normalizer, images: Tensor, labels: Tensor, eps: float, generator: torch.Generator
) -> Tensor:
    """Images perturbed by one FGSM step from a random start."""
    start = eps * (2 * torch.rand(images.shape, generator=generator) - 1).to(images.device)
    raised = pgd.ascend(
        lambda d: pgd.gradient(lambda x: F.cross_entropy(network(normalize(x)), labels), images, d),
        start,
        eps=eps,
        step=1.25 * eps,
        steps=1,
    )
    return (images + raised).clamp(0, 255)
