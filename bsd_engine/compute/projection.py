"""2-D maps of the landmarks' features that stay comparable from epoch to epoch. No decision reads them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

COMPONENTS = 16
FLOAT16_MAX = 65504.0


@torch.inference_mode()
def principal_components(features: Tensor, count: int = COMPONENTS) -> np.ndarray:
    """(L, min(count, D)) float16: coordinates on the first principal components, largest variance first.

    Each component has the sign that makes its largest loading positive, so that equal features give equal maps.
    """
    centered = features.double() - features.double().mean(0)
    _, vectors = torch.linalg.eigh(centered.T @ centered)
    axes = vectors.flip(1)[:, :count]
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    return (centered @ axes).clamp(-FLOAT16_MAX, FLOAT16_MAX).cpu().numpy().astype(np.float16)


def align(xy: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(L, 2) float32: a map rotated, reflected, scaled and moved onto a reference map (orthogonal Procrustes)."""
    a, b = (m - m.mean(0) for m in (xy.astype(np.float64), reference.astype(np.float64)))
    u, singular, vt = np.linalg.svd(a.T @ b)
    scale = singular.sum() / max((a**2).sum(), 1e-12)
    return (scale * a @ (u @ vt) + reference.mean(0)).astype(np.float32)


def nearest_neighbors(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(L, k) int32 indices and (L, k) float32 distances of the exact k nearest neighbours, the point itself first."""
    x = torch.from_numpy(points.astype(np.float32))
    distances, idx = torch.cdist(x, x).topk(min(k, len(points)), dim=1, largest=False)
    return idx.numpy().astype(np.int32), distances.numpy().astype(np.float32)


def umap_map(
    points: np.ndarray, previous: np.ndarray | None = None, *, neighbors: int = 15, seed: int = 0
) -> np.ndarray:
    """(L, 2) float32: UMAP of (L, P) features, started from the previous map and aligned with it.

    Exact neighbours are passed in, since UMAP's own search below 4,096 points is a Python call per pair. A refit from
    the previous map takes 50 epochs at a low rate, so that points drift instead of jumping.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # TensorFlow is not installed; nothing here needs it
        from umap import UMAP  # type: ignore[import-untyped]  # umap-learn has no type hints

    idx, distances = nearest_neighbors(points, neighbors)
    start = points[:, :2].astype(np.float32) if previous is None else previous
    with warnings.catch_warnings():
        # Precomputed neighbours disable `transform`, and a seed disables threads; both are intended.
        warnings.simplefilter("ignore")
        reducer = UMAP(
            n_neighbors=neighbors,
            n_epochs=200 if previous is None else 50,
            learning_rate=1.0 if previous is None else 0.3,
            init=start + np.random.default_rng(seed).normal(0, 1e-4, start.shape).astype(np.float32),
            precomputed_knn=(idx, distances),
            random_state=seed,
        )
        xy = reducer.fit_transform(points.astype(np.float32))
    return xy.astype(np.float32) if previous is None else align(xy, previous)
