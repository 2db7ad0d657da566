"""The report's sections on samples: the most suspect ones, and common features of suspects."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from bsd_engine.audit.common import BLIND_SPOT, Common, in_common, matched_controls
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.export.page import array_image, image, section
from bsd_engine.audit.findings.apart import stands_apart
from bsd_engine.audit.findings.gap import Gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.number_format import measure
from bsd_engine.audit.suspects import Suspects
from bsd_engine.runs.reader import RunReader


def most_suspect(
    run: RunReader, history: RunHistory, ranking: Suspects, verdicts: Mapping[int, Judgement], shown: int
) -> str:
    """The most suspect samples with image, flags and reason, as a table."""
    images, files = run.images, run.files
    rows = []
    for rank, sample in enumerate(ranking.order[:shown].tolist(), 1):
        judgement = verdicts.get(sample)
        name = f"<br><span class='soft file'>{escape(files[sample])}</span>" if files else ""
        judged = f"<br><b>{escape(judgement.choice)}</b> {escape(judgement.note)}" if judgement else ""
        rows.append(
            f"<tr><td class='n'>{rank}</td><td>{image(images[sample], f'sample {sample}')}</td>"
            f"<td class='n'>{sample}</td><td>{escape(history.name(int(history.labels[sample])))}{name}</td>"
            f"<td class='n'>{escape(measure(float(ranking.score[sample])))}</td>"
            f"<td>{escape(', '.join(ranking.flags(sample))) or '–'}</td>"
            f"<td class='n'>{ranking.epochs_in_pool[sample]} of {ranking.epochs_decided}</td>"
            f"<td>{escape(reason(history, sample, ranking.epoch).sentence)}{judged}</td></tr>"
        )
    head = "".join(
        f"<th>{escape(name)}</th>"
        for name in ("rank", "", "sample", "label", "score", "flags", "epochs in pool", "why")
    )
    return section(f"The {len(rows)} most suspect samples", f"<table><tr>{head}</tr>{''.join(rows)}</table>")


def shared_traits(run: RunReader, history: RunHistory, ranking: Suspects, gap: Gap | None, judged: np.ndarray) -> str:
    """Differences of the suspects from kept samples of the same predicted classes.

    The suspects are all samples that stand apart, else those above the gap, else the top of the ranking.
    """
    if not ranking.epochs_decided:
        return ""
    chosen = judged & stands_apart(history, ranking)
    if not chosen.any():
        top = ranking.rank <= min(100, history.num_samples // 10)
        chosen = judged & (ranking.score > gap.threshold) if gap else top
    content = history.main_prediction[-1].astype(np.int64)
    controls = matched_controls(chosen, content, 0, candidates=ranking.in_pool)
    picked = np.random.default_rng(0).permutation(np.flatnonzero(chosen))[:500]
    if len(picked) < 2 or len(controls) < 2:
        return ""
    images = run.images
    common = in_common(*(images[np.sort(idx)].transpose(0, 2, 3, 1) for idx in (picked, controls[:500])))
    blind = "" if BLIND_SPOT in common.finding else f"<p class='soft'>{escape(BLIND_SPOT)}</p>"
    text = (
        f"<p>{len(picked):,} suspects against {common.controls:,} samples of the clean pool that the main model "
        f"takes for the same classes. {escape(common.finding)}</p>{blind}"
    )
    return section("What the suspects have in common", text + pictures(common))


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
        f"<figure>{array_image(np.rint(x).astype(np.uint8), name)}<figcaption>{escape(name)}</figcaption></figure>"
        for name, x in drawn
    )
    patches = "".join(
        f"<figure>{array_image(p.pixels, 'patch')}<figcaption>row {p.row}, column {p.column}:<br>"
        f"{p.share:.0%}, controls {p.control_share:.0%}</figcaption></figure>"
        for p in common.patches
    )
    return (
        f'<div class="row big">{figures}</div><p class="soft">Most frequent small patches:</p>'
        f'<div class="row">{patches or "none in a tenth of them"}</div>'
    )
