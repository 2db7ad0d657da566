"""BSD training as a generator of events, in the order of Algorithm 1 of the paper (appendix A).

    lines 2-3     initialise the models               BSDTrainer.__init__
    lines 4-10    warm up the altruistic model g      _altruistic_warmup_epoch
    lines 11-13   suspect a target label              TargetSearch (asked again at T1 and at the end)
    lines 15-42   each epoch T of the main model f    _main_epoch
    lines 16-35       decide the pools                    _decide_pools
    lines 37-41       train f, and g while T < T2         _train_models

This module holds the stages and their order. The formulas are in `splits` and `target`, the rules for the pools in
`method.pools`, the training itself in `training.steps`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Generator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bsd_engine import metrics
from bsd_engine.compute import runtime
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone, RunFinished, RunStarted
from bsd_engine.method.decisions import Decision, Evidence, decide
from bsd_engine.method.scoring import Scores
from bsd_engine.prepare.memory import check_memory
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.training.altruistic import AltruisticModel
from bsd_engine.training.checkpoint import Checkpoint, check_moments
from bsd_engine.training.epoch_record import decision_fields, epoch_state, finite_loss, to_numpy
from bsd_engine.training.learner import Training
from bsd_engine.training.specialists import Specialists
from bsd_engine.training.steps import Steps
from bsd_engine.training.summary import run_summary
from bsd_engine.training.target_search import TargetSearch


class BSDTrainer:
    """One run of BSD. Iterate `run()`; to pause, do not ask for the next event; to cancel, stop iterating.

    Parameters
    ----------
    config : BSDConfig
    prepared : the data; made by `prepare(config)` when not given
    checkpoint : dict returned by `EpochFinished.checkpoint()` of a run with the same settings and data; settings
        that only later epochs read may differ
    """

    def __init__(
        self, config: BSDConfig, prepared: PreparedData | None = None, *, checkpoint: dict[str, Any] | None = None
    ) -> None:
        self.config = config
        self.prepared = prepared or prepare(config)
        check_memory(config, self.prepared)
        self.steps = Steps(config, self.prepared)
        self.main = self.steps.new_learner("main", config.mixmatch.main_lr)
        self.averaged = copy.deepcopy(self.main.network) if config.mixmatch.ema else self.main.network
        self.altruistic = AltruisticModel(self.steps)
        self.specialists = Specialists(self.steps)
        self.search = TargetSearch(config)
        self.clean_mask: Tensor | None = None
        self.first_epoch = 0
        self._warmup_loss: Tensor | None = None
        self._poison_cumulative = 0
        self._metrics: dict[str, float | int | None] = {}
        self._epochs_done = 0
        self._generation = 0
        if checkpoint is not None:
            samples, classes = len(self.steps.labels), self.steps.num_classes
            self._restore(Checkpoint.from_dict(checkpoint, self.prepared.fingerprint, samples, classes))

    @property
    def pseudo_target(self) -> int | None:
        """The suspected target label; see `TargetSearch.pseudo_target`."""
        return self.search.pseudo_target

    # -- the run -----------------------------------------------------------------------------------

    def run(self) -> Generator[Event, None, None]:
        """Train, yielding `RunStarted`, per epoch `IterationDone`s and one `EpochFinished`, and `RunFinished`."""
        schedule = self.config.schedule
        yield self._event(RunStarted, first_epoch=self.first_epoch, total_epochs=schedule.total_epochs)
        with self.altruistic.thread():
            for epoch in range(self.first_epoch, schedule.total_epochs):
                begin = time.perf_counter()
                stage = self._altruistic_warmup_epoch if schedule.main_epoch(epoch) < 0 else self._main_epoch
                state = yield from stage(epoch)
                state.metrics["seconds"] = time.perf_counter() - begin
                self._metrics, self._epochs_done = state.metrics, epoch + 1
                yield self._event(EpochFinished, state=state, checkpoint=partial(self._checkpoint, epoch))
        yield self._event(RunFinished, summary=self.summary())

    def _altruistic_warmup_epoch(self, epoch: int) -> Generator[Event, None, EpochState]:
        """Lines 4-13: train g on all samples and vote for the target; in the last epoch, reach the verdict."""
        labels = self.steps.labels
        last = epoch == self.config.schedule.altruistic_epochs - 1
        online = torch.zeros(len(labels), self.steps.num_classes, device=self.steps.runtime.device)

        def keep(idx: Tensor, logits: Tensor) -> None:
            online[idx.to(online.device)] = logits.float()

        with runtime.intra_op_threads(self.steps.runtime.threads):
            loss = yield from self._with_events(epoch, self.altruistic.warmup_epoch(epoch, observe=keep))
            train_loss = finite_loss(loss, "altruistic", epoch)
            scores = self.steps.score(self.altruistic.network, epoch)
            accuracy, success = self.steps.test_rates(self.altruistic.network, epoch) if last else (None, None)
            self.search.vote(scores.logits if self.config.split.vote_pass == "eval" else online, labels)
            transplanted = self._conclude_search(scores) if last else {}
        if last:
            self._warmup_loss = scores.loss.clone()
        return epoch_state(
            self.config.schedule,
            epoch,
            scores,
            **self.search.choose(),
            **transplanted,
            pseudo_target=self.pseudo_target,
            landmark_features=self.steps.landmark_features(scores),
            metrics={
                "altruistic_train_loss": train_loss,
                "altruistic_clean_accuracy": accuracy,
                "altruistic_attack_success_rate": success,
            },
        )

    def _conclude_search(self, scores: Scores) -> dict[str, Any]:
        """Reach the verdict on the target from g's predictions for changed images; returns fields of the record."""
        predict = partial(self.steps.predict, self.altruistic.network)
        return self.search.conclude(predict, self.steps.images, self.steps.labels, scores.logits)

    def _main_epoch(self, epoch: int) -> Generator[Event, None, EpochState]:
        """Lines 15-42: score both models as they stand after T - 1, decide the pools, and train on them."""
        with runtime.intra_op_threads(self._threads_of_main(epoch)):
            f_scores, g_scores = self._score_models(epoch)
            asked = self._ask_again(epoch, f_scores, g_scores)
            decision = self._decide_pools(epoch, f_scores, g_scores)
            self.clean_mask = decision.clean_mask
            f_loss, g_loss = yield from self._train_models(epoch, decision)
            accuracy, success = self.steps.test_rates(self.averaged, epoch)
        return epoch_state(
            self.config.schedule,
            epoch,
            g_scores,
            **decision_fields(f_scores, decision),
            **asked,
            pseudo_target=self.pseudo_target,
            landmark_features=self.steps.landmark_features(f_scores),
            metrics={
                "main_train_loss": finite_loss(f_loss, "main", epoch),
                "altruistic_train_loss": None if g_loss is None else finite_loss(g_loss, "altruistic", epoch),
                "clean_accuracy": accuracy,
                "attack_success_rate": success,
                **self._pool_metrics(decision.clean_mask),
            },
        )

    def _ask_again(self, epoch: int, f_scores: Scores, g_scores: Scores) -> dict[str, Any]:
        """At T1 and in the last epoch, ask for the target once more; returns fields of the record."""
        if epoch not in (self.config.schedule.first_split, self.config.schedule.total_epochs - 1):
            return {}
        predict = partial(self.steps.predict, self.altruistic.network)
        return self.search.ask_again(predict, self.steps.images, self.steps.labels, f_scores, g_scores, epoch)

    def _threads_of_main(self, epoch: int) -> int:
        """CPU threads that f computes with: those that g leaves while it trains beside f, then all."""
        threads = self.steps.runtime.threads
        return threads - self.altruistic.threads if self.altruistic.trains_in(epoch) else threads

    def _score_models(self, epoch: int) -> tuple[Scores, Scores]:
        """Scores of f and g on the same images."""
        g_scores = self.altruistic.scored_beside(epoch)
        f_scores = self.steps.score(self.averaged, epoch)
        return f_scores, g_scores.result()

    def _decide_pools(self, epoch: int, f_scores: Scores, g_scores: Scores) -> Decision:
        """Lines 16-35: the clean pool and the poison pool of this epoch."""
        t = self.config.schedule.main_epoch(epoch)
        if t == self.config.schedule.t1 and self.specialists.learners:
            self.specialists.finish(epoch)
        assert self._warmup_loss is not None, "the altruistic warm-up comes first"
        evidence = Evidence(
            labels=self.steps.labels,
            pseudo_target=self.pseudo_target,
            main=f_scores,
            altruistic=g_scores,
            warmup_loss=self._warmup_loss,
            clean_mask=self.clean_mask,
            specialist_oss=self.specialists.oss,
            verdict=self.search.verdict,
        )
        return decide(self.config, t, evidence)

    def _train_models(self, epoch: int, decision: Decision) -> Generator[Event, None, tuple[Tensor, Tensor | None]]:
        """Lines 37-41: train f on the pools and, while T < T2, g beside it; returns the mean loss of each."""
        with self.altruistic.trained_beside(epoch, decision) as g_loss:
            f_loss = yield from self._with_events(epoch, self.train_main(epoch, decision))
        return f_loss, None if g_loss is None else g_loss.result()

    def train_main(self, epoch: int, decision: Decision) -> Training:
        """A MixMatch epoch of f; in the OSS warm-up of all-to-all by retraining, of the model of each class instead."""
        t = self.config.schedule.main_epoch(epoch)
        if self.config.split.all_to_all == "retrain_each" and t < self.config.schedule.t1:
            return self.specialists.train_epoch(epoch)
        averaged = self.averaged if self.config.mixmatch.ema else None
        pools = decision.clean_mask, decision.unlabeled_mask
        return self.steps.mixmatch(self.main, "main", epoch, pools, averaged=averaged)

    def _pool_metrics(self, clean_mask: Tensor) -> dict[str, int | None]:
        truth = self.prepared.is_poison
        poison = metrics.poison_in_pool(to_numpy(clean_mask), None if truth is None else truth.numpy())
        self._poison_cumulative += poison or 0
        return {
            "clean_pool_size": int(clean_mask.sum()),
            "poison_in_clean_pool": poison,
            "poison_in_clean_pool_cumulative": None if poison is None else self._poison_cumulative,
        }

    # -- events ------------------------------------------------------------------------------------

    def _event(self, kind: type[Event], **values: Any) -> Event:
        self._generation += 1
        return kind(generation=self._generation - 1, **values)

    def _with_events(self, epoch: int, training: Training) -> Generator[Event, None, Tensor]:
        """Train with an event after each iteration, during which g waits as well; returns the mean loss."""
        stage = self.config.schedule.stage(epoch)
        while True:
            try:
                done, total = next(training)
            except StopIteration as end:
                return end.value
            self.altruistic.hold()
            yield self._event(IterationDone, epoch=epoch, stage=stage, iteration=done, iterations=total)
            self.altruistic.release()

    # -- checkpoints and summary -------------------------------------------------------------------

    def _checkpoint(self, epoch: int) -> dict[str, Any]:
        """The state after an epoch; valid until training goes on, since it shares the tensors."""
        return Checkpoint(
            epoch=epoch,
            fingerprint=self.prepared.fingerprint,
            models={name: part.state_dict() for name, part in self._stateful_parts().items()},
            specialists=self.specialists.state(),
            pseudo_target=self.pseudo_target,
            clean_mask=self.clean_mask,
            clues=self.search.clues,
            warmup_loss=self._warmup_loss,
            specialist_oss=self.specialists.oss,
            poison_cumulative=self._poison_cumulative,
            metrics=self._metrics,
            transplant_scores=self.search.transplant_scores,
            verdict=self.search.verdict,
            marks=None if self.search.marks is None else vars(self.search.marks),
        ).to_dict()

    def _stateful_parts(self) -> dict[str, torch.nn.Module | torch.optim.Optimizer]:
        """The models and optimisers by their names in a checkpoint."""
        return {
            "main": self.main.network,
            "averaged": self.averaged,
            "altruistic": self.altruistic.network,
            "main_optimizer": self.main.optimizer,
            "altruistic_optimizer": self.altruistic.learner.optimizer,
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on after the epoch of a checkpoint."""
        for name, part in self._stateful_parts().items():
            part.load_state_dict(checkpoint.models[name])
            if isinstance(part, torch.optim.Optimizer):
                check_moments(part)
        for group in self.main.optimizer.param_groups:  # a branch may train with another rate than the stored one
            group["lr"] = self.config.mixmatch.main_lr
        self.specialists.restore(checkpoint.specialists, self._on_device(checkpoint.specialist_oss))
        self.clean_mask = self._on_device(checkpoint.clean_mask)
        self._warmup_loss = self._on_device(checkpoint.warmup_loss)
        self._poison_cumulative = checkpoint.poison_cumulative
        self._metrics = dict(checkpoint.metrics)
        self.first_epoch = self._epochs_done = checkpoint.epoch + 1
        self.search.restore(checkpoint.clues, checkpoint.transplant_scores, checkpoint.verdict, checkpoint.marks)
        if checkpoint.epoch >= self.config.schedule.altruistic_epochs:  # f has learned without the class since
            self.search.pseudo_target = checkpoint.pseudo_target

    def _on_device(self, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(self.steps.runtime.device)

    def summary(self) -> dict[str, Any]:
        """The run so far in a dozen numbers, as `summary.json` holds them."""
        names = self.prepared.class_names
        return run_summary(self.config, self.steps.runtime, self.search, names, self._epochs_done, self._metrics)
