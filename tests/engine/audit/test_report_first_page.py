"""The report's first page: what a reader who has to decide is told, for each verdict."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.audit.export.audited import Audited
from bsd_engine.audit.export.first_page import OFFERED, first_page, limits
from bsd_engine.audit.export.next_steps import next_steps
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.terms import GLOSSARY
from bsd_engine.audit.findings.cleaning import clean
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import suspects
from bsd_engine.cli.training import train_options
from bsd_engine.runs.reader import RunReader
from bsd_engine.target.words import BLIND, headline, sentence
from tests.support.fake_run import fake_run
from tests.support.hostile import NAMES, hostile_run

ROOT = Path(__file__).parents[3]
TARGET, RIVAL = 3, 5
FOUND = {"kind": "target", "classes": [TARGET], "z": 12.0, "needed": 6.0, "why": "evidence 12.0", "clue": "mark"}
NOTHING = {**FOUND, "kind": "no_attack", "z": 1.0}
UNCERTAIN = {**FOUND, "kind": "uncertain", "z": 5.5}
RIVALS = {**UNCERTAIN, "rivals": [RIVAL]}


def audited(run: RunReader, verdict: dict | None = None, *, truth_shown: bool = False, **changes: object) -> Audited:
    """The run as if it had ended with this verdict, and with a third of the target's images as poison if it is one."""
    history = RunHistory.of(run)
    probability = None
    if verdict is not None and verdict["kind"] == "target":
        probability = np.zeros(history.num_samples, np.float32)
        of_target = np.flatnonzero(history.labels == TARGET)
        probability[of_target] = np.linspace(0, 1, len(of_target), dtype=np.float32) ** 2
    changes = {"verdict": verdict, "poison_probability": probability, "pseudo_target": TARGET} | changes
    changed = replace(history, _derived={}, **changes)
    return Audited(run=run, history=changed, ranking=suspects(changed), judgements={}, truth_shown=truth_shown)


@pytest.fixture(scope="module")
def run(recorded_run: Path) -> RunReader:
    return RunReader(recorded_run)


