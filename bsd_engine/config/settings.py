"""Every setting of a run, as frozen dataclasses that check themselves.

The text under each field is its help on the command line: meaning, unit, and where the default comes from.
Symbols are the paper's (alpha, beta, T1, T2, T3, lambda_u).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

from bsd_engine.errors import ConfigError

Stage = Literal["altruistic_warmup", "oss_warmup", "initial_pools", "class_completion", "selective_drop"]
STAGES: tuple[Stage, ...] = (
    "altruistic_warmup",
    "oss_warmup",
    "initial_pools",
    "class_completion",
    "selective_drop",
)


PoisonCountMode = Literal["exact_nontarget", "bernoulli_nontarget", "exact_all", "exact_all_from_nontarget"]


def _check(condition: bool, name: str, value: Any, expected: str, remedy: str = "") -> None:
    """Raise `ConfigError` naming the setting, what was found and what was expected."""
    if not condition:
        raise ConfigError(f"{name} is {value!r}, expected {expected}.{' ' + remedy if remedy else ''}")


def _is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value is a finite number in a range; a whole one may have any number of digits, true and false are none."""
    finite = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )
    return finite and low <= value <= high


def _check_numbers(config: Any, **ranges: tuple[float, float]) -> None:
    """Check that each named field is a finite number within its closed range, and a whole one where its type says so."""
    hints = get_type_hints(type(config))
    for name, (low, high) in ranges.items():
        value, whole = getattr(config, name), hints[name] in (int, int | None)
        bound = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        sound = _is_number(value, low, high) and (isinstance(value, int) or not whole)
        _check(sound, name, value, f"a {'whole ' * whole}number {bound}")


def _check_floats(
    config: Any,
    name: str,
    low: float,
    high: float,
    expected: str,
    *,
    count: int | None = None,
    fits: Callable[[Sequence[float]], bool] = lambda values: True,
) -> None:
    """Check a field of `count` numbers, or of at least two, each in a range, and keep them as floats: from JSON they come as a list."""
    values = getattr(config, name)
    sound = isinstance(values, (tuple, list)) and (len(values) > 1 if count is None else len(values) == count)
    sound = sound and all(_is_number(value, low, high) for value in values) and fits(values)
    _check(sound, name, values, expected)
    object.__setattr__(config, name, tuple(map(float, values)))


def _check_choices(config: Any) -> None:
    """Check each `Literal` field against its list of words."""
    for name, hint in get_type_hints(type(config)).items():
        if get_origin(hint) is Literal:
            choices = get_args(hint)
            _check(getattr(config, name) in choices, name, getattr(config, name), f"one of {', '.join(choices)}")


def _check_kinds(config: Any) -> None:
    """Check that words are texts and switches true or false: a stored configuration may hold anything."""
    for name, hint in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if hint in (str, str | None):
            _check(isinstance(value, str) or (value is None and hint is not str), name, value, "a text")
        elif hint is bool:
            _check(isinstance(value, bool), name, value, "true or false")
        elif get_origin(hint) is dict:
            _check(isinstance(value, dict), name, value, "pairs of a name and a value")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images are trained on."""

    data: str = "bundled"
    """Source of the images: bundled, cifar10, gtsrb, folder:PATH or npz:PATH."""
    limit: int | None = None
    """Largest number of training images, drawn so that classes keep their shares; all when not given or there are fewer."""
    epoch_tests: int | None = None
    """Test images, and as many triggered ones, that every epoch but the last is measured on; all when not given."""
    crop_padding: int = 4
    """Augment by moving the image up to so many pixels (ASD: 4)."""
    flip: bool = True
    """Augment by mirroring left to right; off for signs and letters, whose meaning it changes."""
    image_size: int | None = None
    """Height and width that all images are resized to, pixels. When not given, images of one size keep it, files of
    different sizes or above 64 pixels become 32x32."""

    def __post_init__(self) -> None:
        _check_kinds(self)
        known = self.data in ("bundled", "cifar10", "gtsrb") or self.data.startswith(("folder:", "npz:"))
        _check(known, "data", self.data, "bundled, cifar10, gtsrb, folder:PATH or npz:PATH")
        _check_numbers(self, crop_padding=(0, 7))
        for name in ("limit", "epoch_tests"):
            if getattr(self, name) is not None:
                _check_numbers(self, **{name: (20, math.inf)})
        if self.image_size is not None:
            _check_numbers(self, image_size=(8, 1024))


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """How the training set is poisoned; `none` for data that may be poisoned already."""

    attack: str = "badnets"
    """Name of the attack, or none."""
    target_label: Annotated[int, tyro.conf.arg(name="target")] = 3
    """Class that triggered images are sent to (0-based)."""
    rate: float | None = None
    """Poisoning rate rho: share of the images of the other classes that carry the trigger, or of the target class for a
    clean-label attack; when not given the attack's own: 0.05, 0.25 for clean-label (paper), 0.01 for adaptive."""
    poison_count_mode: PoisonCountMode = "exact_nontarget"
    """How many are poisoned. exact_nontarget: int(rate n) of the n images of the other classes; bernoulli_nontarget: each of
    them with probability rate (ASD, DBD); exact_all: int(rate N) of all N images, the target class among them
    (BackdoorBench); exact_all_from_nontarget: as many, none of the target class (VIBE). Clean-label and all-to-all attacks
    know the first two."""
    asr_exclude_target: bool = True
    """Whether triggered test images of the target class are left out of the attack success rate (ASD, DBD: yes)."""
    attack_parameters: dict[str, int | float | str] = field(default_factory=dict, hash=False)
    """The attack's own parameters, as pairs: --attack-parameters opacity 0.2 pattern noise. An unknown name is answered with
    those that there are."""

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_choices(self)
        _check_numbers(self, target_label=(0, math.inf))
        if self.rate is not None:
            _check_numbers(self, rate=(0, 0.9))
            _check(
                self.attack == "none" or self.rate > 0,
                "rate",
                self.rate,
                "a number above 0",
                "For data without an added attack use --attack none.",
            )
        for name, value in self.attack_parameters.items():
            plain = isinstance(value, (str, int)) or _is_number(value, -math.inf, math.inf)
            _check(plain, f"attack_parameters: {name}", value, "a finite number or a word")
        _check(
            self.attack != "none" or not self.attack_parameters,
            "attack_parameters",
            self.attack_parameters,
            "none without an attack",
        )


