"""Drawn negatives: never a training item, all others in their shares, the same for a seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL, PAD
from training.evaluation.histories import Histories
from training.tasks import negatives
from training.tasks.negatives import (
    Negatives,
    PreferenceSettings,
    UnseenItems,
    draw_candidates,
)

FIRST = NUM_SPECIAL
pairs_of = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


def histories(pairs: list[tuple[int, int]], num_users: int) -> Histories:
    """Of pairs that count users and items from 0."""
    users, items = (torch.tensor([p[n] for p in pairs], dtype=torch.int64) for n in (0, 1))
    return Histories(users + FIRST, items + FIRST, num_users)


def popular(counts: list[int]) -> Tensor:
    return torch.nn.functional.pad(torch.tensor(counts), (NUM_SPECIAL, 0))


def sampler(
    pairs: list[tuple[int, int]], popularity: list[int], num_users: int, **values: object
) -> Negatives:
    settings = PreferenceSettings.model_validate(values)
    return Negatives.of(settings, histories(pairs, num_users), torch.tensor(popularity))


def line(unseen: UnseenItems, user: int) -> list[int]:
    """The items at all places of a user's line, counted from 0."""
    places = torch.arange(int(unseen.lengths[user + FIRST]))
    return (unseen.at(torch.full_like(places, user + FIRST), places) - FIRST).tolist()


def test_a_users_line_holds_what_the_user_lacks_in_order() -> None:
    unseen = UnseenItems(histories([(0, 3), (0, 0), (0, 3), (2, 1), (2, 4)], 3), 5)
    assert line(unseen, 0) == [1, 2, 4]
    assert line(unseen, 1) == [0, 1, 2, 3, 4]
    assert line(unseen, 2) == [0, 2, 3]


def test_on_a_line_by_popularity_each_item_is_as_long_as_its_count() -> None:
    unseen = UnseenItems(histories([(0, 1), (0, 3), (1, 0)], 2), 4, popular([2, 5, 3, 1]))
    assert line(unseen, 0) == [0, 0, 2, 2, 2]
    assert line(unseen, 1) == [1] * 5 + [2] * 3 + [3]


@given(pairs_of, st.lists(st.integers(1, 4), min_size=7, max_size=7))
def test_every_line_is_all_items_less_the_users_own(
    pairs: list[tuple[int, int]], counts: list[int]
) -> None:
    seen = histories(pairs, 5)
    for user in range(5):
        own = {item for one, item in pairs if one == user}
        lacking = [item for item in range(7) if item not in own]
        assert line(UnseenItems(seen, 7), user) == lacking
        by_count = [item for item in lacking for _ in range(counts[item])]
        assert line(UnseenItems(seen, 7, popular(counts)), user) == by_count


@pytest.mark.parametrize("sampling", ["uniform", "popularity"])
def test_no_negative_is_a_training_item_and_all_others_come_in_their_shares(sampling: str) -> None:
    pairs = [(0, 0), (0, 2), (1, 1), (1, 2), (1, 3)]
    torch.manual_seed(0)
    drawn = sampler(pairs, [1, 2, 3, 4], 2, negatives=3, negative_sampling=sampling).draw(
        torch.tensor([0, 1]).repeat(10_000) + FIRST
    )
    assert drawn.shape == (20_000, 3)
    counts = torch.bincount(drawn[::2].flatten() - FIRST, minlength=4)
    second = 0.5 if sampling == "uniform" else 2 / 6  # items 1 and 3 with counts 2 and 4
    assert counts[[0, 2]].tolist() == [0, 0]
    assert float(counts[1] / counts.sum()) == pytest.approx(second, abs=0.01)
    assert drawn[1::2].unique().tolist() == [FIRST]  # the second user lacks the first item alone


def test_many_draws_are_made_in_parts_that_keep_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negatives, "_DRAWN_AT_ONCE", 5)
    pairs = [(user, item) for user in range(4) for item in range(4) if item != user]
    users = torch.tensor([3, 1, 0, 2, 2, 0, 3]) + FIRST
    drawn = sampler(pairs, [3] * 4, 4, negatives=2).draw_many(users)
    assert drawn.tolist() == [[user, user] for user in users.tolist()]


def test_a_seed_gives_the_same_draws_and_the_next_batch_others() -> None:
    made = sampler([(0, 0)], [1] * 50, 1, negatives=4)
    users = torch.full((10,), FIRST)
    torch.manual_seed(3)
    first, second = made.draw(users), made.draw(users)
    torch.manual_seed(3)
    assert torch.equal(made.draw(users), first)
    assert not torch.equal(first, second)


def test_a_user_with_all_items_and_settings_out_of_range_are_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"must lack one of the 2 items .*: got 1 who"):
        sampler([(0, 0), (0, 1), (1, 1)], [1, 2], 2)
    for values in ({"negatives": 0}, {"negative_sampling": "hard"}, {"else": 1}):
        with pytest.raises(ValidationError):
            PreferenceSettings.model_validate(values)


def test_candidates_are_different_unseen_items_and_pad_where_there_are_too_few() -> None:
    pairs = [(0, 0), (0, 4), (1, 2)] + [(2, item) for item in range(5)]
    unseen = UnseenItems(histories(pairs, 3), 5)
    drawn = draw_candidates(unseen, torch.arange(3) + FIRST, 4, (0,))
    found = [sorted(row) for row in (drawn - FIRST).tolist()]
    nothing = PAD - FIRST
    assert found == [[nothing, 1, 2, 3], [0, 1, 3, 4], [nothing] * 4]


def test_all_sets_of_candidates_are_equally_likely() -> None:
    unseen = UnseenItems(histories([(0, 1)], 1), 5)
    drawn = draw_candidates(unseen, torch.full((12_000,), FIRST), 2, (0,)) - FIRST
    codes = drawn.min(dim=1).values * 10 + drawn.max(dim=1).values
    values, counts = codes.unique(return_counts=True)
    assert values.tolist() == [2, 3, 4, 23, 24, 34]
    assert counts.tolist() == pytest.approx([2000] * 6, rel=0.07)


def test_candidates_hang_on_the_seed_and_on_no_generator() -> None:
    unseen = UnseenItems(histories([(0, 1), (1, 2)], 2), 300)
    users = torch.tensor([0, 1]) + FIRST
    torch.manual_seed(0)
    first = draw_candidates(unseen, users, 99, (7, 1))
    torch.manual_seed(1)
    assert torch.equal(draw_candidates(unseen, users, 99, (7, 1)), first)
    assert not torch.equal(draw_candidates(unseen, users, 99, (7, 0)), first)
    assert not torch.equal(draw_candidates(unseen, users, 99, (8, 1)), first)
