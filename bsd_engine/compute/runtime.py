"""Where and how a run computes: device, precision and threads, decided once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch

from bsd_engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The device, precision and threads that were decided on."""

    device: torch.device
    autocast_dtype: torch.dtype | None
    """bfloat16 where it is faster than float32, else None."""
    threads: int
    """CPU threads in total; f and g share them."""
    score_batch: int
    """32-pixel images in a scoring batch; with 256, the activations stay in a CPU's cache (1.6 times as fast as with
    512 on Zen 3)."""

    def score_batch_for(self, height: int, width: int) -> int:
        """Images of another size in a scoring batch, so that it has about as many pixels in total; at least 8."""
        return max(8, min(self.score_batch, self.score_batch * 32 * 32 // (height * width)))

    @property
    def description(self) -> str:
        """A phrase for logs and pages, such as "CPU, 2 threads, float32"."""
        precision = "bfloat16" if self.autocast_dtype else "float32"
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {precision}"
        return f"CPU, {self.threads} thread{'s' * (self.threads > 1)}, {precision}"

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which convolutions and matrix products run in the chosen precision."""
        if self.autocast_dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast_dtype)


@cache
def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively; otherwise oneDNN emulates it, which is slower than float32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def available_threads() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose(device: str = "auto", precision: str = "auto") -> Runtime:
    """The runtime for the settings `device` and `precision`; a missing device raises `ConfigError`."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    chosen = torch.device(name)
    if chosen.type == "cuda":
        count = torch.cuda.device_count()
        if (chosen.index or 0) >= count:
            raise ConfigError(f"device is {device!r}, but {count} CUDA devices are visible. Use --device cpu or auto.")
        torch.backends.cudnn.benchmark = True
        return Runtime(device=chosen, autocast_dtype=_autocast(precision, True), threads=1, score_batch=2048)
    return Runtime(
        device=chosen,
        autocast_dtype=_autocast(precision, cpu_has_bfloat16()),
        threads=available_threads(),
        score_batch=256,
    )


def _autocast(precision: str, bfloat16_is_faster: bool) -> torch.dtype | None:
    return torch.bfloat16 if precision == "bfloat16" or (precision == "auto" and bfloat16_is_faster) else None


def resident(images: torch.Tensor, runtime: Runtime) -> torch.Tensor:
    """Images on the device if they take at most half of its free memory; else unchanged, to be sent in batches."""
    if runtime.device.type != "cuda":
        return images
    free, _ = torch.cuda.mem_get_info(runtime.device)
    return images.to(runtime.device) if images.nbytes <= free // 2 else images


@contextlib.contextmanager
def intra_op_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads for operations that this thread starts inside the block.

    Two Python threads with one torch thread each train 1.25 times as many images per second as one with two (small
    ResNet, two Zen 3 cores), so f and g run side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
