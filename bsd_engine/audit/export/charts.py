"""The report's figures over the epochs and over the suspect scores."""

from __future__ import annotations

import numpy as np

from bsd_engine.audit.export import svg
from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.findings.gap import BIN, FARTHEST
from bsd_engine.runs.reader import RunReader

BLUE, ORANGE, GREY = "var(--blue)", "var(--orange)", "var(--grey)"


def figures(audited: Audited) -> str:
    """Accuracy and pool over the epochs, and the distribution of the suspect scores."""
    run, history, truth_shown = audited.run, audited.history, audited.truth_shown
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
    return f'<div class="two">{"".join(drawn)}{_scores(audited)}</div>'


def _scores(audited: Audited) -> str:
    """The suspect scores of all samples, and in front those of the samples that stand apart, else of the suspects."""
    grouped, named = bool(audited.apart.any()), audited.history.pseudo_target is not None
    front = audited.apart if grouped else audited.history.candidates
    dark = ", dark those that stand apart" if grouped else ", dark the suspected class" if named else ""
    scores = audited.ranking.score.clip(-FARTHEST, FARTHEST)
    low = float(np.floor(scores.min() / BIN) * BIN)
    edges = np.arange(low, scores.max() + 2 * BIN, BIN)
    everything, suspected = (np.histogram(x, edges)[0] for x in (scores, scores[front]))
    label = f"Suspect score, samples (root scale): light all{dark}"
    return svg.bars(everything, low, BIN, label, over=suspected if dark else None)
