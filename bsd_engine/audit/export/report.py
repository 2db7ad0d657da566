"""One self-contained HTML page on a run: what to decide, then figures, reasons and provenance. It needs no network.

Every text from outside (class names, file names, notes) is escaped. The page has no script, and its
Content-Security-Policy allows none.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import datetime
from html import escape

import numpy as np

from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.export.charts import figures
from bsd_engine.audit.export.first_page import first_page
from bsd_engine.audit.export.page import STYLE, section
from bsd_engine.audit.export.samples import most_suspect, shared_traits
from bsd_engine.audit.export.terms import definitions
from bsd_engine.audit.findings.alarms import Alarm, alarms
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import suspects
from bsd_engine.runs.reader import RunReader

SHOWN = 60
LARGEST_BYTES = 10_000_000


def report(
    run: RunReader,
    verdicts: Mapping[int, Judgement] | None = None,
    *,
    with_truth: bool = True,
    shown: int = SHOWN,
    history: RunHistory | None = None,
) -> str:
    """The page as text.

    Parameters
    ----------
    verdicts : judgements of the run, if any
    with_truth : whether to show numbers that need the ground truth, if the run folder holds it
    shown : number of top suspects to show
    history : of the run; read when not given

    Raises `RunFolderError` before the first epoch, or if the images are damaged. With 60 suspects of 32x32 pixels about
    0.3 MB; pictures above 96 pixels are made smaller.
    """
    run.check_images()
    history, verdicts = history or RunHistory.of(run), verdicts or {}
    ranking = suspects(history)
    truth = run.truth if with_truth else None
    seen = [a for a in alarms(history, ranking, None if truth is None else truth.is_poison) if a.kind != "attack"]
    audited = Audited(run=run, history=history, ranking=ranking, judgements=verdicts, truth_shown=truth is not None)
    parts = [
        first_page(audited),
        definitions(),
        section("The run", _run(audited)),
        section("Other checks", "".join(map(_alarm, seen))),
        section("Figures", figures(audited)),
        most_suspect(audited, shown),
        shared_traits(audited),
        _verdicts(verdicts),
        _settings(run, truth is not None),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Audit of {escape(run.run_id)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _run(audited: Audited) -> str:
    run, history, ranking, truth_shown = audited.run, audited.history, audited.ranking, audited.truth_shown
    summary, last = run.summary or {}, audited.metrics
    numbers = [
        ("samples", f"{history.num_samples:,}"),
        ("classes", f"{len(history.class_names)}"),
        ("epochs recorded", f"{history.num_epochs} of {history.config.schedule.total_epochs}"),
        ("clean pool", f"{int(ranking.in_pool.sum()):,}" if ranking.epochs_decided else "not split yet"),
        ("suspected class", "none" if history.pseudo_target is None else history.name(history.pseudo_target)),
    ]
    for words, name, is_truth in (
        ("clean accuracy", "clean_accuracy", False),
        ("attack success", "attack_success_rate", True),
    ):
        value = last.get(name)
        if value is not None and (truth_shown or not is_truth):
            numbers.append((words, f"{value:.1f} %"))
    if truth_shown:
        numbers.append(
            (
                "poison in the clean pool",
                f"{last.get('poison_in_clean_pool'):,}" if last.get("poison_in_clean_pool") is not None else "–",
            )
        )
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in numbers)
    note = (
        ""
        if truth_shown
        else '<p class="soft">Which samples are poisoned is not known, or not told here: '
        "everything here rests on the record of the training alone.</p>"
    )
    when = datetime.now().astimezone().isoformat(timespec="minutes")
    return (
        f"<p class='soft'>{escape(run.run_id)}, "
        f"{escape(str(summary.get('status', run.status)))}, "
        f"recorded {escape(run.created)}; this page was made {escape(when)}.</p>{note}"
        f"<table style='max-width:34rem'>{cells}</table>"
    )


def _alarm(alarm: Alarm) -> str:
    sign = {"calm": "○", "notice": "△", "alarm": "▲"}[alarm.level]
    proxy = ' <span class="soft">(a stand-in, not the truth)</span>' if alarm.is_proxy else ""
    title = f"<b>{sign} {escape(alarm.title)}</b>"
    return f'<div class="alarm is-{alarm.level}">{title}{proxy}<p>{escape(alarm.sentence)}</p></div>'


# -- judgements, settings --------------------------------------------------------------------------


def _verdicts(verdicts: Mapping[int, Judgement]) -> str:
    counts = {choice: sum(v.choice == choice for v in verdicts.values()) for choice in ("keep", "remove", "unsure")}
    if not verdicts:
        return ""
    said = ", ".join(f"{n:,} {choice}" for choice, n in counts.items() if n)
    names = ", ".join(sorted({v.who for v in verdicts.values()}))
    return section("Judgements", f"<p>{escape(said)}; by {escape(names)}.</p>")


def _settings(run: RunReader, truth_shown: bool) -> str:
    config = run.config.to_dict()
    if not truth_shown:
        config.pop("attack")
    provenance = {
        "run": run.run_id,
        "created": run.created,
        "fingerprint of the data": run.fingerprint,
        "branched from": run.branched_from,
        "made with": f"Python {platform.python_version()}, numpy {np.__version__}",
        "settings": config,
    }
    text = escape(json.dumps(provenance, indent=1, ensure_ascii=False))
    return section("Settings and provenance", f"<pre>{text}</pre>")
