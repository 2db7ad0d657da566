"""One MixMatch step: its parts by hand, and the whole loss against a reference that can be read at a glance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bsd_engine.compute.plans import mixmatch_plan
from bsd_engine.method import mixmatch

CLASSES = 4
LABELED = 6
quick = settings(deadline=None, max_examples=40)


# --- parts ---


def test_sharpening_squares_and_renormalises() -> None:
    sharp = mixmatch.sharpen(torch.tensor([[0.6, 0.3, 0.1]]), 0.5)
    torch.testing.assert_close(sharp, torch.tensor([[0.782609, 0.195652, 0.021739]]), atol=1e-6, rtol=0)


def test_temperature_one_changes_nothing() -> None:
    p = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    torch.testing.assert_close(mixmatch.sharpen(p, 1.0), p)


@pytest.mark.parametrize(
    ("main_epoch", "iteration", "weight"),
    [(0, 0, 0.0), (20, 0, 2.5), (60, 0, 7.5), (60, 512, 7.5625), (119, 1023, 14.99988), (120, 0, 15.0), (500, 0, 15.0)],
)
def test_lambda_u_grows_with_the_global_epoch(main_epoch: int, iteration: int, weight: float) -> None:
    assert mixmatch.unlabeled_weight(main_epoch, iteration, 1024, lambda_u=15, rampup=120) == pytest.approx(
        weight, abs=1e-5
    )


def test_interleaved_blocks_of_64_are_21_21_and_22() -> None:
    assert mixmatch.interleave_offsets(64, 3) == [0, 21, 42, 64]


@quick
@given(batch=st.integers(1, 70), groups=st.integers(1, 5))
def test_interleaving_covers_a_batch_and_undoes_itself(batch: int, groups: int) -> None:
    sizes = np.diff(mixmatch.interleave_offsets(batch, groups))
    assert sizes.sum() == batch and sizes.max() - sizes.min() <= 1 and len(sizes) == groups
    rows = list(torch.arange(batch * groups).split(batch))
    mixed = mixmatch.interleave(rows)
    assert torch.equal(torch.cat(mixed).sort().values, torch.arange(batch * groups))
    for before, after in zip(rows, mixmatch.interleave(mixed)):
        assert torch.equal(before, after)


def test_every_interleaved_group_holds_labelled_rows() -> None:
    groups = mixmatch.interleave(list(torch.arange(192).split(64)))
    assert [int((g < 64).sum()) for g in groups] == [21, 21, 22]


@pytest.mark.parametrize("mixup_alpha", [0.05, 0.75, 5.0])
def test_a_mixed_row_keeps_at_least_half_of_itself(mixup_alpha: float) -> None:
    plan = mixmatch_plan(
        torch.arange(9),
        torch.arange(9),
        labeled_batch=3,
        unlabeled_batch=3,
        iterations=400,
        mixup_alpha=mixup_alpha,
        crop_padding=4,
        flip=True,
        seed=0,
    )
    assert plan.mix.shape == (400,) and (plan.mix >= 0.5).all() and (plan.mix <= 1).all()


def test_unlabelled_loss_is_the_mean_over_rows_and_classes() -> None:
    logits = torch.zeros(2, 2)
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    supervised, unsupervised = mixmatch.mixmatch_losses(logits, targets, labeled=1)
    assert unsupervised.item() == pytest.approx(0.25)  # softmax [.5, .5] against [1, 0]
    assert supervised.item() == pytest.approx(np.log(2))


def test_labelled_loss_alone_without_unlabelled_rows() -> None:
    supervised, unsupervised = mixmatch.mixmatch_losses(torch.zeros(3, 4), torch.eye(4)[:3], labeled=3)
    assert supervised.item() == pytest.approx(np.log(4)) and unsupervised.item() == 0


# --- the whole loss ---


class Step:
    """A drawn iteration: 6 labelled and twice 6 unlabelled images of 1x4x4 pixels, and what the engine makes of it."""

    def __init__(self, model: nn.Module, unlabeled: int = LABELED) -> None:
        generator = torch.Generator().manual_seed(5)
        rows = LABELED + 2 * unlabeled
        self.model = model
        self.images = torch.randn(rows, 1, 4, 4, generator=generator)
        self.labels = torch.randint(CLASSES, (LABELED,), generator=generator)
        self.partner = torch.randperm(rows, generator=generator)
        self.mix = torch.tensor(0.7)
        self.weight, self.temperature = 3.0, 0.5

    def loss(self, *, separate: bool = False, guess_updates_bn: bool = True) -> Tensor:
        return mixmatch.mixmatch_loss(
            self.model,
            self.images,
            self.labels,
            labeled=LABELED,
            num_classes=CLASSES,
            partner=self.partner,
            mix=self.mix,
            weight=self.weight,
            temperature=self.temperature,
            separate_bn=separate,
            guess_updates_bn=guess_updates_bn,
        )

    def plain_loss(self, *, detach_guess: bool = True) -> Tensor:
        """The loss of the paper's appendix B.4 with ASD's means, one row at a time."""
        x, u = self.images[:LABELED], self.images[LABELED:]
        u1, u2 = u[: len(u) // 2], u[len(u) // 2 :]
        guess = ((self.model(u1).softmax(1) + self.model(u2).softmax(1)) / 2) ** (1 / self.temperature)
        guess = guess / guess.sum(1, keepdim=True)
        guess = guess.detach() if detach_guess else guess
        everything = torch.cat([x, u1, u2])
        targets = torch.cat([F.one_hot(self.labels, CLASSES).float(), guess, guess])
        supervised, unsupervised = [], []
        for row in range(len(everything)):
            other, weight = self.partner[row], self.mix
            image = weight * everything[row] + (1 - weight) * everything[other]
            target = weight * targets[row] + (1 - weight) * targets[other]
            p = self.model(image[None]).softmax(1)[0]
            if row < LABELED:
                supervised.append(-(target * p.log()).sum())
            else:
                unsupervised.append(((p - target) ** 2).sum() / CLASSES)
        return sum(supervised) / len(supervised) + self.weight * sum(unsupervised) / len(unsupervised)

    def gradient(self, loss: Tensor) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(self.model.parameters()))])


@pytest.fixture
def step() -> Step:
    """A drawn iteration with a two-layer model without batch norm."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Step(nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, CLASSES)))


