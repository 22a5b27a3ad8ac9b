"""The map of entities in the plane."""

import pytest
import torch

from cove.projection import principal_plane


def heaps(entities: int = 300, dimensions: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings in three heaps of unlike lengths, and the heap of each."""
    generator = torch.Generator().manual_seed(0)
    heap = torch.arange(entities) % 3
    lengths = 0.1 + 10 * torch.rand(entities, 1, generator=generator)
    noise = 0.05 * torch.randn(entities, dimensions, generator=generator)
    return (torch.eye(dimensions)[heap] + noise) * lengths, heap


def test_heaps_lie_apart_whatever_the_lengths_of_their_embeddings() -> None:
    embeddings, heap = heaps()
    points = principal_plane(embeddings)
    centres = torch.stack([points[heap == each].mean(dim=0) for each in range(3)])
    assert torch.equal(torch.cdist(points, centres).argmin(dim=1), heap)


def test_a_map_fills_its_square_and_the_same_embeddings_give_the_same() -> None:
    embeddings, _ = heaps()
    points = principal_plane(embeddings)
    assert torch.equal(points, principal_plane(embeddings.clone()))
    assert points.abs().max() == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(points.amin(dim=0), -points.amax(dim=0), atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (5, 1)])
def test_next_to_nothing_has_a_map_too(shape: tuple[int, int]) -> None:
    points = principal_plane(torch.ones(shape))
    assert points.shape == (shape[0], 2)
    assert points.isfinite().all()


def test_an_embedding_that_is_no_number_spoils_no_map() -> None:
    embeddings, _ = heaps()
    embeddings[7] = torch.nan
    assert principal_plane(embeddings).isfinite().all()