def text_of(html: str) -> str:
    """The words of a page, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", re.sub(r"</(p|li|td|th|h\d|pre)>", " ", html)))


def commands(page: Audited) -> list[str]:
    return [step.command for step in next_steps(page) if step.command]


# -- the verdict -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [FOUND, NOTHING, UNCERTAIN, RIVALS, None], ids=lambda v: v and v["kind"])
def test_the_verdict_is_told_in_the_same_words_as_everywhere(run: RunReader, verdict: dict | None) -> None:
    html, names = first_page(audited(run, verdict)), run.class_names
    assert f"<h1>{escape(headline(verdict, names))}</h1>" in html
    assert f"<p class='verdict'>{escape(sentence(verdict, names))}</p>" in html
    assert html.index("<h1>") < html.index("How many images to remove") < html.index("The next step")


def test_the_report_begins_with_it_and_says_it_once(recorded_run: Path) -> None:
    html = report(RunReader(recorded_run))
    assert html.count("<h1>") == 1 and "<body><section class" in html
    assert html.index("Words used in this report") < html.index("<h2>The run</h2>") < html.index("Figures")


# -- how many to remove ----------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_cleaned_set(run: RunReader) -> None:
    page = audited(run, FOUND)
    said = text_of(first_page(page))
    for rule in OFFERED:
        chosen = clean(page.history, page.ranking, {}, rule)
        share = f"{chosen.clean_lost / len(chosen.keep):.1%}"
        row = rf"{rule}( \(default\))?removes [^–]*? {chosen.removed:,} {chosen.poison_left:,.0f} "
        assert re.search(row + re.escape(f"{chosen.clean_lost:,.0f} ({share})"), said), rule
    assert clean(page.history, page.ranking, {}).sentence(run.class_names) in said
    assert said.count("(default)") == 1 and "balanced (default)" in said


@pytest.mark.parametrize(("verdict", "reason"), [(NOTHING, "no attack was found"), (UNCERTAIN, "the verdict is unc")])
def test_nothing_is_estimated_without_an_attack(run: RunReader, verdict: dict, reason: str) -> None:
    page = audited(run, verdict)
    html, strict = first_page(page), clean(page.history, page.ranking, {}, "strict")
    assert html.count("<td class='n'>–</td>") == 6 and f"There are no estimates, since {reason}" in html
    assert f"<td class='n'>{strict.removed:,}</td>" in html and "removes nothing without an attack" in html


def test_judgements_count(run: RunReader) -> None:
    page = audited(run, FOUND)
    assert "has judged" not in first_page(page)
    sample = int(np.flatnonzero(page.history.labels != TARGET)[0])
    judged = replace(page, judgements={sample: Judgement(sample=sample, choice="remove", note="", who="x", time=0)})
    removed = clean(page.history, page.ranking, {}).removed
    assert f"{removed + 1:,} of " in first_page(judged) and "has judged" in first_page(judged)


def test_before_the_first_split_it_says_what_is_missing_and_when_it_comes(tmp_path: Path) -> None:
    young = RunReader(fake_run(tmp_path, epochs=3, status=None, samples=300))
    html = first_page(audited(young, None, pseudo_target=None))
    assert "Not decided yet" in html and "at T1, epoch 17 of 38; 3 are recorded so far" in html
    assert "No image stands apart." in html and "<table" not in html and "<img" not in html
    assert "The run has recorded 3 of 38 epochs" in html and "estimator" not in html
    assert f"--resume {young.path}" in text_of(html) or "Wait until the run has finished" in html


# -- suspects --------------------------------------------------------------------------------------


def test_the_five_strongest_that_stand_apart_are_shown_with_what_they_share(run: RunReader) -> None:
    page = audited(run, FOUND)
    html, first = first_page(page), page.ranking.order[page.apart[page.ranking.order]][:5]
    assert [int(n) for n in re.findall(r"<figcaption>sample (\d+), labelled", html)] == first.tolist()
    assert f"{int(page.apart.sum()):,} images stand apart" in html
    assert page.common is not None and page.common.count == page.apart.sum()
    assert escape(page.common.finding) in html and html.count("<figcaption>difference ×") == 1
    assert f"labelled {escape(run.class_names[TARGET])}" in html


def test_no_group_is_claimed_without_an_attack(run: RunReader) -> None:
    page = audited(run, NOTHING)
    html = report(run, history=page.history)
    assert not page.apart.any() and "No image stands apart." in html and "images stand apart" not in html
    assert "none of which stands apart" in html and "gap " not in text_of(html)
    assert "strongest suspects</h2><p>No image" in html and "What they have in common" not in html


def test_of_an_uncertain_run_the_most_suspect_are_shown_but_not_as_a_group(run: RunReader) -> None:
    page = audited(run, RIVALS)
    html = first_page(page)
    shown = [int(n) for n in re.findall(r"<figcaption>sample (\d+), labelled", html)]
    assert shown == page.ranking.order[:5].tolist() and "since the verdict is uncertain" in html
    assert "What they have in common" not in html


# -- what is not known -----------------------------------------------------------------------------


def test_blind_spots_and_limits_of_the_run_are_named(run: RunReader) -> None:
    assert BLIND in list(limits(audited(run, NOTHING))) and BLIND not in list(limits(audited(run, FOUND)))
    sealed, told = (" ".join(limits(audited(run, FOUND, truth_shown=shown))) for shown in (False, True))
    assert "was not tested" in sealed and "obeys a trigger" not in told
    doubtful = int(doubtful_labels(audited(run, FOUND).history).sum())
    assert (f"the labels of {doubtful:,} images" in sealed) == (doubtful > 0)
    assert "took its suspected class from" in " ".join(limits(audited(run, None)))


# -- the next step ---------------------------------------------------------------------------------


def test_after_an_attack_the_cleaned_set_is_written_and_trained_on(run: RunReader) -> None:
    assert commands(audited(run, FOUND)) == [
        f"python -m bsd_engine cleaned {shlex.quote(str(run.path))} --out cleaned",
        "python -m bsd_engine undefended --preset audit --data folder:cleaned",
    ]


@pytest.mark.parametrize("verdict", [RIVALS, {**NOTHING, "rivals": [RIVAL]}, {**FOUND, "rivals": [RIVAL]}])
def test_a_rival_gets_a_branch_that_the_command_line_accepts(run: RunReader, verdict: dict, tmp_path: Path) -> None:
    words = shlex.split(commands(audited(run, verdict))[0])
    assert words[:4] == ["python", "-m", "bsd_engine", "train"]
    options = train_options([*words[4:-1], str(tmp_path / "new")], "train")
    assert options.branch == run.path and options.from_epoch == run.config.schedule.altruistic_epochs - 1
    assert (options.config.split.target_estimator, options.config.split.assume_target) == ("given", RIVAL)


def test_an_uncertain_class_gets_a_branch_only_if_the_run_did_not_defend_against_it(run: RunReader) -> None:
    same, other = audited(run, UNCERTAIN), audited(run, UNCERTAIN, pseudo_target=7)
    assert f"--assume-target {TARGET} " in commands(other)[0] and "--branch" not in commands(same)[0]


def test_without_an_attack_a_longer_warm_up_makes_surer(run: RunReader, tmp_path: Path) -> None:
    (command,) = commands(audited(run, NOTHING))
    words = shlex.split(command)
    options = train_options([*words[4:-1], str(tmp_path / "new")], "train")
    assert options.config.schedule.altruistic_epochs == 2 * run.config.schedule.altruistic_epochs
    assert options.config.split == run.config.split and "cleaned" not in command


def test_paths_are_quoted_for_a_shell(tmp_path: Path) -> None:
    odd = tmp_path / "it's <b> & $(x)"
    odd.mkdir()
    page = audited(RunReader(fake_run(odd, epochs=38, samples=300)), FOUND)
    assert shlex.split(commands(page)[0])[4] == str(page.run.path)
    assert "<b> &" not in first_page(page) and commands(page)[0] in text_of(first_page(page))


def test_a_strangers_run_is_copied_before_it_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_run(tmp_path, epochs=38, samples=300)
    monkeypatch.setattr(RunReader, "is_own", False)
    first, second = commands(audited(RunReader(path), RIVALS))
    assert first == f"python -m bsd_engine adopt {path} --out runs/copy" and "--branch runs/copy " in second


# -- words from outside, and words explained -------------------------------------------------------


@pytest.mark.parametrize("verdict", [FOUND, NOTHING, RIVALS], ids=lambda v: v["kind"])
def test_hostile_names_stay_text(tmp_path: Path, verdict: dict) -> None:
    strange = RunReader(hostile_run(tmp_path, "strange"))
    for label in range(len(NAMES)):
        named = {**verdict, "classes": [label], "rivals": [(label + 1) % len(NAMES)]}
        html = first_page(audited(strange, named, pseudo_target=label))
        assert not re.search(r"<(script|svg|a|iframe)\b|<img src=x", html)
        assert escape(headline(named, strange.class_names)) in html


def test_terms_are_explained_in_the_words_of_the_glossary() -> None:
    entries = re.split(r"^## ", (ROOT / "docs" / "glossary.md").read_text(), flags=re.MULTILINE)
    words = {entry.split("\n", 1)[0]: entry.strip().rsplit("\n", 1)[-1] for entry in entries[1:]}
    assert {term: words.get(term) for term in GLOSSARY} == GLOSSARY
