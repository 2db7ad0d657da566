"""The tour: eight steps on the views of a recording, whose sentences, questions and answers come from its record; no streamlit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.learn.tour_numbers import Numbers, Pool, Sides, numbers
from app.style import words
from app.style.glossary import safe
from app.style.theme import count, percent
from bsd_engine.audit.number_format import measure
from bsd_engine.runs.reader import RunReader

TITLES = (
    "What a backdoor is",
    "Poison among the photographs",
    "Two models",
    "Why the altruistic loss gives it away",
    "Why the distance does",
    "The two cuts",
    "Growing the pool",
    "Was it worth it?",
)
PANELS = ("hero", "map", "other", "curves", "side", "heat", "controls")
UNKNOWN = "This recording cannot tell: nobody noted which of its images are poisoned."
NOTHING = "Nobody added a mark to the images of this recording, so there is nothing to measure."


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing to predict before it is shown."""

    text: str
    choices: tuple[str, ...]
    right: int | None
    """Place of the choice that was measured; None where the record does not tell."""
    answer: str
    """What was measured."""


@dataclass(frozen=True, kw_only=True)
class Try:
    """One thing to try, and what a button does of it."""

    text: str
    label: str = ""
    play: tuple[int, int] | None = None
    """Epochs to play from and to."""
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step, and what it makes the views show."""

    title: str
    student: str
    researcher: str
    question: Question
    attempt: Try
    epoch: int
    focus: str
    """The large panel."""
    also: tuple[str, ...]
    """Up to two small ones."""
    selected: tuple[int, ...] = ()
    pinned: int | None = None
    veiled: bool = True
    """Whether the truth is kept back until the question was answered."""


@dataclass(frozen=True)
class _Tale:
    """A run and its numbers, with the words that several steps use."""

    run: RunReader
    n: Numbers

    def name(self, label: int | None) -> str:
        return "no single class" if label is None else f"“{safe(self.run.class_names[label])}”"

    @property
    def class_word(self) -> str:
        return self.name(self.n.attacked)

    @property
    def unknown(self) -> str:
        """Why there is no answer."""
        return NOTHING if self.clean_data else UNKNOWN

    @property
    def clean_data(self) -> bool:
        return self.n.poison == 0 or self.n.attack == "none"


def steps(run: RunReader) -> tuple[Step, ...]:
    """The eight steps for a run with at least one whole epoch."""
    tale = _Tale(run, numbers(run))
    return tuple(
        make(tale) for make in (_backdoor, _photographs, _two_models, _loss, _distance, _cuts, _growing, _worth)
    )


def to_dict(run: RunReader) -> list[dict[str, Any]]:
    """The steps as plain values, for the browser."""
    return [asdict(step) for step in steps(run)]


def _at_least(value: float | None) -> str:
    return "unknown" if value is None else percent(value)


def _band(value: float | None, edges: tuple[float, ...]) -> int | None:
    """Which of the ranges that the edges part a value falls into."""
    return None if value is None else sum(value >= edge for edge in edges)


def _ids(ids: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in ids)


def _first(ids: np.ndarray) -> int | None:
    return int(ids[0]) if len(ids) else None


# -- the steps -------------------------------------------------------------------------------------


def _backdoor(t: _Tale) -> Step:
    n, (accuracy, success) = t.n, t.n.plain
    attack = words.attack(n.attack)
    if t.clean_data or n.poison is None:
        what = (
            "Nobody added a [[trigger]] to these images"
            if t.clean_data
            else "Nobody noted whether these images hold a [[trigger]]"
        )
        student = (
            f"A [[backdoor]] is a hidden habit: a network answers well until an image carries a secret mark. {what}, all {count(n.samples)} of them. "
            "Watch what a defence does when there may be nothing to find."
        )
        researcher = (
            f"{count(n.samples)} samples, attack: {attack}. There is no known trigger, so no [[ASR]] can be measured."
        )
    else:
        whose = (
            f"all {count(n.poison)} are labelled {t.class_word}"
            if n.attacked is not None
            else "each carries a wrong label"
        )
        student = (
            f"Somebody put a small mark, the [[trigger]], into {count(n.poison)} of these {count(n.samples)} training images, and {whose}. "
            "A network that learns from them gets a [[backdoor]]: it answers well, until an image carries the mark."
        )
        researcher = (
            f"{attack}: {count(n.poison)} of {count(n.samples)} samples ({percent(100 * n.poison / n.samples)}) are [[poison|poisoned]], target {t.class_word}. "
            "Plain training is what the [[g|altruistic model]] gets in its warm-up."
        )
    answer = (
        t.unknown
        if success is None
        else f"Measured: after {t.run.config.schedule.altruistic_epochs} epochs on everything, a network calls {percent(success)} of the marked test images {t.class_word}"
        f", while it is right about {_at_least(accuracy)} of the ordinary ones."
    )
    question = Question(
        text="A plainly trained network sees a new image with the mark. What does it say?",
        right=_band(success, (34, 67)),
        answer=answer,
        choices=("What the image shows", "Now this, now that", "What the attacker wants"),
    )
    return Step(
        title=TITLES[0],
        student=student,
        researcher=researcher,
        epoch=n.marks.learned,
        focus="side",
        also=("curves",),
        selected=_ids(n.poisoned),
        pinned=_first(n.poisoned),
        veiled=False,
        question=_false_alarm(t) if t.clean_data else question,
        attempt=Try(
            text="Point at an image: its label is not what it shows. Can you find the mark?"
            if not t.clean_data
            else "Point at an image, and look at its label."
        ),
    )


def _false_alarm(t: _Tale) -> Question:
    """What to ask where there is no backdoor."""
    pool, n = t.n.last, t.n.samples
    left = None if pool is None else 100 * (n - pool.size) / n
    answer = (
        NOTHING
        if left is None or pool is None
        else f"Measured: {count(n - pool.size)} of {count(n)} images ({percent(left)}) are outside of the last clean pool, though nothing is wrong with any of them. They are still looked at, without their labels."
    )
    return Question(
        text="How many images will a defence distrust where there is nothing to find?",
        right=_band(left, (1, 20)),
        answer=answer,
        choices=("Hardly any", "Up to a fifth", "More than a fifth"),
    )


def _photographs(t: _Tale) -> Step:
    n, ids = t.n, t.n.labelled
    truth = t.run.truth
    bad = None if truth is None else int(truth.is_poison[ids].sum())
    who = t.name(n.suspected if n.suspected is not None else n.attacked)
    most = len(ids)
    edges = (max(1, most // 8), max(2, most // 2))
    answer = (
        t.unknown
        if bad is None
        else (
            f"Measured: {bad} of these {most} are poisoned"
            + (". They are framed with dashes now." if bad else ": all are what their label says.")
        )
    )
    return Step(
        title=TITLES[1],
        student=f"These {most} images are all labelled {who}. A person would have to look at every single one to find the [[poison]], and a network "
        f"gets {count(n.samples)} of them. Some marks cannot be seen at all.",
        researcher=f"{most} samples of [[D_t]] (label {who}), poison in proportion. The defence never reads the truth; it is an overlay of the view.",
        question=Question(
            text=f"How many of these {most} are poisoned?",
            right=_band(bad, edges),
            answer=answer,
            choices=(f"Fewer than {edges[0]}", f"{edges[0]} to {edges[1] - 1}", f"{edges[1]} or more"),
        ),
        attempt=Try(
            text="Press one image to pin it: its card says what it was labelled, and both models' losses over time."
        ),
        epoch=n.marks.first_pool,
        focus="side",
        also=("map",),
        selected=_ids(ids),
        pinned=_first(ids),
    )


def _two_models(t: _Tale) -> Step:
    n = t.n
    (plain_accuracy, plain_success), (accuracy, success) = n.plain, n.final
    right = None
    if plain_success is not None and success is not None:
        fooled = (plain_success >= 50, success >= 50)
        right = {(True, False): 0, (False, True): 1, (True, True): 2, (False, False): 3}[fooled]
    measured = plain_success is not None and success is not None
    answer = (
        f"Measured: marked images fool the altruistic model in {_at_least(plain_success)} of the cases, the main model at the end in {_at_least(success)}. "
        f"On ordinary images they are right in {_at_least(plain_accuracy)} and {_at_least(accuracy)}."
        if measured
        else t.unknown
    )
    return Step(
        title=TITLES[2],
        student="Two networks learn side by side. The [[g|altruistic model]] learns everything by heart, poison too. The [[f|main model]] is the one "
        "to be used, and learns labels only from samples that are trusted.",
        researcher="[[g]] is trained on all of [[D]] by cross-entropy, [[f]] by MixMatch on [[D_c]] with and [[D_p]] without labels ([[semi]]). "
        "Each point is a sample with both of its losses.",
        question=Question(
            text="Which of the two falls for the mark in the end?",
            right=right,
            answer=answer,
            choices=("The altruistic model alone", "The main model alone", "Both", "Neither"),
        ),
        attempt=Try(
            text="Play the run: the lines are the main model's test results, the bars the poison that it is taught.",
            label="Play the run",
            play=(0, n.marks.last),
        ),
        epoch=n.marks.last,
        focus="hero",
        also=("curves",),
    )


def _compared(s: Sides | None, low: str, same: str, high: str) -> tuple[int | None, str]:
    """Which kind has the smaller score, and how to say it."""
    if s is None:
        return None, ""
    place = 0 if s.smaller > 0.6 else 2 if s.smaller < 0.4 else 1
    return place, (low, same, high)[place]


def _loss(t: _Tale) -> Step:
    n, alpha = t.n, t.run.config.split.alpha
    right, _ = _compared(n.loss, "", "", "")
    answer = (
        t.unknown
        if n.loss is None
        else (
            f"Measured after the warm-up: the middle loss is {measure(n.loss.poison)} for poison and {measure(n.loss.clean)} for clean images. "
            f"Of a poisoned and a clean image drawn at random, the poisoned one has the smaller loss in {percent(100 * n.loss.smaller)} of the cases."
        )
    )
    if t.clean_data:
        answer = "There is no poison here, so there is nothing to compare: the cut will throw out clean images that are easy."
    return Step(
        title=TITLES[3],
        student="A mark is often easier to learn than what an image shows, so poison is often learned first. Here every sample stands at its "
        "[[loss_g|altruistic loss]]: left is learned already, right is still hard.",
        researcher=f"Distribution of [[loss_g]] ([[sce]], nats) at the end of the altruistic warm-up. [[als]] keeps the share [[alpha]] = {alpha:g} with the largest.",
        question=Question(
            text="Which images does the altruistic model know best after its warm-up?",
            right=right,
            answer=answer,
            choices=("The poisoned ones", "Both alike", "The clean ones"),
        ),
        attempt=Try(
            text="Play the warm-up and watch who moves to the left first.",
            label="Play the warm-up",
            play=(0, n.marks.learned),
        ),
        epoch=n.marks.learned,
        focus="hero",
        also=("map", "controls"),
    )


def _distance(t: _Tale) -> Step:
    n, beta, who = t.n, t.run.config.split.beta, t.name(t.n.suspected)
    right, _ = _compared(n.distance, "", "", "")
    if n.distance is None:
        answer = (
            t.unknown
            if n.poison is None
            else "This record has no poison of the suspected class with a distance at this epoch, so there is nothing to compare."
        )
    else:
        answer = (
            f"Measured: the middle distance is {measure(n.distance.poison)} for poison and {measure(n.distance.clean)} for clean images of {who}; of two drawn at "
            f"random the poisoned one lies nearer in {percent(100 * n.distance.smaller)} of the cases."
        )
        if n.near_own is not None:
            answer += f" {percent(100 * n.near_own)} of the poison lies nearest to the class that it really shows."
    return Step(
        title=TITLES[4],
        student=f"The [[f|main model]] first learns every class but the suspected one, {who}. To it, a real image of that class is like nothing it knows. "
        "A poisoned image still shows what it shows, so it may look like a class that is known.",
        researcher=f"[[f]] warmed up on [[D_nt]]; [[distance]] is the distance in its features to the nearest known class centre. [[oss]] keeps the share [[beta]] = {beta:g} of [[D_t]] that is farthest.",
        question=Question(
            text="Of the images labelled with the suspected class, which lie nearer to another class?",
            right=right,
            answer=answer,
            choices=("The poisoned ones", "Both alike", "The clean ones"),
        ),
        attempt=Try(
            text="Point at a sample on the map: a dashed line shows the nearest other class, with the true distance."
        ),
        epoch=n.marks.first_pool,
        focus="hero",
        also=("map", "side"),
    )


def _said(pool: Pool | None) -> str:
    return (
        "unknown"
        if pool is None
        else f"{count(pool.size)} samples" + ("" if pool.poison is None else f", {count(pool.poison)} of them poison")
    )


def _cuts(t: _Tale) -> Step:
    n, split = t.n, t.run.config.split
    poison = None if n.first is None else n.first.poison
    many = n.poison or 0
    edges = (max(1, round(many * 0.05)), max(2, round(many * 0.5)))
    answer = t.unknown if poison is None else f"Measured: the first clean pool has {_said(n.first)}."
    if n.als is not None and n.oss is not None:
        answer += f" The cut by loss alone would keep {_said(n.als)}; the cut by distance alone {_said(n.oss)}."
    how = {
        "intersection": "what both trust",
        "union": "what either trusts",
        "als_only": "what the cut by loss trusts",
        "oss_only": "what the cut by distance trusts",
        "random": "in this run as many samples, but drawn at random",
    }[split.init_combine]
    return Step(
        title=TITLES[5],
        student=f"Two lines part the samples: right of [[alpha|the upright one]] is hard to learn by heart, above [[beta|the level one]] is unlike every other class. "
        f"The first [[D_c|clean pool]] is {how}: the filled points.",
        researcher=f"[[als]] keeps the share [[alpha]] = {split.alpha:g} of [[D]], [[oss]] the share [[beta]] = {split.beta:g} of [[D_t]]; first pool: {how}. "
        "Moving a line redoes the split exactly (no training is needed).",
        question=Question(
            text=f"How many of the {count(many)} poisoned samples slip into the first pool?"
            if many
            else "How many poisoned samples slip into the first pool?",
            choices=(
                f"Fewer than {count(edges[0])}",
                f"{count(edges[0])} to {count(edges[1] - 1)}",
                f"{count(edges[1])} or more",
            ),
            right=_band(poison, edges),
            answer=answer,
        ),
        attempt=Try(
            text="Drag a line, or let us move the upright one to 0.95, and see who comes in.",
            label="Move it to 0.95",
            alpha=0.95,
        ),
        epoch=n.marks.first_pool,
        focus="hero",
        also=("controls", "side"),
    )


def _growing(t: _Tale) -> Step:
    n, s = t.n, t.run.config.schedule
    right, answer = None, "This record does not go that far, or nobody noted which of its images are poisoned."
    if n.growing and n.grown and n.growing.poison is not None and n.grown.poison is not None:
        change = n.grown.poison - n.growing.poison
        slack = max(3, round(0.02 * (n.poison or 0)))
        right = 0 if change > slack else 2 if change < -slack else 1
        answer = f"Measured: the pool goes from {_said(n.growing)} to {_said(n.grown)}. The most poison in any pool of the run was {count(n.most_poison or 0)}."
    return Step(
        title=TITLES[6],
        student="The main model is better now than the cuts were, so the pool is chosen anew in every epoch: what the [[g|altruistic model]] finds hard and the "
        "[[f|main model]] finds easy comes in. Its share grows slowly, and no class may run dry.",
        researcher=f"For [[T1]] + {s.init_epochs} ≤ [[T]] < [[T2]] the pool is the share [[alpha_T]] with the largest [[gap]], with [[completion]]; from [[T2]] on [[drop]].",
        question=Question(
            text="While the pool grows, what happens to the poison in it?",
            right=right,
            answer=answer,
            choices=("It grows, too", "It stays about the same", "It becomes less"),
        ),
        attempt=Try(
            text="Play the growth: the diagonal is the cut, what lies above it and to the right comes in.",
            label="Play the growth",
            play=(n.marks.growing, n.marks.last),
        ),
        epoch=n.marks.grown,
        focus="hero",
        also=("curves", "side"),
    )


def _worth(t: _Tale) -> Step:
    n = t.n
    (plain_accuracy, plain_success), (accuracy, success) = n.plain, n.final
    answer = (
        f"Measured: {percent(success)} of the marked images get what the attacker wants ({_at_least(plain_success)} after {t.run.config.schedule.altruistic_epochs} epochs of plain training on everything), "
        f"and {_at_least(accuracy)} of the ordinary ones are right ({_at_least(plain_accuracy)})."
        if success is not None
        else f"No attack is known here, so only this was measured: {_at_least(accuracy)} of the ordinary images are right "
        f"({_at_least(plain_accuracy)} from {t.run.config.schedule.altruistic_epochs} epochs of plain training)."
    )
    if n.smallest is not None:
        answer += f" The class with the fewest samples in the last pool is {t.name(n.smallest[0])}, with {count(n.smallest[1])}."
    return Step(
        title=TITLES[7],
        student="At the end two numbers count: [[CA|how often ordinary images are right]], which should stay high, and [[ASR|how often marked ones obey the attacker]], "
        "which should be near nothing. A defence that pays for one with the other has not won.",
        researcher="[[CA]] and [[ASR]] of [[f]] per epoch, test images with the trigger and another class only; bars: poison in [[D_c]]. One run, one seed.",
        question=Question(
            text="How many marked images still fool the main model at the end?",
            right=_band(success, (10, 50)),
            answer=answer,
            choices=("Fewer than one in ten", "Up to half", "Half or more"),
        ),
        attempt=Try(text="Choose another recording above and walk the tour again: not every run ends well."),
        epoch=n.marks.last,
        focus="curves",
        also=("map", "side"),
    )
