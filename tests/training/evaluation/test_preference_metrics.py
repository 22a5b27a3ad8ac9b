"""Ranks and metrics of held-out items: by hand, over all orders of ties, beside a sort."""

import math
from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation import preference_metrics
from training.evaluation.histories import Histories, ragged
from training.evaluation.preference_metrics import (
    HeldOut,
    Ranks,
    measure_held_out,
    metrics_of,
    rank_among,
    rank_among_all,
    rank_held_out,
)

FIRST = NUM_SPECIAL
NAMES = ["ndcg_at_5", "hit_at_5", "ndcg_at_10", "hit_at_10"]
few_scores = st.lists(st.integers(0, 2), min_size=2, max_size=6)


def ranks(*pairs: tuple[int, int]) -> Ranks:
    return Ranks(*(torch.tensor(part) for part in zip(*pairs, strict=True)))


def rank(scores: Sequence[float], target: int, left_out: Sequence[int] = ()) -> tuple[int, int]:
    """Of one user; items count from 0."""
    items = torch.tensor(list(left_out), dtype=torch.int64) + FIRST
    found = rank_among_all(
        torch.tensor([scores], dtype=torch.float32),
        torch.tensor([target + FIRST]),
        items,
        torch.zeros_like(items),
    )
    return int(found.above), int(found.tied)


def held_out(
    users: list[int],
    targets: list[int],
    candidates: list[list[int]],
    left_out: list[tuple[int, int]],
    num_users: int,
) -> HeldOut:
    """Users and items count from 0, −1 is unknown."""
    index = {-1: PAD} | {n: n + FIRST for n in range(100)}
    return HeldOut(
        users=torch.tensor([index[n] for n in users]),
        targets=torch.tensor([index[n] for n in targets]),
        owners=torch.arange(len(users)),
        candidates=torch.tensor([[index[n] for n in row] for row in candidates]),
        left_out=Histories(
            torch.tensor([u for u, _ in left_out], dtype=torch.int64) + FIRST,
            torch.tensor([i for _, i in left_out], dtype=torch.int64) + FIRST,
            num_users,
        ),
    )


def test_an_untied_item_gains_by_its_rank() -> None:
    found = metrics_of(ranks((0, 0), (2, 0), (5, 0), (10, 0)))
    assert list(found) == NAMES
    assert found["ndcg_at_5"].tolist() == pytest.approx([1, 1 / math.log2(4), 0, 0])
    assert found["ndcg_at_10"].tolist() == pytest.approx([1, 0.5, 1 / math.log2(7), 0])
    assert found["hit_at_5"].tolist() == [1, 1, 0, 0]
    assert found["hit_at_10"].tolist() == [1, 1, 1, 0]


def test_a_tied_item_gains_the_mean_over_the_ranks_that_it_may_have() -> None:
    # Three above, three others tied: ranks 4 to 7 alike.
    found = metrics_of(ranks((3, 3)))
    assert found["hit_at_5"].item() == 0.5
    assert found["hit_at_10"].item() == 1
    assert found["ndcg_at_5"].item() == pytest.approx((1 / math.log2(5) + 1 / math.log2(6)) / 4)
    assert found["ndcg_at_5"].item() == pytest.approx(0.204383, abs=1e-6)
    # A model with one score for all of 100 items has the hit rate of chance.
    assert metrics_of(ranks((0, 99)))["hit_at_10"].item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="k must be at least 1: got 0"):
        metrics_of(ranks((0, 0)), (0,))


@given(few_scores, st.integers(1, 4))
def test_ties_are_the_mean_over_all_orders(scores: list[int], k: int) -> None:
    found = metrics_of(ranks(rank(scores, 0)), (k,))
    hits, gains = [], []
    for order in permutations(range(len(scores))):
        # An order of all, then a stable sort: every order of the tied ones comes equally often.
        place = sorted(order, key=lambda item: -scores[item]).index(0)
        hits.append(float(place < k))
        gains.append(1 / math.log2(place + 2) if place < k else 0.0)
    assert found[f"hit_at_{k}"].item() == pytest.approx(sum(hits) / len(hits))
    assert found[f"ndcg_at_{k}"].item() == pytest.approx(sum(gains) / len(gains))


def test_items_left_out_are_neither_above_nor_tied_but_the_target_stays() -> None:
    scores = [5, 3, 4, 3, 1, 3]
    assert rank(scores, 1) == (2, 2)
    assert rank(scores, 1, [0, 3]) == (1, 1)
    assert rank(scores, 1, [0, 1, 2, 3, 4, 5]) == (0, 0)
    assert rank(scores, 4, [4]) == (5, 0)


