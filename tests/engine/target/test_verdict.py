"""The verdict from several askings and estimators, and its words."""

import pytest
import torch
from torch import Tensor

from bsd_engine.target import words
from bsd_engine.target.marks import Marks
from bsd_engine.target.transplant import Transplant
from bsd_engine.target.verdict import Verdict, decide_target

NAMES = ("ant", "bee", "cow", "dog", "elk", "fox")
EARLIER = torch.tensor([0.2, 4.0, -1.0, 0.5, 0.0, -0.5])


def asked(foreign: list[float]) -> Transplant:
    """A transplant in which these shares of images follow the residual of each class."""
    zero = torch.zeros(6)
    return Transplant(
        foreign=torch.tensor(foreign), full=zero, apart=zero, separation=zero, warped=zero, withdrawn=zero,
        by_source=torch.zeros(6, 6), by_warp=torch.zeros(6, 6), destinations=torch.zeros(6, dtype=torch.int64),
        residuals=torch.zeros(6, 4, 4, 1, dtype=torch.int8),
    )  # fmt: skip


def marked(separation: list[float], carriers: list[float]) -> Marks:
    """Marks of six classes."""
    return Marks(
        separation=torch.tensor(separation), carriers=torch.tensor(carriers), probability=torch.zeros(12)
    )  # fmt: skip


def votes(**by_class: int) -> Tensor:
    """(6,): how many estimators name each class."""
    return torch.tensor([by_class.get(name, 0) for name in NAMES])


def test_estimators_that_agree_are_evidence() -> None:
    weak = asked([0.0, 0.25, 0.0, 0.0, 0.0, 0.0])
    alone = decide_target(weak)
    assert alone.kind == "uncertain" or alone.kind == "no_attack"
    together = decide_target(weak, votes=votes(bee=4))
    assert together.kind == "target" and together.classes == (1,) and together.agreeing == 4
    assert together.z == pytest.approx(alone.z + 4)


def test_a_class_that_stands_out_once_by_chance_is_not_accused() -> None:
    chance = asked([0.0, 0.35, 0.0, 0.0, 0.0, 0.0])
    assert decide_target(chance).kind == "target"
    again = decide_target(asked([0.0] * 6), earlier=[torch.tensor([0.0, 7.0, 0.0, 0.0, 0.0, 0.0])])
    assert again.kind == "no_attack" and again.asked == 2 and again.z == pytest.approx(3.5)


def test_four_that_agree_are_not_overruled() -> None:
    wrong = asked([0.0, 0.0, 0.0, 0.41, 0.26, 0.0])
    assert decide_target(wrong).classes == (3,)
    found = decide_target(wrong, votes=votes(elk=5))
    assert found.kind == "target" and found.classes == (4,) and found.rivals == (3,) and found.confidence == "low"


def test_a_mark_is_evidence_and_the_most_frequent_one_counts() -> None:
    nothing = asked([0.0] * 6)
    found = decide_target(nothing, marks=marked([0.0, 80.0, 0.0, 9.0, 0.0, 0.0], [0.0, 40.0, 0.0, 300.0, 0.0, 5.0]))
    assert found.kind == "target" and found.classes == (3,) and found.clue == "mark"
    few = decide_target(nothing, marks=marked([0.0, 80.0, 0.0, 0.0, 0.0, 0.0], [0.0, 14.0, 0.0, 0.0, 0.0, 0.0]))
    assert few.kind == "no_attack"  # a drive past one traffic sign


def test_several_targets_are_concluded_by_the_first_asking_alone() -> None:
    found = asked([0.0] * 6)
    found.destinations[:] = 5
    assert decide_target(found).kind == "several"
    assert decide_target(found, earlier=[EARLIER]).kind != "several"


@pytest.mark.parametrize(
    ("verdict", "headline", "said"),
    [
        (
            Verdict(kind="target", classes=(3,), z=11.0, why="evidence 11.0", clue="mark", agreeing=2),
            "Attack found: the target is dog (confidence high)",
            "dog stands out: a group of its images carries the same fine pattern, which images of other classes lack.",
        ),
        (
            Verdict(kind="target", classes=(3,), z=7.0, why="evidence 7.0", clue="full", rivals=(1, 0)),
            "Attack found: the target is dog (confidence low)",
            "Other evidence points to bee, ant: compare a branch that defends against it.",
        ),
        (
            Verdict(kind="uncertain", classes=(5,), z=5.3, why="evidence 5.3", clue="foreign"),
            "Uncertain: fox stands out, but not enough (confidence low)",
            words.BLIND,
        ),
        (
            Verdict(kind="no_attack", classes=(5,), z=2.0, why="evidence 2.0", clue="foreign"),
            "No attack found (confidence moderate)",
            f"If there is one, fox is its likeliest target. {words.BLIND}",
        ),
        (
            Verdict(kind="several", classes=tuple(range(6)), z=2.0, why="one residual sends images elsewhere"),
            "Attack found: every class is a target (all-to-all)",
            "One residual sends images elsewhere.",
        ),
    ],
)
def test_a_verdict_is_said_in_plain_words(verdict: Verdict, headline: str, said: str) -> None:
    stored = verdict.to_dict()
    assert words.headline(stored, NAMES) == headline
    assert words.sentence(stored, NAMES).startswith(f"{headline}.") and said in words.sentence(stored, NAMES)


def test_a_verdict_of_an_earlier_version_has_words_too() -> None:
    old = {"kind": "target", "classes": [1], "z": 8.0, "needed": 6.0, "why": "z = 8.0 against the other classes"}
    assert words.headline(old, NAMES) == "Attack found: the target is bee (confidence moderate)"
    assert "Z = 8.0 against the other classes." in words.sentence(old, NAMES)
    assert words.headline(None, NAMES) == words.sentence(None, NAMES) == words.NOT_ASKED
