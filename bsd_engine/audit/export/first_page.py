"""The report's first page: the verdict, what to remove, the strongest suspects, what is not known, and the next step.

It is written for a reader who has to decide and does not know the method. All text from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.export.next_steps import next_steps, rendered
from bsd_engine.audit.export.page import image, section
from bsd_engine.audit.export.samples import difference
from bsd_engine.audit.findings.apart import LIKELY, names_attack
from bsd_engine.audit.findings.cleaning import LARGEST, Cleaning, Rule, clean
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.target.verdict import caution
from bsd_engine.target.words import BLIND, headline, sentence

SHOWN = 5
OFFERED: tuple[Rule, ...] = ("strict", "balanced", "generous")
DEFAULT: Rule = "balanced"


def first_page(audited: Audited) -> str:
    """The first page, as HTML."""
    parts = (
        _verdict(audited),
        section("How many images to remove", _removal(audited)),
        _suspects(audited),
        section("What was not tested, or could not have been found", _list(limits(audited))),
        section("The next step", rendered(next_steps(audited))),
    )
    return f'<section class="first">{"".join(parts)}</section>'


def _verdict(audited: Audited) -> str:
    history = audited.history
    return (
        f"<p class='soft'>Audit of {escape(audited.run.run_id)}. The question: do these {history.num_samples:,} "
        "training images contain poison, planted so that a model that learns from them obeys a hidden trigger? "
        "Terms are explained after the first page.</p>"
        f"<h1>{escape(headline(history.verdict, history.class_names))}</h1>"
        f"<p class='verdict'>{escape(sentence(history.verdict, history.class_names))}</p>"
    )


# -- how many to remove ----------------------------------------------------------------------------


def _removal(audited: Audited) -> str:
    history = audited.history
    if not audited.ranking.epochs_decided:
        schedule = history.config.schedule
        return (
            "<p>Not known yet: the run has not split its images. It does so at T1, "
            f"epoch {history.first_main + schedule.t1 + 1} of {schedule.total_epochs}; "
            f"{history.num_epochs} are recorded so far.</p>"
        )
    chosen = {rule: clean(history, audited.ranking, audited.judgements, rule) for rule in OFFERED}
    names = ("rule", "images removed", "poison left (estimate)", "clean images lost (estimate)")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(_rule_row(rule, cleaning, audited) for rule, cleaning in chosen.items())
    said = chosen[DEFAULT].sentence(history.class_names)
    return (
        f"<p>By the rule {DEFAULT}: {escape(said)}</p>"
        f'<table class="rules"><tr>{head}</tr>{rows}</table><p class="soft">{_basis(audited)}</p>'
    )


def _rule_row(rule: Rule, cleaning: Cleaning, audited: Audited) -> str:
    lost, total = cleaning.clean_lost, len(cleaning.keep)
    numbers = (
        ("–", "–") if cleaning.nothing_found else (f"{cleaning.poison_left:,.0f}", f"{lost:,.0f} ({lost / total:.1%})")
    )
    cells = "".join(f"<td class='n'>{number}</td>" for number in (f"{cleaning.removed:,}", *numbers))
    name = f"<b>{rule}</b> (default)" if rule == DEFAULT else rule
    mark = ' class="default"' if rule == DEFAULT else ""
    return f"<tr{mark}><td>{name}<br><span class='soft'>{_rule_words(rule, audited)}</span></td>{cells}</tr>"


def _rule_words(rule: Rule, audited: Audited) -> str:
    """What a rule removes."""
    if names_attack(audited.verdict):
        text = f"removes what is poison with a probability above {LARGEST[rule]:.0%}"
        return text + (", and labels that both models contradict alike" if rule == "strict" else "")
    if rule == "strict":
        return "removes what was mostly outside the clean pool, and labels that both models contradict alike"
    return "removes nothing without an attack found"


def _basis(audited: Audited) -> str:
    """What the numbers rest on, as HTML."""
    if names_attack(audited.verdict):
        text = (
            "The estimates add up, for each image, how probably it is poison. They count the suspected class only and "
            "are as good as the verdict."
        )
    else:
        reason = "the verdict is uncertain" if audited.verdict["kind"] == "uncertain" else "no attack was found"  # type: ignore[index]
        text = (
            f"There are no estimates, since {reason}. If there is no poison, every image removed is a clean one lost."
        )
    if audited.judgements:
        text += " Images that a person has judged are kept or removed as judged."
    return text


# -- the strongest suspects ------------------------------------------------------------------------


def _suspects(audited: Audited) -> str:
    apart, verdict = audited.apart, audited.verdict
    total = int(apart.sum())
    order = audited.ranking.order
    if total:
        text, shown = (
            f"{total:,} images stand apart: each is poison with a probability above {LIKELY:.0%}.",
            order[apart[order]],
        )
    elif verdict is None or verdict["kind"] == "no_attack":
        text, shown = "No image stands apart. Those listed further below may simply be unusual.", order[:0]
    elif verdict["kind"] == "uncertain":
        text, shown = "No image stands apart, since the verdict is uncertain. These are the most suspect.", order
    else:
        text, shown = "An attack was found, but no image stands apart. These are the most suspect.", order
    pictures = "".join(_suspect(audited, sample) for sample in shown[:SHOWN].tolist())
    title = f"The {len(shown[:SHOWN])} strongest suspects" if len(shown) else "The strongest suspects"
    row = f'<div class="row suspects">{pictures}</div>' if pictures else ""
    return section(title, f"<p>{text}</p>{row}") + (_in_common(audited) if total else "")


def _suspect(audited: Audited, sample: int) -> str:
    files, label = audited.run.files, audited.history.name(int(audited.history.labels[sample]))
    file = f"<br><span class='soft file'>{escape(files[sample])}</span>" if files else ""
    picture = image(audited.run.images[sample], f"sample {sample}")
    return f"<figure>{picture}<figcaption>sample {sample}, labelled {escape(label)}{file}</figcaption></figure>"


def _in_common(audited: Audited) -> str:
    common = audited.common
    if common is None:
        return section("What they have in common", "<p>There are too few images to compare.</p>")
    text = f"<p>{escape(common.finding)}</p>"
    return section("What they have in common", f'<div class="common">{difference(common)}{text}</div>')


# -- what is not known -----------------------------------------------------------------------------


def limits(audited: Audited) -> Iterator[str]:
    """What was not tested or could not have been found, in sentences; class names stand as they were given."""
    history, verdict = audited.history, audited.verdict
    if verdict is None and history.num_epochs >= history.first_main:
        estimator = history.config.split.target_estimator
        yield (
            f"This run was not asked whether there is an attack: it took its suspected class from {estimator}; only "
            "the estimator auto gives a verdict."
        )
    if verdict is not None and verdict["kind"] in ("no_attack", "uncertain"):
        yield BLIND
    if verdict is not None and verdict["kind"] == "target":
        yield "Poison was looked for in one class. If another attack has another target, it was not found."
    yield from _of_the_run(audited)
    doubtful = int(doubtful_labels(history).sum())
    if doubtful:
        yield (
            f"Both models contradict the labels of {doubtful:,} images in the same way. Some of these may be wrong by "
            "mistake, which is not poison: have some of them checked (kind doubtful label in the table of suspects)."
        )


def _of_the_run(audited: Audited) -> Iterator[str]:
    """The limits that the length, the data and the tests of a run set."""
    history, metrics = audited.history, audited.metrics
    schedule, limit = history.config.schedule, history.config.data.limit
    if history.num_epochs < schedule.total_epochs:
        yield (
            f"The run has recorded {history.num_epochs} of {schedule.total_epochs} epochs: all of this may change "
            "until it has finished."
        )
    if short := caution(history.first_main):
        yield short
    if limit is not None and history.num_samples >= limit:
        yield f"At most {limit:,} images were looked at (setting limit); if the set has more, the others were not."
    if not audited.truth_shown or metrics.get("attack_success_rate") is None:
        yield "Which images are poison is not known here, so whether the trained model obeys a trigger was not tested."
    if history.num_epochs > history.first_main and metrics.get("clean_accuracy") is None:
        yield "There is no test part, so how well the trained model does was not tested."


def _list(sentences: Iterator[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    return f"<ul>{items}</ul>" if items else ""
