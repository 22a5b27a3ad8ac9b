"""Lists made ready: halves, batches of like length, nothing of the test lists in training."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cove.batches import ListBatch
from cove.errors import DataError
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId
from training.datasets import ListFilter, load_lists
from training.datasets.splitting import split_lists
from training.datasets.tables import ListData
from training.evaluation.baselines import ItemCooccurrence
from training.tasks.list_completion import ListCompletion, ListSet, prepare, rank_lists

HALVES = st.tuples(
    st.lists(st.integers(NUM_SPECIAL, 40), min_size=0, max_size=6),
    st.lists(st.integers(NUM_SPECIAL, 40), min_size=1, max_size=6),
)


def lists_of(lists: list[list[ExternalId]]) -> ListData:
    return ListData("made", lists, list(range(len(lists))), None, None, "0")


def planted(tiny: Path) -> ListData:
    return load_lists(str(tiny), None, ListFilter(min_count=1))


def unpadded(half: Tensor) -> list[tuple[int, ...]]:
    return [tuple(index for index in row if index != PAD) for row in half.tolist()]


@given(st.lists(HALVES, min_size=1, max_size=12), st.integers(1, 5), st.booleans())
def test_the_batches_of_an_epoch_hold_every_list_once_and_whole(
    halves: list[tuple[list[int], list[int]]], size: int, shuffled: bool
) -> None:
    made = ListSet([a for a, _ in halves], [b for _, b in halves])
    generator = torch.Generator().manual_seed(0) if shuffled else None
    batches = list(made.batches(size, generator))
    found = [
        pair
        for batch in batches
        for pair in zip(unpadded(batch.inputs), unpadded(batch.targets), strict=True)
    ]
    assert sorted(found) == sorted((tuple(a), tuple(b)) for a, b in halves)
    assert sorted(len(batch.inputs) for batch in batches) == sorted(
        [size] * (len(halves) // size) + [len(halves) % size] * (len(halves) % size > 0)
    )


@given(st.lists(HALVES, min_size=1, max_size=12), st.integers(1, 5))
def test_no_batch_is_wider_than_the_longest_list_in_it(
    halves: list[tuple[list[int], list[int]]], size: int
) -> None:
    made = ListSet([a for a, _ in halves], [b for _, b in halves])
    for batch in made.batches(size, torch.Generator().manual_seed(1)):
        for half in batch:
            assert half.shape[1] == max(map(len, unpadded(half)))


def test_batches_hold_lists_of_like_length_in_an_order_that_the_seed_shuffles() -> None:
    lengths = [2, 9, 5, 2, 9, 5, 2, 9, 5]
    made = ListSet([[4 + row] * (n // 2) for row, n in enumerate(lengths)],
                   [[4 + row] * (n - n // 2) for row, n in enumerate(lengths)])  # fmt: skip

    def epoch(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return [batch.targets[:, 0].tolist() for batch in made.batches(3, generator)]

    for batch in epoch(0):
        assert len({lengths[index - 4] for index in batch}) == 1
    assert epoch(0) == epoch(0)
    assert len({str(epoch(seed)) for seed in range(10)}) > 1


def test_a_list_is_halved_after_floor_n_over_2_items() -> None:
    lists: list[list[ExternalId]] = [[*range(10 * row, 10 * row + 5)] for row in range(10)]
    task = prepare(lists_of(lists), 0)
    whole = [[task.vocabulary.decode(i) for i in one] for one in task.train.lists()]
    rows = split_lists(10, 0).train
    assert whole == [lists[row] for row in rows]
    assert task.train.input_sizes.tolist() == [2] * 8
    assert task.train.target_sizes.tolist() == [3] * 8


def test_lists_come_back_whole_and_an_empty_set_gives_none() -> None:
    lists = ListSet([[5], []], [[6, 7], [8]]).lists()
    assert lists == [[5, 6, 7], [8]]
    assert {type(index) for one in lists for index in one} == {int}
    assert ListSet([], []).lists() == []
    assert list(ListSet([], []).batches(3, None)) == []


def test_vocabulary_and_popularity_come_from_the_training_lists_alone(tiny: Path) -> None:
    data = planted(tiny)
    rows = split_lists(len(data.lists), 0).train
    task = prepare(data, 0)
    counts: dict[ExternalId, int] = {}
    for row in rows:
        for item in data.lists[row]:
            counts[item] = counts.get(item, 0) + 1
    assert task.vocabulary.ids == sorted(counts)
    assert task.popularity().tolist() == [counts[item] for item in task.vocabulary.ids]


def test_other_test_lists_change_nothing_that_training_sees(tiny: Path) -> None:
    data = planted(tiny)
    held_out = set(split_lists(len(data.lists), 0).valid + split_lists(len(data.lists), 0).test)
    changed = lists_of(
        [[f"new {row}"] * 10 if row in held_out else one for row, one in enumerate(data.lists)]
    )
    seen, same = prepare(data, 0), prepare(changed, 0)
    assert same.vocabulary.ids == seen.vocabulary.ids
    assert torch.equal(same.popularity(), seen.popularity())
    assert torch.equal(same.train.flat, seen.train.flat)
    nothing = {"hit_at_5": 0.0, "hit_at_10": 0.0, "ndcg_at_5": 0.0, "ndcg_at_10": 0.0}
    for metrics in same.baseline_metrics().values():
        assert nothing.items() <= metrics.items()


class Oracle:
    """Recommends the very targets, even those that no model can know."""

    def complete(self, batch: ListBatch, k: int, forbidden: object) -> tuple[Tensor, Tensor]:
        ranked = torch.nn.functional.pad(batch.targets, (0, k))[:, :k]
        return ranked, torch.zeros(ranked.shape)


def test_lists_are_ranked_in_the_order_of_the_split(tiny: Path) -> None:
    test = prepare(planted(tiny), 0).test
    sizes = test.input_sizes.tolist()
    wanted = [one[size:] for one, size in zip(test.lists(), sizes, strict=True)]
    assert [len(one) for one in wanted] != sorted(len(one) for one in wanted)
    _, targets = rank_lists(Oracle(), test, 5)
    assert unpadded(targets) == [tuple(one) for one in wanted]


def test_an_unknown_target_counts_but_lies_beyond_all_that_can_be_recommended() -> None:
    lists: list[list[ExternalId]] = [["a", "b", "c", "d"] for _ in range(10)]
    (row,) = split_lists(10, 0).test
    lists[row] = ["new", "a", "b", "newer"]
    task = prepare(lists_of(lists), 0)
    assert task.test.lists() == [[4, 5, 8]]  # "new" is left out, "newer" is beyond a, b, c, d
    assert task.test.input_sizes.tolist() == [1]
    _, targets = rank_lists(Oracle(), task.test, 5)
    assert targets.tolist() == [[5, NUM_SPECIAL + len(task.vocabulary)]]


def test_an_unknown_target_that_repeats_is_one_target() -> None:
    lists: list[list[ExternalId]] = [["a", "b", "c", "d"] for _ in range(10)]
    (row,) = split_lists(10, 0).test
    lists[row] = ["a", "b", "c", "new", "new", "newer"]
    assert prepare(lists_of(lists), 0).test.lists() == [[4, 5, 6, 8, 8, 9]]


def test_the_cooccurrence_baseline_counts_a_repeat_in_a_training_list_once() -> None:
    lists: list[list[ExternalId]] = [["a", "b", "a", "c"] for _ in range(10)]
    task = prepare(lists_of(lists), 0)
    cooccurrence = ItemCooccurrence(task.train.lists(), len(task.vocabulary))
    assert cooccurrence.num_lists.tolist() == [0, 0, 0, 0, 8, 8, 8]


def test_a_list_of_which_nothing_given_is_known_is_still_measured(tiny: Path) -> None:
    lists: list[list[ExternalId]] = [["a", "b", "c", "d"] for _ in range(10)]
    (row,) = split_lists(10, 0).test
    lists[row] = ["new", "newer", "a", "b"]
    task = prepare(lists_of(lists), 0)
    popular = task.baseline_metrics()["test_most_popular"]
    assert popular["hit_at_5"] == 1.0


def test_a_perfect_completer_scores_1(tiny: Path) -> None:
    task: ListCompletion = prepare(planted(tiny), 0)
    metrics = task.evaluate(Oracle(), "test")  # type: ignore[arg-type]
    assert metrics["ndcg_at_10"] == pytest.approx(1.0)
    assert metrics["hit_at_5"] == 1.0


def test_too_few_lists_are_refused() -> None:
    with pytest.raises(DataError):
        prepare(lists_of([["a", "b"], ["a", "b"]]), 0)
