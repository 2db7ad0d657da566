"""One self-contained HTML page on a run: pictures, figures, reasons, settings and provenance. It opens without a network.

Every text from outside, class and file names and notes, is escaped; the page has no script at all, and its
Content-Security-Policy allows none.
"""

from __future__ import annotations

import base64
import io
import json
import platform
from collections.abc import Mapping
from datetime import datetime
from html import escape

import numpy as np
from PIL import Image

from bsd_engine.audit.alarms import Alarm, alarms
from bsd_engine.audit.common import BLIND_SPOT, Common, in_common, matched_controls
from bsd_engine.audit.export import svg
from bsd_engine.audit.gap import BIN, Gap, find_gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.number_format import measure
from bsd_engine.audit.reasons import reason
from bsd_engine.audit.suspects import Suspects, suspects
from bsd_engine.runs.reader import RunReader

SHOWN = 60
LARGEST_PICTURE = 96
LARGEST_BYTES = 10_000_000
BLUE, ORANGE, GREY = "var(--blue)", "var(--orange)", "var(--grey)"
_STYLE = """
:root { color-scheme: light dark; --text: #1a1c1f; --paper: #fff; --line: #d5d8dc; --soft: #5f6368; --blue: #0072b2; --orange: #d55e00; --grey: #7f7f7f; }
@media (prefers-color-scheme: dark) { :root { --text: #f2f3f5; --paper: #0e1117; --line: #3a404a; --soft: #a3a8b0; --blue: #56b4e9; --orange: #e69f00; --grey: #9aa0a6; } }
body { font: 16px/1.45 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 1120px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem } p { margin: .4rem 0; max-width: 75ch }
.soft, figcaption, th { color: var(--soft) } .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 1rem 2rem }
figure { margin: 0 } svg { width: 100%; height: auto; display: block } svg text { fill: var(--text); font-size: 12px } svg .small { fill: var(--soft); font-size: 11px }
svg tspan { font-weight: 600 } .grid, .axis { stroke: var(--line); stroke-width: 1 } .mark { stroke: var(--soft); stroke-dasharray: 3 3 } .all { fill: var(--grey); opacity: .35 } .front { fill: var(--text); opacity: .75 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-top: 1px solid var(--line); font-weight: normal } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { image-rendering: pixelated; display: block; width: 64px; height: 64px; object-fit: contain; background: var(--line) } .big img { width: 150px; height: 150px }
.row { display: flex; flex-wrap: wrap; gap: 1rem } .alarm { border-left: 4px solid var(--line); padding: .1rem .8rem; margin: .6rem 0 } .alarm.is-notice { border-color: var(--soft) } .alarm.is-alarm { border-color: var(--text) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem } td { overflow-wrap: break-word } .file { overflow-wrap: anywhere; font-size: .85rem }
"""


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
    verdicts : of the run; none when not given
    with_truth : whether to say what only the truth tells, where the run folder holds it
    shown : pictures of the top suspects
    history : of the run; read when not given

    Raises `RunFolderError` before the first epoch. With 60 suspects of 32x32 pixels about 0.3 MB; pictures above 96
    pixels are made smaller.
    """
    history, verdicts = history or RunHistory.of(run), verdicts or {}
    found = suspects(history)
    truth = run.truth if with_truth else None
    judged = (
        np.ones(history.num_samples, bool) if history.pseudo_target is None else history.labels == history.pseudo_target
    )
    gap = find_gap(found.score[judged]) if found.epochs_decided else None
    seen = alarms(history, found, None if truth is None else truth.is_poison)
    parts = [
        _head(run, history, found, gap, truth_shown=truth is not None),
        _section("What was looked at", "".join(map(_alarm, seen))),
        _section("Figures", _figures(run, history, found, gap, judged, truth is not None)),
        _top(run, history, found, verdicts, shown),
        _in_common(run, history, found, gap, judged),
        _verdicts(verdicts),
        _settings(run, truth is not None),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>Audit of {escape(run.run_id)}</title><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}" if content else ""


def _head(run: RunReader, history: RunHistory, found: Suspects, gap: Gap | None, *, truth_shown: bool) -> str:
    summary, last = run.summary or {}, run.epoch(history.num_epochs - 1).metrics
    numbers = [
        ("samples", f"{history.num_samples:,}"),
        ("classes", f"{len(history.class_names)}"),
        ("epochs recorded", f"{history.num_epochs} of {history.config.schedule.total_epochs}"),
        ("clean pool", f"{int(found.in_pool.sum()):,}" if found.epochs_decided else "not split yet"),
        ("suspected class", "none" if history.pseudo_target is None else history.name(history.pseudo_target)),
        ("samples that stand apart", f"{gap.above:,}" if gap else "no group"),
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
        else '<p class="soft">Which samples are poisoned is not known, or not told here: everything below rests on the record of the training alone.</p>'
    )
    when = datetime.now().astimezone().isoformat(timespec="minutes")
    return (
        f"<h1>Audit of a training run</h1><p class='soft'>{escape(run.run_id)}, {escape(str(summary.get('status', run.status)))}, "
        f"recorded {escape(run.created)}; this page was made {escape(when)}.</p>{note}<table style='max-width:34rem'>{cells}</table>"
    )


def _alarm(alarm: Alarm) -> str:
    sign = {"calm": "○", "notice": "△", "alarm": "▲"}[alarm.level]
    proxy = ' <span class="soft">(a stand-in, not the truth)</span>' if alarm.is_proxy else ""
    return f'<div class="alarm is-{alarm.level}"><b>{sign} {escape(alarm.title)}</b>{proxy}<p>{escape(alarm.sentence)}</p></div>'


# -- figures ---------------------------------------------------------------------------------------


def _figures(
    run: RunReader, history: RunHistory, found: Suspects, gap: Gap | None, judged: np.ndarray, truth_shown: bool
) -> str:
    rows = [RunReader(run.path).epoch(e).metrics for e in range(history.first_main, history.num_epochs)]

    def over_epochs(name: str) -> np.ndarray:
        return np.array([np.nan if row.get(name) is None else row[name] for row in rows], float)

    drawn, first = [], history.first_main + 1
    marks = [(history.first_main + history.config.schedule.t1 + 1, "T1")] if history.decided else []
    if rows:
        series = [("clean accuracy", BLUE, over_epochs("clean_accuracy"))]
        if truth_shown:
            series.append(("attack success", ORANGE, over_epochs("attack_success_rate")))
        drawn.append(
            svg.curves(
                [s for s in series if np.isfinite(s[2]).any()],
                first,
                "Accuracy on test images, percent",
                marks=marks,
                high=100.0,
            )
        )
        drawn.append(
            svg.curves(
                [("clean pool", GREY, over_epochs("clean_pool_size"))], first, "Samples in the clean pool", marks=marks
            )
        )
        if truth_shown:
            drawn.append(
                svg.curves(
                    [("poison in the pool", ORANGE, over_epochs("poison_in_clean_pool"))],
                    first,
                    "Poison in the clean pool, samples",
                    marks=marks,
                )
            )
    low = float(np.floor(found.score.min() / BIN) * BIN)
    edges = np.arange(low, found.score.max() + 2 * BIN, BIN)
    everything, own = (np.histogram(found.score[mask], edges)[0] for mask in (np.ones_like(judged), judged))
    label = "Suspect score, samples (root scale): light all, dark the suspected class"
    drawn.append(
        svg.bars(
            everything, low, BIN, label, over=own, mark=(gap.threshold, f"gap {gap.threshold:.2f}") if gap else None
        )
    )
    return f'<div class="two">{"".join(drawn)}</div>'


# -- samples ---------------------------------------------------------------------------------------


def _top(run: RunReader, history: RunHistory, found: Suspects, verdicts: Mapping[int, Judgement], shown: int) -> str:
    images, files = run.images, run.files
    rows = []
    for place, sample in enumerate(found.order[:shown].tolist(), 1):
        verdict = verdicts.get(sample)
        name = f"<br><span class='soft file'>{escape(files[sample])}</span>" if files else ""
        said = f"<br><b>{verdict.choice}</b> {escape(verdict.note)}" if verdict else ""
        rows.append(
            f"<tr><td class='n'>{place}</td><td>{_image(images[sample], f'sample {sample}')}</td><td class='n'>{sample}</td>"
            f"<td>{escape(history.name(int(history.labels[sample])))}{name}</td><td class='n'>{measure(float(found.score[sample]))}</td>"
            f"<td>{', '.join(found.flags(sample)) or '–'}</td><td class='n'>{found.epochs_in_pool[sample]} of {found.epochs_decided}</td>"
            f"<td>{escape(reason(history, sample, found.epoch).sentence)}{said}</td></tr>"
        )
    head = "".join(
        f"<th>{name}</th>" for name in ("rank", "", "sample", "label", "score", "flags", "epochs in pool", "why")
    )
    return _section(f"The {len(rows)} most suspect samples", f"<table><tr>{head}</tr>{''.join(rows)}</table>")


def _in_common(run: RunReader, history: RunHistory, found: Suspects, gap: Gap | None, judged: np.ndarray) -> str:
    """The upper group, else the top of the ranking, against kept samples that the main model takes for the same things."""
    if not found.epochs_decided:
        return ""
    chosen = judged & (found.score > gap.threshold) if gap else found.rank <= min(100, history.num_samples // 10)
    content = history.main_prediction[-1].astype(np.int64)
    controls = matched_controls(chosen, content, 0, candidates=found.in_pool)
    picked = np.random.default_rng(0).permutation(np.flatnonzero(chosen))[:500]
    if len(picked) < 2 or len(controls) < 2:
        return ""
    images = run.images
    common = in_common(*(images[np.sort(idx)].transpose(0, 2, 3, 1) for idx in (picked, controls[:500])))
    text = (
        f"<p>{len(picked):,} suspects against {common.controls:,} samples of the clean pool that the main model takes for the same classes. "
        f"{escape(common.finding)}</p><p class='soft'>{escape(BLIND_SPOT)}</p>"
    )
    return _section("What the suspects have in common", text + pictures(common))


def pictures(common: Common) -> str:
    """The pictures of a comparison, as HTML."""
    gain = 100 / max(1.0, float(np.abs(common.difference).max()))
    variance = np.clip(128 - 40 * common.variance_ratio, 0, 255)
    power = np.clip(128 + 60 * common.spectrum, 0, 255)
    drawn = [
        ("mean", common.mean),
        ("median", common.median),
        ("mean of the controls", common.control_mean),
        (f"difference × {gain:.1f}, grey: none", np.clip(128 + gain * common.difference, 0, 255)),
        ("variance over the controls': bright is less", variance[..., None]),
        ("spectrum over the controls': bright is more", power[..., None]),
    ]
    figures = "".join(
        f"<figure>{_array(np.rint(x).astype(np.uint8), name)}<figcaption>{escape(name)}</figcaption></figure>"
        for name, x in drawn
    )
    patches = "".join(
        f"<figure>{_array(p.pixels, 'patch')}<figcaption>row {p.row}, column {p.column}:<br>{p.share:.0%}, controls {p.control_share:.0%}</figcaption></figure>"
        for p in common.patches
    )
    return f'<div class="row big">{figures}</div><p class="soft">Most frequent small patches:</p><div class="row">{patches or "none in a tenth of them"}</div>'


def _image(pixels: np.ndarray, alt: str) -> str:
    return _array(np.asarray(pixels).transpose(1, 2, 0), alt)


def _array(pixels: np.ndarray, alt: str) -> str:
    step = -(-max(pixels.shape[:2]) // LARGEST_PICTURE)
    small = np.ascontiguousarray(pixels[::step, ::step])
    buffer = io.BytesIO()
    Image.fromarray(small.squeeze(2) if small.shape[2] == 1 else small).save(buffer, "PNG")
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


# -- what people said, settings --------------------------------------------------------------------


def _verdicts(verdicts: Mapping[int, Judgement]) -> str:
    counts = {choice: sum(v.choice == choice for v in verdicts.values()) for choice in ("keep", "remove", "unsure")}
    if not verdicts:
        return ""
    said = ", ".join(f"{n:,} {choice}" for choice, n in counts.items() if n)
    names = ", ".join(sorted({v.who for v in verdicts.values()}))
    return _section("Judgements", f"<p>{escape(said)}; by {escape(names)}.</p>")


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
    return _section("Settings and provenance", f"<pre>{text}</pre>")
