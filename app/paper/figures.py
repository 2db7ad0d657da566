"""The figures of the paper that the Paper page redraws, with the runs that each one needs; no streamlit."""

from __future__ import annotations

from dataclasses import replace

from app.paper import drawings, texts
from app.paper.cells import FORCED, RATES, spec_of, with_rate
from app.paper.slots import (
    HEALTHY,
    Chart,
    PaperFigure,
    Slot,
    at_rate,
    attack_success,
    attacked_with,
    is_defended,
    is_forced,
    train_command,
)

VOTE_ATTACKS = {"badnets": "badnets", "blended": "blended", "wanet": "wanet", "label_consistent": "lc"}
"""Attacks of figure 9: our name -> the paper's."""

TAKEOVER = Slot(
    label=texts.SLOT_LABELS["takeover"],
    fits=lambda config: config.split.init_combine in ("random", "union") and config.attack.attack != "none",
    recordings=("collapse-poison",),
    command=train_command("badnets", init_combine="random"),
    shows_it=lambda summary: attack_success(summary) > 50,
)
STARVATION = Slot(
    label=texts.SLOT_LABELS["starvation"],
    fits=lambda config: config.split.completion == "off",
    recordings=("collapse-classes",),
    command=train_command("badnets", completion="off"),
)
WRONG_TARGET = Slot(
    label=texts.SLOT_LABELS["forced"],
    fits=is_forced,
    recordings=("wrong-target",),
    command=train_command("badnets", target_estimator="given", assume_target=FORCED).replace(
        "--attack badnets", "--attack badnets --target 5"
    ),
)
ALL_TO_ALL = Slot(
    label=texts.SLOT_LABELS["all_to_all"],
    fits=lambda config: config.split.all_to_all != "off",
    recordings=(),
    command=train_command(spec_of("demo", "badnets_all2all"), all_to_all="shared", selective_drop=False),
)


def _rate_slot(rate: float) -> Slot:
    """A run at a poisoning rate."""
    return Slot(
        label=texts.rate_slot(rate),
        fits=at_rate(rate),
        recordings=("healthy",) if rate == 0.05 else (),
        command=train_command(with_rate(spec_of("demo", "badnets"), rate)),
        shows_it=is_defended,
    )


def _vote_slot(name: str, paper_name: str) -> Slot:
    """A run under an attack."""
    return Slot(
        label=texts.ATTACKS[name],
        fits=attacked_with(name),
        recordings={"badnets": ("healthy",), "label_consistent": ("clean-label",)}.get(name, ()),
        command=train_command(spec_of("demo", paper_name)),
    )


FIGURES: dict[str, PaperFigure] = {
    figure.number: figure
    for figure in (
        PaperFigure(
            number="3",
            from_results="figure3",
            charts=(Chart(name="figure3", draw=drawings.figure_3, slots=(), height=360, wide=True),),
        ),
        PaperFigure(
            number="5",
            slots=(TAKEOVER, STARVATION, replace(HEALTHY, label=texts.SLOT_LABELS["reference"])),
            charts=(
                Chart(name="figure5_takeover", draw=drawings.takeover, slots=(0, 2)),
                Chart(name="figure5_starvation", draw=drawings.starvation, slots=(1,)),
            ),
        ),
        PaperFigure(
            number="6",
            slots=tuple(_rate_slot(rate) for rate in RATES),
            charts=tuple(Chart(name=f"figure6_{i}", draw=drawings.figure_6, slots=(i,)) for i in range(len(RATES))),
        ),
        PaperFigure(
            number="7",
            slots=(HEALTHY,),
            charts=(
                Chart(name="figure7a", draw=drawings.figure_7a),
                Chart(name="figure7b", draw=drawings.figure_7b),
                Chart(name="figure7c", draw=drawings.figure_7c),
                Chart(name="figure7d", draw=drawings.figure_7d),
            ),
        ),
        PaperFigure(
            number="8", slots=(HEALTHY,), charts=(Chart(name="figure8", draw=drawings.figure_8, height=620, wide=True),)
        ),
        PaperFigure(
            number="9",
            slots=tuple(_vote_slot(name, paper_name) for name, paper_name in VOTE_ATTACKS.items()),
            charts=(
                Chart(name="figure9", draw=drawings.figure_9, slots=(0, 1, 2, 3), any_run=True, height=560, wide=True),
            ),
        ),
        PaperFigure(
            number="10",
            from_results="figure10",
            slots=(WRONG_TARGET,),
            charts=(Chart(name="figure10", draw=drawings.figure_10, slots=(0,), height=380, wide=True),),
        ),
        PaperFigure(
            number="11",
            slots=(ALL_TO_ALL,),
            charts=(Chart(name="figure11", draw=drawings.figure_11, height=480, wide=True),),
        ),
    )
}
CHARTS: dict[str, Chart] = {chart.name: chart for figure in FIGURES.values() for chart in figure.charts}