NETWORKS = ("small_resnet", "resnet18", "mobilenet_v2")
TORCHVISION = "torchvision:"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of the main model f, and of the altruistic model g where altruistic_model names no other."""

    model: str = "resnet18"
    """resnet18: the CIFAR ResNet-18 of the paper; small_resnet: three stages behind a stride-2 stem, for CPUs; mobilenet_v2: for
    small images too; torchvision:NAME: a network of torchvision with random weights, such as torchvision:resnet18, for 224 px."""
    width: int = 64
    """Channels of the first stage of a ResNet (paper: 64), later stages double it; mobilenet_v2 has all its layers scaled by
    width / 64, and needs a multiple of 8 from 32; networks of torchvision have one width, called 64."""

    def __post_init__(self) -> None:
        name = self.model
        known = isinstance(name, str) and (name in NETWORKS or (name.startswith(TORCHVISION) and name != TORCHVISION))
        _check(known, "model", name, f"one of {', '.join(NETWORKS)} or torchvision:NAME")
        # Below 8 channels, oneDNN 3.12 (torch 2.13) writes past a buffer in the backward pass of a strided channels_last
        # convolution on AVX2, and the process dies. The narrowest layer of mobilenet_v2 has a quarter of its width.
        _check_numbers(self, width=(8, 1024))
        if name == "mobilenet_v2":
            _check(
                self.width >= 32 and self.width % 8 == 0,
                "width",
                self.width,
                "a multiple of 8 from 32 for mobilenet_v2",
            )
        if name.startswith(TORCHVISION):
            _check(
                self.width == 64, "width", self.width, "64 for a network of torchvision", "Its layers are not scaled."
            )


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
    """T3: number of main epochs in all (paper: 120)."""
    iterations: int = 1024
    """MixMatch iterations in a main epoch (paper: 1024); the plan of an epoch is drawn at once, hence at most a million."""

    def __post_init__(self) -> None:
        _check_numbers(
            self,
            altruistic_epochs=(1, 1000),
            t1=(1, 1000),
            init_epochs=(1, 1000),
            t2=(1, 10000),
            t3=(1, 10000),
            iterations=(1, 1_000_000),
        )
        start = self.t1 + self.init_epochs
        _check(
            self.t2 >= start,
            "t2",
            self.t2,
            f"at least warmup + init_epochs = {start}",
            "Raise t2 or shorten the warm-up.",
        )
        _check(self.t3 >= self.t2, "t3", self.t3, f"at least t2 = {self.t2}")

    @property
    def total_epochs(self) -> int:
        """Epochs in all: altruistic warm-up and main training."""
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
        """Last global epoch of each stage; of one without an epoch, that of the stage before."""
        return tuple(self.altruistic_epochs + t - 1 for t in (0, self.t1, self.t1 + self.init_epochs, self.t2, self.t3))

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
    """Images in a batch (unstated in the paper; ASD's loader has 128)."""
    altruistic_loss: Literal["ce", "lga"] = "ce"
    """Loss of the altruistic warm-up: cross-entropy, or local gradient ascent sign(CE - gamma) CE (appendix D.3)."""
    lga_gamma: float = 0.5
    """Level, in nats, at which the batch's mean CE is held when altruistic_loss is lga (appendix D.3: 0.5)."""
    altruistic_update: Literal["ce", "mixmatch_full", "mixmatch_swapped", "mixmatch_same"] = "ce"
    """Training of g beside f: cross-entropy as in its warm-up (paper: CIFAR-10, ImageNet), or MixMatch with main_lr and
    a new optimiser (paper: GTSRB, pools unstated): full: everything labelled and unlabelled; swapped: the clean pool
    unlabelled, the rest labelled; same: the pools of f."""
    altruistic_model: str | None = None
    """Architecture of g; that of f when not given (paper: the same)."""

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_choices(self)
        _check_numbers(self, altruistic_lr=(1e-9, 10), altruistic_batch=(2, 65536), lga_gamma=(0, 100))


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
    MixMatch's original has 0.999."""
    bn_mode: Literal["concatenated", "separate"] = "concatenated"
    """Batch norm sees one batch of guesses and one of mixed images (two forwards), or ASD's five of 64 (separate)."""

    guess_updates_bn: bool = True
    """Whether the forwards that guess labels move batch norm's running statistics, as they do in ASD."""

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_choices(self)
        _check_numbers(
            self,
            main_lr=(1e-9, 10),
            labeled_batch=(2, 65536),
            unlabeled_batch=(2, 65536),
            lambda_u=(0, 1e6),
            temperature=(1e-3, 10),
            mixup_alpha=(1e-3, 100),
            ema=(0, 0.99999),
        )
        equal = self.bn_mode == "concatenated" or self.labeled_batch == self.unlabeled_batch
        _check(
            equal,
            "bn_mode",
            self.bn_mode,
            "concatenated where labeled_batch and unlabeled_batch differ",
            "Make the batches equal for ASD's five forwards.",
        )
        if self.rampup is not None:
            _check_numbers(self, rampup=(1, math.inf))


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
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
    """auto: what sets a class apart is put onto other images, and the class that the altruistic model then sees everywhere is the
    target, if any (extension); second_logit_mode: the paper's vote; probability_floor, median_probability: the class that
    the altruistic model rules out least, or finds likeliest, on samples of other classes (extensions); low_loss_mode: most
    frequent label among the 1 % of lowest altruistic loss; lga_vote: that with altruistic_loss lga, and label_count: the most
    frequent label, less what class_shares lead to expect (all three appendix D.3); given: assume_target."""
    class_shares: tuple[float, ...] | None = None
    """Known shares of the classes in unpoisoned data, in any unit, which label_count compares with; equal ones when not given."""
    no_attack: Literal["likeliest", "no_target"] = "likeliest"
    """What auto does where it finds no attack. likeliest: defend against the class that is nearest to a target, as if it were
    one; no_target: no class is left out of the warm-up, none is cut by OSS and none dropped."""
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
    """Class completion. fewest: lifts only the fewest class (Eq. 8); balanced: every class keeps the top alpha_T share
    of its own samples (extension); balanced_others: the same, but the suspected class keeps what the cut over all classes
    gives it at most (extension); off: none."""
    count_by: Literal["pool_label", "pool_pred", "all_pred"] = "pool_label"
    """What makes a class the fewest: given labels in the selection, or predictions of f for the selection or for all."""
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
        _check_kinds(self)
        _check_choices(self)
        _check_numbers(self, alpha=(0, 1), beta=(0, 1))
        _check(self.alpha > 0, "alpha", self.alpha, "a number above 0")
        _check(self.beta > 0, "beta", self.beta, "a number above 0")
        _check(
            self.alpha >= self.beta, "alpha", self.alpha, f"at least beta = {self.beta}", "Raise alpha or lower beta."
        )
        if self.als_init_ratio is not None:
            _check_numbers(self, als_init_ratio=(1e-9, 1))
        if self.alpha_start is not None:
            _check_numbers(self, alpha_start=(1e-9, self.alpha))
        if self.drop_start is not None:
            _check_numbers(self, drop_start=(1, math.inf))
        for name, low, high in (("sce_weights", 0, 1000), ("sce_bounds", 1e-30, 0.5)):
            _check_floats(
                self,
                name,
                low,
                high,
                f"two numbers between {low:g} and {high:g}, not both 0",
                count=2,
                fits=lambda pair: sum(pair) > 0,
            )
        if self.class_shares is not None:
            _check_floats(self, "class_shares", 1e-9, 1e12, "a number above 0 for each class")
        given = self.target_estimator == "given"
        _check(
            given == (self.assume_target is not None),
            "assume_target",
            self.assume_target,
            "a class index exactly when target_estimator is given",
        )

    @property
    def schedule_start(self) -> float:
        """Share at which the alpha schedule starts."""
        return self.beta if self.alpha_start is None else self.alpha_start

    @property
    def als_ratio(self) -> float:
        """Share kept by ALS at the first split."""
        return self.alpha if self.als_init_ratio is None else self.als_init_ratio


@dataclass(frozen=True, kw_only=True)
class UndefendedConfig:
    """Plain training for comparison (command `undefended`)."""

    undefended_epochs: int = 200
    """Epochs (paper: 200)."""
    undefended_lr: float = 0.1
    """Learning rate of SGD (paper: 0.1)."""
    undefended_drops: tuple[float, float] = (0.5, 0.75)
    """Shares of the epochs after which the learning rate falls to a tenth (paper: 100 and 150 of 200; ImageNet 30 and 60 of 90)."""

    def __post_init__(self) -> None:
        _check_numbers(self, undefended_epochs=(1, 10000), undefended_lr=(1e-9, 10))
        _check_floats(
            self,
            "undefended_drops",
            0,
            1,
            "two ascending numbers between 0 and 1",
            count=2,
            fits=lambda drops: drops[0] <= drops[1],
        )


GROUPS: dict[str, type] = {
    "data": DataConfig,
    "attack": AttackConfig,
    "model": ModelConfig,
    "schedule": ScheduleConfig,
    "altruistic": AltruisticConfig,
    "mixmatch": MixMatchConfig,
    "split": SplitConfig,
    "undefended": UndefendedConfig,
}


@dataclass(frozen=True, kw_only=True)
class BSDConfig:
    """A whole run. The defaults are the paper's on CIFAR-10."""

    preset: str = "paper-cifar10"
    """Preset these settings started from."""
    seed: int = 0
    """Seed of everything random: poisoned indices, initial weights, batches, augmentation, mixup."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N; auto takes the GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of convolutions and products; losses are float32 always. auto: bfloat16 where the device is faster in it."""
    data: DataConfig = field(default_factory=DataConfig)
    attack: AttackConfig = field(default_factory=AttackConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    altruistic: AltruisticConfig = field(default_factory=AltruisticConfig)
    mixmatch: MixMatchConfig = field(default_factory=MixMatchConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    undefended: UndefendedConfig = field(default_factory=UndefendedConfig)

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check(
            _is_number(self.seed, 0, 2**31 - 1) and isinstance(self.seed, int),
            "seed",
            self.seed,
            "a whole number from 0 to 2147483647",
        )
        device = self.device
        known = device in ("auto", "cpu", "cuda") or (device.startswith("cuda:") and device[5:].isdigit())
        _check(known, "device", device, "auto, cpu, cuda or cuda:N")
        _check_choices(self)
        self.altruistic_network  # noqa: B018 - checks itself
        lga = self.split.target_estimator != "lga_vote" or self.altruistic.altruistic_loss == "lga"
        _check(
            lga,
            "target_estimator",
            self.split.target_estimator,
            "another one where altruistic_loss is ce",
            "Set altruistic_loss to lga, or take low_loss_mode.",
        )
        no_drop = (
            self.split.all_to_all == "off" or not self.split.selective_drop or self.schedule.t3 == self.schedule.t2
        )
        _check(
            no_drop,
            "all_to_all",
            self.split.all_to_all,
            "off where samples of one target are dropped",
            "Set t3 = t2 as the paper does, or switch selective_drop off.",
        )

    @property
    def altruistic_network(self) -> ModelConfig:
        """Architecture of g."""
        return replace(self.model, model=self.altruistic.altruistic_model or self.model.model)

    @property
    def drop_start(self) -> int:
        """Main epoch T from which samples are dropped."""
        return self.schedule.t2 if self.split.drop_start is None else self.split.drop_start

    def with_settings(self, **settings: Any) -> BSDConfig:
        """This configuration with some settings replaced, each named as on its dataclass, whatever its group."""
        own = {name: settings.pop(name) for name in ("preset", "seed", "device", "precision") if name in settings}
        grouped: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            grouped.setdefault(_group_of(name), {})[name] = value
        parts = {group: replace(getattr(self, group), **values) for group, values in grouped.items()}
        return replace(self, **own, **parts)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as stored in a run folder's config."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BSDConfig:
        """The configuration that `to_dict` wrote; unknown settings raise `ConfigError`."""
        try:
            parts = {name: group(**values[name]) for name, group in GROUPS.items()}
            return cls(**{k: v for k, v in values.items() if k not in GROUPS}, **parts)
        except (TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"the stored configuration does not fit this version: {error}. Start a new run."
            ) from None


def _group_of(setting: str) -> str:
    for name, group in GROUPS.items():
        if setting in {f.name for f in fields(group)}:
            return name
    raise ConfigError(f"there is no setting {setting!r}; see python -m bsd_engine train --help.")
