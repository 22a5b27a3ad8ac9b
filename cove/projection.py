"""Entities as points in the plane, so that people can look at all of them at once."""

import torch
import torch.nn.functional as F
from torch import Tensor

_ROWS_AT_ONCE = 65536


@torch.no_grad()
def principal_plane(embeddings: Tensor) -> Tensor:
    """The two principal components of the directions of embeddings [N, D]: [N, 2] float32.

    Directions, for neighbours are told by cosine, and lengths mostly tell popularity. Between -1
    and 1 on the longer side, the middle at 0; the sign of each axis makes its largest value
    positive, so that equal embeddings give equal maps.
    """
    size, dimensions = embeddings.shape
    mean = torch.zeros(dimensions, dtype=torch.float64)
    square = torch.zeros(dimensions, dimensions, dtype=torch.float64)
    for part in torch.split(embeddings, _ROWS_AT_ONCE):
        directions = _directions(part)
        mean += directions.sum(dim=0)
        square += directions.T @ directions
    mean /= max(1, size)
    covariance = square / max(1, size) - mean[:, None] * mean
    axes = torch.linalg.eigh(covariance).eigenvectors.flip(dims=(1,))[:, :2].float()
    points = torch.zeros(size, 2)
    points[:, : axes.shape[1]] = torch.cat([
        _directions(part) @ axes for part in torch.split(embeddings, _ROWS_AT_ONCE)
    ])  # fmt: skip
    if not size:
        return points
    low, high = points.amin(dim=0), points.amax(dim=0)
    points = (points - (low + high) / 2) / ((high - low).amax() / 2).clamp(min=1e-12)
    furthest = points.gather(0, points.abs().argmax(dim=0, keepdim=True))
    return points * torch.where(furthest < 0, -1.0, 1.0)


def _directions(embeddings: Tensor) -> Tensor:
    """Embeddings at length 1; what is not a number counts as 0, a map is no reason to fail."""
    return F.normalize(embeddings.float().nan_to_num(), dim=1)
