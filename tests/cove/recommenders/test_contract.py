"""What every recommender promises, with COVE and without."""

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.quantization import QuantizerSettings
from cove.recommenders import LISTS, ListCompleter, recommenders_for
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.cove.worlds import VARIANTS, build, group_batch, groups, train

NUM_GROUPS, GROUP_SIZE, LENGTH = 4, 8, 6
NUM_ITEMS = NUM_GROUPS * GROUP_SIZE
MAX_LENGTH = 12
NO_TARGETS = torch.zeros((0, 0), dtype=torch.int64)


def indices(*rows: list[int]) -> Tensor:
    """Items by number, from 0, as padded indices."""
    return pad_lists([[NUM_SPECIAL + item for item in row] for row in rows])


def given(inputs: Tensor) -> ListBatch:
    return ListBatch(inputs, inputs.new_zeros((len(inputs), 0)))


@pytest.fixture(params=VARIANTS)
def quantizer(request: pytest.FixtureRequest) -> QuantizerSettings | None:
    variant = VARIANTS[request.param]
    return None if variant is None else QuantizerSettings(code_sizes=(8, 4), **variant)


@pytest.fixture(params=recommenders_for(LISTS))
def recommender(request: pytest.FixtureRequest, quantizer) -> ListCompleter:
    made = build(request.param, NUM_ITEMS, quantizer)
    torch.manual_seed(7)
    with torch.no_grad():  # away from its start, where many recommenders score all items alike
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


def test_the_training_loss_is_finite_and_its_gradient_reaches_every_item(recommender):
    batch = group_batch(NUM_GROUPS, GROUP_SIZE, 64, LENGTH)
    prediction = recommender.train().predict(batch)
    assert torch.isfinite(prediction.loss)
    assert prediction.loss.shape == ()
    assert prediction.states.shape == (len(prediction.targets), 16)
    assert (prediction.targets >= NUM_SPECIAL).all()
    prediction.loss.backward()
    gradient = recommender.items.weight.grad
    assert torch.isfinite(gradient).all()
    assert (gradient[NUM_SPECIAL:].abs().sum(dim=1) > 0).all()
    assert not gradient[PAD].any()


def test_padding_is_never_a_training_target(recommender):
    batch = ListBatch(indices([1, 2, 3], [4], []), indices([5], [6, 7, 8, 9], [10]))
    real = set(range(NUM_SPECIAL + 1, NUM_SPECIAL + 11))
    for seed in range(10):
        torch.manual_seed(seed)
        prediction = recommender.predict(batch)
        assert torch.isfinite(prediction.loss)
        assert set(prediction.targets.tolist()) <= real


