"""What a run is doing, in words: one reading of its folder and of the server, for the page to lay out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.server import eta, run_cache
from app.server.registry import RunRegistry
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import STAGE_NAMES, class_name, epoch_text, percent
from bsd_engine.errors import BSDError
from bsd_engine.runs.layout import Command, Status
from bsd_engine.runs.reader import RunReader

ING: dict[Command, str] = {"pause": "pausing…", "resume": "resuming…", "stop": "stopping…"}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One look at a run."""

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
    can_resume: bool = False
    error: str | None = None
    """Why the run ended early."""
    before: int | None = None
    """How many trainings are over before that of a waiting run begins."""
    damage: str | None = None
    """What of the record cannot be read; `rows` end before it."""

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


def look(registry: RunRegistry, run_id: str) -> Snapshot:
    """The present state of a run; raises `BSDError` for a broken folder."""
    path, error = registry.root / run_id, registry.error(run_id)
    preparing, before = registry.preparing(run_id), registry.place(run_id)
    try:
        path = registry.path(run_id)
        run = run_cache.reader(path)
    except BSDError:
        if not preparing and not error and before is None:
            raise
        status = "preparing" if preparing else "failed" if before is None else "queued"
        return Snapshot(run_id=run_id, path=path, status=status, run=None, error=error, before=before)
    status = "preparing" if preparing else run.status if before is None else "queued"
    progress, summary = run.progress, run.summary
    return Snapshot(
        run_id=run_id,
        path=path,
        status=status,
        run=run,
        rows=run_cache.rows(path),
        progress=progress,
        summary=summary,
        waiting=run_cache.waiting_command(path, (progress or {}).get("commands_obeyed") or 0)
        if status in ("running", "paused")
        else None,
        can_resume=status not in ("queued", "preparing", "running", "paused") and run.can_resume,
        before=before,
        error=error or (summary or {}).get("error"),
        damage=run_cache.damage(path),
    )


def sentence(now: Snapshot, registry: RunRegistry, *, truth_shown: bool) -> str:
    """What the run is doing, or how it ended."""
    if now.before is not None:
        runs = "the run that trains now is" if now.before == 1 else f"{now.before} other runs are"
        return f"Waits until {runs} over, since this machine trains one run at a time. Stop takes it out of the queue."
    if now.run is None or now.status == "preparing":
        crafting = (
            f"The attack crafts its trigger: {registry.crafting}. It is kept for the next time."
            if registry.crafting
            else None
        )
        return now.error or crafting or "Loading the images and building both models; the first epoch follows."
    done = f"after {epoch_text(len(now.rows) - 1, now.total)}" if now.rows else "before the first epoch was whole"
    if now.status == "finished":
        return f"Finished{_in_seconds(now)}. {_result(now, truth_shown)}"
    if now.status == "failed":
        return f"Ended {done}. {now.error or 'The terminal says why.'}"
    if now.status in ("stopped", "interrupted"):
        how = "Stopped" if now.status == "stopped" else "Interrupted"
        after = (
            "Resume goes on from there; at most the epoch in progress is trained again."
            if now.can_resume
            else "There is nothing to resume from."
        )
        return f"{how} {done}. {after}"
    return _live_sentence(now, registry)


def _live_sentence(now: Snapshot, registry: RunRegistry) -> str:
    assert now.run is not None
    epoch, fraction = now.epoch_in_progress
    schedule = now.run.config.schedule
    where = f"{epoch_text(epoch, now.total)} · {STAGE_NAMES[schedule.stage(epoch)]}"
    if now.waiting:
        return f"{where} · {ING[now.waiting]}"
    if now.status == "paused":
        return f"{where} · paused; Resume goes on within the epoch"
    if (silent := now.silent_seconds) is not None:
        return f"{where} · no news for {words.duration(silent)}; it may hang or wait for the machine"
    if len(now.rows) >= now.total:
        return f"{where} · writing the summary"
    progress = now.progress or {}
    inside = (
        f" · iteration {progress.get('iteration')} of {progress.get('iterations')}"
        if progress.get("epoch") == epoch
        else ""
    )
    prior = run_cache.prior_seconds(registry.root, now.run.config)
    left = eta.remaining_seconds(schedule, run_cache.durations(now.rows), fraction, prior)
    if left is None:
        first = epoch_text(schedule.altruistic_epochs, now.total)
        return f"{where}{inside} · time left is known after {first}"
    return f"{where}{inside} · about {words.duration(left)} left"


def _in_seconds(now: Snapshot) -> str:
    seconds = (now.summary or {}).get("seconds")
    return f" in {words.duration(seconds)}" if seconds else ""


def _result(now: Snapshot, truth_shown: bool) -> str:
    """The summary's numbers in a sentence."""
    assert now.run is not None
    summary = now.summary or {}
    parts = []
    if (accuracy := summary.get("clean_accuracy")) is not None:
        parts.append(f"clean accuracy {percent(accuracy)}")
    if truth_shown and (success := summary.get("attack_success_rate")) is not None:
        parts.append(f"attack success {percent(success)}")
    target, true_target = summary.get("pseudo_target"), summary.get("true_target")
    if target is not None:
        verdict = ""
        if truth_shown and true_target is not None:
            verdict = (
                ", which is right"
                if target == true_target
                else f", but it was {class_name(now.run.class_names, true_target)}"
            )
        parts.append(f"suspected target {class_name(now.run.class_names, target)}{verdict}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
