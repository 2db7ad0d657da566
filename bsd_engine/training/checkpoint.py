"""The state of a run between two epochs, as it is written to disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bsd_engine.errors import RunFolderError

CHECKPOINT_VERSION = 2
_MOST = 2**53
_MOST_ASKED = 10  # times that the question for the target is asked
"""No count in a run is larger, and a float holds every whole number up to it."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that later epochs read. The random state is not part of it: it is a function of seed and epoch."""

    epoch: int
    """The last finished epoch; global, 0-based."""
    fingerprint: str
    """Of the data that the run trains on."""
    models: dict[str, dict[str, Any]]
    """State dicts of "main", "averaged", "altruistic", "main_optimizer" and "altruistic_optimizer"."""
    specialists: list[tuple[dict[str, Any], dict[str, Any]]]
    """State dicts of each model of the OSS warm-up and its optimiser, with all-to-all by retraining before T1."""
    pseudo_target: int | None
    clean_mask: Tensor | None
    """(N,) bool: the pool of the epoch."""
    clues: dict[str, list[Tensor]]
    """(C,) of each warm-up epoch, see `TargetSearch`."""
    warmup_loss: Tensor | None
    """(N,) float32, nats: altruistic losses at the end of the altruistic warm-up."""
    specialist_oss: Tensor | None
    """(N,) float32, see `Specialists`."""
    poison_cumulative: int
    metrics: dict[str, float | int | None]
    """Of the epoch."""
    transplant_scores: Tensor | None = None
    """(C,); like the verdict, missing from checkpoints of earlier versions of this program."""
    verdict: dict[str, Any] | None = None
    marks: dict[str, Tensor] | None = None
    """The fields of `Marks`; missing from checkpoints of earlier versions."""

    def to_dict(self) -> dict[str, Any]:
        """Plain containers and tensors, which can be loaded without running code."""
        return {
            "version": CHECKPOINT_VERSION,
            "epoch": self.epoch,
            "fingerprint": self.fingerprint,
            "models": self.models,
            "specialists": self.specialists,
            "pseudo_target": self.pseudo_target,
            "clean_mask": self.clean_mask,
            "_clues": self.clues,
            "_warmup_loss": self.warmup_loss,
            "_specialist_oss": self.specialist_oss,
            "_poison_cumulative": self.poison_cumulative,
            "_metrics": self.metrics,
            "_transplant_scores": self.transplant_scores,
            "_verdict": self.verdict,
            "_marks": self.marks,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any], fingerprint: str, samples: int, classes: int) -> Checkpoint:
        """The checkpoint from the result of `to_dict`, for a run on the data with this fingerprint.

        Raises
        ------
        RunFolderError
            If it has another version or was made from other data.
        ValueError
            If a value is none that a run on that many samples and classes can have; weights are compared with the
            network when they are loaded.
        KeyError
            If a part is missing.
        """
        if content.get("version") != CHECKPOINT_VERSION:
            raise RunFolderError(
                f"The checkpoint has version {content.get('version')}, expected {CHECKPOINT_VERSION}; start a new run."
            )
        if content["fingerprint"] != fingerprint:
            raise RunFolderError(
                "The checkpoint was made from other data (fingerprints differ); resume with the data of the run."
            )
        _check_values(content, samples, classes)
        return cls(
            epoch=content["epoch"],
            fingerprint=content["fingerprint"],
            models=content["models"],
            specialists=content["specialists"],
            pseudo_target=content["pseudo_target"],
            clean_mask=content["clean_mask"],
            clues=content["_clues"],
            warmup_loss=content["_warmup_loss"],
            specialist_oss=content["_specialist_oss"],
            poison_cumulative=content["_poison_cumulative"],
            metrics=content["_metrics"],
            transplant_scores=content.get("_transplant_scores"),
            verdict=content.get("_verdict"),
            marks=content.get("_marks"),
        )


# -- checks: the file may come from somebody else. N samples, C classes; each raises `ValueError`. --------------------


def _check_values(content: Mapping[str, Any], samples: int, classes: int) -> None:
    """Check everything but version and fingerprint; missing parts raise `KeyError`."""
    _check_whole("epoch", content["epoch"], 100_000)
    _check_whole("_poison_cumulative", content["_poison_cumulative"], _MOST)
    if content["pseudo_target"] is not None:
        _check_whole("pseudo_target", content["pseudo_target"], classes)
    for name, kind in (("clean_mask", torch.bool), ("_warmup_loss", torch.float32), ("_specialist_oss", torch.float32)):
        if content[name] is not None:
            _check_tensor(name, content[name], samples, kind)
    if content.get("_transplant_scores") is not None:
        _check_tensor("_transplant_scores", content["_transplant_scores"], classes)
    _check_clues(content["_clues"], classes)
    _check_metrics(content["_metrics"])
    if content.get("_verdict") is not None:
        _check_verdict(content["_verdict"], classes)
    if content.get("_marks") is not None:
        _check_marks(content["_marks"], samples, classes)
    _check_models(content["models"], content["specialists"], classes)


def _check_marks(marks: Any, samples: int, classes: int) -> None:
    lengths = {"separation": classes, "carriers": classes, "probability": samples}
    if not isinstance(marks, dict) or marks.keys() != lengths.keys():
        raise ValueError(f"_marks is {_described(marks)}, expected {', '.join(lengths)}")
    for name, length in lengths.items():
        _check_tensor(f"{name} of _marks", marks[name], length, torch.float32)


