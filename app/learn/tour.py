"""The tour: eight steps on the views of a recording, with questions and answers from its record; no streamlit.

The words are in `tour_texts`; here a step picks its templates and fills in the numbers that were measured.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from app.learn import tour_texts
from app.learn.step import Attempt, Question, Step
from app.learn.tour_numbers import numbers
from app.learn.tour_phrases import MeasuredRun, band, compared, pool_text, ranges, share_text, smaller_side
from app.style import words
from app.style.theme import count, percent
from bsd_engine.runs.reader import RunReader


def steps(run: RunReader) -> tuple[Step, ...]:
    """The eight steps for a run with at least one whole epoch."""
    measured = MeasuredRun(run, numbers(run))
    makers = (_backdoor, _hidden_poison, _two_models, _loss, _distance, _cuts, _growth, _outcome)
    return tuple(make(measured) for make in makers)


def to_dict(run: RunReader) -> list[dict[str, Any]]:
    """The steps as plain values, for the browser."""
    return [asdict(step) for step in steps(run)]


def _backdoor(t: MeasuredRun) -> Step:
    n, step = t.n, tour_texts.BACKDOOR
    known = not t.no_attack and n.poison is not None
    student, researcher = _backdoor_words(t)
    return Step(
        title=step.title,
        student=student,
        researcher=researcher,
        epoch=n.marks.learned,
        focus="side",
        also=("curves",),
        selected=_ids(n.poisoned),
        pinned=_first(n.poisoned),
        veiled=False,
        question=_false_alarm(t) if t.no_attack else _fooled_plainly(t),
        attempt=Attempt(text=step.attempt if known else tour_texts.BACKDOOR_ATTEMPT_NO_TRIGGER),
    )


def _backdoor_words(t: MeasuredRun) -> tuple[str, str]:
    """For students and for researchers."""
    n, attack, samples = t.n, words.attack(t.n.attack), count(t.n.samples)
    if t.no_attack or n.poison is None:
        student = tour_texts.BACKDOOR_STUDENT_NO_ATTACK if t.no_attack else tour_texts.BACKDOOR_STUDENT_NO_TRUTH
        researcher = tour_texts.BACKDOOR_RESEARCHER_NO_TRIGGER
        return student.format(samples=samples), researcher.format(samples=samples, attack=attack)
    labels, target = tour_texts.WRONG_LABELS, tour_texts.MANY_TARGETS
    if n.attacked is not None:
        name = t.class_name(n.attacked)
        labels, target = tour_texts.ONE_LABEL.format(target=name), tour_texts.ONE_TARGET.format(target=name)
    poisoned, rate = count(n.poison), percent(100 * n.poison / n.samples)
    return (
        tour_texts.BACKDOOR_STUDENT.format(poisoned=poisoned, samples=samples, labels=labels),
        tour_texts.BACKDOOR.researcher.format(
            attack=attack, poisoned=poisoned, samples=samples, rate=rate, target=target
        ),
    )


def _fooled_plainly(t: MeasuredRun) -> Question:
    """How often marked images fool a network that was trained without a defence."""
    accuracy, success = t.n.plain
    answer = t.no_answer
    if success is not None:
        values = {"epochs": t.warm_up, "success": percent(success), "accuracy": share_text(accuracy)}
        if t.n.attacked is None:
            answer = tour_texts.BACKDOOR_ANSWER_MANY_TARGETS.format(**values)
        else:
            answer = tour_texts.BACKDOOR_ANSWER.format(**values, target=t.class_name(t.n.attacked))
    return Question(
        text=tour_texts.BACKDOOR.question,
        choices=tour_texts.BACKDOOR.choices,
        right=band(success, (34, 67)),
        answer=answer,
    )


def _false_alarm(t: MeasuredRun) -> Question:
    """How many images a defence leaves out where there is no backdoor."""
    pool, samples = t.n.last, t.n.samples
    share, answer = None, t.no_answer
    if pool is not None:
        left = samples - pool.size
        share = 100 * left / samples
        answer = tour_texts.FALSE_ALARM_ANSWER.format(left=count(left), samples=count(samples), share=percent(share))
    return Question(
        text=tour_texts.FALSE_ALARM, choices=tour_texts.FALSE_ALARM_CHOICES, right=band(share, (1, 20)), answer=answer
    )


def _hidden_poison(t: MeasuredRun) -> Step:
    n, step, truth, shown = t.n, tour_texts.HIDDEN_POISON, t.run.truth, len(t.n.labelled)
    poisoned = None if truth is None else int(truth.is_poison[n.labelled].sum())
    target = n.suspected if n.suspected is not None else n.attacked
    student, researcher = tour_texts.HIDDEN_POISON_STUDENT, step.researcher
    if target is None:
        student, researcher = tour_texts.HIDDEN_POISON_STUDENT_ANY_CLASS, tour_texts.HIDDEN_POISON_RESEARCHER_ANY_CLASS
    values = {"shown": shown, "samples": count(n.samples), "target": "" if target is None else t.class_name(target)}
    answer = t.no_answer
    if poisoned is not None:
        template = tour_texts.HIDDEN_POISON_ANSWER if poisoned else tour_texts.HIDDEN_POISON_ANSWER_NONE
        answer = template.format(poisoned=poisoned, shown=shown)
    edges = (max(1, shown // 8), max(2, shown // 2))
    return Step(
        title=step.title,
        student=student.format(**values),
        researcher=researcher.format(**values),
        question=Question(
            text=step.question.format(shown=shown), choices=ranges(edges), right=band(poisoned, edges), answer=answer
        ),
        attempt=Attempt(text=step.attempt),
        epoch=n.marks.first_pool,
        focus="side",
        also=("map",),
        selected=_ids(n.labelled),
        pinned=_first(n.labelled),
    )


def _two_models(t: MeasuredRun) -> Step:
    n, step = t.n, tour_texts.TWO_MODELS
    (plain_accuracy, plain_success), (accuracy, success) = n.plain, n.final
    right, answer = None, t.no_answer
    if plain_success is not None and success is not None:
        fooled = (plain_success >= 50, success >= 50)
        right = {(True, False): 0, (False, True): 1, (True, True): 2, (False, False): 3}[fooled]
        answer = tour_texts.TWO_MODELS_ANSWER.format(
            plain_success=percent(plain_success),
            success=percent(success),
            plain_accuracy=share_text(plain_accuracy),
            accuracy=share_text(accuracy),
        )
    return Step(
        title=step.title,
        student=tour_texts.TWO_MODELS_STUDENT,
        researcher=step.researcher,
        question=Question(text=step.question, choices=step.choices, right=right, answer=answer),
        attempt=Attempt(text=step.attempt, label=step.button, play=(0, n.marks.last)),
        epoch=n.marks.last,
        focus="hero",
        also=("curves",),
    )


def _loss(t: MeasuredRun) -> Step:
    n, step = t.n, tour_texts.LOSS
    answer = t.no_answer if n.loss is None else tour_texts.LOSS_ANSWER.format(**compared(n.loss))
    if t.no_attack:
        answer = tour_texts.LOSS_ANSWER_NO_ATTACK
    return Step(
        title=step.title,
        student=tour_texts.LOSS_STUDENT,
        researcher=step.researcher.format(alpha=f"{t.run.config.split.alpha:g}"),
        question=Question(text=step.question, choices=step.choices, right=smaller_side(n.loss), answer=answer),
        attempt=Attempt(text=step.attempt, label=step.button, play=(0, n.marks.learned)),
        epoch=n.marks.learned,
        focus="hero",
        also=("map", "controls"),
    )


def _distance(t: MeasuredRun) -> Step:
    n, step = t.n, tour_texts.DISTANCE
    student, target = tour_texts.DISTANCE_STUDENT_NO_TARGET, ""
    if n.suspected is not None:
        target = t.class_name(n.suspected)
        student = tour_texts.DISTANCE_STUDENT.format(target=target)
    if n.distance is not None:
        answer = tour_texts.DISTANCE_ANSWER.format(**compared(n.distance), target=target)
        if n.near_own is not None:
            answer += tour_texts.DISTANCE_ANSWER_ORIGIN.format(share=percent(100 * n.near_own))
    else:
        answer = t.no_answer if n.poison is None else tour_texts.DISTANCE_ANSWER_NOT_RECORDED
    return Step(
        title=step.title,
        student=student,
        researcher=step.researcher.format(beta=f"{t.run.config.split.beta:g}"),
        question=Question(text=step.question, choices=step.choices, right=smaller_side(n.distance), answer=answer),
        attempt=Attempt(text=step.attempt),
        epoch=n.marks.first_pool,
        focus="hero",
        also=("map", "side"),
    )


def _cuts(t: MeasuredRun) -> Step:
    n, step, split = t.n, tour_texts.CUTS, t.run.config.split
    poison = None if n.first is None else n.first.poison
    poisoned = n.poison or 0
    edges = (max(1, round(poisoned * 0.05)), max(2, round(poisoned * 0.5)))
    answer = t.no_answer if poison is None else tour_texts.CUTS_ANSWER.format(pool=pool_text(n.first))
    if n.als is not None and n.oss is not None:
        answer += tour_texts.CUTS_ANSWER_ALONE.format(als=pool_text(n.als), oss=pool_text(n.oss))
    rule = tour_texts.CUTS_RULES[split.init_combine]
    question = step.question.format(poisoned=count(poisoned)) if poisoned else tour_texts.CUTS_QUESTION_UNKNOWN
    return Step(
        title=step.title,
        student=tour_texts.CUTS_STUDENT.format(rule=rule),
        researcher=step.researcher.format(alpha=f"{split.alpha:g}", beta=f"{split.beta:g}", rule=rule),
        question=Question(text=question, choices=ranges(edges), right=band(poison, edges), answer=answer),
        attempt=Attempt(text=step.attempt, label=step.button, alpha=0.95),
        epoch=n.marks.first_pool,
        focus="hero",
        also=("controls", "side"),
    )


def _growth(t: MeasuredRun) -> Step:
    n, step, init_epochs = t.n, tour_texts.GROWTH, t.run.config.schedule.init_epochs
    right, answer = _growth_of_poison(t)
    return Step(
        title=step.title,
        student=tour_texts.GROWTH_STUDENT,
        researcher=step.researcher.format(init_epochs=init_epochs),
        question=Question(text=step.question, choices=step.choices, right=right, answer=answer),
        attempt=Attempt(text=step.attempt, label=step.button, play=(n.marks.growing, n.marks.last)),
        epoch=n.marks.grown,
        focus="hero",
        also=("curves", "side"),
    )


def _growth_of_poison(t: MeasuredRun) -> tuple[int | None, str]:
    """Which choice was measured, and what."""
    n = t.n
    if n.growing is None or n.grown is None:
        return None, tour_texts.GROWTH_ANSWER_TOO_SHORT
    if n.growing.poison is None or n.grown.poison is None:
        return None, t.no_answer
    change = n.grown.poison - n.growing.poison
    slack = max(3, round(0.02 * (n.poison or 0)))
    right = 0 if change > slack else 2 if change < -slack else 1
    return right, tour_texts.GROWTH_ANSWER.format(
        growing=pool_text(n.growing), grown=pool_text(n.grown), most=count(n.most_poison or 0)
    )


def _outcome(t: MeasuredRun) -> Step:
    n, step = t.n, tour_texts.OUTCOME
    (plain_accuracy, plain_success), (accuracy, success) = n.plain, n.final
    values = {"epochs": t.warm_up, "accuracy": share_text(accuracy), "plain_accuracy": share_text(plain_accuracy)}
    if success is None and accuracy is None:
        answer = tour_texts.NOT_MEASURED
    elif success is None:
        answer = tour_texts.OUTCOME_ANSWER_NO_ATTACK.format(**values)
    else:
        answer = tour_texts.OUTCOME_ANSWER.format(
            **values, success=percent(success), plain_success=share_text(plain_success)
        )
    if n.smallest is not None:
        label, size = n.smallest
        answer += tour_texts.OUTCOME_ANSWER_SMALLEST.format(name=t.class_name(label), size=count(size))
    return Step(
        title=step.title,
        student=tour_texts.OUTCOME_STUDENT,
        researcher=step.researcher,
        question=Question(text=step.question, choices=step.choices, right=band(success, (10, 50)), answer=answer),
        attempt=Attempt(text=step.attempt),
        epoch=n.marks.last,
        focus="curves",
        also=("map", "side"),
    )


def _ids(ids: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in ids)


def _first(ids: np.ndarray) -> int | None:
    return int(ids[0]) if len(ids) else None
