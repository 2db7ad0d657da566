"""Settings of the method: schedule, altruistic model, MixMatch and splits; symbols as in the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import tyro

from bsd_engine.config.checks import MOST, check, check_choices, check_floats, check_kinds, check_numbers

Stage = Literal["altruistic_warmup", "oss_warmup", "initial_pools", "class_completion", "selective_drop"]
STAGES: tuple[Stage, ...] = ("altruistic_warmup", "oss_warmup", "initial_pools", "class_completion", "selective_drop")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Lengths of the stages, in epochs; T counts epochs of the main model from 0."""

    altruistic_epochs: int = 25
    """Warm-up epochs of the altruistic model before T = 0 (paper: 25)."""
    t1: Annotated[int, tyro.conf.arg(name="warmup", aliases=("--t1",))] = 20
    """T1: OSS warm-up epochs of the main model on the non-target samples (paper: 20). T2 and T3 move along."""
    init_epochs: int = 10
    """Epochs on the initial pools (paper: 10, written into Eq. 11)."""
    t2: int = 90
    """T2: main epoch at which class completion ends and selective dropping starts (paper: 90)."""
    t3: int = 120
    """T3: total number of main epochs (paper: 120)."""
    iterations: int = 1024
    """MixMatch iterations in a main epoch (paper: 1024); at most 100,000, since an epoch is planned at once."""

    def __post_init__(self) -> None:
        check_numbers(
            self,
            altruistic_epochs=(1, 1000),
            t1=(1, 1000),
            init_epochs=(1, 1000),
            t2=(1, 10000),
            t3=(1, 10000),
            iterations=(1, 100_000),
        )
        start = self.t1 + self.init_epochs
        check(
            self.t2 >= start,
            "t2",
            self.t2,
            f"at least warmup + init_epochs = {start}",
            "Raise t2 or shorten the warm-up.",
        )
        check(self.t3 >= self.t2, "t3", self.t3, f"at least t2 = {self.t2}")

    @property
    def total_epochs(self) -> int:
        """Total epochs: altruistic warm-up and main training."""
        return self.altruistic_epochs + self.t3

    def main_epoch(self, epoch: int) -> int:
        """Epoch T of the main model at a global epoch; negative during the altruistic warm-up."""
        return epoch - self.altruistic_epochs

    def stage(self, epoch: int) -> Stage:
        """Stage that a global epoch (0-based, altruistic warm-up included) belongs to."""
        t = self.main_epoch(epoch)
        ends = (0, self.t1, self.t1 + self.init_epochs, self.t2)
        return STAGES[sum(t >= end for end in ends)]

    @property
    def stage_ends(self) -> tuple[int, ...]:
        """Last global epoch of each stage; for a stage without an epoch, that of the stage before."""
        return tuple(self.altruistic_epochs + t - 1 for t in (0, self.t1, self.t1 + self.init_epochs, self.t2, self.t3))

    @property
    def first_split(self) -> int:
        """Global epoch of T = T1, which decides the initial pools."""
        return self.altruistic_epochs + self.t1

    def with_warmup(self, t1: int) -> ScheduleConfig:
        """This schedule with another T1; T2 and T3 move along, so that later stages keep their length."""
        shift = t1 - self.t1
        return replace(self, t1=t1, t2=self.t2 + shift, t3=self.t3 + shift)