def _check_whole(name: str, value: Any, bound: int) -> None:
    if type(value) is not int or not 0 <= value < bound:
        raise ValueError(f"{name} is {_shortened(value)}, expected a whole number from 0 to {bound - 1}")


def _check_tensor(name: str, value: Any, length: int, kind: torch.dtype | None = None) -> None:
    """Check that a value is a tensor of one axis, and of a type of numbers or any."""
    if not isinstance(value, Tensor) or value.shape != (length,) or (kind is not None and value.dtype != kind):
        raise ValueError(f"{name} is {_described(value)}, expected {length} values of {kind or 'any number type'}")
    if value.is_complex() or value.is_quantized:
        raise ValueError(f"{name} is {_described(value)}, expected real numbers")


def _check_clues(clues: Any, classes: int) -> None:
    if not isinstance(clues, dict):
        raise ValueError(f"_clues is {_described(clues)}, expected lists of tensors by their names")
    for name, rows in clues.items():
        if not isinstance(name, str) or not isinstance(rows, list):
            raise ValueError(f"_clues holds {_shortened(name)}, expected lists of tensors by their names")
        for row in rows:
            _check_tensor(f"a clue of {_shortened(name)}", row, classes)


def _check_metrics(metrics: Any) -> None:
    if not isinstance(metrics, dict) or not all(isinstance(name, str) for name in metrics):
        raise ValueError(f"_metrics is {_described(metrics)}, expected numbers by their names")
    for name, value in metrics.items():
        if value is not None and (not _is_number(value) or abs(value) >= _MOST):
            raise ValueError(f"the metric {_shortened(name)} is {_shortened(value)}, expected a number")


def _check_verdict(verdict: Any, classes: int) -> None:
    """Check what the search for the target reads from its verdict."""
    if not isinstance(verdict, dict):
        raise ValueError(f"_verdict is {_described(verdict)}, expected a verdict")
    if not all(isinstance(verdict.get(name), str) for name in ("kind", "why")):
        raise ValueError("the verdict lacks its kind or its reason")
    if not all(type(verdict.get(name)) in (int, float) for name in ("z", "needed")):
        raise ValueError("the verdict lacks the score that it rests on")
    _check_whole("asked of the verdict", verdict.get("asked", 1), _MOST_ASKED)
    named = verdict.get("classes")
    if not isinstance(named, list) or not named or any(type(c) is not int or not 0 <= c < classes for c in named):
        raise ValueError(f"the verdict names the classes {_shortened(named)}, expected numbers from 0 to {classes - 1}")


def _check_models(models: Any, specialists: Any, classes: int) -> None:
    if not isinstance(models, dict) or not all(isinstance(part, dict) for part in models.values()):
        raise ValueError(f"models is {_described(models)}, expected networks and optimisers by their names")
    for name, part in models.items():
        (_check_optimizer if str(name).endswith("optimizer") else _check_weights)(f"{name}", part)
    if not isinstance(specialists, list) or len(specialists) > classes:
        raise ValueError(f"specialists is {_described(specialists)}, expected a list of at most {classes}")
    for pair in specialists:
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(part, dict) for part in pair):
            raise ValueError(f"a specialist is {_described(pair)}, expected a network and its optimiser")
        _check_weights("a specialist", pair[0])
        _check_optimizer("the optimiser of a specialist", pair[1])


def _check_weights(name: str, weights: Mapping[Any, Any]) -> None:
    for key, value in weights.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(f"{name} holds {_described(value)} as {_shortened(key)}, expected tensors by their names")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} holds weights in {_shortened(key)} that are not finite")


def _check_optimizer(name: str, state: Mapping[Any, Any]) -> None:
    groups, moments = state.get("param_groups"), state.get("state")
    if not isinstance(groups, list) or not isinstance(moments, dict):
        raise ValueError(f"{name} has no state of an optimiser")
    for group in groups:
        if not isinstance(group, dict) or not all(isinstance(key, str) for key in group):
            raise ValueError(f"{name} has {_described(group)} for a group of weights")
        for key, value in group.items():
            parts = value if isinstance(value, (list, tuple)) else (value,)
            if any(part is not None and not _is_number(part) and not isinstance(part, bool) for part in parts):
                raise ValueError(f"{name} has {_shortened(value)} for {_shortened(key)}, expected numbers")
    for index, of_weight in moments.items():
        if type(index) is not int or not isinstance(of_weight, dict):
            raise ValueError(f"{name} has {_described(of_weight)} for the moments of {_shortened(index)}")
        for key, value in of_weight.items():
            finite = bool(value.isfinite().all()) if isinstance(value, Tensor) else _is_number(value)
            if not isinstance(key, str) or not finite:
                raise ValueError(f"{name} has {_described(value)} for {_shortened(key)}, expected finite numbers")


def check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Check that a loaded optimiser keeps moments in the shape of its weights: loading does not compare them."""
    for weight, of_weight in optimizer.state.items():
        for name, value in of_weight.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != weight.shape:
                raise ValueError(f"{name} has the shape {tuple(value.shape)}, expected {tuple(weight.shape)}")


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} of shape {tuple(value.shape)}"
    return f"of the type {type(value).__name__}"


def _shortened(value: Any) -> str:
    if type(value) is int and abs(value) >= _MOST:
        return "a number of many digits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
