"""The best items by products: memory for scores is used again, answers are not."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from cove.products import PackedTable, Products, best_products
from cove.retrieval import Barred
from cove.vocabulary import NUM_SPECIAL, PAD

NOTHING = Barred(torch.full((2, 1), PAD))


def two_states(factor: float) -> Products:
    """Two states and three items, D = 1: scores 1, 2, 4 and −1, −2, −2, times a factor."""
    table = torch.cat([torch.zeros(NUM_SPECIAL, 1), torch.tensor([[1.0], [2.0], [3.0]])])
    bias = torch.tensor([0.0, 0.0, 1.0])
    return Products(torch.tensor([[1.0], [-1.0]]) * factor, table, bias * factor)


def best(products: Products) -> list[list[float]]:
    """The scores of the two best items of each state."""
    scores: list[list[float]] = best_products(products, None, 2, NOTHING)[1].tolist()
    return scores


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_was_answered_stays_when_the_memory_for_scores_is_used_again(mode: type) -> None:
    with mode():
        indices, scores = best_products(two_states(1), None, 2, NOTHING)
        best_products(two_states(10), None, 3, NOTHING)
    assert indices.tolist() == [[NUM_SPECIAL + 2, NUM_SPECIAL + 1], [NUM_SPECIAL, NUM_SPECIAL + 1]]
    assert scores.tolist() == [[4.0, 2.0], [-1.0, -2.0]]


def test_fewer_states_after_more_and_in_either_mode() -> None:
    with torch.inference_mode():
        assert best(two_states(1)) == [[4.0, 2.0], [-1.0, -2.0]]
    assert best(two_states(2)) == [[8.0, 4.0], [-2.0, -4.0]]
    one = two_states(1).rows(torch.tensor([1]))
    assert best_products(one, None, 1, Barred(NOTHING.indices[:1]))[1].tolist() == [[-1.0]]


def test_threads_do_not_share_the_memory_for_scores() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda factor: best(two_states(factor)), range(1, 200)))
    assert found == [[[4.0 * f, 2.0 * f], [-1.0 * f, -2.0 * f]] for f in range(1, 200)]


def test_states_of_another_precision_are_scored_in_it() -> None:
    states, table, bias, _ = two_states(1)
    products = Products(states.double(), table.double(), bias.double())
    scores = best_products(products, None, 1, NOTHING)[1]
    assert scores.dtype == torch.float64
    assert scores.tolist() == [[4.0], [-1.0]]


def packed(products: Products) -> Products:
    """The same, whose scores are made of a packed table."""
    copy = PackedTable.of(products.table, products.bias)
    assert copy is not None
    return products._replace(packed=copy)


@pytest.mark.parametrize("num_items", [3, 60, 124, 5000])
@pytest.mark.parametrize("k", [1, 7])
def test_a_packed_table_gives_the_best_items_that_a_plain_one_gives(num_items: int, k: int) -> None:
    torch.manual_seed(num_items + k)
    table, bias = torch.randn(NUM_SPECIAL + num_items, 16), torch.randn(num_items)
    products = Products(torch.randn(37, 16), table, bias)  # more than are scored at once
    mask = torch.rand(37, NUM_SPECIAL + num_items) < 0.2
    given = torch.randint(NUM_SPECIAL, NUM_SPECIAL + num_items, (37, 4)).masked_fill_(
        torch.rand(37, 4) < 0.3, PAD
    )
    for barred in (Barred(given), Barred(given, mask), Barred(given[:, :0], mask[:1])):
        indices, scores = best_products(packed(products), None, k, barred)
        expected, wanted = best_products(products, None, k, barred)
        torch.testing.assert_close(scores, wanted)
        real = wanted > -torch.inf
        assert torch.equal(indices[real], expected[real])
        assert (indices[~real] == PAD).all()


def test_a_packed_table_says_so_where_a_score_is_no_number() -> None:
    products = two_states(float("nan"))
    assert best_products(packed(products), None, 2, NOTHING)[1].isnan().all()


def test_what_has_no_faster_layout_is_not_packed() -> None:
    _, table, bias, _ = two_states(1)
    assert PackedTable.of(table.double(), bias.double()) is None
    assert PackedTable.of(table.expand(-1, 1 << 23), bias) is None
