"""What to do after reading the report: sentences, each with a command to copy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.findings.apart import names_attack

ADOPTED, NEW = "runs/copy", "NEW"
"""Folders that the commands write."""


class Step(NamedTuple):
    """One thing to do."""

    words: str
    """A sentence; class names stand as they were given."""
    arguments: tuple[str, ...] = ()
    """Of the command line, after `python -m bsd_engine`; none where there is no command."""

    @property
    def command(self) -> str:
        """The command, quoted for a shell; "" without one."""
        return f"python -m bsd_engine {shlex.join(self.arguments)}" if self.arguments else ""


def next_steps(audited: Audited) -> tuple[Step, ...]:
    """What to do, by the verdict and by how far the run has come."""
    if not audited.ranking.epochs_decided:
        return tuple(_go_on(audited))
    if audited.run.status in ("stopped", "interrupted", "failed") and not names_attack(audited.verdict):
        return tuple(_go_on(audited))
    other = undefended_class(audited)
    steps = list(_branch(audited, other)) if other is not None else []
    if names_attack(audited.verdict):
        return (*steps, *_clean(audited))
    if other is None:
        steps.append(_longer_warmup(audited))
    return (
        *steps,
        Step("Look at the most suspect images below. If some of them are poison, judge them on the Audit page."),
    )


def undefended_class(audited: Audited) -> int | None:
    """A class that evidence points to and that this run did not defend against; None without such a class."""
    verdict = audited.verdict
    if verdict is None or verdict["kind"] == "several":
        return None
    likeliest = [] if verdict["kind"] == "no_attack" else verdict["classes"][:1]
    named = [*likeliest, *(verdict.get("rivals") or ())]
    return next((int(c) for c in named if c != audited.history.pseudo_target), None)


def rendered(steps: tuple[Step, ...]) -> str:
    """The steps as an HTML list."""
    return f"<ol>{''.join(f'<li>{escape(step.words)}{_command(step)}</li>' for step in steps)}</ol>"


def _command(step: Step) -> str:
    """The command as HTML, which breaks lines between its words."""
    words = " ".join(f"<span>{escape(word)}</span>" for word in step.command.split(" "))
    return f"<pre><code>{words}</code></pre>" if step.command else ""


def _clean(audited: Audited) -> Iterator[Step]:
    yield Step(
        "Write the images that are kept by the rule balanced to a new folder:",
        ("cleaned", str(audited.run.path), "--out", "cleaned"),
    )
    yield Step(
        "Train an ordinary model on that folder:", ("undefended", "--preset", "audit", "--data", "folder:cleaned")
    )


def _branch(audited: Audited, label: int) -> Iterator[Step]:
    folder, last = str(audited.run.path), audited.history.first_main - 1
    if not audited.run.is_own:
        yield Step("Make a copy of your own, which may be continued:", ("adopt", folder, "--out", ADOPTED))
        folder = ADOPTED
    yield Step(
        f"Evidence points to {audited.history.name(label)} too, which this run did not defend against. Train a "
        "branch that does, and compare its report with this one:",
        (
            *("train", "--branch", folder, "--from-epoch", str(last), "--target-estimator", "given"),
            *("--assume-target", str(label), "--out", NEW),
        ),
    )


def _longer_warmup(audited: Audited) -> Step:
    history, run = audited.history, audited.run
    arguments = ["train", "--config", str(run.path)]
    if not run.trusts_paths:
        arguments += ["--data", "folder:PATH"]
    if history.config.data.limit is not None and history.num_samples >= history.config.data.limit:
        arguments += ["--limit", "None"]
    more = " on all images" if "--limit" in arguments else ""
    arguments += ["--altruistic-epochs", str(2 * history.first_main), "--out", NEW]
    return Step(
        f"To be surer, train again{more} with a longer warm-up, in which rarer triggers are learned:", tuple(arguments)
    )


def _go_on(audited: Audited) -> Iterator[Step]:
    run, folder = audited.run, str(audited.run.path)
    if run.status in ("running", "paused"):
        yield Step("Wait until the run has finished, and write this report again:", ("report", folder, "--out", NEW))
        return
    if not run.is_own:
        yield Step("Make a copy of your own, which may be continued:", ("adopt", folder, "--out", ADOPTED))
        folder = ADOPTED
    yield Step("Continue the run, and write this report again when it has finished:", ("train", "--resume", folder))
