"""The report's sections on samples: the most suspect ones, and common features of suspects."""

from __future__ import annotations

from html import escape

import numpy as np

from bsd_engine.audit.common import BLIND_SPOT, Common
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.export.page import array_image, image, section
from bsd_engine.audit.number_format import measure


def most_suspect(audited: Audited, shown: int) -> str:
    """The most suspect samples with image, flags and reason, as a table."""
    history, ranking = audited.history, audited.ranking
    images, files = audited.run.images, audited.run.files
    rows = []
    for rank, sample in enumerate(ranking.order[:shown].tolist(), 1):
        judgement = audited.judgements.get(sample)
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


def shared_traits(audited: Audited) -> str:
    """Differences of those that stand apart, else of the top suspects, from kept samples of the same classes."""
    common = audited.common
    if common is None:
        return ""
    who = "images that stand apart" if audited.apart.any() else "most suspect images, none of which stands apart,"
    blind = "" if BLIND_SPOT in common.finding else f"<p class='soft'>{escape(BLIND_SPOT)}</p>"
    text = (
        f"<p>{common.count:,} {who} against {common.controls:,} of the clean pool that the main model "
        f"takes for the same classes. {escape(common.finding)}</p>{blind}"
    )
    return section("What the suspects have in common", text + pictures(common))


def difference(common: Common) -> str:
    """The difference from the controls as a figure, its contrast raised."""
    gain = 100 / max(1.0, float(np.abs(common.difference).max()))
    return _figure(f"difference × {gain:.1f}, grey: none", np.clip(128 + gain * common.difference, 0, 255))


def _figure(name: str, picture: np.ndarray) -> str:
    drawn = array_image(np.rint(picture).astype(np.uint8), name)
    return f"<figure>{drawn}<figcaption>{escape(name)}</figcaption></figure>"


def pictures(common: Common) -> str:
    """The pictures of a comparison, as HTML."""
    variance = np.clip(128 - 40 * common.variance_ratio, 0, 255)
    power = np.clip(128 + 60 * common.spectrum, 0, 255)
    figures = (
        _figure("mean", common.mean)
        + _figure("median", common.median)
        + _figure("mean of the controls", common.control_mean)
        + difference(common)
        + _figure("variance over the controls': bright is less", variance[..., None])
        + _figure("spectrum over the controls': bright is more", power[..., None])
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
