"""BSD training as a generator of events: the stages and their order. The formulas are in `splits`, `target` and `mixmatch`.

Each main epoch T scores both models as they stand after T - 1, decides the pools, trains the main model f on them and,
while T < T2, the altruistic model g on everything. With cross-entropy g never looks at the pools, so it trains on a
thread of its own beside f.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bsd_engine import metrics, models, runtime, splits, target
from bsd_engine.augment import Normalizer, crop_flip
from bsd_engine.config import BSDConfig
from bsd_engine.errors import RunFolderError, TrainingError
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone, RunFinished, RunStarted
from bsd_engine.mixmatch import mixmatch_loss, unlabeled_weight
from bsd_engine.plans import MixMatchPlan, generator_for, mixmatch_plan, seed_for
from bsd_engine.preflight import PreparedData, prepare
from bsd_engine.projection import principal_components
from bsd_engine.scoring import Scores, hit_rate, score
from bsd_engine.supervised import cross_entropy_epoch

CHECKPOINT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The pools of one main epoch."""

    clean_mask: Tensor
    unlabeled_mask: Tensor
    clean_ratio: float | None = None
    oss_score: Tensor | None = None


class BSDTrainer:
    """One run of BSD. Iterate `run()`; to pause, do not ask for the next event; to cancel, stop iterating.

    Parameters
    ----------
    config : BSDConfig
    prepared : data from `preflight.prepare`; made here when not given
    checkpoint : dict that an `EpochFinished.checkpoint()` of a run with the same settings and data returned
    """

    def __init__(self, config: BSDConfig, prepared: PreparedData | None = None, *, checkpoint: dict[str, Any] | None = None) -> None:
        self.config = config
        self.prepared = prepared or prepare(config)
        self.runtime = runtime.choose(config.device)
        device = self.runtime.device
        self.images, self.labels = self.prepared.images.to(device), self.prepared.labels.to(device)
        self.normalize = Normalizer.fit(self.prepared.images).to(device)
        self._tests = {name: self._on_device(name) for name in ("test", "triggered")}
        self.main, self.main_optimizer = self._new_model("main", config.mixmatch.main_lr)
        self.averaged = copy.deepcopy(self.main) if config.mixmatch.ema else self.main
        self.altruistic, self.altruistic_optimizer = self._new_model("altruistic", config.altruistic.altruistic_lr)
        self.pseudo_target: int | None = None
        self.clean_mask: Tensor | None = None
        self._votes: list[Tensor] = []
        self._floors: list[Tensor] = []
        self._warmup_loss: Tensor | None = None
        self._frozen: Scores | None = None
        self._poison_cumulative = 0
        self._generation = 0
        self._metrics: dict[str, float | int | None] = {}
        self._epochs_done = 0
        self.first_epoch = 0
        if checkpoint is not None:
            self._restore(checkpoint)

    # -- set-up ----------------------------------------------------------------------------------------------------

    def _on_device(self, name: str) -> tuple[Tensor, Tensor] | None:
        images, labels = (getattr(self.prepared, f"{name}_{what}") for what in ("images", "labels"))
        return None if images is None else (images.to(self.runtime.device), labels.to(self.runtime.device))

    def _new_model(self, role: str, lr: float) -> tuple[nn.Module, torch.optim.Optimizer]:
        """A model with weights from its own seed, and its optimiser."""
        model = models.seeded(self.config.model, self.prepared.images.shape, self.prepared.num_classes, seed_for(self.config.seed, role, -1))
        model = model.to(self.runtime.device, memory_format=torch.channels_last)
        return model, torch.optim.Adam(model.parameters(), lr=lr, fused=True)

    def _checkpoint(self, epoch: int) -> dict[str, Any]:
        """State after an epoch, as plain containers and tensors. The random state is a function of seed and epoch."""
        return {
            "version": CHECKPOINT_VERSION,
            "epoch": epoch,
            "fingerprint": self.prepared.fingerprint,
            "models": {name: getattr(self, name).state_dict() for name in _STATEFUL},
            "pseudo_target": self.pseudo_target,
            "clean_mask": self.clean_mask,
            "votes": self._votes,
            "floors": self._floors,
            "warmup_loss": self._warmup_loss,
            "poison_cumulative": self._poison_cumulative,
            "metrics": self._metrics,
        }

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get("version") != CHECKPOINT_VERSION:
            raise RunFolderError(f"The checkpoint has version {checkpoint.get('version')}, expected {CHECKPOINT_VERSION}; start a new run.")
        if checkpoint["fingerprint"] != self.prepared.fingerprint:
            raise RunFolderError("The checkpoint was made from other data (fingerprints differ); resume with the data of the run.")
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(checkpoint["models"][name])
        device = self.runtime.device
        self.pseudo_target = checkpoint["pseudo_target"]
        self.clean_mask = None if checkpoint["clean_mask"] is None else checkpoint["clean_mask"].to(device)
        self._votes, self._floors = list(checkpoint["votes"]), list(checkpoint["floors"])
        self._warmup_loss = None if checkpoint["warmup_loss"] is None else checkpoint["warmup_loss"].to(device)
        self._poison_cumulative = checkpoint["poison_cumulative"]
        self._metrics = checkpoint["metrics"]
        self.first_epoch = self._epochs_done = checkpoint["epoch"] + 1

    # -- the run ---------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[Event]:
        """Train, yielding `RunStarted`, per epoch `IterationDone`s and one `EpochFinished`, and `RunFinished`."""
        schedule = self.config.schedule
        yield self._event(RunStarted, first_epoch=self.first_epoch, total_epochs=schedule.total_epochs)
        with ThreadPoolExecutor(1, thread_name_prefix="altruistic") as self._lane:
            for epoch in range(self.first_epoch, schedule.total_epochs):
                begin = time.perf_counter()
                step = self._main_epoch if schedule.main_epoch(epoch) >= 0 else self._altruistic_epoch
                state = yield from step(epoch)
                state.metrics["seconds"] = time.perf_counter() - begin
                self._metrics, self._epochs_done = state.metrics, epoch + 1
                yield self._event(EpochFinished, state=state, checkpoint=lambda epoch=epoch: self._checkpoint(epoch))
        yield self._event(RunFinished, summary=self.summary())

    def _event(self, kind: type[Event], **values: Any) -> Event:
        self._generation += 1
        return kind(generation=self._generation - 1, **values)

    def _iteration(self, epoch: int, done: int, total: int) -> Event:
        return self._event(IterationDone, epoch=epoch, stage=self.config.schedule.stage(epoch), iteration=done, iterations=total)

    def _altruistic_epoch(self, epoch: int) -> Iterator[Event]:
        """Warm-up of g: one epoch on everything, then a pass for the losses and the target vote."""
        with runtime.intra_op_threads(self.runtime.threads):
            training = self._train_altruistic(epoch)
            loss = self._finite((yield from self._with_events(epoch, training)), "altruistic", epoch)
            scores = score(self.altruistic, self.images, self.labels, self.normalize, self.runtime)
            last = epoch == self.config.schedule.altruistic_epochs - 1
            tests = self._test_rates(self.altruistic) if last else (None, None)
        vote_counts, vote_scores = self._vote(scores)
        if last:
            self._warmup_loss = scores.loss.clone()
        values = {"altruistic_train_loss": loss,
                  "altruistic_clean_accuracy": tests[0], "altruistic_attack_success_rate": tests[1]}
        return self._state(epoch, scores, vote_counts=vote_counts, vote_scores=vote_scores,
                           landmark_features=self._landmark_features(scores), metrics=values)

    def _main_epoch(self, epoch: int) -> Iterator[Event]:
        """One epoch T of f on the pools decided at its start, with g training beside it."""
        schedule = self.config.schedule
        t = schedule.main_epoch(epoch)
        g_trains = t < schedule.t2
        with runtime.intra_op_threads(self.runtime.threads - self.runtime.threads // 2 if g_trains else self.runtime.threads):
            f_scores, g_scores = self._score_both(g_trains)
            decision = self._decide(t, f_scores, g_scores)
            self.clean_mask = decision.clean_mask
            plan = self._plan(epoch, decision)
            cancel = threading.Event()
            beside = self._lane.submit(self._altruistic_beside, epoch, cancel) if g_trains else None
            try:
                loss = yield from self._with_events(epoch, self._train_main(t, plan))
            except BaseException:
                cancel.set()
                raise
            finally:
                g_loss = beside.result() if beside else None
            accuracy, success = self._test_rates(self.averaged)
        values = {
            "main_train_loss": self._finite(loss, "main", epoch),
            "altruistic_train_loss": None if g_loss is None else self._finite(g_loss, "altruistic", epoch),
            "clean_accuracy": accuracy,
            "attack_success_rate": success,
            **self._pool_metrics(decision.clean_mask),
        }
        return self._state(
            epoch, g_scores, main_loss=_numpy(f_scores.loss), main_prediction=_numpy(f_scores.prediction, np.int16),
            clean_mask=_numpy(decision.clean_mask), clean_ratio=decision.clean_ratio, oss_score=_numpy(decision.oss_score),
            landmark_features=self._landmark_features(f_scores), metrics=values,
        )

    def _with_events(self, epoch: int, training: Iterator[tuple[int, int]]) -> Iterator[Event]:
        """Pass training on, an event after each iteration; returns its mean loss."""
        while True:
            try:
                done, total = next(training)
            except StopIteration as end:
                return end.value
            yield self._iteration(epoch, done, total)

    # -- decisions -------------------------------------------------------------------------------------------------

    def _vote(self, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
        """Update the suspected target after a warm-up epoch of g; returns counts and scores of the classes, (C,) each."""
        split = self.config.split
        self._votes.append(target.second_likely_counts(scores.logits).cpu())
        self._floors.append(target.log_probability_floor(scores.logits, self.labels).cpu())
        if split.target_estimator == "given":
            result = torch.zeros(self.prepared.num_classes)
            result[split.assume_target] = 1.0
        elif split.target_estimator == "probability_floor":
            result = target.probability_floor_scores(torch.stack(self._floors))
        else:
            result = target.second_logit_votes(torch.stack(self._votes))
        self.pseudo_target = int(result.argmax())
        return self._votes[-1].numpy(), result.numpy()

    def _decide(self, t: int, f: Scores, g: Scores) -> Decision:
        """The pools of main epoch T (Algorithm 1, lines 16-35)."""
        split, schedule = self.config.split, self.config.schedule
        oss = None
        if t <= schedule.t1:
            oss = splits.oss_scores(f.features, self.labels, self.pseudo_target, split.oss_distance)
        if t < schedule.t1:
            return self._warmup_pools(oss)
        if t == schedule.t1:
            mask, ratio = self._initial_pools(oss, g), split.alpha if split.als_init_ratio is None else split.als_init_ratio
        elif t < schedule.t1 + schedule.init_epochs:
            mask, ratio = self.clean_mask, split.alpha if split.als_init_ratio is None else split.als_init_ratio
        else:
            mask, ratio = self._discrepancy_pools(t, f, g)
        if not mask.any():
            raise TrainingError(f"The clean pool is empty at main epoch {t}; alpha and beta are too small for this data. Raise them.")
        return Decision(clean_mask=mask, unlabeled_mask=~mask, clean_ratio=ratio, oss_score=oss)

    def _warmup_pools(self, oss: Tensor) -> Decision:
        """OSS warm-up: labelled the non-target samples; unlabelled the others, as Algorithm 1 has it, or a variant."""
        labeled = self.labels != self.pseudo_target
        unlabeled = {"target": ~labeled, "nontarget": labeled, "none": torch.zeros_like(labeled)}
        return Decision(clean_mask=labeled, unlabeled_mask=unlabeled[self.config.split.oss_warmup_unlabeled], oss_score=oss)

    def _initial_pools(self, oss: Tensor, g: Scores) -> Tensor:
        """ALS and OSS at T = T1."""
        split = self.config.split
        losses = g.loss if split.als_snapshot == "current" else self._warmup_loss
        als = splits.als_clean_mask(losses, split.alpha if split.als_init_ratio is None else split.als_init_ratio)
        by_oss = splits.oss_clean_mask(oss, self.labels, self.pseudo_target, split.beta)
        generator = generator_for(self.config.seed, "pools", 0)
        return splits.initial_clean_mask(als, by_oss, split.init_combine, generator)

    def _discrepancy_pools(self, t: int, f: Scores, g: Scores) -> tuple[Tensor, float]:
        """Class completion, and from T2 on selective dropping."""
        split, schedule = self.config.split, self.config.schedule
        ratio = splits.clean_ratio(t, alpha=split.alpha, beta=split.beta, t1=schedule.t1, init_epochs=schedule.init_epochs, t2=schedule.t2)
        mask = splits.discrepancy_clean_mask(splits.loss_discrepancy(g.loss, f.loss), self.labels, ratio, split.completion)
        if t >= schedule.t2 and split.selective_drop:
            mask = splits.selective_drop(mask, f.prediction, g.prediction, self.pseudo_target)
        return mask, ratio

    # -- training and scoring --------------------------------------------------------------------------------------

    def _plan(self, epoch: int, decision: Decision) -> MixMatchPlan:
        mix = self.config.mixmatch
        pools = [mask.nonzero().squeeze(1).cpu() for mask in (decision.clean_mask, decision.unlabeled_mask)]
        plan = mixmatch_plan(*pools, labeled_batch=mix.labeled_batch, unlabeled_batch=mix.unlabeled_batch,
                             iterations=self.config.schedule.iterations, mixup_alpha=mix.mixup_alpha,
                             crop_padding=self.config.data.crop_padding, flip=self.config.data.flip, seed=seed_for(self.config.seed, "main", epoch))
        return plan.to(self.runtime.device)

    def _train_main(self, t: int, plan: MixMatchPlan) -> Iterator[tuple[int, int]]:
        """MixMatch iterations of f; returns the mean loss."""
        mix, n = self.config.mixmatch, self.config.schedule.iterations
        rampup = mix.rampup or self.config.schedule.t3
        total = torch.zeros((), device=self.runtime.device)
        self.main.train()
        for i in range(n):
            images = self.normalize(crop_flip(self.images, plan.idx[i], plan.shift[i], plan.flip[i]))
            with self.runtime.autocast():
                loss = mixmatch_loss(
                    self.main, images, self.labels[plan.idx[i, : plan.labeled]], labeled=plan.labeled,
                    num_classes=self.prepared.num_classes, partner=plan.partner[i], mix=plan.mix[i],
                    weight=unlabeled_weight(t, i, n, lambda_u=mix.lambda_u, rampup=rampup),
                    temperature=mix.temperature, separate_bn=mix.bn_mode == "separate",
                    guess_updates_bn=mix.guess_updates_bn,
                )
            self.main_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.main_optimizer.step()
            self._average_weights()
            total += loss.detach()
            yield i + 1, n
        return total / n

    @torch.no_grad()
    def _average_weights(self) -> None:
        """Move the exponential average of f, which is what gets scored and tested, towards f."""
        if not self.config.mixmatch.ema:
            return
        ours, theirs = (list(m.state_dict().values()) for m in (self.averaged, self.main))
        floats = [i for i, value in enumerate(ours) if value.is_floating_point()]
        torch._foreach_lerp_([ours[i] for i in floats], [theirs[i] for i in floats], 1 - self.config.mixmatch.ema)

    def _train_altruistic(self, epoch: int) -> Iterator[tuple[int, int]]:
        return cross_entropy_epoch(
            self.altruistic, self.altruistic_optimizer, self.images, self.labels, normalize=self.normalize, runtime=self.runtime,
            batch=self.config.altruistic.altruistic_batch, crop_padding=self.config.data.crop_padding, flip=self.config.data.flip,
            generator=generator_for(self.config.seed, "altruistic", epoch),
        )

    def _altruistic_beside(self, epoch: int, cancel: threading.Event) -> Tensor:
        """An epoch of g on its own thread; a cancelled one stops early, and its run is over."""
        with runtime.intra_op_threads(self.runtime.threads // 2):
            training = self._train_altruistic(epoch)
            while not cancel.is_set():
                try:
                    next(training)
                except StopIteration as end:
                    return end.value
        return torch.zeros(())

    def _score_both(self, g_trains: bool) -> tuple[Scores, Scores]:
        """Scores of f and g; those of g are kept once it is frozen."""
        beside: Future | None = None
        if g_trains or self._frozen is None:
            beside = self._lane.submit(self._score_altruistic)
        f_scores = score(self.averaged, self.images, self.labels, self.normalize, self.runtime)
        g_scores = beside.result() if beside else self._frozen
        self._frozen = None if g_trains else g_scores
        return f_scores, g_scores

    def _score_altruistic(self) -> Scores:
        with runtime.intra_op_threads(self.runtime.threads // 2):
            return score(self.altruistic, self.images, self.labels, self.normalize, self.runtime)

    # -- measuring -------------------------------------------------------------------------------------------------

    def _test_rates(self, model: nn.Module) -> tuple[float | None, float | None]:
        """Clean accuracy and attack success rate, percent; None without test images or without an attack."""
        return tuple(None if test is None else hit_rate(model, *test, self.normalize, self.runtime) for test in self._tests.values())

    def _pool_metrics(self, clean_mask: Tensor) -> dict[str, int | None]:
        truth = self.prepared.is_poison
        poison = metrics.poison_in_pool(_numpy(clean_mask), None if truth is None else truth.numpy())
        self._poison_cumulative += poison or 0
        return {
            "clean_pool_size": int(clean_mask.sum()),
            "poison_in_clean_pool": poison,
            "poison_in_clean_pool_cumulative": None if poison is None else self._poison_cumulative,
        }

    def _landmark_features(self, scores: Scores) -> np.ndarray:
        return principal_components(scores.features[self.prepared.landmark_idx.to(self.runtime.device)])

    def _state(self, epoch: int, g: Scores, **values: Any) -> EpochState:
        schedule = self.config.schedule
        return EpochState(
            epoch=epoch, stage=schedule.stage(epoch), main_epoch=schedule.main_epoch(epoch), pseudo_target=self.pseudo_target,
            altruistic_loss=_numpy(g.loss), altruistic_prediction=_numpy(g.prediction, np.int16),
            **{"clean_ratio": None, **values},
        )

    def _finite(self, loss: Tensor, name: str, epoch: int) -> float:
        value = loss.item()
        if not np.isfinite(value):
            raise TrainingError(
                f"The {name} model's loss is {value} in epoch {epoch}, expected a finite number. "
                f"Earlier epochs are kept; lower its learning rate and start again."
            )
        return value

    def summary(self) -> dict[str, Any]:
        """The run in a dozen numbers, as far as it has come."""
        config, numbers = self.config, self._metrics
        return {
            "status": "finished",
            "preset": config.preset,
            "data": config.data.data,
            "attack": config.attack.attack,
            "device": self.runtime.description,
            "epochs": self._epochs_done,
            "clean_accuracy": numbers.get("clean_accuracy"),
            "attack_success_rate": numbers.get("attack_success_rate"),
            "pseudo_target": self.pseudo_target,
            "target_estimator": config.split.target_estimator,
            "true_target": None if config.attack.attack == "none" else config.attack.target_label,
            "clean_pool_size": numbers.get("clean_pool_size"),
            "poison_in_clean_pool": numbers.get("poison_in_clean_pool"),
        }


_STATEFUL: tuple[str, ...] = ("main", "averaged", "altruistic", "main_optimizer", "altruistic_optimizer")


def _numpy(tensor: Tensor | None, dtype: type | None = None) -> np.ndarray | None:
    """A copy on the CPU that nobody else writes to."""
    if tensor is None:
        return None
    array = tensor.detach().cpu().numpy()
    return array.astype(dtype) if dtype else array.copy()
