"""LightGCN: the spreading worked by hand, its gradient, and the graph in a state."""

import math

import pytest
import torch

from cove.batches import PairBatch
from cove.recommenders.lightgcn import LightGcn, LightGcnSettings
from cove.vocabulary import NUM_SPECIAL


def small(layers: int = 1, regularization: float = 0.0) -> LightGcn:
    """Two users of whom the first likes both items, the second the first item; user 6 likes none"""
    settings = LightGcnSettings(dimensions=1, layers=layers, regularization=regularization)
    made = LightGcn(settings, 3, 2).eval()
    made.know_interactions(torch.tensor([5, 4, 4, 4]), torch.tensor([4, 5, 4, 4]))  # one twice
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0], [2.0], [3.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[4.0], [5.0]])
    return made


def spread_once(users: list[float], items: list[float]) -> tuple[list[float], list[float]]:
    """A times both: |N| is 2 and 1 for the users, 2 and 1 for the items."""
    half, root = 1 / 2, 1 / math.sqrt(2)
    return (
        [half * items[0] + root * items[1], root * items[0], 0.0],
        [half * users[0] + root * users[1], root * users[0]],
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_an_embedding_is_the_mean_of_what_each_layer_gathers(layers):
    spread = [([1.0, 2.0, 3.0], [4.0, 5.0])]
    for _ in range(layers):
        spread.append(spread_once(*spread[-1]))
    tables = small(layers).tables()
    for entity, table in enumerate(tables):
        rows = zip(*(layer[entity] for layer in spread), strict=True)
        means = [sum(row) / (layers + 1) for row in rows]
        assert table[NUM_SPECIAL:, 0].tolist() == pytest.approx(means)


def test_a_score_is_the_product_of_what_both_gathered():
    users, items = spread_once([1.0, 2.0, 3.0], [4.0, 5.0])
    expected = [
        (1.0 + users[0]) / 2 * (4.0 + items[0]) / 2,
        (1 + users[0]) / 2 * (5 + items[1]) / 2,
    ]
    assert small().score_all(torch.tensor([4])).tolist() == [pytest.approx(expected)]


def test_regularization_is_on_the_embeddings_of_layer_0():
    batch = PairBatch(torch.tensor([4, 5]), torch.tensor([5, 4]), torch.tensor([[4], [5]]))
    plain, regular = (small(regularization=weight).predict(batch).loss for weight in (0.0, 0.1))
    squares = ((1 + 25 + 16) + (4 + 16 + 25)) / 2  # the mean over both users
    assert (regular - plain).item() == pytest.approx(0.05 * squares, rel=1e-5)


def test_the_gradient_spreads_as_through_the_dense_matrix():
    made = small(layers=3).double()
    torch.manual_seed(0)
    size = len(made.users.weight) + len(made.items.weight)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    offset = len(made.users.weight)
    for user, item, value in ((4, 4, 0.5), (4, 5, 0.5**0.5), (5, 4, 0.5**0.5)):
        matrix[user, offset + item] = matrix[offset + item, user] = value
    first = torch.cat([made.users.weight, made.items.weight])
    powers = [torch.linalg.matrix_power(matrix, k) for k in range(4)]
    weights = torch.randn(size, 1, dtype=torch.float64)
    dense = (weights * (sum(powers) / 4 @ first)).sum()
    ours = (weights * torch.cat(made.tables())).sum()
    assert ours.item() == pytest.approx(dense.item())
    tables = (made.users.weight, made.items.weight)
    expected = torch.autograd.grad(dense, tables)
    torch.testing.assert_close(torch.autograd.grad(ours, tables), expected, rtol=1e-6, atol=1e-6)


def test_without_interactions_nothing_spreads():
    made = LightGcn(LightGcnSettings(dimensions=2), 3, 2)
    torch.testing.assert_close(made.tables()[0], made.users.weight / 4)


def test_a_state_brings_its_interactions_along_whatever_their_number():
    made = LightGcn(LightGcnSettings(dimensions=1, layers=1), 3, 2)
    made.know_interactions(torch.tensor([6]), torch.tensor([5]))
    state = small().state_dict()
    assert set(state) == {"users.weight", "items.weight", "interactions"}
    made.load_state_dict(state)
    assert made.interactions.tolist() == [[4, 4, 5], [4, 5, 4]]
    assert torch.equal(made.tables()[0], small().tables()[0])


def test_interactions_that_are_no_pairs_are_refused():
    made, state = small(), small().state_dict()
    state["interactions"] = torch.zeros(3, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="interactions"):
        made.load_state_dict(state)


def test_what_a_checkpoint_keeps_of_the_graph_lies_in_one_piece():
    assert small().state_dict()["interactions"].is_contiguous()
