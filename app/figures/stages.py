"""The stages of a run: the epochs that each one spans, and a strip that shows the progress; no streamlit."""

from __future__ import annotations

import html

from app.style.theme import STAGE_NAMES, Palette, epoch_number, epoch_text
from bsd_engine.config.method_settings import STAGES, ScheduleConfig, Stage


def stage_spans(schedule: ScheduleConfig) -> list[tuple[Stage, int, int]]:
    """Each stage that has an epoch, with its first and last global, 0-based epoch."""
    starts = [schedule.altruistic_epochs + t for t in (0, schedule.t1, schedule.t1 + schedule.init_epochs, schedule.t2)]
    bounds = [0, *starts, schedule.total_epochs]
    return [(stage, a, b - 1) for stage, a, b in zip(STAGES, bounds, bounds[1:], strict=False) if b > a]


def stage_strip(schedule: ScheduleConfig, epoch: int | None, palette: Palette, *, progress: float = 0.0) -> str:
    """HTML of the stages, each as wide as it is long, with a bar up to the current epoch.

    Parameters
    ----------
    epoch : global, 0-based epoch that is shown or trained; None before the first
    progress : share of that epoch that is done, 0 to 1
    """
    total = schedule.total_epochs
    cells = "".join(
        _stage_cell(stage, first, last, epoch, palette, shaded=bool(i % 2))
        for i, (stage, first, last) in enumerate(stage_spans(schedule))
    )
    label, bar = "no epoch yet", ""
    if epoch is not None:
        current = schedule.stage(min(max(epoch, 0), total - 1))
        label = f"{STAGE_NAMES[current]}, {epoch_text(epoch, total)}"
        done = 100 * min(1.0, max(0.0, (epoch + min(max(progress, 0.0), 1.0)) / total))
        style = f"position:absolute;bottom:0;left:0;width:{done:.2f}%;height:3px;background:{palette.text}"
        bar = f'<div style="{style}"></div>'
    style = (
        f"position:relative;display:flex;height:24px;border:1px solid {palette.line};"
        "border-radius:4px;font-size:13px;line-height:22px;box-sizing:border-box"
    )
    return f'<div role="img" aria-label="Stages: {html.escape(label)}" style="{style}">{cells}{bar}</div>'


def _stage_cell(stage: Stage, first: int, last: int, epoch: int | None, palette: Palette, *, shaded: bool) -> str:
    """HTML of one stage; the current one in bold."""
    current = epoch is not None and first <= epoch <= last
    font = f"color:{palette.text};font-weight:600" if current else f"color:{palette.muted}"
    epochs, name = last + 1 - first, STAGE_NAMES[stage]
    style = (
        f"flex:{epochs} 1 0;min-width:0;padding:0 8px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;"
        f"background:{palette.band if shaded else 'transparent'};{font}"
    )
    title = html.escape(f"{name}: epochs {epoch_number(first)} to {epoch_number(last)}")
    return f'<div title="{title}" style="{style}">{html.escape(f"{name} {epochs}")}</div>'
