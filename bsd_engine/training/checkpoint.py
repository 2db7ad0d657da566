"""The state of a run between two epochs, as it is written to disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bsd_engine.errors import RunFolderError
from bsd_engine.training.checkpoint_values import check_values

CHECKPOINT_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that later epochs read. The random state is not part of it: it is a function of seed and epoch."""

    epoch: int
    """The last finished epoch; global, 0-based."""
    fingerprint: str
    """Of the data that the run trains on."""
    models: dict[str, dict[str, Any]]
    """State dicts of "main", "averaged", "altruistic", "main_optimizer" and "altruistic_optimizer"."""
    specialists: list[tuple[dict[str, Any], dict[str, Any]]]
    """State dicts of each model of the OSS warm-up and its optimiser, with all-to-all by retraining before T1."""
    pseudo_target: int | None
    clean_mask: Tensor | None
    """(N,) bool: the pool of the epoch."""
    clues: dict[str, list[Tensor]]
    """(C,) of each warm-up epoch, see `TargetSearch`."""
    warmup_loss: Tensor | None
    """(N,) float32, nats: altruistic losses at the end of the altruistic warm-up."""
    specialist_oss: Tensor | None
    """(N,) float32, see `Specialists`."""
    poison_cumulative: int
    metrics: dict[str, float | int | None]
    """Of the epoch."""
    transplant_scores: Tensor | None = None
    """(C,); like the verdict, missing from checkpoints of earlier versions of this program."""
    verdict: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain containers and tensors, which can be loaded without running code."""
        return {
            "version": CHECKPOINT_VERSION,
            "epoch": self.epoch,
            "fingerprint": self.fingerprint,
            "models": self.models,
            "specialists": self.specialists,
            "pseudo_target": self.pseudo_target,
            "clean_mask": self.clean_mask,
            "_clues": self.clues,
            "_warmup_loss": self.warmup_loss,
            "_specialist_oss": self.specialist_oss,
            "_poison_cumulative": self.poison_cumulative,
            "_metrics": self.metrics,
            "_transplant_scores": self.transplant_scores,
            "_verdict": self.verdict,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any], fingerprint: str, samples: int, classes: int) -> Checkpoint:
        """The checkpoint from the result of `to_dict`, for a run on the data with this fingerprint.

        Raises
        ------
        RunFolderError
            If it has another version or was made from other data.
        ValueError
            If a value is none that a run on that many samples and classes can have; weights are compared with the
            network when they are loaded.
        KeyError
            If a part is missing.
        """
        if content.get("version") != CHECKPOINT_VERSION:
            raise RunFolderError(
                f"The checkpoint has version {content.get('version')}, expected {CHECKPOINT_VERSION}; start a new run."
            )
        if content["fingerprint"] != fingerprint:
            raise RunFolderError(
                "The checkpoint was made from other data (fingerprints differ); resume with the data of the run."
            )
        check_values(content, samples, classes)
        return cls(
            epoch=content["epoch"],
            fingerprint=content["fingerprint"],
            models=content["models"],
            specialists=content["specialists"],
            pseudo_target=content["pseudo_target"],
            clean_mask=content["clean_mask"],
            clues=content["_clues"],
            warmup_loss=content["_warmup_loss"],
            specialist_oss=content["_specialist_oss"],
            poison_cumulative=content["_poison_cumulative"],
            metrics=content["_metrics"],
            transplant_scores=content.get("_transplant_scores"),
            verdict=content.get("_verdict"),
        )
