"""Smooth warps: the trigger of WaNet, and the random warps of `transplant`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_shifts(control: Tensor, size: tuple[int, int], strength: float) -> Tensor:
    """How far each pixel's source lies to its right and below it, in fields interpolated between few control points.

    Parameters
    ----------
    control : (B, 2, k, k), uniform in -1 ... 1
    size : height and width
    strength : s of WaNet; on 32 pixels, 0.5 moves control points by a quarter of a pixel on average

    Returns
    -------
    (B, H, W, 2) float32, pixels: up-sampled bicubically from control / mean |control|.
    """
    field = F.interpolate(
        control / control.abs().mean((1, 2, 3), keepdim=True), size=size, mode="bicubic", align_corners=True
    )
    return strength * field.permute(0, 2, 3, 1) * pixels_per_step(size).to(control.device)


def pixels_per_step(size: tuple[int, int]) -> Tensor:
    """(2,) width and height: pixels in 1 / H of normalised coordinates, which span two units."""
    height, width = size
    return torch.tensor([(width - 1) / (2 * width), (height - 1) / (2 * height)])


def sampling_grid(shifts: Tensor, extra: Tensor | None = None) -> Tensor:
    """(B, H, W, 2) float32, -1 ... 1: where each pixel is taken from.

    `extra` (B, H, W, 2), in pixels, is added but does not lead out of the image.
    """
    height, width = shifts.shape[-3:-1]
    rows, cols = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    unit = 2 / torch.tensor([max(1, width - 1), max(1, height - 1)], device=shifts.device)
    warped = (torch.stack([cols, rows], dim=-1).to(shifts.device) + shifts * unit).clamp(-1, 1)
    return warped if extra is None else (warped + extra * unit).clamp_(-1, 1)


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """(B, K, H, W) images taken bilinearly along a grid (B, H, W, 2)."""
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
