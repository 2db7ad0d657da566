"""Common features of a selection of images, compared with controls of the same classes outside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bsd_engine.audit.shared_pattern import SharedPattern, find_pattern

PATCH = 3
BLIND_SPOT = (
    "Only what sits at the same place with much the same grey levels in many images shows here. A warp (WaNet), "
    "a trigger that differs from image to image, or a change of few grey levels leaves no common picture: "
    "finding nothing is no proof."
)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A small square of pixels that many images of the selection and few controls have."""

    row: int
    """Top row, pixels."""
    column: int
    pixels: np.ndarray
    """(PATCH, PATCH, C) uint8: its mean over those that have it."""
    share: float
    """Share of the selection that has it, from 0 to 1."""
    control_share: float

    @property
    def excess(self) -> float:
        """How much more frequent it is than among the controls."""
        return self.share - self.control_share


@dataclass(frozen=True, kw_only=True)
class Common:
    """A selection against its controls; pictures are (H, W, C) float32, grey levels."""

    count: int
    controls: int
    mean: np.ndarray
    control_mean: np.ndarray
    median: np.ndarray
    difference: np.ndarray
    """Mean minus mean of the controls."""
    variance_ratio: np.ndarray
    """(H, W): log2 of the variance over that of the controls, mean over the channels; far below 0 under a patch."""
    spectrum: np.ndarray
    """(H, W): log10 of the mean power over the controls', frequency 0 in the middle."""
    patches: tuple[Patch, ...]
    """The most frequent small patches, largest excess first, no two of them overlapping."""

    pattern: SharedPattern
    """The evidence: a patch or an overlay that many images of the selection hold and few controls do."""

    @property
    def has_patch(self) -> bool:
        """Whether a patch of a few pixels is shared."""
        return self.pattern.found and self.pattern.place is not None

    @property
    def has_overlay(self) -> bool:
        """Whether something lies over the whole picture."""
        return self.pattern.found and self.pattern.place is None

    @property
    def finding(self) -> str:
        """The finding in a sentence, and what it cannot show if there is none."""
        sentence = self.pattern.sentence
        return sentence if self.pattern.found else f"{sentence} {BLIND_SPOT}"


def matched_controls(
    selected: np.ndarray,
    labels: np.ndarray,
    seed: int,
    *,
    most_per_sample: int = 1,
    candidates: np.ndarray | None = None,
) -> np.ndarray:
    """Sorted indices of samples outside a selection, as many of each given label as it has, or as there are.

    Parameters
    ----------
    selected : (N,) bool
    labels : (N,) int64
    candidates : (N,) bool, samples that may be controls, such as the clean pool
    """
    free = ~selected if candidates is None else candidates & ~selected
    rng, chosen = np.random.default_rng(seed), []
    for label in np.unique(labels[selected]):
        idx = np.flatnonzero(free & (labels == label))
        wanted = most_per_sample * int((selected & (labels == label)).sum())
        chosen.append(rng.permutation(idx)[:wanted])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def in_common(images: np.ndarray, controls: np.ndarray, *, most: int = 5) -> Common:
    """Common features of images that controls lack.

    Parameters
    ----------
    images, controls : (n, H, W, C) and (m, H, W, C) uint8, at least two each
    most : patches to return
    """
    ours, theirs = images.astype(np.float32), controls.astype(np.float32)
    tiny = 1.0  # a grey level squared: below it pixels do not vary
    return Common(
        count=len(images),
        controls=len(controls),
        mean=ours.mean(0),
        control_mean=theirs.mean(0),
        median=np.median(images, 0).astype(np.float32),
        difference=ours.mean(0) - theirs.mean(0),
        variance_ratio=np.log2((ours.var(0) + tiny) / (theirs.var(0) + tiny)).mean(2),
        spectrum=np.log10((_power(ours) + tiny) / (_power(theirs) + tiny)),
        patches=_patches(images, controls, most),
        pattern=find_pattern(images, controls),
    )


def _power(images: np.ndarray) -> np.ndarray:
    """(H, W): mean power of the frequencies, 0 in the middle."""
    total = sum(
        (np.abs(np.fft.fft2(part, axes=(1, 2))) ** 2).sum((0, 3))
        for part in np.array_split(images, max(1, len(images) // 500))
    )
    return np.fft.fftshift(total / (len(images) * images.shape[3])).astype(np.float32)


# -- patches ---------------------------------------------------------------------------------------


def _patches(images: np.ndarray, controls: np.ndarray, most: int) -> tuple[Patch, ...]:
    """The commonest coarse patch at each place; places where the controls have it as often fall behind.

    Grey levels are cut into 16 steps, and again half a step on, so that a patch on the border of two steps is found
    once. A flat patch, all of one grey, counts too: on dark photographs it is common among the controls as well.
    """
    found = [patch for shift in (0, 8) for patch in _of_steps(images, controls, shift)]
    chosen: list[Patch] = []
    for patch in sorted(found, key=lambda p: -p.excess):
        if all(max(abs(patch.row - p.row), abs(patch.column - p.column)) >= PATCH for p in chosen):
            chosen.append(patch)
        if len(chosen) == most:
            break
    return tuple(chosen)


def _of_steps(images: np.ndarray, controls: np.ndarray, shift: int) -> list[Patch]:
    ours, theirs = (_keys(x, shift) for x in (images, controls))
    found = []
    for row in range(ours.shape[1]):
        for column in range(ours.shape[2]):
            values, counts = np.unique(ours[:, row, column], return_counts=True)
            key, share = values[counts.argmax()], counts.max() / len(ours)
            if share < 0.1:
                continue
            holders = ours[:, row, column] == key
            pixels = images[holders, row : row + PATCH, column : column + PATCH].mean(0).round().astype(np.uint8)
            found.append(
                Patch(
                    row=row,
                    column=column,
                    pixels=pixels,
                    share=float(share),
                    control_share=float((theirs[:, row, column] == key).mean()) if len(theirs) else 0.0,
                )
            )
    return found


def _keys(images: np.ndarray, shift: int) -> np.ndarray:
    """(n, H - 2, W - 2) uint64: a number for each small patch; the same for equal coarse patches."""
    coarse = ((images.astype(np.uint16) + shift) >> 4).astype(np.uint64)
    height, width = images.shape[1] - PATCH + 1, images.shape[2] - PATCH + 1
    keys = np.zeros((len(images), height, width), np.uint64)
    for row in range(PATCH):
        for column in range(PATCH):
            for channel in range(images.shape[3]):
                keys = (
                    keys * np.uint64(1_000_003)
                    + coarse[:, row : row + height, column : column + width, channel]
                    + np.uint64(1)
                )
    return keys
