"""The search for the target label: Algorithm 1, lines 11-13.

After each epoch of its warm-up, the altruistic model yields clues about every class, from which each estimator scores
the classes. After the last epoch, the residuals of the classes are transplanted, which gives the verdict. At T1 and in
the last epoch of the run the question is asked again, with the view of the main model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bsd_engine.compute.plans import generator_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.method.rules import PoolRules
from bsd_engine.method.scoring import Scores
from bsd_engine.target import votes
from bsd_engine.target.foreign import foreign_probability
from bsd_engine.target.marks import Marks, find_marks
from bsd_engine.target.transplant import Transplant, probes_for, transplant
from bsd_engine.target.verdict import Verdict, decide_target, shares_behind, transplant_scores
from bsd_engine.training.epoch_record import to_numpy

PROVISIONAL = "probability_floor"
"""The estimator that `auto` uses until the altruistic warm-up has ended."""
SHOWN_RESIDUALS = 4
"""Classes whose residuals are recorded."""
LEAST_EXCESS = 3.0
"""Standard deviations by which the labels of a class must exceed the expected count for `label_count` to name it."""


class TargetSearch:
    """The clues about the target so far, and the suspected label."""

    def __init__(self, config: BSDConfig) -> None:
        self.config = config
        self.pseudo_target: int | None = None
        """The suspected label; None before the first vote, with several targets and where no class is suspected."""
        self.clues: dict[str, list[Tensor]] = {name: [] for name in votes.CLUES}
        """(C,) of each warm-up epoch, by the names of `votes.CLUES`."""
        self.transplant_scores: Tensor | None = None
        """(C,), mean over the askings, once the warm-up has ended; so is the verdict, see `Verdict.to_dict`."""
        self.verdict: dict[str, Any] | None = None
        self.marks: Marks | None = None
        """The clearest mark of each class so far."""

    def restore(
        self,
        clues: dict[str, list[Tensor]],
        transplant_scores: Tensor | None,
        verdict: dict[str, Any] | None,
        marks: dict[str, Tensor] | None,
    ) -> None:
        """Go on from a checkpoint. The target is chosen anew, since a branch may have other settings."""
        self.marks = None if marks is None else Marks(**marks)
        self.clues = {name: list(rows) for name, rows in clues.items()}
        self.transplant_scores, self.verdict = transplant_scores, verdict
        self._choose()

    def vote(self, logits: Tensor, labels: Tensor) -> None:
        """Add the clues of a warm-up epoch.

        Parameters
        ----------
        logits : (N, C) of g
        labels : (N,) int64, the given labels
        """
        for name, clue in votes.CLUES.items():
            self.clues.setdefault(name, []).append(clue(logits, labels).cpu())

    def choose(self) -> dict[str, Any]:
        """Choose the target after the votes so far; returns the search's fields of a warm-up epoch's record."""
        scores = {name: self._estimate(name) for name in votes.READ_FROM_LOGITS}
        in_use = scores[PROVISIONAL]
        if self.transplant_scores is not None:
            scores["residual_transplant"] = self.transplant_scores
            in_use = self.transplant_scores + self._votes()
        self._choose()
        chosen = self.config.split.target_estimator
        return {
            "vote_counts": to_numpy(self.clues["second_likely"][-1]),
            "vote_scores": to_numpy(in_use if chosen == "auto" else self._estimate(chosen)),
            "estimators": list(scores),
            "estimator_scores": to_numpy(torch.stack(list(scores.values()))),
            "verdict": self.verdict,
        }

    def conclude(
        self, predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, logits: Tensor
    ) -> dict[str, np.ndarray]:
        """Reach the verdict at the end of the warm-up: put each class's residual onto images of the other classes.

        Parameters
        ----------
        predict : g as it is then, see `transplant.Predict`
        images : (N, H, W, K) uint8
        labels : (N,) int64, the given labels
        logits : (N, C) of g

        Returns the transplant's fields of the epoch's record.
        """
        epoch = self.config.schedule.altruistic_epochs - 1
        result, pictures, verdict = self._ask(predict, images, labels, logits, epoch)
        assert self.transplant_scores is not None and self.marks is not None, "it was asked"
        shown = self.transplant_scores.argsort(descending=True, stable=True)[:SHOWN_RESIDUALS]
        stands = self.marks.stand[:, None, None, None]  # of a faint or rare trigger, the mark is the better picture
        pictures = torch.where(stands, pictures.cpu(), result.residuals.cpu())
        return {
            "transplant_shares": to_numpy(shares_behind(result, verdict)),
            "residuals": to_numpy(pictures[shown]),
            "residual_classes": to_numpy(shown, np.int16),
        }

    def ask_again(
        self,
        predict: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        main: Scores,
        altruistic: Scores,
        epoch: int,
    ) -> dict[str, Any]:
        """Ask again with the view of the main model f: samples that g knows and f contradicts are looked at first.

        At T1 the suspected class follows the new answer, before the pools are decided; later it stays, since f has
        learned without the class by then. Returns the fields of the epoch's record.
        """
        if self.verdict is None or self.verdict["kind"] == "several":
            return {}
        trust = altruistic.loss - main.loss
        self._ask(predict, images, labels, altruistic.logits, epoch, trust)
        if self.config.schedule.main_epoch(epoch) <= self.config.schedule.t1:
            self._choose()
        return {"verdict": self.verdict, "poison_probability": self._poison_probability(main, labels)}

    def _ask(
        self,
        predict: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        logits: Tensor,
        epoch: int,
        trust: Tensor | None = None,
    ) -> tuple[Transplant, Tensor, Verdict]:
        """Transplant the residuals, find the marks and conclude from all askings so far.

        Returns the transplant, the pictures of the marks, see `find_marks`, and the verdict.
        """
        warmup = self.config.schedule.altruistic_epochs
        probes = probes_for(len(labels), logits.shape[1], warmup)
        generator = generator_for(self.config.seed, "transplant", epoch)
        result = transplant(predict, images, labels, logits, probes, generator, trust)
        marks, pictures = find_marks(images, labels, result.residuals)
        self.marks = marks.or_clearer(self.marks, labels)
        earlier = [] if self.transplant_scores is None or self.verdict is None else [self.transplant_scores]
        asked = 0 if self.verdict is None else self.verdict.get("asked", 1)
        verdict = decide_target(result, warmup, marks=self.marks, votes=self._votes(), earlier=asked * earlier)
        self.verdict = verdict.to_dict()
        new = transplant_scores(result, warmup, self.marks).cpu()
        self.transplant_scores = torch.stack([*(asked * earlier), new]).mean(0)
        return result, pictures, verdict

    def _votes(self) -> Tensor:
        """(C,) int64: how many of the other estimators name each class; a count of labels needs more than chance.

        Estimators that a checkpoint of an earlier version has no clues for do not vote.
        """
        counted = torch.zeros(self.clues["second_likely"][-1].shape, dtype=torch.int64)
        for name in votes.READ_FROM_LOGITS:
            with contextlib.suppress(RunFolderError):
                score = self._estimate(name)
                counted[int(score.argmax())] += name != "label_count" or float(score.max()) >= LEAST_EXCESS
        return counted

    def _poison_probability(self, main: Scores, labels: Tensor) -> np.ndarray | None:
        """(N,) float32: the record's field; None where no class is the target."""
        if self.verdict is None or self.marks is None or self.verdict["kind"] != "target":
            return None
        target = self.verdict["classes"][0]
        of_class = (labels == target).cpu()
        probability = torch.zeros(len(labels))
        if bool(self.marks.stand[target]):
            probability[of_class] = self.marks.probability[of_class]
        else:
            probability[of_class] = foreign_probability(main.features, labels, target)
        return to_numpy(probability)

    def _estimate(self, estimator: str) -> Tensor:
        """(C,) scores of the classes by an estimator, after the epochs so far."""
        split = self.config.split
        clues = {name: torch.stack(rows) for name, rows in self.clues.items() if rows}
        try:
            return votes.estimate(estimator, clues, split.assume_target, split.class_shares)
        except KeyError as error:
            raise RunFolderError(
                f"{estimator} cannot judge this run: its checkpoint has no record of {error.args[0]}. "
                "Take another target_estimator, or start a new run."
            ) from None

    def _choose(self) -> None:
        """Set the suspected target from the clues and the settings."""
        split, verdict = self.config.split, self.verdict
        if PoolRules.of(self.config, verdict).all_to_all != "off":
            self.pseudo_target = None
        elif split.target_estimator == "auto" and verdict is not None:
            suspected = verdict["kind"] != "no_attack" or split.no_attack == "likeliest"
            self.pseudo_target = verdict["classes"][0] if suspected else None
        else:
            estimator = PROVISIONAL if split.target_estimator == "auto" else split.target_estimator
            self.pseudo_target = int(self._estimate(estimator).argmax())
