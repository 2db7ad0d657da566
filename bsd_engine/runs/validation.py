"""Checks of the files in a run folder. A folder may come from elsewhere, so its content is checked before it is used.

Every function raises `ValueError`, with the content found and the content expected, for content that a run cannot have
written. N samples, C classes, L landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from bsd_engine.config.method_settings import STAGES
from bsd_engine.events import EpochState

_NUMBER, _WHOLE, _TEXT = (int, float), (int,), (str,)
_KINDS: dict[str, dict[str, tuple[type, ...]]] = {
    "config.json": {
        "format_version": _WHOLE,
        "config": (dict,),
        "class_names": (list,),
        "num_samples": _WHOLE,
        "fingerprint": _TEXT,
        "created": _TEXT,
        "truth_known": (bool,),
        "branched_from": (dict,),
        "adopted_from": _TEXT,
    },
    "summary.json": {
        "status": _TEXT,
        "seconds": _NUMBER,
        "epochs": _WHOLE,
        "clean_accuracy": _NUMBER,
        "attack_success_rate": _NUMBER,
        "pseudo_target": _WHOLE,
        "true_target": _WHOLE,
        "error": _TEXT,
        "device": _TEXT,
    },
    "progress.json": {
        "state": _TEXT,
        "epoch": _WHOLE,
        "stage": _TEXT,
        "iteration": _WHOLE,
        "iterations": _WHOLE,
        "time": _NUMBER,
        "commands_obeyed": _WHOLE,
    },
}
_SCALARS = {
    "epoch": _WHOLE,
    "stage": _TEXT,
    "main_epoch": _WHOLE,
    "clean_ratio": _NUMBER,
    "pseudo_target": _WHOLE,
    "metrics": (dict,),
    "estimators": (list,),
    "verdict": (dict,),
}
_VERDICT = {
    "kind": _TEXT,
    "classes": (list,),
    "z": _NUMBER,
    "needed": _NUMBER,
    "why": _TEXT,
}  # and, in newer runs, clue
# Length of the only axis, and kinds of numbers; other arrays are checked where they are read.
_ARRAYS = {
    **dict.fromkeys(("altruistic_loss", "main_loss", "oss_score"), ("N", "f")),
    **dict.fromkeys(("altruistic_prediction", "main_prediction", "nearest_class"), ("N", "i")),
    "clean_mask": ("N", "b"),
    "vote_counts": ("C", "iu"),
    "vote_scores": ("C", "f"),
}
_ENDS = ("finished", "stopped", "failed")


def check_kinds(name: str, content: Mapping[str, Any]) -> None:
    """Check that the values present in a JSON file have the right types."""
    _check_values(content, _KINDS.get(name, {}))


def check_config(content: Mapping[str, Any]) -> None:
    """Check that config.json has everything that a reader needs; its settings are checked when they are parsed."""
    required = ("format_version", "config", "class_names", "num_samples", "fingerprint", "created", "truth_known")
    _check_values(content, _KINDS["config.json"], required)
    names, samples = content["class_names"], content["num_samples"]
    if content["format_version"] < 1:
        raise ValueError(f"it has the format {content['format_version']}, expected at least 1")
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"it has the class names {_shortened(names)}, expected a list of texts")
    if samples < 1:
        raise ValueError(f"it has {samples} samples, expected at least one")


def check_summary(content: Mapping[str, Any]) -> None:
    """Check that summary.json says how the run ended."""
    if content.get("status") not in _ENDS:
        raise ValueError(f"it has the status {_shortened(content.get('status'))}, expected one of {', '.join(_ENDS)}")


def check_scalars(scalars: dict[str, Any]) -> None:
    """Check the scalars of an epoch; metrics that are not finite become None, which means unknown."""
    _check_values(scalars, _SCALARS, required=("epoch", "stage", "main_epoch", "metrics"))
    _check_values(scalars["metrics"], dict.fromkeys(scalars["metrics"], _NUMBER))
    scalars["metrics"] = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in scalars["metrics"].items()
    }
    if any(not isinstance(name, str) for name in scalars.get("estimators") or ()):
        raise ValueError(f"it has {_shortened(scalars['estimators'])} for 'estimators', expected a list of texts")
    if scalars.get("verdict") is not None:
        _check_verdict(scalars["verdict"])
    if scalars["stage"] not in STAGES:
        raise ValueError(f"it has the stage {_shortened(scalars['stage'])}, expected one of {', '.join(STAGES)}")


def _check_verdict(verdict: Mapping[str, Any]) -> None:
    _check_values(verdict, {**_VERDICT, "clue": _TEXT}, required=tuple(_VERDICT))
    if not verdict["classes"] or any(type(c) is not int or c < 0 for c in verdict["classes"]):
        raise ValueError(
            f"it has {_shortened(verdict['classes'])} for the classes of the verdict, expected whole numbers from 0"
        )


def check_epoch(state: EpochState, epoch: int, samples: int, classes: int) -> None:
    """Check that an epoch matches the name of its file, and that its arrays fit the run."""
    if state.epoch != epoch:
        raise ValueError(f"it holds epoch {state.epoch}, expected {epoch}")
    if state.altruistic_loss is None or state.altruistic_prediction is None:
        raise ValueError("it lacks the altruistic model's loss or prediction")
    for name, (axis, kinds) in _ARRAYS.items():
        if (array := getattr(state, name)) is not None:
            _check_array(array, name, (samples if axis == "N" else classes,), kinds)
    features = state.landmark_features
    if features is not None and (features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]):
        raise ValueError(f"landmark_features is {features.dtype} of shape {features.shape}, expected (L, P) floats")
    _check_evidence(state, classes)


def _check_evidence(state: EpochState, classes: int) -> None:
    """Check that the records of the target estimators are consistent."""
    if (scores := state.estimator_scores) is not None:
        _check_array(scores, "estimator_scores", (len(state.estimators or ()), classes), "f")
    if (shares := state.transplant_shares) is not None:
        _check_array(shares, "transplant_shares", (classes, classes), "f")
    residuals, whose = state.residuals, state.residual_classes
    if residuals is not None:
        if (
            residuals.ndim != 4
            or residuals.dtype != np.int8
            or residuals.shape[3] not in (1, 3)
            or whose is None
            or not residuals.size
        ):
            raise ValueError(
                f"residuals is {residuals.dtype} of shape {residuals.shape}, expected int8 (R, H, W, K) and its classes"
            )
        _check_indices(whose, "residual_classes", len(residuals), classes)


def check_samples(arrays: Mapping[str, np.ndarray], samples: int, classes: int) -> None:
    """Check that labels and landmarks are within the run's classes and samples."""
    _check_names(arrays, ("labels", "landmark_idx"))
    _check_indices(arrays["labels"], "labels", samples, classes)
    _check_indices(
        arrays["landmark_idx"],
        "landmark_idx",
        len(arrays["landmark_idx"]) if arrays["landmark_idx"].ndim else 0,
        samples,
    )


