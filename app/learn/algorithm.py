"""Algorithm 1 of the paper beside a run: its lines, those that an epoch executes, and the variables; no streamlit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.learn.texts import COMPLETION, FIRST_POOL
from app.server.run_cache import EpochRow
from app.style.glossary import safe
from app.style.theme import count
from bsd_engine.audit.number_format import measure
from bsd_engine.config.method_settings import ScheduleConfig
from bsd_engine.config.settings import BSDConfig
from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True)
class Line:
    """One line. The numbers are the paper's; it also numbers comments and ends of loops."""

    number: int
    indent: int
    text: str
    """With terms of the glossary."""
    note: str = ""
    """Where the run, or our reading of the paper, differs from what is printed."""


def lines(config: BSDConfig) -> tuple[Line, ...]:
    """The lines as a run with these settings executes them."""
    split, schedule = config.split, config.schedule
    first, first_note = FIRST_POOL[split.init_combine]
    completion = COMPLETION[split.completion]
    guess = f"given: class {split.assume_target}" if split.assume_target is not None else "guessed from [[g]]"
    return (
        Line(2, 0, "[[f]] ← fresh weights"),
        Line(3, 0, "[[g]] ← fresh weights"),
        Line(5, 0, f"for i = 1 to {schedule.altruistic_epochs}"),
        Line(7, 1, "loss ← cross-entropy of [[g]] on all of [[D]]"),
        Line(8, 1, "train [[g]] on it"),
        Line(12, 0, f"[[y_t]] ← the suspected class, {guess}"),
        Line(13, 0, "[[D_t]], [[D_nt]] ← labelled [[y_t]], all others"),
        Line(15, 0, "while [[T]] < [[T3]]"),
        Line(16, 1, "if [[T]] < [[T1]]"),
        Line(18, 2, "[[D_c]] ← [[D_nt]]"),
        Line(19, 1, "else if [[T]] = [[T1]]"),
        Line(21, 2, first, first_note),
        Line(22, 1, f"else if [[T1]] + {schedule.init_epochs} ≤ [[T]] < [[T2]]"),
        Line(25, 2, "[[alpha_T]] ← half a cosine from [[beta]] to [[alpha]]"),
        Line(
            28,
            2,
            f"[[D_c]] ← the share [[alpha_T]] with the largest gap [[gap]]; {completion}",
            "" if split.completion == "fewest" else "the paper fills up the class with the fewest",
        ),
        Line(29, 1, "else if [[T]] ≥ [[T2]]"),
        Line(31, 2, "[[alpha_T]] ← [[alpha]]"),
        Line(
            34,
            2,
            "[[D_c]] ← as before" + (", less what both models call [[y_t]]" if split.selective_drop else ""),
            "" if split.selective_drop else "this run drops nothing",
        ),
        Line(36, 1, "[[D_p]] ← [[D]] without [[D_c]]"),
        Line(38, 1, "train [[f]]: [[D_c]] with labels, [[D_p]] without"),
        Line(39, 1, "if [[T]] < [[T2]]"),
        Line(40, 2, "train [[g]] on all of [[D]]" if config.altruistic.altruistic_loss == "ce" else "train [[g]]"),
    )


def executed(schedule: ScheduleConfig, epoch: int) -> tuple[int, ...]:
    """Numbers of the lines that a global epoch executes, in order."""
    t = schedule.main_epoch(epoch)
    if t < 0:
        before = (2, 3) if epoch == 0 else ()
        after = (12, 13) if epoch == schedule.altruistic_epochs - 1 else ()
        return (*before, 5, 7, 8, *after)
    if t < schedule.t1:
        branch: tuple[int, ...] = (16, 18)
    elif t == schedule.t1:
        branch = (19, 21)
    elif t < schedule.t1 + schedule.init_epochs:
        branch = ()  # the first pools stay as they are
    elif t < schedule.t2:
        branch = (22, 25, 28)
    else:
        branch = (29, 31, 34)
    return (15, *branch, 36, 38, *((39, 40) if t < schedule.t2 else ()))


def variables(run: RunReader, row: EpochRow) -> list[tuple[str, str]]:
    """The variables after an epoch as (term of the glossary, value), without those that are not known yet."""
    metrics, n = row.metrics, run.num_samples
    values: list[tuple[str, str]] = [
        ("T", f"{row.main_epoch}" if row.main_epoch >= 0 else f"not yet; i = {row.epoch + 1}")
    ]
    if row.clean_ratio is not None and row.main_epoch >= run.config.schedule.t1:
        values.append(("alpha_T", f"{row.clean_ratio:.3f}"))
    if (pool := metrics.get("clean_pool_size")) is not None:
        values += [("D_c", count(pool)), ("D_p", count(n - pool))]
    else:
        values.append(("D", count(n)))
    target = row.pseudo_target
    values.append(("y_t", "no single class" if target is None else safe(run.class_names[target])))
    if target is not None:
        values.append(("D_t", count((run.labels == target).sum())))
    if (loss := metrics.get("altruistic_train_loss")) is not None:
        values.append(("loss_g", f"{measure(loss)} in training"))
    if (loss := metrics.get("main_train_loss")) is not None:
        values.append(("semi", measure(loss)))
    return values


def to_dict(run: RunReader, rows: tuple[EpochRow, ...]) -> dict[str, Any]:
    """The lines, and for each recorded epoch the lines executed and the variables; plain values for the browser."""
    schedule = run.config.schedule
    return {
        "lines": [asdict(line) for line in lines(run.config)],
        "executed": [executed(schedule, row.epoch) for row in rows],
        "variables": [variables(run, row) for row in rows],
    }
