"""Checks of a branch's settings: it may change only settings that none of the epochs it copies has read."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bsd_engine.config.settings import GROUPS, BSDConfig
from bsd_engine.errors import RunFolderError

KEPT_GROUPS = ("data", "attack", "model")
"""Groups of settings that shape the data and the models, and therefore the first epoch."""
FREE = ("altruistic_epochs", "t1", "init_epochs", "t2", "t3", "undefended_epochs", "undefended_lr", "undefended_drops")
"""Settings that are not compared: lengths of stages, because the stages themselves are compared, and settings of
undefended training."""
READ_BY = {
    "altruistic warm-up": (
        "altruistic_lr",
        "altruistic_batch",
        "altruistic_loss",
        "lga_gamma",
        "altruistic_model",
        "vote_pass",
        "split_augment",
        "sce_weights",
        "sce_bounds",
    ),
    "OSS warm-up": (
        "iterations",
        "main_lr",
        "labeled_batch",
        "unlabeled_batch",
        "lambda_u",
        "rampup",
        "temperature",
        "mixup_alpha",
        "ema",
        "bn_mode",
        "guess_updates_bn",
        "altruistic_update",
        "target_estimator",
        "class_shares",
        "no_attack",
        "assume_target",
        "all_to_all",
        "oss_warmup_unlabeled",
    ),
    # The distances of the OSS warm-up are recorded, but decide nothing before the split at T1.
    "first split": ("alpha", "beta", "als_init_ratio", "als_snapshot", "init_combine", "oss_distance", "feature_norm"),
    "class completion": ("alpha_start", "completion", "count_by", "completion_ends"),
    "selective drop": ("selective_drop", "drop_start"),
}
"""Settings by the part that reads them first. Decisions and training count; a difference in an epoch's record alone
does not."""


def check_same_past(old: BSDConfig, new: BSDConfig, epoch: int) -> None:
    """Raise `RunFolderError` if settings differ that the epochs up to `epoch` (global, 0-based) have read."""
    for group in KEPT_GROUPS:
        if getattr(old, group) != getattr(new, group):
            raise RunFolderError(
                f"The settings of {group} differ from those of the run to branch from; a branch keeps them."
            )
    if old.seed != new.seed:
        raise RunFolderError(f"seed is {new.seed}, but the run to branch from has {old.seed}; a branch keeps it.")
    moved = next((e for e in range(epoch + 1) if old.schedule.stage(e) != new.schedule.stage(e)), None)
    if moved is not None:
        raise RunFolderError(
            f"Epoch {moved} would be in the stage {new.schedule.stage(moved)} instead of {old.schedule.stage(moved)}; "
            "branch from an earlier epoch, or keep the lengths of the stages before it."
        )
    if epoch >= new.schedule.total_epochs:
        raise RunFolderError(
            f"t3 is {new.schedule.t3}, which ends before epoch {epoch}; branch from an earlier epoch, or raise it."
        )
    for reader, first in _first_epochs(old, new).items():
        for name in READ_BY[reader] if epoch >= first else ():
            was, would = (_setting(config, name) for config in (old, new))
            if was != would:
                raise RunFolderError(
                    f"{_SHOWN.get(name, name)} is {would!r}, but the {reader} before the branch used {was!r}; "
                    "keep it, or branch from an earlier epoch."
                )


def _first_epochs(old: BSDConfig, new: BSDConfig) -> dict[str, int]:
    """Return the first global epoch of each reader of settings."""
    schedule = old.schedule
    completion = schedule.t1 + schedule.init_epochs
    starts = {
        "altruistic warm-up": -schedule.altruistic_epochs,
        "OSS warm-up": 0,
        "first split": schedule.t1,
        "class completion": completion,
        "selective drop": max(completion, min(old.drop_start, new.drop_start)),
    }
    return {reader: schedule.altruistic_epochs + t for reader, t in starts.items()}


_SHOWN = {"completion_ends": "t2"}


def _setting(config: BSDConfig, name: str) -> Any:
    """Return a setting as training reads it: some settings follow from others when they are not given."""
    if name == "rampup":
        return config.mixmatch.rampup or config.schedule.t3
    if name == "completion_ends":  # alpha_T rises until then
        return config.schedule.t2
    if name == "alpha_start":
        return config.split.schedule_start
    if name == "als_init_ratio":
        return config.split.als_ratio
    if name == "drop_start":
        return config.drop_start
    parts = (getattr(config, group) for group in GROUPS)
    return next(getattr(part, name) for part in parts if any(f.name == name for f in fields(part)))
