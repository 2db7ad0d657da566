"""All-to-all by retraining: one main model for each class, warmed up with that class as the suspected target."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bsd_engine.method.decisions import suspect_oss
from bsd_engine.method.pools import warmup_masks
from bsd_engine.method.rules import PoolRules
from bsd_engine.training.learner import Learner, Training
from bsd_engine.training.steps import Steps


class Specialists:
    """The models of the OSS warm-up. At T1 each scores its class's samples and is dropped; then f starts to train."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.learners: list[Learner] = []
        """One for each class, made when it is first trained."""
        self.oss: Tensor | None = None
        """(N,) float32 OSS score of each sample under the model of its own label; None before T1."""

    def train_epoch(self, epoch: int) -> Training:
        """A MixMatch epoch of every model in turn; returns the mean of their losses."""
        classes, losses = self.steps.num_classes, []
        rules = PoolRules.of(self.steps.config)
        for c in range(classes):
            if len(self.learners) == c:
                self.learners.append(self._new(c))
            pools = warmup_masks(rules, self.steps.labels, c)
            training = self.steps.mixmatch(self.learners[c], "specialist", epoch, pools, member=c)
            while True:
                try:
                    done, total = next(training)
                except StopIteration as end:
                    losses.append(end.value)
                    break
                yield c * total + done, classes * total
        return torch.stack(losses).mean()

    def finish(self, epoch: int) -> None:
        """Keep the OSS scores of all samples and drop the models."""
        labels = self.steps.labels
        self.oss = torch.zeros(len(labels), device=self.steps.runtime.device)
        for c, learner in enumerate(self.learners):
            of_class = labels == c
            features = self.steps.score(learner.network, epoch).features
            self.oss[of_class] = suspect_oss(self.steps.config, features, labels, c)[of_class]
        self.learners = []

    def state(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """State dicts of each model and its optimiser."""
        return [learner.state() for learner in self.learners]

    def restore(self, states: list[tuple[dict[str, Any], dict[str, Any]]], oss: Tensor | None) -> None:
        """Go on from the result of `state` and from the scores that were kept."""
        self.oss = oss
        for c, (network, optimizer) in enumerate(states):
            self.learners.append(self._new(c))
            self.learners[c].load(network, optimizer)

    def _new(self, c: int) -> Learner:
        return self.steps.new_learner("specialist", self.steps.config.mixmatch.main_lr, member=c)
