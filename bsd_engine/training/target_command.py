"""Command `target`: the altruistic warm-up alone, and what every estimator makes of it."""

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
from bsd_engine.training.trainer import BSDTrainer

KINDS = {"no_attack": "no attack found", "several": "several targets"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one estimator says."""

    estimator: str
    label: int | None
    """The suspect; None where none or several are."""
    z: float
    """How far its score stands out from those of the other classes, see `standing_out`."""
    runner_up: int | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Every estimator's answer after the altruistic warm-up."""

    answers: tuple[Answer, ...]
    """`auto` first."""
    verdict: dict[str, Any]
    """See `verdict.Verdict`."""
    class_names: tuple[str, ...]
    epochs: int
    metrics: dict[str, float | int | None]
    """Of the last epoch. Attack success is known only where the attack was added here."""

    def answer(self, estimator: str) -> Answer:
        """That of one estimator."""
        return next(a for a in self.answers if a.estimator == estimator)

    def table(self) -> str:
        """A line for each estimator: its answer, how far that stands out, and the second."""
        rows = [("estimator", "target", "z", "second"), *(self._row(answer) for answer in self.answers)]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows
        ]
        return "\n".join([*lines, "", f"auto: {self.answers[0].why}", *filter(None, [caution(self.epochs)])])

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
            "estimators": answers,
            "class_names": list(self.class_names),
            "epochs": self.epochs,
            "metrics": self.metrics,
        }


def find_target(
    config: BSDConfig, prepared: PreparedData | None = None, on_event: Callable[[Event], None] | None = None
) -> Findings:
    """Train the altruistic model through its warm-up, and nothing else; returns what every estimator says."""
    prepared = prepared or prepare(config)
    last = config.schedule.altruistic_epochs - 1
    with contextlib.closing(BSDTrainer(config, prepared).run()) as events:
        for event in events:
            if on_event:
                on_event(event)
            if isinstance(event, EpochFinished) and event.state.epoch == last:
                return findings(event.state, prepared.class_names)
    raise AssertionError("a run has an altruistic warm-up")


def findings(state: EpochState, class_names: tuple[str, ...]) -> Findings:
    """The answers in the record of the last altruistic epoch."""
    rows = zip(state.estimators or (), torch.from_numpy(state.estimator_scores.copy()))
    answers = tuple(_answer(name, scores) for name, scores in rows if name in votes.READ_FROM_LOGITS)
    return Findings(
        answers=(_auto(state), *answers),
        verdict=dict(state.verdict),
        class_names=class_names,
        epochs=state.epoch + 1,
        metrics=dict(state.metrics),
    )


def _auto(state: EpochState) -> Answer:
    verdict = state.verdict
    order = _order(torch.from_numpy(state.estimator_scores[state.estimators.index("residual_transplant")].copy()))
    found = verdict["kind"] == "target"
    return Answer(
        estimator="auto",
        label=verdict["classes"][0] if found else None,
        z=verdict["z"],
        runner_up=order[1] if found else None,
        why=verdict["why"],
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
    """Classes, most suspect first; among equals the lower one."""
    return scores.argsort(descending=True, stable=True).tolist()
