"""How far a preview can be trusted: whether a run with its settings would have the same pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.method.preview import Settings

Honesty = Literal["recorded", "exact", "one step", "needs a run"]


@dataclass(frozen=True, kw_only=True)
class Worth:
    """How far a preview can be trusted, and the epoch at which a run with its settings would have to begin."""

    honesty: Honesty
    sentence: str
    branch_epoch: int | None
    """Global epoch whose checkpoint a branch goes on from; None for a run from the start."""


def branch_epoch(config: BSDConfig, settings: Settings) -> int | None:
    """The last end of a stage before a changed setting is read; None where the altruistic warm-up changes."""
    own = Settings.of(config)
    if settings.altruistic_epochs != own.altruistic_epochs:
        return None
    return own.altruistic_epochs + (0 if settings.t1 != own.t1 else own.t1) - 1


def worth(config: BSDConfig, settings: Settings, state: EpochState, *, target_then: int | None = None) -> Worth:
    """How far a preview of an epoch can be trusted.

    Parameters
    ----------
    state : the epoch looked at
    target_then : the suspected target after `settings.altruistic_epochs` epochs, where that differs from the run
    """
    own, where = Settings.of(config), branch_epoch(config, settings)
    honesty, sentence = _worth(config, settings, own, state, target_then)
    return Worth(honesty=honesty, sentence=sentence, branch_epoch=where)


def _worth(
    config: BSDConfig, settings: Settings, own: Settings, state: EpochState, target_then: int | None
) -> tuple[Honesty, str]:
    if settings == own:
        return "recorded", "These are the settings of the run: what you see is what it did."
    if settings.t1 > own.t1:
        return (
            "needs a run",
            f"The main model warmed up for {own.t1} epochs; what {settings.t1} would have given was not recorded.",
        )
    if settings.altruistic_epochs > own.altruistic_epochs:
        return (
            "needs a run",
            f"The altruistic model warmed up for {own.altruistic_epochs} epochs; "
            "a longer warm-up moves all that follows.",
        )
    if settings.altruistic_epochs != own.altruistic_epochs and target_then != state.pseudo_target:
        return "needs a run", (
            f"After {settings.altruistic_epochs} epochs another class was suspected, so the main model would have "
            "warmed up without that class."
        )
    if state.stage in ("class_completion", "selective_drop"):
        return _later(settings, own)
    if settings.altruistic_epochs != own.altruistic_epochs:
        if config.altruistic.altruistic_update != "ce":
            return (
                "needs a run",
                "The altruistic model learns otherwise after its warm-up, so another length gives other losses.",
            )
        return "one step", (
            "Losses and suspected class are those of the shorter warm-up, exactly; the distances are of this run, "
            "whose random draws would shift."
        )
    if state.stage == "altruistic_warmup":
        return (
            "exact",
            "Altruistic losses depend on neither share. The cut by distance follows when the main model has warmed up.",
        )
    return "exact", (
        "Nothing the first split reads depends on alpha or beta"
        + (", and T1 is an epoch that was recorded (T2 and T3 stay)" if settings.t1 != own.t1 else "")
        + ": this is what a run would have done."
    )


def _later(settings: Settings, own: Settings) -> tuple[Honesty, str]:
    if (settings.t1, settings.altruistic_epochs, settings.distance) != (own.t1, own.altruistic_epochs, own.distance):
        return (
            "needs a run",
            "Another warm-up or distance gives another first pool, so every model after it would be another one.",
        )
    return "one step", (
        "This epoch's split of the two models as they are here. Earlier epochs would have been split otherwise "
        "too, which only a run can show."
    )
