"""The stages of a run: which epochs they span, and the strip that shows where a run is; no streamlit."""

from __future__ import annotations

import html

from app.style.theme import STAGE_NAMES, Palette, epoch_number, epoch_text
from bsd_engine.config.method_settings import STAGES, ScheduleConfig, Stage


def stage_spans(schedule: ScheduleConfig) -> list[tuple[Stage, int, int]]:
    """Stages that have an epoch, with their first and last global, 0-based epoch."""
    starts = [schedule.altruistic_epochs + t for t in (0, schedule.t1, schedule.t1 + schedule.init_epochs, schedule.t2)]
    bounds = [0, *starts, schedule.total_epochs]
    return [(stage, a, b - 1) for stage, a, b in zip(STAGES, bounds, bounds[1:], strict=False) if b > a]


def stage_strip(schedule: ScheduleConfig, epoch: int | None, palette: Palette, *, progress: float = 0.0) -> str:
    """HTML of the five stages, each as wide as it is long, with a mark where the run is.

    Parameters
    ----------
    epoch : global, 0-based epoch that is shown or trained; None before the first
    progress : share of that epoch that is done, 0 to 1
    """
    total = schedule.total_epochs
    cells = "".join(
        _stage_cell(stage, first, last, epoch, palette, i)
        for i, (stage, first, last) in enumerate(stage_spans(schedule))
    )
    label, mark = "no epoch yet", ""
    if epoch is not None:
        here = schedule.stage(min(max(epoch, 0), total - 1))
        label = f"{STAGE_NAMES[here]}, {epoch_text(epoch, total)}"
        at = 100 * min(1.0, max(0.0, (epoch + min(max(progress, 0.0), 1.0)) / total))
        mark = f'<div style="position:absolute;bottom:0;left:0;width:{at:.2f}%;height:3px;background:{palette.text}"></div>'
    return (
        f'<div role="img" aria-label="Stages: {html.escape(label)}" style="position:relative;display:flex;height:24px;border:1px solid {palette.line};'
        f'border-radius:4px;font-size:13px;line-height:22px;box-sizing:border-box">{cells}{mark}</div>'
    )


def _stage_cell(stage: Stage, first: int, last: int, epoch: int | None, palette: Palette, i: int) -> str:
    current = epoch is not None and first <= epoch <= last
    look = f"color:{palette.text};font-weight:600" if current else f"color:{palette.muted}"
    n = last + 1 - first
    text = html.escape(f"{STAGE_NAMES[stage]} {n}")
    return (
        f'<div title="{html.escape(STAGE_NAMES[stage])}: epochs {epoch_number(first)} to {epoch_number(last)}" style="flex:{n} 1 0;min-width:0;'
        f'padding:0 8px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;background:{palette.band if i % 2 else "transparent"};{look}">{text}</div>'
    )
