"""The state of a run, read once from its folder and the server, and the sentence that says what the run is doing."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.run import target_texts, texts
from app.server import eta, run_cache
from app.server.registry import RunRegistry
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import STAGE_NAMES, class_name, epoch_text, percent
from bsd_engine import attacks
from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import Command, Status
from bsd_engine.runs.reader import RunReader

LONGEST_ERROR = 300
"""Characters of the reason that a run folder gives for its end."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state of a run at one moment."""

    run_id: str
    path: Path
    status: Status | Literal["preparing", "queued"]
    run: RunReader | None
    """None while the folder is not there yet, or never came to be."""
    rows: tuple[EpochRow, ...] = ()
    progress: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    waiting: Command | None = None
    """A command that the writer has not obeyed yet."""
    is_own: bool = True
    """Whether this installation writes the folder; a foreign run is read-only."""
    can_resume: bool = False
    error: str | None = None
    """Why the run ended early."""
    queue_position: int | None = None
    """How many trainings end before that of a waiting run begins."""
    damage: str | None = None
    """What is wrong with the first epoch that cannot be read; `rows` end before it."""
    damaged_checkpoints: tuple[str, ...] = ()
    """What is wrong with the checkpoints of a run that can be resumed; it goes on from the newest sound one."""

    @property
    def live(self) -> bool:
        """Whether news may come."""
        return self.status in ("queued", "preparing", "running", "paused")

    @property
    def total(self) -> int:
        """Epochs of the whole run."""
        assert self.run is not None
        return self.run.config.schedule.total_epochs

    @property
    def warmup_end(self) -> EpochRow | None:
        """The record of the last epoch of the altruistic warm-up; None before it."""
        assert self.run is not None
        last = self.run.config.schedule.altruistic_epochs - 1
        return self.rows[last] if len(self.rows) > last else None

    def verdicts(self, epoch: int | None = None) -> list[tuple[int, dict[str, Any]]]:
        """The verdicts on the target up to an epoch, or so far, each with the epoch that it was recorded in."""
        last = len(self.rows) - 1 if epoch is None else epoch
        return [(row.epoch, row.verdict) for row in self.rows[: last + 1] if row.verdict]

    def class_name(self, label: int) -> str:
        """Name of a class as plain text, to be escaped where it is shown."""
        assert self.run is not None
        return html.unescape(class_name(self.run.class_names, label))

    @property
    def epoch_in_progress(self) -> tuple[int, float]:
        """Global, 0-based epoch that is trained now, and the share of it that is done."""
        progress, done = self.progress or {}, len(self.rows)
        if progress.get("epoch") != done:
            return min(done, self.total - 1), 0.0
        return done, min(1.0, max(0, progress.get("iteration") or 0) / max(1, progress.get("iterations") or 1))

    @property
    def silent_seconds(self) -> float | None:
        """Seconds since the writer's last word, where that is longer than it should be."""
        since = time.time() - ((self.progress or {}).get("time") or time.time())
        return since if self.status == "running" and since > eta.silence_limit(run_cache.durations(self.rows)) else None


def attack_kind(name: str) -> type[attacks.Attack]:
    """The class of a run's attack; `Attack` where another version recorded a name that this one does not know."""
    return attacks.kind(name) if name in attacks.names() else attacks.Attack


def look(registry: RunRegistry, run_id: str) -> Snapshot:
    """The present state of a run; raises `BSDError` for a broken folder."""
    error, preparing = registry.error(run_id), registry.is_preparing(run_id)
    queue_position = registry.position_in_queue(run_id)
    path = registry.root / run_id
    try:
        path = registry.path(run_id)
        run = run_cache.reader(path)
    except BSDError:
        if not preparing and not error and queue_position is None:
            raise
        status = "preparing" if preparing else "failed" if queue_position is None else "queued"
        return Snapshot(run_id=run_id, path=path, status=status, run=None, error=error, queue_position=queue_position)
    status = "preparing" if preparing else run.status if queue_position is None else "queued"
    progress, summary, is_own = run.progress, run.summary, run.is_own
    can_resume = is_own and status not in ("queued", "preparing", "running", "paused") and run.can_resume
    obeyed = (progress or {}).get("commands_obeyed") or 0
    return Snapshot(
        run_id=run_id,
        path=path,
        status=status,
        run=run,
        rows=run_cache.rows(path),
        progress=progress,
        summary=summary,
        waiting=run_cache.waiting_command(path, obeyed) if status in ("running", "paused") else None,
        is_own=is_own,
        can_resume=can_resume,
        queue_position=queue_position,
        error=error or words.short((summary or {}).get("error") or "", LONGEST_ERROR) or None,
        damage=run_cache.damage(path),
        damaged_checkpoints=run.damaged_checkpoints() if can_resume else (),
    )


