"""Checks of the files in a run folder. A folder may come from elsewhere, so its content is checked before it is used.

Every function raises `ValueError`, with the content found and the content expected, for content that a run cannot have
written. N samples, C classes, L landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from bsd_engine.config.method_settings import STAGES, ScheduleConfig
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
        "verdict": _TEXT,
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
_VERDICT = {"kind": _TEXT, "classes": (list,), "z": _NUMBER, "needed": _NUMBER, "why": _TEXT}
_VERDICT_EXTRAS = {"clue": _TEXT, "agreeing": _WHOLE, "asked": _WHOLE, "rivals": (list,)}  # of newer runs
# Length of the only axis, and kinds of numbers; other arrays are checked where they are read.
_ARRAYS = {
    **dict.fromkeys(("altruistic_loss", "main_loss", "oss_score", "poison_probability"), ("N", "f")),
    **dict.fromkeys(("altruistic_prediction", "main_prediction", "nearest_class"), ("N", "i")),
    "clean_mask": ("N", "b"),
    "vote_counts": ("C", "iu"),
    "vote_scores": ("C", "f"),
}
_OF_SAMPLES = ("altruistic_loss", "altruistic_prediction")
_OF_MAIN_EPOCHS = ("main_loss", "main_prediction", "clean_mask")
_PERCENT = ("clean_accuracy", "attack_success_rate")
_COUNTS = ("clean_pool_size", "poison_in_clean_pool", "poison_in_clean_pool_cumulative")
_LARGEST_LOSS = 1e30  # nats; sums of larger ones are no longer numbers in float32
_MOST_CLASSES, _LONGEST_NAME = 32_767, 1000  # predictions are int16
_MOST_SAMPLES = 2**31
_MOST_ESTIMATORS = 100
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
    if not names or not all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in names):
        raise ValueError(f"it has the class names {_shortened(names)}, expected a list of texts")
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ValueError(f"it has {len(names)} classes, expected 2 to {_MOST_CLASSES:,}")
    if not 1 <= samples <= _MOST_SAMPLES:
        raise ValueError(f"it has {samples} samples, expected 1 to {_MOST_SAMPLES:,}")


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
    for name, value in scalars["metrics"].items():
        if value is not None and (
            (name in _PERCENT and not 0 <= value <= 100.001) or (name in _COUNTS and not 0 <= value < 2**53)
        ):
            raise ValueError(f"it has {_shortened(value)} for {name!r}, expected a percentage or a count")
    ratio, names = scalars.get("clean_ratio"), scalars.get("estimators") or ()
    if ratio is not None and not 0 <= ratio <= 1:
        raise ValueError(f"it has {_shortened(ratio)} for 'clean_ratio', expected a share from 0 to 1")
    if len(names) > _MOST_ESTIMATORS or any(not isinstance(n, str) or len(n) > _LONGEST_NAME for n in names):
        raise ValueError(f"it has {_shortened(names)} for 'estimators', expected a short list of texts")
    if scalars.get("verdict") is not None:
        _check_verdict(scalars["verdict"])
    if scalars["stage"] not in STAGES:
        raise ValueError(f"it has the stage {_shortened(scalars['stage'])}, expected one of {', '.join(STAGES)}")


def _check_verdict(verdict: Mapping[str, Any]) -> None:
    _check_values(verdict, {**_VERDICT, **_VERDICT_EXTRAS}, required=tuple(_VERDICT))
    if not verdict["classes"] or any(type(c) is not int or c < 0 for c in verdict["classes"]):
        raise ValueError(
            f"it has {_shortened(verdict['classes'])} for the classes of the verdict, expected whole numbers from 0"
        )


def check_epoch(
    state: EpochState, epoch: int, samples: int, classes: int, landmarks: int, schedule: ScheduleConfig
) -> None:
    """Check that an epoch matches the name of its file, that its arrays fit the run, and that its stage has them all.

    A run that diverged may have recorded votes and distances that are not finite, but no such losses.
    """
    if state.epoch != epoch:
        raise ValueError(f"it holds epoch {state.epoch}, expected {epoch}")
    stage, t = schedule.stage(epoch), schedule.main_epoch(epoch)
    if (state.stage, state.main_epoch) != (stage, t):
        raise ValueError(f"it holds the stage {state.stage} at T = {state.main_epoch}, expected {stage} at T = {t}")
    for name in (*_OF_SAMPLES, *(_OF_MAIN_EPOCHS if t >= 0 else ())):
        if getattr(state, name) is None:
            raise ValueError(f"it lacks the array {name!r}")
    for name, (axis, kinds) in _ARRAYS.items():
        if (array := getattr(state, name)) is not None:
            _check_array(array, name, (samples if axis == "N" else classes,), kinds)
    for name in ("altruistic_loss", "main_loss"):
        if (losses := getattr(state, name)) is not None and not float(np.abs(losses).max()) <= _LARGEST_LOSS:
            raise ValueError(f"{name} holds values that are not finite or beyond {_LARGEST_LOSS:g} nats")
    for name in ("altruistic_prediction", "main_prediction", "nearest_class"):
        if (array := getattr(state, name)) is not None:
            _check_indices(array, name, samples, classes)
    _check_target(state, classes)
    if (distances := state.oss_distances) is not None:
        _check_array(distances, "oss_distances", (3, samples), "f")
    if (features := state.landmark_features) is not None:
        _check_array(
            features, "landmark_features", (landmarks, max(1, features.shape[-1]) if features.ndim else 1), "f"
        )
    _check_evidence(state, classes)


def _check_target(state: EpochState, classes: int) -> None:
    """Check that the suspected classes are classes of the run."""
    suspected = [] if state.pseudo_target is None else [state.pseudo_target]
    named = state.verdict or {"classes": ()}
    for label in (*suspected, *named["classes"], *(named.get("rivals") or ())):
        if type(label) is not int or not 0 <= label < classes:
            raise ValueError(f"it suspects the class {_shortened(label)}, expected 0 to {classes - 1}")


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
    """Return the map, checked to be (L, 2) finite floats."""
    if xy is None or xy.dtype.kind != "f" or xy.shape != (landmarks, 2) or not np.isfinite(xy).all():
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
    """Check the shape and the kind of number; torch reads no other byte order and nothing above 64 bits."""
    is_plain = array.dtype.isnative and array.dtype.itemsize <= 8
    if array.dtype.kind not in kinds or not is_plain or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected {shape}")


def _check_indices(array: np.ndarray, name: str, length: int, bound: int) -> None:
    """Check that an array holds (length,) whole numbers from 0 to below the bound."""
    _check_array(array, name, (length,), "i")
    if length and not (0 <= array.min() and array.max() < bound):
        raise ValueError(f"{name} goes from {array.min()} to {array.max()}, expected 0 to {bound - 1}")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
