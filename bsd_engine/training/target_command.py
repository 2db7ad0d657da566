"""The command `target`: the altruistic warm-up alone, and the answer of every estimator after it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochFinished, EpochState, Event
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.target import votes
from bsd_engine.target.verdict import caution, standing_out
from bsd_engine.target.words import sentence
from bsd_engine.training.trainer import BSDTrainer

KINDS = {"no_attack": "no attack found", "uncertain": "uncertain", "several": "several targets"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of one estimator."""

    estimator: str
    label: int | None
    """The suspected target; None with no attack found and with several targets."""
    z: float
    """How far its score stands out from those of the other classes, see `standing_out`."""
    runner_up: int | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Every estimator's answer after the altruistic warm-up."""

    answers: tuple[Answer, ...]
    """`auto` first."""
    verdict: dict[str, Any]
    """See `Verdict.to_dict`."""
    class_names: tuple[str, ...]
    epochs: int
    metrics: dict[str, float | int | None]
    """Of the last epoch. The attack success rate is known only where this program added the attack."""

    def answer(self, estimator: str) -> Answer:
        """The answer of the estimator with this name."""
        return next(a for a in self.answers if a.estimator == estimator)

    def table(self) -> str:
        """A line for each estimator: its answer, how far that stands out, and the runner-up."""
        rows = [("estimator", "target", "z", "second"), *(self._row(answer) for answer in self.answers)]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows
        ]
        said = sentence(self.verdict, self.class_names)
        return "\n".join([*lines, "", said, *filter(None, [caution(self.epochs)])])

    def _row(self, answer: Answer) -> tuple[str, str, str, str]:
        named = KINDS.get(self.verdict["kind"], "") if answer.label is None else self._name(answer.label)
        second = "" if answer.runner_up is None else self._name(answer.runner_up)
        return answer.estimator, named, f"{answer.z:.1f}" if abs(answer.z) < 100 else "> 100", second

    def _name(self, label: int) -> str:
        return f"{label} {self.class_names[label]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, where an infinite z is None."""
        answers = [
            {
                "estimator": a.estimator,
                "target": a.label,
                "z": round(a.z, 3) if abs(a.z) != float("inf") else None,
                "runner_up": a.runner_up,
            }
            for a in self.answers
        ]
        return {
            "auto": self.verdict,
            "verdict": sentence(self.verdict, self.class_names),
            "estimators": answers,
            "class_names": list(self.class_names),
            "epochs": self.epochs,
            "metrics": self.metrics,
        }


def find_target(
    config: BSDConfig, prepared: PreparedData | None = None, on_event: Callable[[Event], None] | None = None
) -> Findings:
    """Run the altruistic warm-up and nothing else; returns the answer of every estimator after it."""
    prepared = prepared or prepare(config)
    last = config.schedule.altruistic_epochs - 1
    with contextlib.closing(BSDTrainer(config, prepared).run()) as events:
        for event in events:
            if on_event:
                on_event(event)
            if isinstance(event, EpochFinished) and event.state.epoch == last:
                return findings(event.state, prepared.class_names)
    raise AssertionError("every run has an altruistic warm-up")


def findings(state: EpochState, class_names: tuple[str, ...]) -> Findings:
    """The answers in the record of the last altruistic epoch."""
    assert state.estimators is not None and state.estimator_scores is not None and state.verdict is not None, (
        "the last epoch of the altruistic warm-up records its estimators and a verdict"
    )
    scores = dict(zip(state.estimators, torch.from_numpy(state.estimator_scores.copy())))
    answers = (_answer(name, scores[name]) for name in state.estimators if name in votes.READ_FROM_LOGITS)
    return Findings(
        answers=(_auto(state.verdict, scores["residual_transplant"]), *answers),
        verdict=dict(state.verdict),
        class_names=class_names,
        epochs=state.epoch + 1,
        metrics=dict(state.metrics),
    )


def _auto(verdict: dict[str, Any], scores: torch.Tensor) -> Answer:
    """The answer of `auto`, from the verdict and the scores (C,) of the transplant."""
    has_target = verdict["kind"] == "target"
    return Answer(
        estimator="auto",
        label=verdict["classes"][0] if has_target else None,
        z=verdict["z"],
        runner_up=_order(scores)[1] if has_target else None,
    )


def _answer(name: str, scores: torch.Tensor) -> Answer:
    """An estimator's answer from the scores of the classes, (C,)."""
    order = _order(scores)
    return Answer(
        estimator=name,
        label=order[0],
        z=float(standing_out(scores)[order[0]]),
        runner_up=order[1] if len(order) > 1 else None,
    )


def _order(scores: torch.Tensor) -> list[int]:
    """Classes, most suspect first; of equal ones the lower first."""
    return scores.argsort(descending=True, stable=True).tolist()