def test_completions_are_k_distinct_items_neither_given_nor_forbidden(recommender):
    inputs = indices([0, 1, 2], [3], [4, 5, 6, 7, 8])
    forbidden = torch.zeros(3, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    forbidden[0, NUM_SPECIAL + 10 : NUM_SPECIAL + 20] = True
    items, scores = recommender.complete(given(inputs), 10, forbidden)
    assert (items.shape, items.dtype) == ((3, 10), torch.int64)
    assert (scores.shape, scores.dtype) == ((3, 10), torch.float32)
    assert torch.isfinite(scores).all()
    for row in range(3):
        found = items[row].tolist()
        assert len(set(found)) == 10
        assert min(found) >= NUM_SPECIAL
        assert not set(found) & set(inputs[row].tolist())
        assert not forbidden[row, items[row]].any()


def test_where_candidates_run_out_the_tail_is_padding_with_a_score_of_minus_infinity(recommender):
    forbidden = torch.zeros(2, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    forbidden[1, NUM_SPECIAL + 4 :] = True
    more_than_there_are = NUM_ITEMS + 20
    items, scores = recommender.complete(
        given(indices([0, 1], [0])), more_than_there_are, forbidden
    )
    for row, expected in enumerate([set(range(2, NUM_ITEMS)), {1, 2, 3}]):
        number = len(expected)
        assert {item - NUM_SPECIAL for item in items[row, :number].tolist()} == expected
        assert torch.isfinite(scores[row, :number]).all()
        assert (items[row, number:] == PAD).all()
        assert (scores[row, number:] == -torch.inf).all()


def test_a_list_whose_every_candidate_is_forbidden_gets_padding_alone(recommender):
    forbidden = torch.ones(1, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    items, scores = recommender.complete(given(indices([0])), 3, forbidden)
    assert items.tolist() == [[PAD] * 3]
    assert (scores == -torch.inf).all()


@pytest.mark.parametrize(
    "row",
    [[], [5], list(range(20)), [3] * 20],
    ids=["empty", "one item", "longer than max_length", "one item many times"],
)
def test_lists_of_any_length_are_completed(recommender, row):
    items, scores = recommender.complete(given(indices(row)), 5)
    assert len(set(items[0].tolist())) == 5
    assert torch.isfinite(scores).all()
    assert not set(items[0].tolist()) & {NUM_SPECIAL + item for item in row}


def test_no_lists_give_no_completions(recommender):
    items, scores = recommender.complete(ListBatch(NO_TARGETS, NO_TARGETS), 5)
    assert (items.shape, items.dtype) == ((0, 5), torch.int64)
    assert (scores.shape, scores.dtype) == ((0, 5), torch.float32)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_a_packed_recommender_completes_lists_as_before_until_it_is_trained(recommender, k):
    rows = [[0, 1, 2], [3], [], list(range(4, 24)), [9, 8, 7, 6, 5, 4, 3]] * 20
    items, scores = recommender.complete(given(indices(*rows)), k)
    recommender.pack()
    again, values = recommender.complete(given(indices(*rows)), k)
    assert torch.equal(items, again)
    torch.testing.assert_close(scores, values)
    recommender.train()
    assert not [m for m in recommender.modules() if getattr(m, "packed", None) is not None]


@pytest.mark.parametrize("k", [1, 5, 30])
def test_padding_and_batch_mates_change_no_lists_completion(recommender, k):
    rows = [[0, 1, 2], [3], [], list(range(4, 24)), [9, 8, 7, 6, 5, 4, 3]]
    together = recommender.complete(given(indices(*rows)), k)
    for place, row in enumerate(rows):
        items, scores = recommender.complete(given(indices(row)), k)
        assert torch.equal(together[0][place], items[0])
        torch.testing.assert_close(together[1][place], scores[0])
        wider = torch.nn.functional.pad(indices(row), (0, 9))
        assert torch.equal(recommender.complete(given(wider), k)[0], items)


def test_lists_completed_in_several_chunks_are_those_completed_in_one(recommender, monkeypatch):
    inputs = indices([0, 1], [2], [3, 4, 5], [6], [7])
    forbidden = torch.zeros(5, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    forbidden[3, NUM_SPECIAL + 9 :] = True
    items, scores = recommender.complete(given(inputs), 4, forbidden)
    monkeypatch.setattr("cove.recommenders.base._SCORES_AT_ONCE", {"cpu": 1})
    monkeypatch.setattr("cove.recommenders.base._FEWEST_AT_ONCE", 1)
    monkeypatch.setattr("cove.recommenders.fans._FEWEST_SLOTS", 1)
    again, values = recommender.complete(given(inputs), 4, forbidden)
    assert torch.equal(items, again)
    torch.testing.assert_close(scores, values)


def test_excluded_items_are_those_forbidden_list_by_list(recommender):
    inputs = indices([0, 1], [2], [])
    excluded = indices([2, 3, 4], [5], [6, 7])
    forbidden = torch.zeros(3, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool).scatter(1, excluded, True)
    items, scores = recommender.complete(given(inputs), 9, forbidden)
    again, values = recommender.complete(given(inputs), 9, excluded=excluded)
    assert torch.equal(items, again)
    assert torch.equal(scores, values)
    everything = torch.zeros(1, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    everything[0, NUM_SPECIAL + 10 :] = True
    shared = recommender.complete(given(inputs), 4, everything)
    each = recommender.complete(given(inputs), 4, everything.expand(3, -1))
    assert torch.equal(shared[0], each[0])


def test_completing_is_deterministic_and_changes_nothing(recommender):
    batch, before = given(indices([0, 1, 2], [5])), recommender.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    forbidden = torch.zeros(2, NUM_SPECIAL + NUM_ITEMS, dtype=torch.bool)
    torch.manual_seed(0)
    first = recommender.complete(batch, 5, forbidden)
    torch.manual_seed(1)
    second = recommender.complete(batch, 5, forbidden)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not forbidden.any()
    assert torch.equal(batch.inputs, indices([0, 1, 2], [5]))
    for name, value in recommender.state_dict().items():
        assert torch.equal(value, before[name])


def test_targets_are_not_looked_at_when_completing(recommender):
    inputs = indices([0, 1, 2])
    blind = recommender.complete(given(inputs), 5)
    seeing = recommender.complete(ListBatch(inputs, indices([9, 10])), 5)
    assert torch.equal(blind[0], seeing[0])


@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_a_world_of_groups_is_learned(name, quantizer):
    made = build(name, NUM_ITEMS, quantizer)
    train(made, (NUM_GROUPS, GROUP_SIZE, LENGTH), steps=80)
    torch.manual_seed(2)
    batch = group_batch(NUM_GROUPS, GROUP_SIZE, 200, LENGTH)
    items, _ = made.complete(batch, 5)
    inside = groups(items, GROUP_SIZE) == groups(batch.inputs[:, :1], GROUP_SIZE)
    assert inside.float().mean() > 0.9
