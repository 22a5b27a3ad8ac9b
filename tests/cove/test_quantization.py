"""Equations 1, 2, 3, 5 and 6 with numbers worked by hand, two dimensions and two levels."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cove.quantization import (
    CascadedQuantizer,
    FixedCodes,
    QuantizerSettings,
    code_use,
    nearest_codes,
    straight_through,
)

FINE = [[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]]
COARSE = [[0.0, 0.0], [1.0, 2.0]]
ENTITIES = [[1.5, 0.5], [0.0, 2.0]]  # codes 1 and 2


def quantizer(**settings: object) -> CascadedQuantizer:
    made = CascadedQuantizer(QuantizerSettings(code_sizes=(3, 2), **settings), 2)
    with torch.no_grad():
        made.codebooks[0].copy_(torch.tensor(FINE))
        made.codebooks[1].copy_(torch.tensor(COARSE))
        made.active.fill_(True)
    return made


def entities() -> Tensor:
    return torch.tensor(ENTITIES, requires_grad=True)


def loss_gradients(**settings: object) -> tuple[Tensor, Tensor, Tensor]:
    made, vectors = quantizer(**settings), entities()
    made.loss(vectors, made.codes(vectors)).backward()
    return vectors.grad, made.codebooks[0].grad, made.codebooks[1].grad


def close(actual: Tensor, expected: list) -> None:
    torch.testing.assert_close(actual, torch.tensor(expected))


def test_equation_1_gives_each_vector_its_nearest_code():
    # squared distances of (1.5, .5): 2.5, .5, 8.5; of (0, 2): 4, 8, 1; of (−1, 0): 1, 9, 10
    vectors = torch.tensor([*ENTITIES, [-1.0, 0.0]])
    assert nearest_codes(vectors, torch.tensor(FINE)).tolist() == [1, 2, 0]


def test_a_tie_goes_to_the_lowest_code():
    assert nearest_codes(torch.tensor([[1.0, 0.0]]), torch.tensor(FINE)).tolist() == [0]


def test_equation_2_quantizes_the_code_and_not_the_entity_on_level_2():
    # (1.2, 1.2) takes (2, 0) on level 1: 2.88, 2.08, 4.68. Level 2 sees (2, 0), 4 and 5 away from
    # its codes, so code 0, though (1.2, 1.2) itself is nearer to code 1: 2.88 and .68.
    assert quantizer().codes(torch.tensor([[1.2, 1.2]])).tolist() == [[1, 0]]


def test_the_tree_gives_each_fine_code_the_nearest_coarse_one_as_parent():
    # (0,0): 0, 5; (2,0): 4, 5; (0,3): 9, 2
    made = quantizer()
    assert [parent.tolist() for parent in made.parents()] == [[0, 0, 1]]
    assert made.lineage().tolist() == [[0, 0], [1, 0], [2, 1]]


@pytest.mark.parametrize("gradient", ["straight_through", "direct"])
def test_equation_3_averages_the_codes_of_all_levels(gradient):
    # ((2,0) + (0,0)) / 2 and ((0,3) + (1,2)) / 2
    codes, average = quantizer(gradient=gradient)(entities())
    assert codes.tolist() == [[1, 0], [2, 1]]
    close(average, [[1.0, 0.0], [0.5, 2.5]])


def test_equation_5_is_the_value_of_the_code_with_the_gradient_of_the_identity():
    source, value = entities(), torch.tensor([[0.1, 7.0], [0.3, 0.2]], requires_grad=True)
    result = straight_through(source, value)
    assert torch.equal(result, value)
    (result * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    close(source.grad, [[1.0, 2.0], [3.0, 4.0]])
    assert value.grad is None


def test_equation_5_gives_the_recommendation_gradient_to_the_entities_alone():
    made, vectors = quantizer(), entities()
    (made(vectors).average * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    close(vectors.grad, [[1.0, 2.0], [3.0, 4.0]])
    assert all(book.grad is None for book in made.codebooks)


def test_the_direct_gradient_gives_each_level_its_share_and_the_entities_nothing():
    made, vectors = quantizer(gradient="direct"), entities()
    (made(vectors).average * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert vectors.grad is None
    close(made.codebooks[0].grad, [[0.0, 0.0], [0.5, 1.0], [1.5, 2.0]])
    close(made.codebooks[1].grad, [[0.5, 1.0], [1.5, 2.0]])


@pytest.mark.parametrize(
    ("reduction", "weight", "expected"),
    # level 1: .5 and 1; level 2: ‖(2,0)−(0,0)‖² = 4 and ‖(0,3)−(1,2)‖² = 2. Mean over the two
    # entities: (4.5 + 3) / 2 = 3.75, times 1 + β; the mean over D = 2 is half of it.
    [("sum", 0.0, 3.75), ("sum", 0.25, 4.6875), ("mean", 0.25, 2.34375), ("mean", 1.0, 3.75)],
)
@pytest.mark.parametrize("gradient", ["straight_through", "direct"])
def test_equation_6_sums_both_terms_over_the_levels(gradient, reduction, weight, expected):
    made = quantizer(gradient=gradient, loss_reduction=reduction, commitment_weight=weight)
    loss = made.loss(entities(), made.codes(entities()))
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("gradient", ["straight_through", "direct"])
def test_without_commitment_equation_6_moves_the_codebooks_alone(gradient):
    # 2 (e − z) / N with N = 2: (2,0)−(1.5,.5), (0,3)−(0,2); level 2: (0,0)−(2,0), (1,2)−(0,3)
    settings = {"gradient": gradient, "loss_reduction": "sum", "commitment_weight": 0.0}
    vectors, fine, coarse = loss_gradients(**settings)
    close(vectors, [[0.0, 0.0], [0.0, 0.0]])
    close(fine, [[0.0, 0.0], [0.5, -0.5], [0.0, 1.0]])
    close(coarse, [[-2.0, 0.0], [1.0, -1.0]])


def test_commitment_pulls_the_entities_to_the_codes_of_every_level_straight_through():
    # β (z − e) = .25 (−.5, .5) and .25 (0, −1); level 2, passed on to z: .25 (2, 0), .25 (−1, 1)
    vectors, fine, coarse = loss_gradients(loss_reduction="sum", commitment_weight=0.25)
    close(vectors, [[0.375, 0.125], [-0.25, 0.0]])
    close(fine, [[0.0, 0.0], [0.5, -0.5], [0.0, 1.0]])
    close(coarse, [[-2.0, 0.0], [1.0, -1.0]])


def test_direct_commitment_of_level_2_pulls_the_codes_of_level_1():
    vectors, fine, coarse = loss_gradients(
        gradient="direct", loss_reduction="sum", commitment_weight=0.25
    )
    close(vectors, [[-0.125, 0.125], [0.0, -0.25]])
    close(fine, [[0.0, 0.0], [1.0, -0.5], [-0.25, 1.25]])
    close(coarse, [[-2.0, 0.0], [1.0, -1.0]])


def test_the_mean_reduction_has_one_dth_of_the_sums_gradient():
    mean = loss_gradients(loss_reduction="mean", commitment_weight=0.25)
    total = loss_gradients(loss_reduction="sum", commitment_weight=0.25)
    for one, other in zip(mean, total, strict=True):
        torch.testing.assert_close(one * 2, other)


@pytest.mark.parametrize("sizes", [(10, 500), (10, 10), (5, 3, 4), (4, 0), (-1,)])
def test_sizes_that_do_not_fall_strictly_are_refused_by_name_rule_and_value(sizes):
    message = "code_sizes must fall strictly, fine to coarse: got "
    with pytest.raises(ValidationError) as refusal:
        QuantizerSettings(code_sizes=sizes)
    assert f"{message}{sizes}" in str(refusal.value)


def test_no_sizes_at_all_are_refused():
    with pytest.raises(ValueError, match=r"must hold a level at least: got \(\)"):
        CascadedQuantizer(QuantizerSettings(code_sizes=()), 4)


def test_use_and_perplexity_are_those_worked_by_hand():
    # level 1: 2, 1, 1, 0 of 4, entropy 1.5 ln 2, exp of it 2^1.5; level 2: 3 and 1 of 4
    codes = torch.tensor([[0, 0], [0, 0], [1, 0], [2, 1]])
    fine, coarse = code_use(codes, (4, 2))
    assert (fine.level, fine.size, fine.used, fine.ratio) == (1, 4, 3, 0.75)
    assert fine.perplexity == pytest.approx(2**1.5)
    assert (coarse.level, coarse.used, coarse.ratio) == (2, 2, 1.0)
    assert coarse.perplexity == pytest.approx(4 / 3**0.75)


def test_one_code_for_everything_has_a_perplexity_of_one():
    (use,) = code_use(torch.zeros((9, 1), dtype=torch.int64), (5,))
    assert (use.used, use.perplexity) == (1, 1.0)


class TestRandomControl:
    """Codes drawn once, whatever the embeddings become."""

    settings = QuantizerSettings(code_sizes=(4, 2), assignment="random")

    def made(self, seed: int = 0) -> tuple[FixedCodes, Tensor]:
        made = FixedCodes(self.settings, 2, 10)
        vectors = torch.randn(10, 2, generator=torch.Generator().manual_seed(1))
        made.initialize(vectors, seed)
        return made, vectors

    def test_codes_taken_from_a_model_are_its_groups_and_no_start_draws_others(self):
        made = FixedCodes(self.settings, 2, 10)
        centres = torch.tensor([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
        of_model = centres[torch.arange(10) % 4] + 0.01 * torch.arange(10)[:, None]
        made.take_from(of_model, 0)
        made.initialize(torch.randn(10, 2), 0)
        fine, coarse = made.codes(torch.randn(10, 2)).t().tolist()
        assert all((fine[i] == fine[j]) == (i % 4 == j % 4) for i in range(10) for j in range(10))
        left = [i % 4 < 2 for i in range(10)]
        assert all(
            (coarse[i] == coarse[j]) == (left[i] == left[j]) for i in range(10) for j in range(10)
        )

    def test_codes_are_taken_for_every_entity_or_not_at_all(self):
        with pytest.raises(ValueError, match="all 10 entities: got 9"):
            FixedCodes(self.settings, 2, 10).take_from(torch.randn(9, 2), 0)

    def test_codes_stay_where_the_embeddings_and_the_codebooks_move(self):
        made, vectors = self.made()
        before = made.codes(vectors)
        with torch.no_grad():
            made.codebooks[0].copy_(torch.randn(4, 2))
            made.codebooks[1].copy_(torch.randn(2, 2))
        assert torch.equal(made.codes(torch.randn(10, 2)), before)

    def test_codes_are_spread_evenly_over_every_level(self):
        made, vectors = self.made()
        fine = torch.bincount(made.codes(vectors)[:, 0], minlength=4)
        assert sorted(fine.tolist()) == [2, 2, 3, 3]
        assert torch.bincount(made.parents()[0], minlength=2).tolist() == [2, 2]

    def test_the_seed_alone_decides_the_codes(self):
        vectors = self.made()[1]
        codes = [self.made(seed)[0].codes(vectors) for seed in (0, 0, 1)]
        assert torch.equal(codes[0], codes[1])
        assert not torch.equal(codes[0], codes[2])

    def test_the_recommender_alone_trains_the_codebooks_and_nothing_is_revived(self):
        made, vectors = self.made()
        codes, average = made(vectors)
        average.sum().backward()
        shares = torch.bincount(codes[:, 0], minlength=4) / 2  # H = 2 levels
        torch.testing.assert_close(made.codebooks[0].grad, shares[:, None].expand(4, 2))
        assert made.loss(vectors, codes).item() == 0
        assert made.revive(vectors) == 0

    def test_shrinkage_is_the_mean_of_half_the_squares_of_own_and_average(self):
        made = FixedCodes(self.settings.model_copy(update={"shrinkage": 0.5}), 2, 10)
        made.initialize(torch.randn(10, 2), 0)
        with torch.no_grad():
            made.codebooks[0].fill_(2.0)
            made.codebooks[1].fill_(4.0)  # every z̄ is (3, 3)
        own = torch.tensor([[1.0, 0.0], [2.0, 2.0]], requires_grad=True)
        average = made.averages(torch.tensor([7, 0]))
        loss = made.shrinkage(own, average, torch.tensor([0.5, 0.5]))
        # 0.5 / 2 · ((1 + 8) + (18 + 18)) / 2
        assert loss.item() == pytest.approx(0.25 * 45 / 2)
        loss.backward()
        torch.testing.assert_close(own.grad, 0.25 * own.detach())
        assert made.codebooks[0].grad.sum() > 0

    def test_without_entities_nothing_shrinks(self):
        made, vectors = self.made()
        assert made.shrinkage(vectors[:0], vectors[:0], vectors[:0, 0]).item() == 0

    def test_a_part_of_the_catalogue_has_no_codes(self):
        made, vectors = self.made()
        with pytest.raises(ValueError, match="whole catalogue of 10 entities: got 3"):
            made(vectors[:3])


def test_nearest_codes_take_no_shrinkage():
    with pytest.raises(ValidationError, match="shrinkage is for fixed codes"):
        QuantizerSettings(code_sizes=(3,), shrinkage=0.1)


def test_nearest_codes_move_in_every_step():
    with pytest.raises(ValidationError, match="update_interval is for fixed codes"):
        QuantizerSettings(code_sizes=(3,), update_interval=2)


def test_a_gradient_of_averages_is_shared_out_to_all_levels():
    made = FixedCodes(QuantizerSettings(code_sizes=(3, 2), assignment="random"), 2, 6)
    made.initialize(torch.randn(6, 2), 0)
    slopes = torch.randn(3, 2)
    (made.fine_averages() * slopes).sum().backward()
    expected = [2 * book.grad for book in made.codebooks]
    made.add_gradient(slopes)
    for book, gradient in zip(made.codebooks, expected, strict=True):
        torch.testing.assert_close(book.grad, gradient)


def test_codes_from_cooccurrence_start_at_once_at_the_embeddings_scale():
    settings = QuantizerSettings(code_sizes=(500,), assignment="cooccurrence")
    made = FixedCodes(settings, 8, 1000)
    assert settings.first_epoch == made.settings.first_epoch == 0
    made.take_from(torch.randn(1000, 3), 0)
    made.initialize(0.02 * torch.randn(1000, 8), 0)
    assert made.codebooks[0].std().item() == pytest.approx(0.02, rel=0.05)


def test_levels_that_no_embedding_holds_are_regrouped_by_what_was_learned():
    settings = QuantizerSettings(code_sizes=(4, 2), assignment="cooccurrence", averaged_levels=1)
    made = FixedCodes(settings, 1, 8)
    before = torch.tensor([[0.0], [0.1], [1.0], [1.1], [9.0], [9.1], [10.0], [10.1]])
    made.take_from(before, 0)  # pairs, and pairs of pairs
    pairs = made.codes(before)[:, 0]
    assert made.codes(before)[0, 1] == made.codes(before)[2, 1]
    after = torch.tensor([[0.0], [0.2], [9.0], [9.2], [0.4], [0.6], [10.0], [10.2]])
    made.regroup(after, 0)
    codes = made.codes(after)
    assert torch.equal(codes[:, 0], pairs)
    assert codes[:, 1].unique_consecutive().tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_levels_that_are_averaged_stay_when_others_are_regrouped():
    settings = QuantizerSettings(code_sizes=(4, 2), assignment="cooccurrence")
    made = FixedCodes(settings, 1, 8)
    vectors = torch.randn(8, 1)
    made.take_from(vectors, 0)
    codes = made.codes(vectors)
    made.regroup(torch.randn(8, 1), 0)
    assert torch.equal(made.codes(vectors), codes)


def test_a_regrouped_code_is_never_left_without_members():
    settings = QuantizerSettings(code_sizes=(3, 2), assignment="cooccurrence", averaged_levels=1)
    made = FixedCodes(settings, 1, 9)
    made.take_from(torch.tensor([[0.0]] * 3 + [[1.0]] * 3 + [[2.0]] * 3), 0)
    # every code's mean is 0, though its members are at -1, 0 and 1
    made.regroup(torch.tensor([[-1.0], [0.0], [1.0]] * 3), 0)
    assert sorted(made.parents()[0].unique().tolist()) == [0, 1]