def sentence(now: Snapshot, registry: RunRegistry, *, truth_shown: bool) -> str:
    """What the run is doing, or how it ended."""
    if now.queue_position is not None:
        return texts.queued(now.queue_position)
    if now.run is None or now.status == "preparing":
        crafting = texts.crafting(registry.crafting) if registry.crafting else None
        return now.error or crafting or texts.LOADING
    done = f"after {epoch_text(len(now.rows) - 1, now.total)}" if now.rows else "before the first epoch was finished"
    if now.status == "finished":
        return f"Finished{_in_seconds(now)}. {_result(now, now.run, truth_shown)}"
    if now.status == "failed":
        return f"Ended {done}. {now.error or texts.SEE_TERMINAL}"
    if now.status in ("stopped", "interrupted"):
        how = "Stopped" if now.status == "stopped" else "Interrupted"
        not_resumable = texts.NOT_RESUMABLE if now.is_own else words.READ_ONLY
        return f"{how} {done}. {texts.RESUMABLE if now.can_resume else not_resumable}"
    return _live_sentence(now, now.run, registry.root)


def _live_sentence(now: Snapshot, run: RunReader, root: Path) -> str:
    epoch, fraction = now.epoch_in_progress
    schedule = run.config.schedule
    stage = f"{epoch_text(epoch, now.total)} · {STAGE_NAMES[schedule.stage(epoch)]}"
    if now.waiting:
        return f"{stage} · {texts.PENDING[now.waiting]}"
    if now.status == "paused":
        return f"{stage} · {texts.PAUSED}"
    if (silent := now.silent_seconds) is not None:
        return f"{stage} · {texts.silent(silent)}"
    if len(now.rows) >= now.total:
        return f"{stage} · {texts.WRITING_SUMMARY}"
    progress = now.progress or {}
    iteration = f" · iteration {progress.get('iteration')} of {progress.get('iterations')}"
    inside = iteration if progress.get("epoch") == epoch else ""
    prior = run_cache.prior_seconds(root, run.config)
    left = eta.remaining_seconds(schedule, run_cache.durations(now.rows), fraction, prior)
    return f"{stage}{inside} · {texts.time_left(left, epoch_text(schedule.altruistic_epochs, now.total))}"


def _in_seconds(now: Snapshot) -> str:
    seconds = (now.summary or {}).get("seconds")
    return f" in {words.duration(seconds)}" if seconds else ""


def _result(now: Snapshot, run: RunReader, truth_shown: bool) -> str:
    """The summary's numbers in a sentence."""
    summary, parts = now.summary or {}, []
    if (accuracy := summary.get("clean_accuracy")) is not None:
        parts.append(f"clean accuracy {percent(accuracy)}")
    if truth_shown and (success := summary.get("attack_success_rate")) is not None:
        parts.append(f"attack success {percent(success)}")
    target, true_target = summary.get("pseudo_target"), summary.get("true_target")
    if target is not None:
        comparison = ""
        if truth_shown and true_target is not None:
            right = target == true_target
            comparison = ", which is right" if right else f", but it was {class_name(run.class_names, true_target)}"
        parts.append(f"defended against {class_name(run.class_names, target)}{comparison}")
    text = "; ".join(parts)
    numbers = f"{text[:1].upper()}{text[1:]}." if text else ""
    verdicts = now.verdicts()
    return f"{target_texts.headline_of(verdicts[-1][1], run.class_names)}. {numbers}" if verdicts else numbers
