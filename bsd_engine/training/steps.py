"""The steps that a run repeats on its data: epochs of training, passes of scoring, and tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.compute.plans import Role, draw_crops, generator_for, mixmatch_plan, seed_for
from bsd_engine.compute.projection import principal_components
from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.scoring import Scores, hit_rate, score
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.splits import symmetric_cross_entropy
from bsd_engine.training.cross_entropy_epoch import cross_entropy_epoch
from bsd_engine.training.learner import Learner, Training, adam, placed
from bsd_engine.training.mixmatch_epoch import mixmatch_epoch


class Steps:
    """Training, scoring and testing with the settings and the data of one run.

    It holds no state of the run: each step is given the model it works on, and its random numbers depend only on the
    seed and the epoch.
    """

    def __init__(self, config: BSDConfig, prepared: PreparedData) -> None:
        self.config = config
        self.prepared = prepared
        self.runtime = runtime.choose(config.device, config.precision)
        self.images = runtime.resident(prepared.images, self.runtime)
        self.labels = prepared.labels.to(self.runtime.device)
        self.normalize = Normalizer.fit(prepared.images).to(self.runtime.device)
        self._clean_test = self._resident(prepared.test_images, prepared.test_labels)
        self._triggered_test = self._resident(prepared.triggered_images, prepared.triggered_labels)

    def _resident(self, images: Tensor | None, labels: Tensor | None) -> tuple[Tensor, Tensor] | None:
        if images is None or labels is None:
            return None
        return runtime.resident(images, self.runtime), labels.to(self.runtime.device)

    @property
    def num_classes(self) -> int:
        """C."""
        return self.prepared.num_classes

    def new_learner(self, role: Role, lr: float, member: int = 0) -> Learner:
        """A model with initial weights from a seed of its own, and its optimiser."""
        config = self.config
        settings = config.altruistic_network if role == "altruistic" else config.model
        seed = seed_for(config.seed, role, -1, member)
        network = placed(models.seeded(settings, self.prepared.images.shape, self.num_classes, seed), self.runtime)
        return Learner(network=network, optimizer=adam(network, lr))

    # -- training ----------------------------------------------------------------------------------

    def mixmatch(
        self,
        learner: Learner,
        role: Role,
        epoch: int,
        pools: tuple[Tensor, Tensor],
        *,
        member: int = 0,
        averaged: nn.Module | None = None,
    ) -> Training:
        """A MixMatch epoch.

        Parameters
        ----------
        role, member : which model it is, for the draws
        pools : (N,) bool each: the labelled and the unlabelled samples
        averaged : holds the exponential average of the weights; None where the run keeps none
        """
        mix, data, schedule = self.config.mixmatch, self.config.data, self.config.schedule
        labeled, unlabeled = (mask.nonzero().squeeze(1).cpu() for mask in pools)
        plan = mixmatch_plan(
            labeled,
            unlabeled,
            labeled_batch=mix.labeled_batch,
            unlabeled_batch=mix.unlabeled_batch,
            iterations=schedule.iterations,
            mixup_alpha=mix.mixup_alpha,
            crop_padding=data.crop_padding,
            flip=data.flip,
            seed=seed_for(self.config.seed, role, epoch, member),
        )
        return mixmatch_epoch(
            learner.network,
            learner.optimizer,
            self.images,
            self.labels,
            plan,
            settings=mix,
            main_epoch=schedule.main_epoch(epoch),
            averaged=averaged,
            rampup=mix.rampup or schedule.t3,
            num_classes=self.num_classes,
            normalize=self.normalize,
            runtime=self.runtime,
        )

    def cross_entropy(
        self,
        learner: Learner,
        role: Role,
        epoch: int,
        *,
        lga_gamma: float | None = None,
        observe: Callable[[Tensor, Tensor], None] | None = None,
    ) -> Training:
        """An epoch of cross-entropy on all samples with their given labels; see `cross_entropy_epoch`."""
        data = self.config.data
        return cross_entropy_epoch(
            learner.network,
            learner.optimizer,
            self.images,
            self.labels,
            normalize=self.normalize,
            runtime=self.runtime,
            batch=self.config.altruistic.altruistic_batch,
            crop_padding=data.crop_padding,
            flip=data.flip,
            generator=generator_for(self.config.seed, role, epoch),
            lga_gamma=lga_gamma,
            observe=observe,
        )

    # -- scoring and testing -----------------------------------------------------------------------

    def score(self, network: nn.Module, epoch: int) -> Scores:
        """Logits, features and losses of all training samples, for the given labels."""
        data, crops = self.config.data, None
        if self.config.split.split_augment:
            generator = generator_for(self.config.seed, "scoring", epoch)
            crops = draw_crops((len(self.labels),), data.crop_padding, data.flip, generator)
        return score(
            network, self.images, self.labels, self.normalize, self.runtime, loss=self._splitting_loss, crops=crops
        )

    def _splitting_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        split = self.config.split
        losses = symmetric_cross_entropy(
            logits,
            labels,
            ce_weight=split.sce_weights[0],
            rce_weight=split.sce_weights[1],
            min_probability=split.sce_bounds[0],
            min_one_hot=split.sce_bounds[1],
        )
        return torch.as_tensor(losses)

    @torch.inference_mode()
    def predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """(B, C) float32 logits, in evaluation mode, for images (B, K, H, W) of 0 to 255."""
        network.eval()
        device, batch = self.runtime.device, self.runtime.score_batch_for(*images.shape[2:])
        with self.runtime.autocast():
            batches = (part.to(device, memory_format=torch.channels_last) for part in images.split(batch))
            return torch.cat([network(self.normalize(part)).float() for part in batches])

    def test_rates(self, network: nn.Module, epoch: int) -> tuple[float | None, float | None]:
        """Clean accuracy and attack success rate, percent; None without test images or without an attack.

        With `epoch_tests`, all epochs but the last are tested on about that many images.
        """
        last = epoch == self.config.schedule.total_epochs - 1
        count = None if last else self.config.data.epoch_tests
        return self._rate(network, self._clean_test, count), self._rate(network, self._triggered_test, count)

    def _rate(self, network: nn.Module, test: tuple[Tensor, Tensor] | None, count: int | None) -> float | None:
        return None if test is None else hit_rate(network, *_thinned(*test, count), self.normalize, self.runtime)

    def landmark_features(self, scores: Scores) -> np.ndarray:
        """(L, P) float16: leading principal components of the landmarks' features."""
        return principal_components(scores.features[self.prepared.landmark_idx.to(self.runtime.device)])


def _thinned(images: Tensor, labels: Tensor, count: int | None) -> tuple[Tensor, Tensor]:
    """About `count` of the images, at equal steps through all of them; all when None."""
    step = 1 if count is None else max(1, len(images) // count)
    return images[::step], labels[::step]
