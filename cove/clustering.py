"""k-means on embeddings, by faiss: k-means++, of few clusters the best of several starts."""

import numpy as np
import torch
from torch import Tensor

from cove.errors import SettingsError

_FEW = 1000
"""Clusters from which one start is enough: a poor one among so many harms little."""


def kmeans(vectors: Tensor, num_clusters: int, seed: int) -> Tensor:
    """Centroids of `vectors` [N, D]: [num_clusters, D] on the same device, same dtype.

    Raises:
        SettingsError: faiss is not installed.
    """
    try:
        import faiss  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "k-means needs faiss, of the extra `cpu` or `gpu`: pip install 'cove-recommender[cpu]'"
        ) from None
    points = np.ascontiguousarray(vectors.detach().cpu().numpy(), dtype=np.float32)
    # faiss asks for 39 points a centroid and warns below; a codebook may well be finer than that.
    # One random start, its default, often ends with two centroids in one group.
    clustering = faiss.Kmeans(
        points.shape[1],
        num_clusters,
        niter=20,
        nredo=4 if num_clusters <= _FEW else 1,
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        seed=seed,
        min_points_per_centroid=1,
    )
    clustering.train(points)
    return torch.from_numpy(np.array(clustering.centroids)).to(vectors)


def cluster_means(vectors: Tensor, clusters: Tensor, num_clusters: int) -> Tensor:
    """The mean of each cluster's vectors, [num_clusters, D], 0 where there are none.

    vectors: [N, D]; clusters: [N] int64, the cluster of each.
    """
    sums = vectors.new_zeros(num_clusters, vectors.shape[1]).index_add_(0, clusters, vectors)
    return sums / torch.bincount(clusters, minlength=num_clusters).clamp(min=1)[:, None]