def check_truth(arrays: Mapping[str, np.ndarray], samples: int, classes: int) -> None:
    """Check that the ground truth is the poison mask and the original label of every sample, and nothing else."""
    _check_names(arrays, ("is_poison", "original_labels"))
    if len(arrays) != 2:
        raise ValueError(f"it has the arrays {_shortened(sorted(arrays))}, expected is_poison and original_labels")
    _check_array(arrays["is_poison"], "is_poison", (samples,), "b")
    _check_indices(arrays["original_labels"], "original_labels", samples, classes)


def checked_files(content: Mapping[str, Any], samples: int) -> tuple[str, ...]:
    """Return the path of each sample's file from files.json."""
    names = content.get("files")
    if not isinstance(names, list) or len(names) != samples or any(not isinstance(name, str) for name in names):
        raise ValueError(f"it has the files {_shortened(names)}, expected a text for each of {samples} samples")
    return tuple(names)


def check_images(images: np.ndarray, samples: int) -> None:
    """Check that the images are (N, C, H, W) uint8."""
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != samples:
        raise ValueError(f"it is {images.dtype} of shape {images.shape}, expected uint8 of shape ({samples}, C, H, W)")


def checked_map(xy: np.ndarray | None, landmarks: int) -> np.ndarray:
    """Return the map, checked to be (L, 2) floats."""
    if xy is None or xy.dtype.kind != "f" or xy.shape != (landmarks, 2):
        raise ValueError(f"it holds no map of {landmarks} landmarks")
    return xy


def _check_values(
    values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], required: Collection[str] = ()
) -> None:
    """Check that each value is missing, None or of its type, and that the required ones are present."""
    for name in required:
        if values.get(name) is None:
            raise ValueError(f"it lacks {name!r}")
    for name in kinds.keys() & values.keys():
        value, kind = values[name], kinds[name]
        if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind)):
            raise ValueError(
                f"it has {_shortened(value)} for {_shortened(name)}, expected {' or '.join(k.__name__ for k in kind)}"
            )
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(f"it has {_shortened(value)} for {_shortened(name)}, expected a 64-bit number")


def _check_names(arrays: Mapping[str, np.ndarray], required: tuple[str, ...]) -> None:
    for name in required:
        if name not in arrays:
            raise ValueError(f"it lacks the array {name!r}")


def _check_array(array: np.ndarray, name: str, shape: tuple[int, ...], kinds: str) -> None:
    if array.dtype.kind not in kinds or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected {shape}")


def _check_indices(array: np.ndarray, name: str, length: int, bound: int) -> None:
    """Check that an array holds (length,) whole numbers from 0 to below the bound."""
    _check_array(array, name, (length,), "iu")
    if length and not (0 <= array.min() and array.max() < bound):
        raise ValueError(f"{name} goes from {array.min()} to {array.max()}, expected 0 to {bound - 1}")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
