"""Five numbers of an epoch, as HTML; pure functions of the recorded state."""

from __future__ import annotations

import html
from typing import NamedTuple

from app.run import texts
from app.run.status import Snapshot, attack_kind
from app.server.run_cache import EpochRow
from app.style import words
from app.style.theme import count, epoch_text, percent
from bsd_engine.runs.reader import RunReader


class Tile(NamedTuple):
    """One number."""

    label: str
    value: str
    note: str
    aside: str = ""
    """Small, behind the value."""

    def html(self) -> str:
        """The tile as HTML."""
        label, value, note, aside = (html.escape(text, quote=False) for text in self)
        return (
            f'<div><div class="label">{label}</div><div class="value">{value} <small>{aside}</small></div>'
            f'<div class="note">{note}</div></div>'
        )


def tiles(now: Snapshot, epoch: int | None, truth_shown: bool) -> str:
    """The numbers after an epoch, or empty tiles before the run has a folder."""
    if now.run is None:
        shown = [Tile(label, "–", "\N{NO-BREAK SPACE}") for label in texts.TILES]
    else:
        row = now.rows[epoch] if epoch is not None else None
        later = f"from {epoch_text(now.run.config.schedule.altruistic_epochs, now.total)} on"
        shown = [
            Tile(texts.CLEAN_ACCURACY, *_rate(row, "clean_accuracy", later, texts.HIGHER)),
            _success_tile(now.run, row, later, truth_shown),
            _pool_tile(now.run, row, later),
            _poison_tile(now.run, row, later, truth_shown),
            _target_tile(now, now.run, row, truth_shown),
        ]
    return f'<div class="tiles">{"".join(tile.html() for tile in shown)}</div>'


def _rate(row: EpochRow | None, name: str, later: str, note: str) -> tuple[str, str]:
    """A percentage with its note, or why it is missing."""
    value = row.metrics.get(name) if row else None
    if value is not None:
        return percent(value), note
    return "–", later if row is None or row.main_epoch < 0 else texts.NO_TEST_SET


def _success_tile(run: RunReader, row: EpochRow | None, later: str, truth_shown: bool) -> Tile:
    if not truth_shown:
        why = texts.HIDDEN_WITH_TRUTH if run.truth_known else texts.UNKNOWN_WITHOUT_ATTACK
        return Tile(texts.ATTACK_SUCCESS, "–", why)
    return Tile(texts.ATTACK_SUCCESS, *_rate(row, "attack_success_rate", later, texts.LOWER))


def _pool_tile(run: RunReader, row: EpochRow | None, later: str) -> Tile:
    size = row.metrics.get("clean_pool_size") if row else None
    if size is None:
        return Tile(texts.CLEAN_POOL, "–", later)
    of_all = f"of {count(run.num_samples)} samples"
    return Tile(texts.CLEAN_POOL, count(size), of_all, percent(100 * size / run.num_samples, 0))


def _poison_tile(run: RunReader, row: EpochRow | None, later: str, truth_shown: bool) -> Tile:
    if not truth_shown:
        return Tile(texts.POISON_IN_POOL, "–", texts.HIDDEN_WITH_TRUTH if run.truth_known else texts.TRUTH_UNKNOWN)
    poison = row.metrics.get("poison_in_clean_pool") if row else None
    if row is None or poison is None:
        return Tile(texts.POISON_IN_POOL, "–", later)
    cumulative = count(row.metrics.get("poison_in_clean_pool_cumulative") or 0)
    return Tile(texts.POISON_IN_POOL, count(poison), f"samples; {cumulative} cumulative")


def _target_tile(now: Snapshot, run: RunReader, row: EpochRow | None, truth_shown: bool) -> Tile:
    label, config = texts.SUSPECTED_CLASS, run.config
    if config.split.all_to_all != "off":
        return Tile(label, texts.EVERY_CLASS, texts.NO_SINGLE_TARGET)
    if row is None:
        return Tile(label, "–", texts.ESTIMATED_EACH_EPOCH)
    verdict, estimator = _verdict_kind(now, run, row), words.estimator(config.split.target_estimator)
    if row.pseudo_target is None:
        return Tile(label, texts.VERDICT_WITHOUT_CLASS.get(verdict, "–"), estimator)
    suspect = now.class_name(row.pseudo_target)
    if verdict in ("no_attack", "uncertain"):
        return Tile(label, suspect, texts.LIKELIEST_CLASS[verdict])
    comparison = ""
    if truth_shown and config.attack.attack != "none" and attack_kind(config.attack.attack).has_target:
        right = row.pseudo_target == config.attack.target_label
        comparison = texts.RIGHT if right else texts.wrong(now.class_name(config.attack.target_label))
    return Tile(label, suspect, estimator, comparison)


def _verdict_kind(now: Snapshot, run: RunReader, row: EpochRow) -> str:
    """Kind of the verdict on the target that holds in an epoch; "" before there is one."""
    known = now.verdicts(row.epoch) if run.config.split.target_estimator == "auto" else []
    return known[-1][1]["kind"] if known else ""
