"""A pattern that the images of a selection share and their controls lack: laid over them, or a patch of a few pixels.

The difference between the two mean images shows such a pattern, mixed with content and chance. Each image is then
measured for how much of that picture it holds. Every frequency is weighted by the inverse of its power in the images,
so that the fine grain counts most: photographs have little of it, and a pattern that is added to all of them has some.
No image is measured with a picture that it contributed to, so differences by chance separate nothing.

Measured on CIFAR-10, GTSRB and the bundled images, selections of 20 to 1,500 against as many controls of the same
classes: of 567 selections at random, of one class, or next to each other in a file, none has a pattern, of 189 of the
least typical images of a class three have, each of 20 images. Of 500 and more, all of BadNets, Blended, SIG and
adaptive blend are found, and where 70 % carry them all but adaptive blend on 500 bundled images; of 150 of CIFAR-10 and
GTSRB 79 of 80. Faint overlays on fewer are missed: where 14 of 20 carry Blended 0.1, it is found in 4 of 12 draws.
WaNet and ReFool are not found in any of 54 draws each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FEWEST = 10
"""Images of the selection, and of the controls, below which chance cannot be told from a pattern."""
LEAST_EXCESS = 1 / 3
"""Excess of the share over that of the controls at which a pattern counts."""
_LEAST_STRENGTH, _FOR_FEW = 1.7, 10.0
_LOSS = 0.05  # of the excess, for a cut that fewer controls pass
_PATCH_ENERGY, _PATCH_SIDE = 0.5, 0.3  # share of the energy within a square, and its side over that of the image
_PATCH_EDGE = 0.45  # grain of a patch's pixels over its largest: exact in 96 of 96 draws of 20 to 200 images
_FLOOR = 1e-3  # of the mean power: frequencies with less count as having this
_CHUNK = 2**22  # pixel values that are transformed at a time


@dataclass(frozen=True, kw_only=True)
class Place:
    """A rectangle of pixels."""

    row: int
    """Top row."""
    column: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class SharedPattern:
    """How many images hold the fine grain that the mean of a selection has beyond that of its controls."""

    count: int
    controls: int
    share: float
    """Share of the selection that holds it, from 0 to 1: above the cut that tells selection and controls best apart."""
    control_share: float
    separation: float
    """Distance between the images of the selection that hold it and the controls, in root mean squares of both standard
    deviations."""
    place: Place | None
    """Where at least half of its energy is, if that is in a small part of the image."""

    @property
    def excess(self) -> float:
        """How much larger the share of the selection is."""
        return self.share - self.control_share

    @property
    def enough(self) -> bool:
        """Whether there are images enough to tell a pattern from chance."""
        return min(self.count, self.controls) >= FEWEST

    @property
    def found(self) -> bool:
        """Whether a pattern is shared: by far more images of the selection, and clearly set apart from the controls."""
        return (
            self.enough
            and self.excess >= LEAST_EXCESS
            and self.excess * self.separation >= least_strength(self.count, self.controls)
        )

    @property
    def sentence(self) -> str:
        """The finding."""
        if not self.enough:
            return f"Fewer than {FEWEST} images, or controls, are too few to tell a common pattern from chance."
        if not self.found:
            return "No pattern in common."
        who = f"{100 * self.share:.0f} % of the selection carry the same "
        others = f"which {100 * self.control_share:.0f} % of the controls do"
        if self.place is None:
            return f"{who}fine pattern over the whole image, {others}: something is blended over the images."
        at = self.place
        return f"{who}patch of {at.height}x{at.width} pixels at row {at.row}, column {at.column}, {others}."


def least_strength(count: int, controls: int) -> float:
    """Excess times separation at which a pattern counts: a few images of a kind are alike, hence they need more."""
    return _LEAST_STRENGTH + _FOR_FEW * float(np.sqrt((1 / count + 1 / controls) / 2))


def find_pattern(images: np.ndarray, controls: np.ndarray) -> SharedPattern:
    """The pattern of images that controls lack.

    Parameters
    ----------
    images, controls : (n, H, W, C) and (m, H, W, C) uint8, at least two each
    """
    means = [x.mean(0, dtype=np.float64).astype(np.float32) for x in (images, controls)]
    middle = (len(images) * means[0] + len(controls) * means[1]) / (len(images) + len(controls))
    weight = _weight(images, controls, means)
    ours, theirs = _held(images, controls, means, middle, weight)
    share, control_share, separation = _apart(ours, theirs)
    return SharedPattern(
        count=len(images),
        controls=len(controls),
        share=share,
        control_share=control_share,
        separation=separation,
        place=_place((_filtered(means[0] - means[1], np.sqrt(weight)) ** 2).sum(2)),
    )


# -- how much each image holds ---------------------------------------------------------------------


def _spectra(images: np.ndarray, middle: np.ndarray) -> Iterator[np.ndarray]:
    """The spectra of images less a middle, (n, H, W, C) complex, some at a time."""
    step = max(1, _CHUNK // middle.size)
    for start in range(0, len(images), step):
        yield np.fft.fft2(images[start : start + step].astype(np.float32) - middle, axes=(1, 2))


def _weight(images: np.ndarray, controls: np.ndarray, means: list[np.ndarray]) -> np.ndarray:
    """(H, W, 1): weight of the frequencies, the inverse of their power within both sets; 0 of the mean level."""
    power = np.zeros(images.shape[1:3])
    for x, mean in zip((images, controls), means, strict=True):
        for part in _spectra(x, mean):
            power += (np.abs(part) ** 2).sum((0, 3)) / len(x)
    smooth = np.mean([np.roll(power, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
    weight = 1 / (smooth + _FLOOR * max(1.0, float(smooth.mean())))
    weight[0, 0] = 0
    return weight[..., None] / max(float(weight.max()), 1e-30)


def _filtered(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A picture (H, W, C) whose frequencies are weighted."""
    return np.fft.ifft2(np.fft.fft2(picture, axes=(0, 1)) * weight, axes=(0, 1)).real


