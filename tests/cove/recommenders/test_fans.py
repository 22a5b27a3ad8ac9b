"""FANS: the curriculum, what is masked, how many slots, and the reading of the slots."""

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch, pad_lists
from cove.recommenders.fans import Fans, FansSettings, read_depth_first
from cove.retrieval import top_items
from cove.vocabulary import CLS, MASK, NUM_SPECIAL, PAD, SEP
from tests.cove.worlds import build

INPUTS = [[4, 5, 6], [7]]
TARGETS = [[10, 11, 12, 13, 14], [15, 16, 17]]


def fans(num_items: int = 30, **settings: object) -> Fans:
    made = build("fans", num_items, None, **settings)
    assert isinstance(made, Fans)
    return made


def tokens_of(made: Fans) -> list[Tensor]:
    """A list to which every later pass adds the tokens that the encoder was given."""
    seen: list[Tensor] = []
    made.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    return seen


def batch() -> ListBatch:
    return ListBatch(pad_lists(INPUTS), pad_lists(TARGETS))


def test_the_share_of_masked_items_grows_in_five_equal_steps_over_twenty_epochs():
    made, shares = fans(), []
    for epoch in range(20):
        made.start_epoch(epoch, 20)
        shares.append(made.mask_share)
    assert shares == pytest.approx([0.2] * 4 + [0.4] * 4 + [0.6] * 4 + [0.8] * 4 + [1.0] * 4)


@pytest.mark.parametrize(
    ("epochs", "steps", "expected"),
    [(3, 5, [0.2, 0.4, 0.8]), (4, 1, [1.0] * 4), (6, 3, [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1])],
)
def test_other_curricula_take_equal_steps_too(epochs, steps, expected):
    made, shares = fans(curriculum_steps=steps), []
    for epoch in range(epochs):
        made.start_epoch(epoch, epochs)
        shares.append(made.mask_share)
    assert shares == pytest.approx(expected)


def test_training_may_stop_in_the_last_step_alone():
    made, stops = fans(), []
    for epoch in range(20):
        made.start_epoch(epoch, 20)
        stops.append(made.may_stop(epoch, 20))
    assert stops == [False] * 16 + [True] * 4


@pytest.mark.parametrize(
    ("epoch", "first", "second"),
    [  # shares .2, .4, .6, .8, 1 of 5 targets and of 3, rounded
        (0, [10, 11, 12, 13, MASK], [15, 16, MASK]),
        (1, [10, 11, 12, MASK, MASK], [15, 16, MASK]),
        (2, [10, 11, MASK, MASK, MASK], [15, MASK, MASK]),
        (3, [10, MASK, MASK, MASK, MASK], [15, MASK, MASK]),
        (4, [MASK] * 5, [MASK] * 3),
    ],
)
def test_targets_are_masked_from_the_end_and_those_are_predicted(epoch, first, second):
    made = fans(input_masking=0.0)
    seen = tokens_of(made)
    made.start_epoch(epoch, 5)
    prediction = made.predict(batch())
    assert seen[0].tolist() == [
        [CLS, 4, 5, 6, SEP, *first, SEP],
        [CLS, 7, PAD, PAD, SEP, *second, PAD, PAD, SEP],
    ]
    both = zip([*TARGETS[0], *TARGETS[1]], [*first, *second], strict=True)
    hidden = [item for item, shown in both if shown == MASK]
    assert prediction.targets.tolist() == hidden


def test_input_items_are_masked_at_random_in_proportion_to_the_step():
    made = fans(1, max_length=200, input_masking=0.5)
    seen = tokens_of(made)
    many = ListBatch(torch.full((200, 50), NUM_SPECIAL), torch.full((200, 1), NUM_SPECIAL))
    torch.manual_seed(0)
    for epoch in range(5):
        made.start_epoch(epoch, 5)
        made.predict(many)
    shares = [(tokens[:, 1:51] == MASK).float().mean().item() for tokens in seen]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=0.02)


@pytest.mark.parametrize(
    ("given", "slots"), [([], 2), ([4], 2), ([4, 5, 6], 3), (list(range(4, 24)), 6)]
)
def test_a_list_gets_as_many_slots_as_items_between_the_bounds(given, slots):
    made = fans(min_slots=2)  # max_length 12: half of it is the most
    seen = tokens_of(made)
    made.complete(ListBatch(pad_lists([given]), torch.zeros((1, 0), dtype=torch.int64)), 3)
    assert seen[0].tolist() == [[CLS, *given[-6:], SEP, *[MASK] * slots, SEP]]


def test_one_pass_completes_a_list_however_many_items_are_asked_for():
    made = fans()
    seen = tokens_of(made)
    made.complete(batch(), 20)
    assert len(seen) == 1


SCORES = torch.tensor([[[4.0, 3.0, 1.0, 0.0], [5.0, 1.0, 4.0, 0.5]]])  # one list, two slots


def test_slots_are_read_depth_first_and_repeats_are_skipped():
    # ranks: 0, 1, 2, 3 and 0, 2, 1, 3; read 0, (0), 1, 2, (2), (1), 3
    items, scores = read_depth_first(*top_items(SCORES, 4), 4)
    assert (items - NUM_SPECIAL).tolist() == [[0, 1, 2, 3]]
    assert scores.tolist() == [[4.0, 3.0, 4.0, 0.0]]


def test_a_depth_first_reading_of_fewer_items_is_the_start_of_a_longer_one():
    longer = read_depth_first(*top_items(SCORES, 4), 4)
    for k in (1, 2, 3):
        items, scores = read_depth_first(*top_items(SCORES, k), k)
        assert torch.equal(items, longer[0][:, :k])
        assert torch.equal(scores, longer[1][:, :k])


def test_barred_items_are_passed_over_in_the_reading():
    barred = SCORES.clone()
    barred[:, :, 0] = -torch.inf  # ranks: 1, 2, 3 and 2, 1, 3
    items, scores = read_depth_first(*top_items(barred, 5), 5)
    assert (items[:, :3] - NUM_SPECIAL).tolist() == [[1, 2, 3]]
    assert scores.tolist() == [[3.0, 4.0, 0.0, -torch.inf, -torch.inf]]


def test_any_reading_is_that_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20, 4, 9, generator=generator)
    scores[torch.rand(scores.shape, generator=generator) < 0.3] = -torch.inf
    items, values = read_depth_first(*top_items(scores, 7), 7)
    for one, found, best in zip(scores, items, values, strict=True):
        order, read = one.argsort(dim=1, descending=True), {}
        for rank in range(9):
            for slot in range(4):
                item = int(order[slot, rank])
                if one[slot, item] > -torch.inf:
                    read.setdefault(item, float(one[slot, item]))
        expected = list(read.items())[:7]
        actual = list(zip((found - NUM_SPECIAL).tolist(), best.tolist(), strict=True))
        assert actual[: len(expected)] == expected
        assert (best[len(expected) :] == -torch.inf).all()


@pytest.mark.parametrize("name", ["input_masking", "curriculum_steps", "min_slots"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        FansSettings(**{name: -1})
