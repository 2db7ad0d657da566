"""An epoch of MixMatch: for the main model, and for the altruistic model where it is trained the same way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bsd_engine.compute.augment import Normalizer, crop_flip
from bsd_engine.compute.plans import MixMatchPlan
from bsd_engine.compute.runtime import Runtime
from bsd_engine.config.method_settings import MixMatchConfig
from bsd_engine.method.mixmatch import mixmatch_loss, unlabeled_weight
from bsd_engine.training.learner import Training


def mixmatch_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    plan: MixMatchPlan,
    *,
    settings: MixMatchConfig,
    main_epoch: int,
    rampup: int,
    num_classes: int,
    normalize: Normalizer,
    runtime: Runtime,
    averaged: nn.Module | None = None,
) -> Training:
    """Train one epoch T by a plan.

    Nothing in the loop waits for a GPU: all random numbers are drawn before, and the loss is summed on the device.

    Parameters
    ----------
    images : (N, H, W, C) uint8, on the device or on the host, from where batches are sent
    labels : (N,) int64, on the device
    plan : drawn for this epoch; its tensors may be on any device
    rampup : epochs T over which the weight of the unlabelled loss grows
    averaged : holds the exponential average of the weights, which is updated after each iteration

    Returns
    -------
    Training
        Its loss is on the device.
    """
    iterations = len(plan.idx)
    drawn, plan = plan.to(images.device), plan.to(runtime.device)
    total = torch.zeros((), device=runtime.device)
    model.train()
    for i in range(iterations):
        batch = crop_flip(images, drawn.idx[i], drawn.shift[i], drawn.flip[i]).to(runtime.device)
        with runtime.autocast():
            loss = mixmatch_loss(
                model,
                normalize(batch),
                labels[plan.idx[i, : plan.labeled]],
                labeled=plan.labeled,
                num_classes=num_classes,
                partner=plan.partner[i],
                mix=plan.mix[i],
                temperature=settings.temperature,
                weight=unlabeled_weight(main_epoch, i, iterations, lambda_u=settings.lambda_u, rampup=rampup),
                separate_bn=settings.bn_mode == "separate",
                guess_updates_bn=settings.guess_updates_bn,
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if averaged is not None:
            move_average(averaged, model, settings.ema)
        total += loss.detach()
        yield i + 1, iterations
    return total / iterations


@torch.no_grad()
def move_average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move an exponential average, running statistics included, towards the current state of a model."""
    ours, theirs = (list(m.state_dict().values()) for m in (averaged, model))
    floats = [i for i, value in enumerate(ours) if value.is_floating_point()]
    torch._foreach_lerp_([ours[i] for i in floats], [theirs[i] for i in floats], 1 - decay)
