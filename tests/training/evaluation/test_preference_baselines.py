"""The baselines of collaborative filtering: scores by hand, and those of their list forms."""

import math
import sys

import pytest
import torch
from torch import Tensor

from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL
from training.evaluation import baselines
from training.evaluation.histories import Histories
from training.evaluation.preference_baselines import (
    Ease,
    ImplicitAls,
    ItemKnn,
    MostPopular,
    PreferenceBaseline,
)

FIRST = NUM_SPECIAL
NUM_ITEMS = 4
OWNED = [[0, 1], [0, 1, 2], [0, 2, 3], []]
USERS = torch.tensor([2, 0, 3]) + FIRST


def histories(owned: list[list[int]] = OWNED) -> Histories:
    pairs = torch.tensor([(user, item) for user, one in enumerate(owned) for item in one])
    return Histories(pairs[:, 0] + FIRST, pairs[:, 1] + FIRST, len(owned))


def planted() -> list[list[int]]:
    """Two groups of users, each with items of its own group but one."""
    return [
        [item + 6 * group for item in range(6) if item != user % 6]
        for group in (0, 1)
        for user in range(12)
    ]


def test_the_most_popular_scores_all_users_alike() -> None:
    scores = MostPopular(torch.tensor([3, 2, 2, 1])).score_all(USERS)
    assert scores.tolist() == [[3, 2, 2, 1]] * 3


def test_neighbours_add_up_their_shrunk_cosines() -> None:
    # Users who have items 0 to 3: 3, 2, 2, 1; together: 01 two, 02 two, 03 one, 12 one, 23 one.
    def cosine(together: int, one: int, other: int) -> float:
        return together / (math.sqrt(one * other) + 1)

    s01, s03, s12, s23 = (
        cosine(2, 3, 2), cosine(1, 3, 1), cosine(1, 2, 2), cosine(1, 2, 1),
    )  # fmt: skip
    scores = ItemKnn(histories(), NUM_ITEMS, neighbours=3, shrink=1.0).score_all(USERS)
    second = [s01, s01, s01 + s12, s03]  # 02 is as alike as 01
    assert scores[1].tolist() == pytest.approx(second)
    assert scores[0].tolist() == pytest.approx([s01 + s03, s01 + s12, s01 + s23, s03 + s23])
    assert scores[2].tolist() == [0, 0, 0, 0]


def test_only_the_most_similar_neighbours_of_an_item_count() -> None:
    scores = ItemKnn(histories([[3], *OWNED]), NUM_ITEMS, neighbours=1, shrink=0.0)
    # Item 3 now has two users; of its neighbours 0 (1 / √6) and 2 (1 / 2) the second is nearer.
    assert scores.score_all(torch.tensor([FIRST])).tolist() == [[0, 0, 0.5, 0]]


def test_ease_by_hand() -> None:
    # λ = 1: Xᵀ X + I = [[2, 1], [1, 3]], P = [[3, −1], [−1, 2]] / 5, B_01 = −P_01 / P_11 = 1/2 and
    # B_10 = −P_10 / P_00 = 1/3.
    scores = Ease(histories([[0, 1], [1]]), 2, 1.0).score_all(torch.tensor([FIRST, FIRST + 1]))
    assert scores.tolist() == [pytest.approx([1 / 3, 1 / 2]), pytest.approx([1 / 3, 0])]


def test_neighbours_and_ease_are_those_of_lists() -> None:
    owned = planted()
    lists = [[item + FIRST for item in one] for one in owned]
    users = torch.arange(len(owned)) + FIRST
    given = torch.zeros(len(owned), FIRST + 12)
    for user, one in enumerate(lists):
        given[user, one] = 1.0
    knn = baselines.ItemKnn(lists, 12, 4, 2.0)
    expected = torch.sparse.mm(knn.similar_to, given.t()).t()[:, FIRST:]
    found = ItemKnn(histories(owned), 12, 4, 2.0).score_all(users)
    torch.testing.assert_close(found, expected)
    expected = (given @ baselines.Ease(lists, 12, 3.0).weights)[:, FIRST:]
    found = Ease(histories(owned), 12, 3.0).score_all(users)
    torch.testing.assert_close(found, expected)


def finds_the_missing_item(model: PreferenceBaseline) -> bool:
    owned = planted()
    scores: Tensor = model.score_all(torch.arange(len(owned)) + FIRST)
    for user, one in enumerate(owned):
        scores[user, one] = -torch.inf
    missing = [user % 6 + 6 * (user // 12) for user in range(len(owned))]
    return scores.argmax(dim=1).tolist() == missing


def test_what_a_user_lacks_of_its_group_is_found() -> None:
    assert finds_the_missing_item(ItemKnn(histories(planted()), 12))
    assert finds_the_missing_item(Ease(histories(planted()), 12, 1.0))


def test_too_many_items_and_a_missing_package_get_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataError, match="takes at most 40000: got 40001"):
        Ease(histories(), 40_001)
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(DataError, match="iALS needs the package implicit: pip install implicit"):
        ImplicitAls(histories(), NUM_ITEMS)


def test_implicit_als_finds_what_a_user_lacks_of_its_group() -> None:
    pytest.importorskip("implicit")
    made = ImplicitAls(histories(planted()), 12, dimensions=2, seed=1)
    assert made.score_all(torch.tensor([FIRST + 1])).shape == (1, 12)
    assert finds_the_missing_item(made)
    again = ImplicitAls(histories(planted()), 12, dimensions=2, seed=1, threads=2)
    torch.testing.assert_close(again.items, made.items)
