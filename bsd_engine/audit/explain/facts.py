"""The facts that decided about one sample at one epoch."""

from __future__ import annotations

from dataclasses import dataclass

from bsd_engine.config.method_settings import Stage


@dataclass(frozen=True, kw_only=True)
class RankFact:
    """A score that a rule ranks, and where the rule cuts."""

    value: float
    rank: int
    """From 1, the largest score first."""
    of: int
    """Number of ranked samples."""
    cut_rank: int
    """The last rank that is kept; 0 where none is."""
    cut_value: float
    """The smallest score that is kept; NaN where none is."""

    @property
    def kept(self) -> bool:
        """Whether the rule keeps the sample."""
        return self.rank <= self.cut_rank


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decided about one sample at one epoch. A fact that the epoch's rule does not read is None."""

    sample: int
    epoch: int
    """Global, 0-based."""
    decided_at: int | None = None
    """The epoch that decided, which is T1 for all epochs on the initial pools; None in the altruistic warm-up."""
    stage: Stage
    in_pool: bool | None
    """None in the altruistic warm-up, which has no pool."""
    label: str
    target: str | None
    """Name of the suspected class; None where every class is suspected, or none."""
    is_target: bool
    """Whether the sample's given label is the suspected one."""
    als: RankFact | None = None
    """Altruistic loss among all samples."""
    oss: RankFact | None = None
    """OSS distance within the suspected class, with all-to-all within the sample's own class.
    None where OSS does not judge the sample."""
    nearest: str | None = None
    """The known class with the nearest centre."""
    combine: str | None = None
    """How ALS and OSS form the first pool."""
    altruistic_loss: float | None = None
    main_loss: float | None = None
    overall: RankFact | None = None
    """Loss discrepancy among all samples."""
    in_class: RankFact | None = None
    """Loss discrepancy within the given label; the cut is what class completion lets in."""
    completed: bool = False
    """Whether class completion, not the share of all samples, let it in."""
    capped: bool = False
    """Whether class completion kept it out although it is in the top share of all samples."""
    dropped: bool = False
    """Whether both models call it the suspected class, so that it was dropped."""
