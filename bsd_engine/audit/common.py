"""Common features of a selection of images, compared with controls of the same classes outside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PATCH = 3
_DISTINCT = 3.0
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
    noise: np.ndarray
    """(H, W, C): standard error of the difference, from the spread of the controls."""
    patches: tuple[Patch, ...]
    """The most frequent small patches, largest excess first, no two of them overlapping."""

    @property
    def contrast(self) -> np.ndarray:
        """(H, W) float32: the difference over its standard error, root mean square over the channels."""
        return np.sqrt(((self.difference / np.maximum(self.noise, 1e-3)) ** 2).mean(2))

    @property
    def has_patch(self) -> bool:
        """Whether a small patch is shared: in a third of the selection and in hardly any control."""
        return (
            bool(self.patches)
            and self.patches[0].share >= 1 / 3
            and self.patches[0].control_share <= self.patches[0].share / 4
        )

    @property
    def has_overlay(self) -> bool:
        """Whether something lies over the whole picture: most pixels differ by more than chance, and they vary less.

        A selection of unusual images differs too, but varies at least as much as its controls. A blended trigger
        reduces the variance of every pixel.
        """
        return float((self.contrast > _DISTINCT).mean()) > 0.3 and float((self.variance_ratio < 0).mean()) > 0.5

    @property
    def finding(self) -> str:
        """The finding in a sentence or two."""
        sentences = []
        if self.has_patch:
            best = self.patches[0]
            sentences.append(
                f"{100 * best.share:.0f} % of the selection share a patch at row {best.row}, column {best.column}, "
                f"which {100 * best.control_share:.1f} % of the controls have."
            )
        if self.has_overlay:
            sentences.append(
                f"{100 * (self.contrast > _DISTINCT).mean():.0f} % of the pixels differ from the controls' mean by "
                f"more than {_DISTINCT:g} standard errors and vary less: something may be blended over the images."
            )
        return " ".join(sentences) or f"No patch and no overlay in common. {BLIND_SPOT}"


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
    spread = theirs.var(0) / len(theirs) + ours.var(0) / len(ours)
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
        noise=np.sqrt(spread),
        patches=_patches(images, controls, most),
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
