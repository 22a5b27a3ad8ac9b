"""The bag of items: its mean, its loss by hand, and the halves that are drawn anew."""

import math

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.recommenders.bag import Bag, BagSettings, halve_at_random
from cove.vocabulary import NUM_SPECIAL, PAD

LISTS = ListBatch(pad_lists([[4, 5, 6], [7], []]), pad_lists([[10, 11, 12, 13], [12], [13, 14]]))


def bag(num_items: int = 3, **settings: object) -> Bag:
    torch.manual_seed(0)
    return Bag(BagSettings(**{"dimensions": 2, "random_halves": False} | settings), num_items)


def with_table(made: Bag, rows: list[list[float]]) -> Bag:
    with torch.no_grad():
        made.items.weight[NUM_SPECIAL:] = torch.tensor(rows)
    return made


def items_of(row: Tensor) -> list[int]:
    return sorted(row[row != PAD].tolist())


def test_the_scores_are_the_products_of_the_normalised_mean_with_every_item():
    made = with_table(bag(), [[3.0, 0.0], [1.0, 0.0], [0.0, 5.0]]).eval()
    items, scores = made.complete(ListBatch(pad_lists([[4, 5]]), torch.zeros(1, 0).long()), 1)
    # the mean of (3, 0) and (1, 0) is (2, 0), normalised (1, −1): −5 for the one item left
    assert items.tolist() == [[6]]
    assert scores[0].tolist() == pytest.approx([-5.0], rel=1e-4)


def test_the_loss_is_the_cross_entropy_of_the_wanted_items():
    made = with_table(bag(dropout=0.0), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).train()
    prediction = made.predict(ListBatch(pad_lists([[4]]), pad_lists([[5, 6]])))
    # the state (1, −1) scores the items 1, −1 and 0
    total = math.log(math.e + math.exp(-1) + 1)
    assert prediction.loss.item() == pytest.approx(((total + 1) + total) / 2, rel=1e-4)
    assert prediction.targets.tolist() == [5, 6]
    torch.testing.assert_close(
        prediction.states, torch.tensor([[1.0, -1.0]] * 2), rtol=1e-4, atol=0
    )


WEIGHTS = torch.cat([
    torch.zeros(NUM_SPECIAL, 3), torch.tensor([[0.0, 0.5, 2.0], [0.25, 0.0, 1.0], [0.0, 0.0, 0.0]])
])  # fmt: skip


def test_the_linear_part_adds_the_weights_of_the_distinct_given_items():
    made = with_table(bag(linear=True), [[3.0, 0.0], [1.0, 0.0], [0.0, 5.0]]).eval()
    made.set_linear_part(WEIGHTS, 4.0)
    given = ListBatch(pad_lists([[4, 5, 4], [5]]), torch.zeros(2, 0).long())
    items, scores = made.complete(given, 2)
    # (3 + 1 + 3) / 3 and 0, normalised (1, −1): −5 for item 6, and 4 (2 + 1), the repeat once;
    # of (1, 0) too: 3 + 4 · 0.25 for item 4, −5 + 4 for item 6
    assert items.tolist() == [[6, PAD], [4, 6]]
    assert scores[:, 0].tolist() == pytest.approx([7.0, 4.0], rel=1e-4)
    assert scores[1, 1].item() == pytest.approx(-1.0, rel=1e-3)


@pytest.mark.parametrize("has", [True, False])
def test_a_linear_part_comes_back_from_its_weights_or_is_still_missing(has: bool):
    made, other = bag(linear=True).eval(), bag(linear=True).eval()
    if has:
        made.set_linear_part(WEIGHTS, 4.0)
        other.set_linear_part(torch.full_like(WEIGHTS, 9.0), 1.0)
    other.load_state_dict(made.state_dict())
    given = ListBatch(pad_lists([[4]]), torch.zeros(1, 0).long())
    for one, two in zip(made.complete(given, 2), other.complete(given, 2), strict=True):
        assert torch.equal(one, two)


def test_weights_of_another_catalogue_are_refused():
    made, other = bag(linear=True), bag(linear=True)
    made.set_linear_part(torch.zeros(9, 5), 1.0)
    with pytest.raises(RuntimeError, match="linear_weights"):
        other.load_state_dict(made.state_dict())


def test_order_plays_no_role_in_a_completion():
    made = bag(num_items=20, dimensions=8).eval()
    one, other = (
        made.complete(ListBatch(pad_lists([row]), torch.zeros(1, 0).long()), 5)
        for row in ([4, 9, 7], [7, 4, 9])
    )
    assert torch.equal(one[0], other[0])


def test_halves_drawn_at_random_hold_each_list_whole_and_the_smaller_half_is_given():
    torch.manual_seed(0)
    for _ in range(20):
        given, wanted = halve_at_random(LISTS)
        both = torch.cat([given, wanted], dim=1)
        assert [items_of(row) for row in both] == [[4, 5, 6, 10, 11, 12, 13], [7, 12], [13, 14]]
        assert (given != PAD).sum(dim=1).tolist() == [3, 1, 1]
        for part in (given, wanted):  # padding on the right alone
            assert torch.equal(part != PAD, (part != PAD).cummin(dim=1).values)


def test_every_draw_gives_other_halves():
    torch.manual_seed(0)
    drawn = {tuple(items_of(halve_at_random(LISTS).inputs[0])) for _ in range(50)}
    assert len(drawn) > 20


def test_without_random_halves_the_batch_is_taken_as_it_is():
    made = bag(num_items=20, dimensions=8)
    assert made.predict(LISTS).targets.tolist() == [10, 11, 12, 13, 12, 13, 14]


def test_settings_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match="dropout"):
        BagSettings(dropout=1.0)
