"""BSD training as a generator of events: the stages and their order. The formulas are in `splits`, `target` and `mixmatch`.

Each main epoch T scores both models as they stand after T - 1, decides the pools, trains the main model f on them and,
while T < T2, the altruistic model g. With cross-entropy g never looks at the pools; in any case both train on pools that
were decided before, so g trains on a thread of its own beside f.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bsd_engine import metrics
from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.compute.plans import MixMatchPlan, Role, draw_crops, generator_for, mixmatch_plan, seed_for
from bsd_engine.compute.projection import principal_components
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, TrainingError
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone, RunFinished, RunStarted
from bsd_engine.method.decisions import Decision, Evidence, decide, suspect_oss
from bsd_engine.method.pools import warmup_masks
from bsd_engine.method.rules import PoolRules
from bsd_engine.method.scoring import Scores, hit_rate, score
from bsd_engine.prepare.prepare import PreparedData, prepare, true_target
from bsd_engine.splits import symmetric_cross_entropy
from bsd_engine.target import votes as target
from bsd_engine.target.transplant import probes_for, transplant
from bsd_engine.target.verdict import decide_target, shares_behind, transplant_scores
from bsd_engine.training.semi_supervised import mixmatch_epoch
from bsd_engine.training.supervised import cross_entropy_epoch

CHECKPOINT_VERSION = 2
PROVISIONAL = "probability_floor"
"""What `auto` goes by until the altruistic warm-up has ended."""
SHOWN_RESIDUALS = 4
"""Classes whose residuals are recorded."""


class BSDTrainer:
    """One run of BSD. Iterate `run()`; to pause, do not ask for the next event; to cancel, stop iterating.

    Parameters
    ----------
    config : BSDConfig
    prepared : data from `preflight.prepare`; made here when not given
    checkpoint : dict that an `EpochFinished.checkpoint()` of a run with the same settings and data returned; settings that
        only later epochs read may differ
    """

    def __init__(
        self, config: BSDConfig, prepared: PreparedData | None = None, *, checkpoint: dict[str, Any] | None = None
    ) -> None:
        self.config = config
        self.prepared = prepared or prepare(config)
        self.runtime = runtime.choose(config.device, config.precision)
        device = self.runtime.device
        self.images, self.labels = runtime.resident(self.prepared.images, self.runtime), self.prepared.labels.to(device)
        self.normalize = Normalizer.fit(self.prepared.images).to(device)
        self._tests = {name: self._on_device(name) for name in ("test", "triggered")}
        self.main, self.main_optimizer = self._new_model("main", config.mixmatch.main_lr)
        self.averaged = copy.deepcopy(self.main) if config.mixmatch.ema else self.main
        self.altruistic, self.altruistic_optimizer = self._new_model("altruistic", config.altruistic.altruistic_lr)
        self.specialists: list[tuple[nn.Module, torch.optim.Optimizer]] = []
        self.pseudo_target: int | None = None
        self.clean_mask: Tensor | None = None
        self._clues: dict[str, list[Tensor]] = {name: [] for name in target.CLUES}
        self._transplant_scores: Tensor | None = None
        self._verdict: dict[str, Any] | None = None
        self._warmup_loss: Tensor | None = None
        self._specialist_oss: Tensor | None = None
        self._frozen: Scores | None = None
        self._poison_cumulative = 0
        self._generation = 0
        self._wanted = threading.Event()
        self._metrics: dict[str, float | int | None] = {}
        self._epochs_done = 0
        self.first_epoch = 0
        if checkpoint is not None:
            self._restore(checkpoint)

    # -- set-up ------------------------------------------------------------------------------------

    def _on_device(self, name: str) -> tuple[Tensor, Tensor] | None:
        images, labels = (getattr(self.prepared, f"{name}_{what}") for what in ("images", "labels"))
        return None if images is None else (runtime.resident(images, self.runtime), labels.to(self.runtime.device))

    def _new_model(self, role: Role, lr: float, member: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
        """A model with weights from its own seed, and its optimiser."""
        settings = self.config.altruistic_network if role == "altruistic" else self.config.model
        model = models.seeded(
            settings,
            self.prepared.images.shape,
            self.prepared.num_classes,
            seed_for(self.config.seed, role, -1, member),
        )
        model = model.to(self.runtime.device, memory_format=torch.channels_last)
        return model, _adam(model, lr)

    def _checkpoint(self, epoch: int) -> dict[str, Any]:
        """State after an epoch, as plain containers and tensors. The random state is a function of seed and epoch."""
        return {
            "version": CHECKPOINT_VERSION,
            "epoch": epoch,
            "fingerprint": self.prepared.fingerprint,
            "models": {name: getattr(self, name).state_dict() for name in _STATEFUL},
            "specialists": [(model.state_dict(), optimizer.state_dict()) for model, optimizer in self.specialists],
            **{name: getattr(self, name) for name in _PLAIN},
        }

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get("version") != CHECKPOINT_VERSION:
            raise RunFolderError(
                f"The checkpoint has version {checkpoint.get('version')}, expected {CHECKPOINT_VERSION}; start a new run."
            )
        if checkpoint["fingerprint"] != self.prepared.fingerprint:
            raise RunFolderError(
                "The checkpoint was made from other data (fingerprints differ); resume with the data of the run."
            )
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(checkpoint["models"][name])
        for c, states in enumerate(checkpoint["specialists"]):
            self.specialists.append(self._new_model("specialist", self.config.mixmatch.main_lr, c))
            for part, state in zip(self.specialists[c], states):
                part.load_state_dict(state)
        for name in _PLAIN:
            value = checkpoint[name] if name not in _NEWER else checkpoint.get(name)
            setattr(self, name, value.to(self.runtime.device) if isinstance(value, Tensor) else copy.copy(value))
        for (
            group
        ) in self.main_optimizer.param_groups:  # the stored one is of the settings then; a branch may begin with others
            group["lr"] = self.config.mixmatch.main_lr
        self.first_epoch = self._epochs_done = checkpoint["epoch"] + 1
        self._choose_target()

    # -- the run -----------------------------------------------------------------------------------

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
        return self._event(
            IterationDone, epoch=epoch, stage=self.config.schedule.stage(epoch), iteration=done, iterations=total
        )

    def _with_events(self, epoch: int, training: Iterator[tuple[int, int]]) -> Iterator[Event]:
        """Pass training on, an event after each iteration; returns its mean loss."""
        while True:
            try:
                done, total = next(training)
            except StopIteration as end:
                return end.value
            self._wanted.clear()
            yield self._iteration(epoch, done, total)
            self._wanted.set()

    def _altruistic_epoch(self, epoch: int) -> Iterator[Event]:
        """Warm-up of g: one epoch on everything, then a pass for the losses and the target vote."""
        online = torch.zeros(len(self.labels), self.prepared.num_classes, device=self.runtime.device)
        with runtime.intra_op_threads(self.runtime.threads):
            gamma = self.config.altruistic.lga_gamma if self.config.altruistic.altruistic_loss == "lga" else None
            training = self._cross_entropy(
                epoch, lga_gamma=gamma, observe=lambda idx, logits: _keep(online, idx, logits)
            )
            loss = self._finite((yield from self._with_events(epoch, training)), "altruistic", epoch)
            scores = self._score(self.altruistic, epoch)
            last = epoch == self.config.schedule.altruistic_epochs - 1
            tests = self._test_rates(self.altruistic, epoch) if last else (None, None)
            found = self._test_transplant(scores.logits) if last else {}
        if last:
            self._warmup_loss = scores.loss.clone()
        votes = self._vote(scores.logits if self.config.split.vote_pass == "eval" else online)
        values = {
            "altruistic_train_loss": loss,
            "altruistic_clean_accuracy": tests[0],
            "altruistic_attack_success_rate": tests[1],
        }
        return self._state(
            epoch, scores, **votes, **found, landmark_features=self._landmark_features(scores), metrics=values
        )

    def _vote(self, logits: Tensor) -> dict[str, Any]:
        """Update what every estimator says after a warm-up epoch of g; returns what the epoch's record has of it."""
        for name, clue in target.CLUES.items():
            self._clues.setdefault(name, []).append(clue(logits, self.labels).cpu())
        scores = {name: self._estimate(name) for name in target.READ_FROM_LOGITS}
        if self._verdict is not None:
            scores["residual_transplant"] = self._transplant_scores
        self._choose_target()
        chosen = self.config.split.target_estimator
        in_use = "residual_transplant" if self._verdict is not None else PROVISIONAL
        return {
            "vote_counts": self._clues["second_likely"][-1].numpy(),
            "vote_scores": (scores[in_use] if chosen == "auto" else self._estimate(chosen)).numpy(),
            "estimators": list(scores),
            "estimator_scores": torch.stack(list(scores.values())).numpy(),
            "verdict": self._verdict,
        }

    def _estimate(self, estimator: str) -> Tensor:
        """(C,) scores of the classes after the epochs so far."""
        split = self.config.split
        clues = {name: torch.stack(rows) for name, rows in self._clues.items() if rows}
        try:
            return target.estimate(estimator, clues, split.assume_target, split.class_shares)
        except KeyError as error:
            raise RunFolderError(
                f"{estimator} cannot judge this run: its checkpoint has no record of {error.args[0]}. "
                "Take another target_estimator, or start a new run."
            ) from None

    def _choose_target(self) -> None:
        """The suspected target from what is known so far, by the settings as they are now: a branch may have others."""
        split, verdict = self.config.split, self._verdict
        if PoolRules.of(self.config, verdict).all_to_all != "off":
            self.pseudo_target = None
        elif split.target_estimator == "auto" and verdict:
            left_out = verdict["kind"] == "target" or split.no_attack == "likeliest"
            self.pseudo_target = verdict["classes"][0] if left_out else None
        else:
            self.pseudo_target = int(
                self._estimate(PROVISIONAL if split.target_estimator == "auto" else split.target_estimator).argmax()
            )

    def _test_transplant(self, logits: Tensor) -> dict[str, np.ndarray]:
        """What each class's residual does to images of the others, for the verdict and the record."""
        device, epochs = self.runtime.device, self.config.schedule.altruistic_epochs
        probes = probes_for(len(self.labels), self.prepared.num_classes, epochs)
        found = transplant(
            self._predict_altruistic,
            self.images,
            self.labels,
            logits,
            probes,
            generator_for(self.config.seed, "transplant", epochs - 1),
        )
        self._transplant_scores = transplant_scores(found, epochs).cpu()
        verdict = decide_target(found, epochs)
        self._verdict = verdict.to_dict()
        shown = self._transplant_scores.argsort(descending=True, stable=True)[:SHOWN_RESIDUALS]
        return {
            "transplant_shares": _numpy(shares_behind(found, verdict)),
            "residuals": _numpy(found.residuals[shown.to(device)]),
            "residual_classes": shown.numpy().astype(np.int16),
        }

    @torch.inference_mode()
    def _predict_altruistic(self, images: Tensor) -> Tensor:
        """(B, C) logits of g, as it is, for images (B, K, H, W) of 0 to 255."""
        self.altruistic.eval()
        device, step = self.runtime.device, self.runtime.score_batch_for(*images.shape[2:])
        with self.runtime.autocast():
            batches = (part.to(device, memory_format=torch.channels_last) for part in images.split(step))
            return torch.cat([self.altruistic(self.normalize(part)).float() for part in batches])

    def _main_epoch(self, epoch: int) -> Iterator[Event]:
        """One epoch T of f on the pools decided at its start, with g training beside it."""
        t = self.config.schedule.main_epoch(epoch)
        g_trains = t < self.config.schedule.t2
        with runtime.intra_op_threads(
            self.runtime.threads - self.runtime.threads // 2 if g_trains else self.runtime.threads
        ):
            f_scores, g_scores = self._score_both(epoch, g_trains)
            decision = self._decide(t, epoch, f_scores, g_scores)
            self.clean_mask = decision.clean_mask
            cancel = threading.Event()
            self._wanted.set()
            beside = self._lane.submit(self._altruistic_beside, epoch, decision, cancel) if g_trains else None
            try:
                loss = yield from self._with_events(epoch, self._train_main(epoch, decision))
            except BaseException:
                cancel.set()
                self._wanted.set()
                raise
            finally:
                g_loss = beside.result() if beside else None
            accuracy, success = self._test_rates(self.averaged, epoch)
        values = {
            "main_train_loss": self._finite(loss, "main", epoch),
            "altruistic_train_loss": None if g_loss is None else self._finite(g_loss, "altruistic", epoch),
            "clean_accuracy": accuracy,
            "attack_success_rate": success,
            **self._pool_metrics(decision.clean_mask),
        }
        return self._state(
            epoch,
            g_scores,
            main_loss=_numpy(f_scores.loss),
            main_prediction=_numpy(f_scores.prediction, np.int16),
            clean_mask=_numpy(decision.clean_mask),
            clean_ratio=decision.clean_ratio,
            oss_score=_numpy(decision.oss_score),
            oss_distances=_numpy(decision.oss_distances),
            nearest_class=_numpy(decision.nearest_class, np.int16),
            landmark_features=self._landmark_features(f_scores),
            metrics=values,
        )

    def _decide(self, t: int, epoch: int, f: Scores, g: Scores) -> Decision:
        if t == self.config.schedule.t1 and self.specialists:
            self._specialist_oss = self._score_specialists(epoch)
            self.specialists = []
        seen = Evidence(
            labels=self.labels,
            pseudo_target=self.pseudo_target,
            main=f,
            altruistic=g,
            warmup_loss=self._warmup_loss,
            clean_mask=self.clean_mask,
            specialist_oss=self._specialist_oss,
            verdict=self._verdict,
        )
        return decide(self.config, t, seen)

    # -- training ----------------------------------------------------------------------------------

    def _train_main(self, epoch: int, decision: Decision) -> Iterator[tuple[int, int]]:
        """MixMatch iterations of f; in the OSS warm-up of all-to-all by retraining, those of a model for each class."""
        t = self.config.schedule.main_epoch(epoch)
        if self.config.split.all_to_all == "retrain_each" and t < self.config.schedule.t1:
            return self._train_specialists(epoch)
        plan = self._plan("main", epoch, decision.clean_mask, decision.unlabeled_mask)
        return self._mixmatch(
            self.main, self.main_optimizer, plan, t, averaged=self.averaged if self.config.mixmatch.ema else None
        )

    def _plan(self, role: Role, epoch: int, labeled: Tensor, unlabeled: Tensor, member: int = 0) -> MixMatchPlan:
        mix, data = self.config.mixmatch, self.config.data
        pools = [mask.nonzero().squeeze(1).cpu() for mask in (labeled, unlabeled)]
        return mixmatch_plan(
            *pools,
            labeled_batch=mix.labeled_batch,
            unlabeled_batch=mix.unlabeled_batch,
            iterations=self.config.schedule.iterations,
            mixup_alpha=mix.mixup_alpha,
            crop_padding=data.crop_padding,
            flip=data.flip,
            seed=seed_for(self.config.seed, role, epoch, member),
        )

    def _mixmatch(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        plan: MixMatchPlan,
        t: int,
        averaged: nn.Module | None = None,
    ) -> Iterator[tuple[int, int]]:
        mix = self.config.mixmatch
        return mixmatch_epoch(
            model,
            optimizer,
            self.images,
            self.labels,
            plan,
            settings=mix,
            main_epoch=t,
            averaged=averaged,
            rampup=mix.rampup or self.config.schedule.t3,
            num_classes=self.prepared.num_classes,
            normalize=self.normalize,
            runtime=self.runtime,
        )

    def _cross_entropy(self, epoch: int, **variant: Any) -> Iterator[tuple[int, int]]:
        """An epoch of g on everything."""
        data = self.config.data
        return cross_entropy_epoch(
            self.altruistic,
            self.altruistic_optimizer,
            self.images,
            self.labels,
            normalize=self.normalize,
            runtime=self.runtime,
            batch=self.config.altruistic.altruistic_batch,
            crop_padding=data.crop_padding,
            flip=data.flip,
            generator=generator_for(self.config.seed, "altruistic", epoch),
            **variant,
        )

    def _altruistic_beside(self, epoch: int, decision: Decision, cancel: threading.Event) -> Tensor:
        """An epoch of g on its own thread, which waits between iterations while nobody asks for the next event.

        A cancelled one stops early, and its run is over.
        """
        with runtime.intra_op_threads(self.runtime.threads // 2):
            training = self._train_altruistic(epoch, decision)
            while self._wanted.wait() and not cancel.is_set():
                try:
                    next(training)
                except StopIteration as end:
                    return end.value
        return torch.zeros(())

    def _train_altruistic(self, epoch: int, decision: Decision) -> Iterator[tuple[int, int]]:
        """An epoch of g beside f: cross-entropy as in its warm-up, or MixMatch with an optimiser that starts at T = 0."""
        update, t = self.config.altruistic.altruistic_update, self.config.schedule.main_epoch(epoch)
        if update == "ce":
            return self._cross_entropy(epoch)
        if t == 0:
            self.altruistic_optimizer = _adam(self.altruistic, self.config.mixmatch.main_lr)
        everything = torch.ones_like(decision.clean_mask)
        labeled, unlabeled = {
            "mixmatch_full": (everything, everything),
            "mixmatch_swapped": (decision.unlabeled_mask, decision.clean_mask),
            "mixmatch_same": (decision.clean_mask, decision.unlabeled_mask),
        }[update]
        plan = self._plan("altruistic", epoch, labeled if labeled.any() else everything, unlabeled)
        return self._mixmatch(self.altruistic, self.altruistic_optimizer, plan, t)

    def _train_specialists(self, epoch: int) -> Iterator[tuple[int, int]]:
        """An OSS warm-up epoch for each class as the target, each of a model of its own; returns the mean of their losses."""
        rules = PoolRules.of(self.config)
        t, classes, losses = self.config.schedule.main_epoch(epoch), self.prepared.num_classes, []
        for c in range(classes):
            if len(self.specialists) == c:
                self.specialists.append(self._new_model("specialist", self.config.mixmatch.main_lr, c))
            plan = self._plan("specialist", epoch, *warmup_masks(rules, self.labels, c), member=c)
            training = self._mixmatch(*self.specialists[c], plan, t)
            while True:
                try:
                    done, total = next(training)
                except StopIteration as end:
                    losses.append(end.value)
                    break
                yield c * total + done, classes * total
        return torch.stack(losses).mean()

    # -- scoring and measuring ---------------------------------------------------------------------

    def _score(self, model: nn.Module, epoch: int) -> Scores:
        split, data = self.config.split, self.config.data
        loss = partial(
            symmetric_cross_entropy,
            ce_weight=split.sce_weights[0],
            rce_weight=split.sce_weights[1],
            min_probability=split.sce_bounds[0],
            min_one_hot=split.sce_bounds[1],
        )
        generator = generator_for(self.config.seed, "scoring", epoch)
        crops = (
            draw_crops((len(self.labels),), data.crop_padding, data.flip, generator) if split.split_augment else None
        )
        return score(model, self.images, self.labels, self.normalize, self.runtime, loss=loss, crops=crops)

    def _score_both(self, epoch: int, g_trains: bool) -> tuple[Scores, Scores]:
        """Scores of f and g on the same images; those of g are kept once it is frozen, unless the images are augmented."""
        beside: Future | None = None
        if g_trains or self._frozen is None or self.config.split.split_augment:
            beside = self._lane.submit(self._score_altruistic, epoch)
        f_scores = self._score(self.averaged, epoch)
        g_scores = beside.result() if beside else self._frozen
        self._frozen = None if g_trains else g_scores
        return f_scores, g_scores

    def _score_altruistic(self, epoch: int) -> Scores:
        with runtime.intra_op_threads(self.runtime.threads // 2):
            return self._score(self.altruistic, epoch)

    def _score_specialists(self, epoch: int) -> Tensor:
        """(N,) OSS score of each sample under the model warmed up with its own label as the target."""
        scores = torch.zeros(len(self.labels), device=self.runtime.device)
        for c, (model, _) in enumerate(self.specialists):
            own = self.labels == c
            scores[own] = suspect_oss(self.config, self._score(model, epoch).features, self.labels, c)[own]
        return scores

    def _test_rates(self, model: nn.Module, epoch: int) -> tuple[float | None, float | None]:
        """Clean accuracy and attack success rate, percent; None without test images or without an attack."""
        some = self.config.data.epoch_tests if epoch < self.config.schedule.total_epochs - 1 else None
        return tuple(
            None if test is None else hit_rate(model, *_spread(*test, some), self.normalize, self.runtime)
            for test in self._tests.values()
        )

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
            epoch=epoch,
            stage=schedule.stage(epoch),
            main_epoch=schedule.main_epoch(epoch),
            pseudo_target=self.pseudo_target,
            altruistic_loss=_numpy(g.loss),
            altruistic_prediction=_numpy(g.prediction, np.int16),
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
            "target_verdict": (self._verdict or {}).get("kind"),
            "true_target": true_target(config),
            "clean_pool_size": numbers.get("clean_pool_size"),
            "poison_in_clean_pool": numbers.get("poison_in_clean_pool"),
        }


_STATEFUL = ("main", "averaged", "altruistic", "main_optimizer", "altruistic_optimizer")
_NEWER = ("_transplant_scores", "_verdict")
"""State that checkpoints of earlier programs lack."""
_PLAIN = (
    "pseudo_target",
    "clean_mask",
    "_clues",
    "_warmup_loss",
    "_specialist_oss",
    "_poison_cumulative",
    "_metrics",
    *_NEWER,
)


def _adam(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=lr, fused=True)


def _spread(images: Tensor, labels: Tensor, count: int | None) -> tuple[Tensor, Tensor]:
    """About `count` of the images, at equal steps through all of them; all when None."""
    step = 1 if count is None else max(1, len(images) // count)
    return images[::step], labels[::step]


def _keep(rows: Tensor, idx: Tensor, values: Tensor) -> None:
    rows[idx.to(rows.device)] = values.float()


def _numpy(tensor: Tensor | None, dtype: type | None = None) -> np.ndarray | None:
    """A copy on the CPU that nobody else writes to."""
    if tensor is None:
        return None
    array = tensor.detach().cpu().numpy()
    return array.astype(dtype) if dtype else array.copy()
