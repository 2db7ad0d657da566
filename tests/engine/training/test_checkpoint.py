"""A checkpoint keeps its format on disk: older ones can be read, and those of other versions or data are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bsd_engine.errors import RunFolderError
from bsd_engine.training.checkpoint import CHECKPOINT_VERSION, Checkpoint, check_moments

KEYS = [
    "version",
    "epoch",
    "fingerprint",
    "models",
    "specialists",
    "pseudo_target",
    "clean_mask",
    "_clues",
    "_warmup_loss",
    "_specialist_oss",
    "_poison_cumulative",
    "_metrics",
    "_transplant_scores",
    "_verdict",
    "_marks",
]
MARKS = {"separation": torch.zeros(10), "carriers": torch.zeros(10), "probability": torch.zeros(4)}


OF_RUN = ("f" * 16, 4, 10)
"""Fingerprint, samples and classes."""


@pytest.fixture
def content() -> dict[str, Any]:
    """A checkpoint as it is on disk."""
    values = [
        CHECKPOINT_VERSION,
        3,
        "f" * 16,
        {"main": {}},
        [],
        7,
        torch.ones(4, dtype=torch.bool),
        {"floor": [torch.zeros(10)]},
        torch.zeros(4),
        None,
        12,
        {"seconds": 1.5},
        torch.zeros(10),
        {"kind": "target", "classes": [7], "z": float("inf"), "needed": 6.0, "why": "it stands out"},
        MARKS,
    ]
    return dict(zip(KEYS, values, strict=True))


def test_the_dict_is_the_same_after_reading_and_writing(content: dict[str, Any]) -> None:
    written = Checkpoint.from_dict(content, *OF_RUN).to_dict()
    assert list(written) == KEYS and all(written[key] is content[key] for key in KEYS if key != "version")
    assert written["version"] == CHECKPOINT_VERSION


def test_a_checkpoint_without_a_verdict_can_be_read(content: dict[str, Any]) -> None:
    del content["_transplant_scores"], content["_verdict"]
    checkpoint = Checkpoint.from_dict(content, *OF_RUN)
    assert checkpoint.transplant_scores is None and checkpoint.verdict is None


def test_a_checkpoint_of_another_version_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(RunFolderError, match="has version 1, expected 2; start a new run"):
        Checkpoint.from_dict({**content, "version": 1}, *OF_RUN)


def test_a_checkpoint_of_other_data_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(RunFolderError, match="other data .*fingerprints differ"):
        Checkpoint.from_dict(content, "0" * 16, 4, 10)


@pytest.mark.parametrize("key", ["models", "_clues", "_warmup_loss"])
def test_a_missing_part_is_named(content: dict[str, Any], key: str) -> None:
    del content[key]
    with pytest.raises(KeyError, match=key):
        Checkpoint.from_dict(content, *OF_RUN)


NO_WEIGHTS = {"main": {"w": torch.tensor([float("nan")])}}
OPTIMIZER = {
    "state": {0: {"step": torch.tensor(1.0)}},
    "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0]}],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epoch", True),
        ("epoch", -1),
        ("pseudo_target", 10),
        ("pseudo_target", "7"),
        ("clean_mask", torch.ones(5, dtype=torch.bool)),
        ("clean_mask", torch.ones(4)),
        ("_clues", {"floor": [torch.zeros(9)]}),
        ("_clues", {"floor": torch.zeros(10)}),
        ("_clues", [1]),
        ("_warmup_loss", torch.zeros(4, 1)),
        ("_warmup_loss", [0.0] * 4),
        ("_specialist_oss", torch.zeros(3)),
        ("_poison_cumulative", -1),
        ("_poison_cumulative", 1.5),
        ("_metrics", {"seconds": "1"}),
        ("_metrics", {"seconds": 10**400}),
        ("_transplant_scores", torch.zeros(10, dtype=torch.complex64)),
        ("_marks", {"separation": torch.zeros(10)}),
        ("_marks", {**MARKS, "probability": torch.zeros(5)}),
        ("_verdict", {"kind": "x", "why": "y", "z": 1, "needed": 6, "classes": [1], "asked": 10**9}),
        ("_verdict", {"kind": "target"}),
        ("_verdict", {"kind": "target", "classes": [10], "z": 1.0, "needed": 6.0, "why": "x"}),
        ("models", [1]),
        ("models", {"main": {"w": [1.0]}}),
        ("models", NO_WEIGHTS),
        ("models", {"main_optimizer": {"state": {}}}),
        ("models", {"main_optimizer": {**OPTIMIZER, "param_groups": [{"lr": "fast"}]}}),
        ("models", {"main_optimizer": {**OPTIMIZER, "state": {0: {"exp_avg": torch.tensor([float("inf")])}}}}),
        ("specialists", [({}, OPTIMIZER)] * 11),
        ("specialists", [({},)]),
    ],
)
def test_a_value_that_no_run_can_have_written_is_refused(content: dict[str, Any], key: str, value: Any) -> None:
    Checkpoint.from_dict({**content, "models": {"main_optimizer": OPTIMIZER}}, *OF_RUN)
    with pytest.raises(ValueError, match="expected|not finite|lacks|has no state") as refused:
        Checkpoint.from_dict({**content, key: value}, *OF_RUN)
    assert len(str(refused.value)) < 250 and "\n" not in str(refused.value)


def test_moments_of_another_shape_than_the_weights_are_refused() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    check_moments(optimizer)
    optimizer.state[weight]["exp_avg"] = torch.zeros(2)
    with pytest.raises(ValueError, match=r"exp_avg has the shape \(2,\), expected \(3,\)"):
        check_moments(optimizer)
