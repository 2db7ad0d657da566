"""Which runs each figure of the paper is drawn from, and the drawing of it from run folders; no streamlit."""

from __future__ import annotations

from dataclasses import replace

from app.paper import drawings
from app.paper.cells import FORCED, RATES, spec_of, with_rate
from app.paper.drawings import ATTACKS
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

FIGURES: dict[str, PaperFigure] = {
    figure.number: figure
    for figure in (
        PaperFigure(
            number="3",
            title="Poisoning rates",
            from_results="figure3",
            shows="Clean accuracy stays and attack success stays near zero from 1 % to 20 % poison, for three attacks on CIFAR-10; the rival defence ASD loses accuracy away from 5 %.",
            charts=(Chart(name="figure3", draw=drawings.figure_3, slots=(), height=360, wide=True),),
        ),
        PaperFigure(
            number="5",
            title="Two ways to collapse",
            shows="What goes wrong without care: in I poisoned samples have small losses, fill the clean pool and the attack wins; in II a hard class leaves the pool and is never predicted again.",
            slots=(
                Slot(
                    label="I: poison takes over",
                    fits=lambda c: c.split.init_combine in ("random", "union") and c.attack.attack != "none",
                    recordings=("collapse-poison",),
                    command=train_command("badnets", init_combine="random"),
                    shows_it=lambda summary: attack_success(summary) > 50,
                ),
                Slot(
                    label="II: a class starves",
                    fits=lambda c: c.split.completion == "off",
                    recordings=("collapse-classes",),
                    command=train_command("badnets", completion="off"),
                ),
                replace(HEALTHY, label="healthy, for comparison"),
            ),
            charts=(
                Chart(name="figure5_takeover", draw=drawings.takeover, slots=(0, 2)),
                Chart(name="figure5_starvation", draw=drawings.starvation, slots=(1,)),
            ),
        ),
        PaperFigure(
            number="6",
            title="Poison in the clean pool",
            shows="How many poisoned samples are in the clean pool at each epoch, and summed over the epochs (dotted), at four poisoning rates on CIFAR-10.",
            slots=tuple(
                Slot(
                    label=f"{100 * rate:g} % poisoned",
                    fits=at_rate(rate),
                    recordings=("healthy",) if rate == 0.05 else (),
                    command=train_command(with_rate(spec_of("demo", "badnets"), rate)),
                    shows_it=is_defended,
                )
                for rate in RATES
            ),
            charts=tuple(Chart(name=f"figure6_{i}", draw=drawings.figure_6, slots=(i,)) for i in range(len(RATES))),
        ),
        PaperFigure(
            number="7",
            title="What the splits see",
            slots=(HEALTHY,),
            shows="(a) the altruistic loss after its warm-up, (b) the OSS distance after the OSS warm-up, (c) the loss discrepancy and (d) the main loss at the last epoch, on GTSRB against BadNets.",
            charts=(
                Chart(name="figure7a", draw=drawings.figure_7a),
                Chart(name="figure7b", draw=drawings.figure_7b),
                Chart(name="figure7c", draw=drawings.figure_7c),
                Chart(name="figure7d", draw=drawings.figure_7d),
            ),
        ),
        PaperFigure(
            number="8",
            title="Warm-up and distance of OSS",
            slots=(HEALTHY,),
            shows="Smallest, mean and largest distance to the other classes' centres after warm-ups of several lengths: with too short a one, poison and clean lie on top of each other.",
            charts=(Chart(name="figure8", draw=drawings.figure_8, height=620, wide=True),),
        ),
        PaperFigure(
            number="9",
            title="The vote for the target",
            shows="The class that is most often second, after each epoch of the altruistic warm-up, and the majority so far, for four attacks on CIFAR-10. The paper's majority is right for all four.",
            slots=tuple(
                Slot(
                    label=title,
                    fits=attacked_with(name),
                    recordings={"badnets": ("healthy",), "label_consistent": ("clean-label",)}.get(name, ()),
                    command=train_command(spec_of("demo", {"label_consistent": "lc"}.get(name, name))),
                )
                for name, title in ATTACKS.items()
            ),
            charts=(
                Chart(name="figure9", draw=drawings.figure_9, slots=(0, 1, 2, 3), any_run=True, height=560, wide=True),
            ),
        ),
        PaperFigure(
            number="10",
            title="A wrong pseudo target",
            from_results="figure10",
            shows="BSD told a wrong target on purpose, for every true target of CIFAR-10 under BadNets. Mostly the other view saves it; with dog as the target and cat forced, it fails.",
            slots=(
                Slot(
                    label="run with a forced target",
                    fits=is_forced,
                    recordings=("wrong-target",),
                    command=train_command("badnets", target_estimator="given", assume_target=FORCED).replace(
                        "--attack badnets", "--attack badnets --target 5"
                    ),
                ),
            ),
            charts=(Chart(name="figure10", draw=drawings.figure_10, slots=(0,), height=380, wide=True),),
        ),
        PaperFigure(
            number="11",
            title="OSS against an all-to-all attack",
            shows="Each class taken for the target in turn: within every class the poisoned samples lie nearer to the others, on CIFAR-10 with BadNets sent from each class to the next.",
            slots=(
                Slot(
                    label="all-to-all run",
                    fits=lambda c: c.split.all_to_all != "off",
                    recordings=(),
                    command=train_command(
                        spec_of("demo", "badnets_all2all"), all_to_all="shared", selective_drop=False
                    ),
                ),
            ),
            charts=(Chart(name="figure11", draw=drawings.figure_11, height=480, wide=True),),
        ),
    )
}
CHARTS: dict[str, Chart] = {chart.name: chart for figure in FIGURES.values() for chart in figure.charts}
