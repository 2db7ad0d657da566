"""The search for the target label: Algorithm 1, lines 11-13.

After each epoch of its warm-up, the altruistic model yields clues about every class, from which each estimator scores
the classes. After the last epoch, the residuals of the classes are transplanted, which gives the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bsd_engine.compute.plans import generator_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.method.rules import PoolRules
from bsd_engine.target import votes
from bsd_engine.target.transplant import probes_for, transplant
from bsd_engine.target.verdict import decide_target, shares_behind, transplant_scores
from bsd_engine.training.epoch_record import to_numpy

PROVISIONAL = "probability_floor"
"""The estimator that `auto` uses until the altruistic warm-up has ended."""
SHOWN_RESIDUALS = 4
"""Classes whose residuals are recorded."""


class TargetSearch:
    """The clues about the target so far, and the suspected label."""

    def __init__(self, config: BSDConfig) -> None:
        self.config = config
        self.pseudo_target: int | None = None
        """The suspected label; None before the first vote, with several targets and where no class is suspected."""
        self.clues: dict[str, list[Tensor]] = {name: [] for name in votes.CLUES}
        """(C,) of each warm-up epoch, by the names of `votes.CLUES`."""
        self.transplant_scores: Tensor | None = None
        """(C,), once the warm-up has ended; so is the verdict, see `Verdict.to_dict`."""
        self.verdict: dict[str, Any] | None = None

    def restore(
        self, clues: dict[str, list[Tensor]], transplant_scores: Tensor | None, verdict: dict[str, Any] | None
    ) -> None:
        """Go on from a checkpoint. The target is chosen anew, since a branch may have other settings."""
        self.clues = {name: list(rows) for name, rows in clues.items()}
        self.transplant_scores, self.verdict = transplant_scores, verdict
        self._choose()

    def vote(self, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        """Add the clues of a warm-up epoch and choose again; returns the search's fields of the epoch's record.

        Parameters
        ----------
        logits : (N, C) of g
        labels : (N,) int64, the given labels
        """
        for name, clue in votes.CLUES.items():
            self.clues.setdefault(name, []).append(clue(logits, labels).cpu())
        scores = {name: self._estimate(name) for name in votes.READ_FROM_LOGITS}
        if self.transplant_scores is not None:
            scores["residual_transplant"] = self.transplant_scores
        self._choose()
        chosen = self.config.split.target_estimator
        in_use = PROVISIONAL if self.verdict is None else "residual_transplant"
        return {
            "vote_counts": to_numpy(self.clues["second_likely"][-1]),
            "vote_scores": to_numpy(scores[in_use] if chosen == "auto" else self._estimate(chosen)),
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
        epochs = self.config.schedule.altruistic_epochs
        probes = probes_for(len(labels), logits.shape[1], epochs)
        generator = generator_for(self.config.seed, "transplant", epochs - 1)
        result = transplant(predict, images, labels, logits, probes, generator)
        verdict = decide_target(result, epochs)
        self.transplant_scores = transplant_scores(result, epochs).cpu()
        self.verdict = verdict.to_dict()
        shown = self.transplant_scores.argsort(descending=True, stable=True)[:SHOWN_RESIDUALS]
        return {
            "transplant_shares": to_numpy(shares_behind(result, verdict)),
            "residuals": to_numpy(result.residuals[shown.to(result.residuals.device)]),
            "residual_classes": to_numpy(shown, np.int16),
        }

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
            suspected = verdict["kind"] == "target" or split.no_attack == "likeliest"
            self.pseudo_target = verdict["classes"][0] if suspected else None
        else:
            estimator = PROVISIONAL if split.target_estimator == "auto" else split.target_estimator
            self.pseudo_target = int(self._estimate(estimator).argmax())