def test_loss_and_gradient_are_those_of_the_plain_reference(step: Step) -> None:
    ours, plain = step.loss(), step.plain_loss()
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(step.gradient(ours), step.gradient(plain), atol=1e-6, rtol=1e-5)


def test_no_gradient_flows_through_the_guesses(step: Step) -> None:
    ours, through = step.gradient(step.loss()), step.gradient(step.plain_loss(detach_guess=False))
    assert not torch.allclose(ours, through, atol=1e-4)


def test_forwards_together_or_apart_are_the_same_without_batch_norm(step: Step) -> None:
    together, apart = step.loss(separate=False), step.loss(separate=True)
    torch.testing.assert_close(together, apart)
    torch.testing.assert_close(step.gradient(together), step.gradient(apart), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("separate", [False, True])
def test_loss_without_unlabelled_images_is_the_labelled_one(step: Step, separate: bool) -> None:
    labelled_only = Step(step.model, unlabeled=0)
    targets = F.one_hot(labelled_only.labels, CLASSES).float()
    mixed_images = torch.lerp(labelled_only.images[labelled_only.partner], labelled_only.images, 0.7)
    mixed_targets = torch.lerp(targets[labelled_only.partner], targets, 0.7)
    expected = -(mixed_targets * step.model(mixed_images).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(labelled_only.loss(separate=separate), expected)


@pytest.mark.parametrize(("separate", "forwards"), [(False, 2), (True, 5)])
def test_batch_norm_sees_two_forwards_together_or_the_five_of_asd(separate: bool, forwards: int) -> None:
    norm = nn.BatchNorm2d(1)
    batches = []
    norm.register_forward_hook(lambda _, inputs, __: batches.append(len(inputs[0])))
    step = Step(nn.Sequential(norm, nn.Flatten(), nn.Linear(16, CLASSES)))
    step.loss(separate=separate)
    assert batches == ([12, 18] if forwards == 2 else [6] * 5)
    assert norm.training and norm.num_batches_tracked == forwards


@pytest.mark.parametrize("separate", [False, True])
def test_guesses_can_leave_the_running_statistics_alone(separate: bool) -> None:
    """The loss is the same either way; the running mean then has seen the mixed images only."""
    losses, means = [], []
    for update in (True, False):
        norm = nn.BatchNorm2d(1)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            step = Step(nn.Sequential(norm, nn.Flatten(), nn.Linear(16, CLASSES)))
        losses.append(step.loss(separate=separate, guess_updates_bn=update))
        means.append(norm.running_mean.item())
        assert norm.momentum == 0.1
    mixed = torch.lerp(step.images[step.partner], step.images, 0.7)
    groups = mixmatch.interleave(list(mixed.split(LABELED))) if separate else [mixed]
    expected = 0.0
    for group in groups:
        expected = 0.9 * expected + 0.1 * group.mean().item()
    assert losses[0] == losses[1] and means[1] == pytest.approx(expected, abs=1e-6) != means[0]


def test_batches_of_other_sizes_than_asds_give_the_same_loss(step: Step) -> None:
    """Twice as many labelled as unlabelled images, as in the demo: 6 + 2 * 3 rows."""
    uneven = Step(step.model, unlabeled=3)
    torch.testing.assert_close(uneven.loss(), uneven.plain_loss())
    torch.testing.assert_close(uneven.loss(separate=True), uneven.plain_loss())
