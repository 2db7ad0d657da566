"""The report's figures over the epochs and over the suspect scores."""

from __future__ import annotations

import numpy as np

from bsd_engine.audit.export import svg
from bsd_engine.audit.findings.gap import BIN, FARTHEST, Gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import Suspects
from bsd_engine.runs.reader import RunReader

BLUE, ORANGE, GREY = "var(--blue)", "var(--orange)", "var(--grey)"


def figures(
    run: RunReader, history: RunHistory, ranking: Suspects, gap: Gap | None, judged: np.ndarray, truth_shown: bool
) -> str:
    """Accuracy and pool over the epochs, and the distribution of the suspect scores."""
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
    scores = ranking.score.clip(-FARTHEST, FARTHEST)
    low = float(np.floor(scores.min() / BIN) * BIN)
    edges = np.arange(low, scores.max() + 2 * BIN, BIN)
    everything, suspected = (np.histogram(scores[mask], edges)[0] for mask in (np.ones_like(judged), judged))
    label = "Suspect score, samples (root scale): light all, dark the suspected class"
    drawn.append(
        svg.bars(
            everything,
            low,
            BIN,
            label,
            over=suspected,
            mark=(gap.threshold, f"gap {gap.threshold:.2f}") if gap else None,
        )
    )
    return f'<div class="two">{"".join(drawn)}</div>'
