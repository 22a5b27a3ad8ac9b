"""The best of a catalogue: exact whatever the shape, and never what is barred."""

import pytest
import torch

import cove.retrieval
from cove.retrieval import Barred, top_items
from cove.vocabulary import NUM_SPECIAL, PAD


@pytest.fixture
def blocks_always(monkeypatch) -> None:
    """Read by blocks, however few scores there are."""
    monkeypatch.setattr(cove.retrieval, "_FEWEST_SCORES", 1)


@pytest.mark.parametrize("size", [256, 257, 1000, 1024, 5000])
@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_the_top_by_blocks_is_the_top(blocks_always: None, size: int, k: int) -> None:
    scores = torch.randn(7, size, generator=torch.Generator().manual_seed(size + k))
    indices, values = top_items(scores, k)
    expected = scores.topk(k)
    assert torch.equal(values, expected.values)
    assert torch.equal(indices - NUM_SPECIAL, expected.indices)


def test_equal_and_infinite_scores_are_read_by_blocks_too(blocks_always: None) -> None:
    scores = torch.full((3, 640), -torch.inf)
    scores[0, 639] = 1.0
    scores[1, 5:8] = 2.0
    indices, values = top_items(scores, 2)
    assert values.tolist() == [[1.0, -torch.inf], [2.0, 2.0], [-torch.inf, -torch.inf]]
    assert indices[0, 0] == NUM_SPECIAL + 639
    assert set(indices[1].tolist()) <= {NUM_SPECIAL + 5, NUM_SPECIAL + 6, NUM_SPECIAL + 7}
    assert all(len(set(row.tolist())) == 2 for row in indices)


def test_items_that_run_out_leave_padding() -> None:
    indices, values = top_items(torch.tensor([[1.0, 3.0]]), 4)
    assert indices.tolist() == [[NUM_SPECIAL + 1, NUM_SPECIAL, PAD, PAD]]
    assert values.tolist() == [[3.0, 1.0, -torch.inf, -torch.inf]]


def test_what_is_barred_gets_no_score() -> None:
    mask = torch.zeros(1, NUM_SPECIAL + 4, dtype=torch.bool)
    mask[0, NUM_SPECIAL + 3] = True
    barred = Barred(torch.tensor([[4, PAD], [5, 6]]), mask).also(torch.tensor([[PAD], [5]]))
    none = -torch.inf
    assert barred.bar(torch.ones(2, 4)).tolist() == [[none, 1, 1, none], [1, none, none, none]]
    assert barred.of(torch.tensor([1, 1, 0])).bar(torch.ones(3, 4)).tolist() == [
        [1, none, none, none], [1, none, none, none], [none, 1, 1, none],
    ]  # fmt: skip
    assert Barred(torch.empty(1, 0, dtype=torch.int64)).bar(torch.ones(1, 2)).tolist() == [[1, 1]]