def test_a_broken_model_gains_nothing() -> None:
    assert rank([math.nan, 1, 0], 1) == (1, 0)
    assert rank([math.nan, 1, 0], 1, [0]) == (0, 0)
    above, tied = rank([math.nan] * 30, 3)
    assert metrics_of(ranks((above, tied)))["hit_at_10"].item() == 0
    candidates = torch.tensor([[FIRST, FIRST + 2, PAD]])
    scores = torch.tensor([[math.nan, 1.0, 0.0]])
    assert rank_among(scores, torch.tensor([FIRST + 1]), candidates).above.item() == 1


def test_among_candidates_only_these_count_and_padding_does_not() -> None:
    scores = torch.tensor([[9.0, 3, 4, 3, 1, 3]])
    candidates = torch.tensor([[2, 3, 4]]) + FIRST
    found = rank_among(scores, torch.tensor([1 + FIRST]), candidates)
    assert (found.above.item(), found.tied.item()) == (1, 1)
    padded = torch.tensor([[PAD, PAD, 4 + FIRST]])
    found = rank_among(scores, torch.tensor([1 + FIRST]), padded)
    assert (found.above.item(), found.tied.item()) == (0, 0)


def test_the_two_protocols_have_names_of_their_own_and_the_unknown_are_misses() -> None:
    scores = torch.tensor([[0.0, 1, 2, 3, 4, 5, 6, 7]]).repeat(3, 1)
    asked = held_out(
        users=[0, 1, -1, 2],
        targets=[0, -1, 3, 7],
        candidates=[[1, 2], [1, 2], [1, 2], [1, 2]],
        left_out=[(0, 6), (0, 7), (1, 0)],
        num_users=3,
    )
    found = measure_held_out(lambda users: scores[users - FIRST], asked, 8)
    assert list(found) == [*NAMES, *(f"sampled_99_{name}" for name in NAMES)]
    assert found["hit_at_5"].tolist() == [0, 0, 0, 1]  # five of those left stand above
    assert found["ndcg_at_10"].tolist() == pytest.approx([1 / math.log2(7), 0, 0, 1])
    assert found["sampled_99_ndcg_at_10"].tolist() == pytest.approx([0.5, 0, 0, 1])


@pytest.mark.parametrize("at_once", [1, 45, 1 << 20])
def test_ranks_are_those_of_a_sort_in_chunks_of_any_size(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preference_metrics, "_SCORES_AT_ONCE", at_once)
    random = torch.Generator().manual_seed(0)
    num_users, num_items = 20, 15
    scores = torch.randn(num_users, num_items, generator=random)
    seen = torch.rand(num_users, num_items, generator=random) < 0.3
    targets = torch.randint(0, num_items, (num_users,), generator=random)
    seen.scatter_(1, targets[:, None], False)
    asked = held_out(
        list(range(num_users)),
        targets.tolist(),
        [[0, 1, 2]] * num_users,
        [(u, i) for u, i in seen.nonzero().tolist()],
        num_users,
    )
    sizes: list[int] = []

    def score_all(users: Tensor) -> Tensor:
        sizes.append(len(users))
        return scores[users - FIRST]

    full, _ = rank_held_out(score_all, asked, num_items)
    order = scores.masked_fill(seen, -torch.inf).argsort(dim=1, descending=True)
    assert full.above.tolist() == (order == targets[:, None]).nonzero()[:, 1].tolist()
    assert not full.tied.any()
    assert max(sizes) == {1: 1, 45: 3}.get(at_once, num_users)


def test_histories_hold_each_users_items_once() -> None:
    users, items = torch.tensor([6, 4, 6, 6]), torch.tensor([9, 5, 4, 9])
    seen = Histories(users, items, 4)
    assert seen.sizes().tolist() == [0, 0, 0, 0, 1, 0, 2, 0]
    assert seen.users().tolist() == [4, 6, 6]
    found, rows = seen.of(torch.tensor([6, 5, 4, 6, PAD]))
    assert found.tolist() == [4, 9, 5, 4, 9]
    assert rows.tolist() == [0, 0, 2, 3, 3]
    empty = Histories(users[:0], items[:0], 2)
    assert empty.of(torch.tensor([4]))[0].tolist() == []
    rows, numbers = ragged(torch.tensor([3, 7, 0]), torch.tensor([5, 7, 1]))
    assert rows.tolist() == [0, 0, 2]
    assert numbers.tolist() == [3, 4, 0]
