"""The altruistic model g: its warm-up, and its training and scoring on a thread of its own beside the main model f.

Both models train on pools that were decided before (with cross-entropy, g does not read the pools at all), so they can
train at the same time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

from bsd_engine.compute import runtime
from bsd_engine.method.decisions import Decision
from bsd_engine.method.scoring import Scores
from bsd_engine.training.learner import Training, adam
from bsd_engine.training.steps import Steps

Result = TypeVar("Result")


class AltruisticModel:
    """g, its optimiser and its thread. It trains until T2 and stays as it is from then on."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.learner = steps.new_learner("altruistic", steps.config.altruistic.altruistic_lr)
        self._lane: ThreadPoolExecutor | None = None
        self._may_go_on = threading.Event()
        self._frozen_scores: Future[Scores] | None = None

    @property
    def network(self) -> nn.Module:
        """The network of g."""
        return self.learner.network

    def trains_in(self, epoch: int) -> bool:
        """Whether g trains in an epoch: T < T2."""
        schedule = self.steps.config.schedule
        return schedule.main_epoch(epoch) < schedule.t2

    @property
    def threads(self) -> int:
        """CPU threads that g computes with beside f."""
        return self.steps.runtime.threads // 2

    # -- training ----------------------------------------------------------------------------------

    def warmup_epoch(self, epoch: int, observe: Callable[[Tensor, Tensor], None] | None = None) -> Training:
        """An epoch of the altruistic warm-up on all samples, by cross-entropy or local gradient ascent."""
        settings = self.steps.config.altruistic
        gamma = settings.lga_gamma if settings.altruistic_loss == "lga" else None
        return self.steps.cross_entropy(self.learner, "altruistic", epoch, lga_gamma=gamma, observe=observe)

    def main_epoch(self, epoch: int, decision: Decision) -> Training:
        """An epoch of g in the main loop: cross-entropy as in its warm-up, or MixMatch with an optimiser of its own."""
        config = self.steps.config
        update = config.altruistic.altruistic_update
        if update == "ce":
            return self.steps.cross_entropy(self.learner, "altruistic", epoch)
        if config.schedule.main_epoch(epoch) == 0:
            self.learner.optimizer = adam(self.network, config.mixmatch.main_lr)
        everything = torch.ones_like(decision.clean_mask)
        labeled, unlabeled = {
            "mixmatch_full": (everything, everything),
            "mixmatch_swapped": (decision.unlabeled_mask, decision.clean_mask),
            "mixmatch_same": (decision.clean_mask, decision.unlabeled_mask),
        }[update]
        pools = labeled if labeled.any() else everything, unlabeled
        return self.steps.mixmatch(self.learner, "altruistic", epoch, pools)

    # -- the thread --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def thread(self) -> Iterator[None]:
        """Start the thread of g; it has ended when the context is left."""
        with ThreadPoolExecutor(1, thread_name_prefix="altruistic") as self._lane:
            yield

    def _submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        assert self._lane is not None, "work is submitted within `thread()` only"
        return self._lane.submit(work, *arguments)

    @contextlib.contextmanager
    def trained_beside(self, epoch: int, decision: Decision) -> Iterator[Future[Tensor] | None]:
        """Train an epoch of g while the body trains f; gives the future of its mean loss, None from T2 on.

        The epoch has ended when the context is left. If the body raises, it is cancelled.
        """
        if not self.trains_in(epoch):
            yield None
            return
        cancel = threading.Event()
        self._may_go_on.set()
        loss = self._submit(self._train_unless_cancelled, epoch, decision, cancel)
        try:
            yield loss
        except BaseException:
            cancel.set()
            self._may_go_on.set()
            raise
        finally:
            loss.result()

    def _train_unless_cancelled(self, epoch: int, decision: Decision, cancel: threading.Event) -> Tensor:
        """Train an epoch, waiting between iterations while it is held; returns the mean loss, 0 if it was cancelled."""
        with runtime.intra_op_threads(self.threads):
            training = self.main_epoch(epoch, decision)
            while self._may_go_on.wait() and not cancel.is_set():
                try:
                    next(training)
                except StopIteration as end:
                    return end.value
        return torch.zeros(())

    def hold(self) -> None:
        """Let training wait after the iteration in progress."""
        self._may_go_on.clear()

    def release(self) -> None:
        """Let training go on."""
        self._may_go_on.set()

    def scored_beside(self, epoch: int) -> Future[Scores]:
        """Score all samples on the thread of g.

        From T2 on g no longer changes, so its scores are computed once, unless images are augmented for scoring.
        """
        if self._frozen_scores is not None:
            return self._frozen_scores
        scores = self._submit(self._score, epoch)
        if not self.trains_in(epoch) and not self.steps.config.split.split_augment:
            self._frozen_scores = scores
        return scores

    def _score(self, epoch: int) -> Scores:
        with runtime.intra_op_threads(self.threads):
            return self.steps.score(self.network, epoch)
