"""A checkpoint keeps its format on disk: older ones can be read, and those of other versions or data are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bsd_engine.errors import RunFolderError
from bsd_engine.training.checkpoint import CHECKPOINT_VERSION, Checkpoint

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
]


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
        {"kind": "target"},
    ]
    return dict(zip(KEYS, values, strict=True))


def test_the_dict_is_the_same_after_reading_and_writing(content: dict[str, Any]) -> None:
    written = Checkpoint.from_dict(content, "f" * 16).to_dict()
    assert list(written) == KEYS and all(written[key] is content[key] for key in KEYS if key != "version")
    assert written["version"] == CHECKPOINT_VERSION


def test_a_checkpoint_without_a_verdict_can_be_read(content: dict[str, Any]) -> None:
    del content["_transplant_scores"], content["_verdict"]
    checkpoint = Checkpoint.from_dict(content, "f" * 16)
    assert checkpoint.transplant_scores is None and checkpoint.verdict is None


def test_a_checkpoint_of_another_version_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(RunFolderError, match="has version 1, expected 2; start a new run"):
        Checkpoint.from_dict({**content, "version": 1}, "f" * 16)


def test_a_checkpoint_of_other_data_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(RunFolderError, match="other data .*fingerprints differ"):
        Checkpoint.from_dict(content, "0" * 16)


@pytest.mark.parametrize("key", ["models", "_clues", "_warmup_loss"])
def test_a_missing_part_is_named(content: dict[str, Any], key: str) -> None:
    del content[key]
    with pytest.raises(KeyError, match=key):
        Checkpoint.from_dict(content, "f" * 16)
