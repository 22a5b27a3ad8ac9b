"""How good codes are, beside k-means and random codes."""

import pytest
import torch

from cove.quality import code_quality

NAMES = ["a", "b", "c", "d"]


def planted(entities: int = 400) -> tuple[torch.Tensor, list[list[str]], torch.Tensor]:
    """Codes on two levels, the coarse ones the categories; and embeddings in as many heaps."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(4, (entities,), generator=generator)
    fine = 3 * truth + torch.randint(3, (entities,), generator=generator)
    heaps = torch.nn.functional.one_hot(truth, 8) * 5.0
    embeddings = heaps + 0.1 * torch.randn(entities, 8, generator=generator)
    return torch.stack([fine, truth], dim=1), [[NAMES[each]] for each in truth], embeddings


def test_codes_that_are_the_categories_are_found_good_and_random_ones_are_not() -> None:
    codes, categories, embeddings = planted()
    found = code_quality(codes, (12, 4), categories, 0, ("heaps", embeddings))
    assert found is not None
    assert (found.entities, found.num_categories, found.kmeans_of) == (400, 4, "heaps")
    fine, coarse = found.levels
    assert [each.codes for each in coarse.sets] == ["learned", "k-means", "random"]
    learned, kmeans, random = coarse.sets
    for each in (learned, kmeans):
        assert (each.purity, each.adjusted_rand_index) == (1.0, pytest.approx(1.0))
        assert each.coverage == [1.0] * len(coarse.positions)
    assert random.adjusted_rand_index < 0.02
    assert random.coverage[0] < 0.35
    assert (fine.size, fine.positions) == (12, list(range(1, 13)))
    of_fine = {each.codes: each for each in fine.sets}
    assert of_fine["learned"].coverage[2] == 1.0, "three codes hold a category"
    assert of_fine["learned"].coverage_of["a"][2] == 1.0
    assert of_fine["learned"].covered_by_a_tenth == pytest.approx(
        of_fine["learned"].coverage[1], abs=1e-5
    )
    assert of_fine["random"].covered_by_a_tenth < of_fine["learned"].covered_by_a_tenth


def test_random_codes_have_the_learned_sizes_and_a_seed_deals_them_again_alike() -> None:
    codes, categories, _ = planted()
    first, again, other = (code_quality(codes, (12, 4), categories, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first is not None
    assert first.kmeans_of is None
    assert [each.codes for each in first.levels[0].sets] == ["learned", "random"]


def test_without_codes_or_categories_there_is_nothing_to_measure() -> None:
    codes, categories, _ = planted(10)
    assert code_quality(codes[:, :0], (), categories, 0) is None
    assert code_quality(codes, (12, 4), None, 0) is None
    assert code_quality(codes, (12, 4), [[]] * 10, 0) is None


def test_curves_of_many_codes_have_few_points_and_the_largest_categories_are_shown() -> None:
    entities = 3000
    codes = torch.arange(entities)[:, None] % 2500
    categories = [[f"c{row % 20:02}", "all"] for row in range(entities)]
    found = code_quality(codes, (2500,), categories, 0)
    assert found is not None
    (level,) = found.levels
    assert level.positions[0] == 1
    assert level.positions[-1] == 2500
    assert len(level.positions) <= 48
    assert next(iter(found.categories)) == "all"
    assert len(found.categories) == 8
    assert all(len(each.coverage) == len(level.positions) for each in level.sets)
    assert level.sets[0].coverage[-1] == 1.0