def _held(
    images: np.ndarray, controls: np.ndarray, means: list[np.ndarray], middle: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) and (m,): product of each image with the difference of the means, to which it did not contribute itself."""
    pictures = [_filtered(mean - middle, weight) for mean in means]
    found = []
    for x, own, other in ((images, 0, 1), (controls, 1, 0)):
        n, products = len(x), []
        for part in _spectra(x, middle):
            power = (weight * np.abs(part) ** 2).sum((1, 2, 3)) / weight.size
            flat = np.fft.ifft2(part, axes=(1, 2)).real.reshape(len(part), -1)
            with_own = (n * (flat @ pictures[own].ravel()) - power) / (n - 1)
            products.append(with_own - flat @ pictures[other].ravel())
        found.append(np.concatenate(products))
    return found[0], -found[1]


def _apart(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Share of both above the best cut, and how far those of ours are from theirs."""
    cuts = np.sort(np.concatenate([ours, theirs]))
    above = [1 - np.searchsorted(np.sort(x), cuts, side="right") / len(x) for x in (ours, theirs)]
    excess = above[0] - above[1]
    best = int(np.flatnonzero(excess >= excess.max() - min(_LOSS, excess.max() / 2))[-1])
    carriers = ours[ours > cuts[best]]
    if len(carriers) < 2:
        return 0.0, 0.0, 0.0
    spread = np.sqrt((carriers.var() + theirs.var()) / 2) + 1e-9 * np.abs(cuts).max() + 1e-30
    return float(above[0][best]), float(above[1][best]), float((carriers.mean() - theirs.mean()) / spread)


# -- where it is -----------------------------------------------------------------------------------


def _place(grain: np.ndarray) -> Place | None:
    """The patch that holds most of the energy of a fine grain (H, W), if a small square does.

    Its edges are those of the pixels in and next to the square that differ nearly as much as the one that does most.
    """
    energy = np.clip(grain - 2 * np.median(grain), 0, None)
    total = np.pad(energy, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    for side in range(1, max(3, int(_PATCH_SIDE * min(grain.shape))) + 1):
        within = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
        if within.size and within.max() >= _PATCH_ENERGY * energy.sum() > 0:
            row, column = (int(i) for i in np.unravel_index(within.argmax(), within.shape))
            return _edges(grain, row, column, side)
    return None


def _edges(grain: np.ndarray, row: int, column: int, side: int) -> Place:
    """The rectangle of distinct pixels in and next to a square."""
    top, left = max(0, row - 2), max(0, column - 2)
    part = grain[top : row + side + 2, left : column + side + 2]
    rows, columns = np.nonzero(part >= _PATCH_EDGE**2 * part.max())
    return Place(
        row=top + int(rows.min()),
        column=left + int(columns.min()),
        height=int(np.ptp(rows)) + 1,
        width=int(np.ptp(columns)) + 1,
    )