@dataclass(frozen=True, kw_only=True)
class AltruisticConfig:
    """Training of the altruistic model g, which sees the whole malicious set."""

    altruistic_lr: float = 1e-3
    """Learning rate of Adam (paper: 0.001)."""
    altruistic_batch: int = 128
    """Images in a batch (not stated in the paper; ASD's loader has 128)."""
    altruistic_loss: Literal["ce", "lga"] = "ce"
    """Loss of the altruistic warm-up: cross-entropy, or local gradient ascent sign(CE - gamma) CE (appendix D.3)."""
    lga_gamma: float = 0.5
    """Level, in nats, at which the batch's mean CE is held when altruistic_loss is lga (appendix D.3: 0.5)."""
    altruistic_update: Literal["ce", "mixmatch_full", "mixmatch_swapped", "mixmatch_same"] = "ce"
    """Training of g beside f: cross-entropy as in its warm-up (paper: CIFAR-10, ImageNet), or MixMatch with main_lr and
    a new optimiser (paper: GTSRB, pools not stated): full: everything labelled and unlabelled; swapped: the clean pool
    unlabelled, the rest labelled; same: the pools of f."""
    altruistic_model: str | None = None
    """Architecture of g; that of f when not given (paper: the same)."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_choices(self)
        check_numbers(self, altruistic_lr=(1e-9, 10), altruistic_batch=(2, 16384), lga_gamma=(0, 100))


@dataclass(frozen=True, kw_only=True)
class MixMatchConfig:
    """One semi-supervised step of the main model f, as in ASD, which the paper aligns with."""

    main_lr: float = 2e-3
    """Learning rate of Adam (ASD: 0.002)."""
    labeled_batch: int = 64
    """Labelled images in an iteration (ASD: 64)."""
    unlabeled_batch: int = 64
    """Unlabelled images in an iteration, each augmented twice (ASD: 64)."""
    lambda_u: float = 15.0
    """Final weight of the unlabelled loss (paper: 15)."""
    rampup: int | None = None
    """Epochs over which lambda_u grows from 0; T3 when not given (paper: 120 = T3)."""
    temperature: float = 0.5
    """Sharpening temperature of guessed labels (ASD: 0.5)."""
    mixup_alpha: float = 0.75
    """Beta(a, a) parameter of mixup (ASD: 0.75)."""
    ema: float = 0.0
    """Decay per iteration of the averaged weights of f that are scored and tested; 0 for none (paper and ASD).
    The original MixMatch has 0.999."""
    bn_mode: Literal["concatenated", "separate"] = "concatenated"
    """Batch norm sees one batch of guesses and one of mixed images (two forwards), or ASD's five of 64 (separate)."""
    guess_updates_bn: bool = True
    """Whether the forward passes that guess labels update batch norm's running statistics, as in ASD."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_choices(self)
        check_numbers(
            self,
            main_lr=(1e-9, 10),
            labeled_batch=(2, 16384),
            unlabeled_batch=(2, 16384),
            lambda_u=(0, 1e6),
            temperature=(1e-3, 10),
            mixup_alpha=(1e-3, 100),
            ema=(0, 0.99999),
        )
        equal = self.bn_mode == "concatenated" or self.labeled_batch == self.unlabeled_batch
        check(
            equal,
            "bn_mode",
            self.bn_mode,
            "concatenated where labeled_batch and unlabeled_batch differ",
            "Make the batches equal for ASD's five forwards.",
        )
        if self.rampup is not None:
            check_numbers(self, rampup=(1, MOST))


class StartingShares:
    """Shares that default to alpha and beta; a base of the settings that have all four."""

    alpha: float
    beta: float
    alpha_start: float | None
    als_init_ratio: float | None

    @property
    def schedule_start(self) -> float:
        """Share at which the alpha schedule starts."""
        return self.beta if self.alpha_start is None else self.alpha_start

    @property
    def als_ratio(self) -> float:
        """Share kept by ALS at the first split."""
        return self.alpha if self.als_init_ratio is None else self.als_init_ratio


@dataclass(frozen=True, kw_only=True)
class SplitConfig(StartingShares):
    """How the clean pool is chosen."""

    alpha: float = 0.6
    """Largest share of samples in the clean pool; ALS keeps this share at the first split (paper: 0.6)."""
    beta: float = 0.2
    """Share of the suspected class kept by OSS, and start of the alpha schedule (paper: 0.2)."""
    alpha_start: float | None = None
    """Share at which the alpha schedule starts; beta when not given (section 5.1)."""
    target_estimator: Literal[
        "auto",
        "second_logit_mode",
        "probability_floor",
        "median_probability",
        "low_loss_mode",
        "lga_vote",
        "label_count",
        "given",
    ] = "second_logit_mode"
    """auto: what sets a class apart is put onto other images, and the class that the altruistic model then sees
    everywhere is the target, if any (extension); second_logit_mode: the paper's vote; probability_floor,
    median_probability: the class that the altruistic model rules out least, or finds likeliest, on samples of other
    classes (extensions); low_loss_mode: most frequent label among the 1 % of lowest altruistic loss; lga_vote: that
    with altruistic_loss lga, and label_count: the most frequent label, less what class_shares lead to expect (all three
    appendix D.3); given: assume_target."""
    class_shares: tuple[float, ...] | None = None
    """Known shares of the classes in unpoisoned data, in any unit, which label_count compares with; equal shares when
    not given."""
    no_attack: Literal["likeliest", "no_target"] = "likeliest"
    """What auto does if it finds no attack. likeliest: defend against the class that is nearest to a target, as if it
    were one; no_target: no class is left out of the warm-up, none is cut by OSS and none is dropped."""
    vote_pass: Literal["eval", "online"] = "eval"
    """Predictions that vote: of a pass after each epoch of the altruistic warm-up, or those made while it trains."""
    assume_target: int | None = None
    """Target label to assume when target_estimator is given (0-based)."""
    init_combine: Literal["intersection", "union", "als_only", "oss_only", "random"] = "intersection"
    """First pool from ALS and OSS: intersection (Eq. 3; Algorithm 1 prints a union), or an ablation; random: as many
    samples as the intersection has."""
    als_init_ratio: float | None = None
    """Share kept by ALS at the first split; alpha when not given (Eq. 7)."""
    als_snapshot: Literal["current", "after_warmup"] = "current"
    """Altruistic losses used by ALS: at T = T1 (Algorithm 1), or after the altruistic warm-up (caption of Fig. 7)."""
    oss_distance: Literal["min", "mean", "max"] = "min"
    """Distance to the known class centres that OSS ranks by (Eq. 6: min; Fig. 8 compares all three)."""
    feature_norm: Literal["none", "l2", "zscore"] = "none"
    """Features as OSS measures them: as they are (Eq. 6), each of length one, or each dimension standardised."""
    all_to_all: Literal["off", "shared", "retrain_each"] = "off"
    """For attacks that send every class to another one (appendix D.8): OSS runs once with each class as the target.
    retrain_each: after a warm-up of its own model each time, as in the paper; shared: after one warm-up on all labels.
    No class is dropped, so set t3 = t2 or switch selective_drop off."""
    oss_warmup_unlabeled: Literal["target", "nontarget", "none"] = "target"
    """Unlabelled images of the OSS warm-up: samples of the suspected class (Algorithm 1), the others, or none."""
    completion: Literal["fewest", "balanced", "balanced_others", "off"] = "fewest"
    """Class completion. fewest: lifts only the class with the fewest samples (Eq. 8); balanced: every class keeps the
    top alpha_T share of its own samples (extension); balanced_others: the same, but the suspected class keeps at most
    what the cut over all classes gives it (extension); off: none."""
    count_by: Literal["pool_label", "pool_pred", "all_pred"] = "pool_label"
    """How the samples of a class are counted: given labels in the selection, or predictions of f for it or for all."""
    selective_drop: bool = True
    """Drop samples that both models call the suspected target (Eq. 10)."""
    drop_start: int | None = None
    """Main epoch at which dropping starts; T2 when not given (paper: 90 = T2)."""
    split_augment: bool = False
    """Score f and g on the same random crop and flip of each image, as ASD's record pass does, instead of the image."""
    sce_weights: tuple[float, float] = (0.1, 1.0)
    """Weights of cross-entropy and reverse cross-entropy in the splitting loss (ASD: 0.1, 1.0; 1 0 is plain CE)."""
    sce_bounds: tuple[float, float] = (1e-7, 1e-4)
    """Lower bounds of the probabilities and of the one-hot label in reverse cross-entropy (ASD: 1e-7, 1e-4)."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_choices(self)
        check_numbers(self, alpha=(0, 1), beta=(0, 1))
        check(self.alpha > 0, "alpha", self.alpha, "a number above 0")
        check(self.beta > 0, "beta", self.beta, "a number above 0")
        check(
            self.alpha >= self.beta, "alpha", self.alpha, f"at least beta = {self.beta}", "Raise alpha or lower beta."
        )
        if self.als_init_ratio is not None:
            check_numbers(self, als_init_ratio=(1e-9, 1))
        if self.alpha_start is not None:
            check_numbers(self, alpha_start=(1e-9, self.alpha))
        if self.drop_start is not None:
            check_numbers(self, drop_start=(1, MOST))
        for name, low, high in (("sce_weights", 0, 1000), ("sce_bounds", 1e-30, 0.5)):
            check_floats(
                self,
                name,
                low,
                high,
                f"two numbers between {low:g} and {high:g}, not both 0",
                count=2,
                fits=lambda pair: sum(pair) > 0,
            )
        if self.class_shares is not None:
            check_floats(self, "class_shares", 1e-9, 1e12, "a number above 0 for each class")
        if self.assume_target is not None:
            check_numbers(self, assume_target=(0, MOST))
        given = self.target_estimator == "given"
        check(
            given == (self.assume_target is not None),
            "assume_target",
            self.assume_target,
            "a class index exactly when target_estimator is given",
        )
