"""SASRec: causality, both losses by hand, and the negatives."""

import math

import pytest
import torch
import torch.nn.functional as F

from cove.batches import ListBatch, pad_lists
from cove.quantization import QuantizerSettings
from cove.recommenders.sasrec import SasRec, SasRecSettings, draw_negatives
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.cove.worlds import build

NUM_ITEMS = 30
BATCH = ListBatch(pad_lists([[4, 5, 6], [7], []]), pad_lists([[10, 11], [12], [13, 14]]))


def sasrec(num_items: int = NUM_ITEMS, **settings: object) -> SasRec:
    made = build("sasrec", num_items, None, **settings)
    assert isinstance(made, SasRec)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def test_every_item_but_the_first_of_a_whole_list_is_a_target():
    assert sasrec().predict(BATCH).targets.tolist() == [5, 6, 10, 11, 12, 14]


@torch.no_grad()
def test_a_later_item_never_changes_an_earlier_state():
    made, table = sasrec(layers=2), sasrec().items.all()
    tokens = torch.tensor([[4, 5, 6, 7, 8]])
    before = made.encoder(tokens, table[tokens])[0]
    tokens[0, 3] = 20
    after = made.encoder(tokens, table[tokens])[0]
    assert torch.equal(before[:3], after[:3])
    assert not torch.allclose(before[3:], after[3:])


@torch.no_grad()
def test_softmax_is_the_cross_entropy_of_each_next_item_among_all():
    made = sasrec(loss="softmax")
    prediction = made.predict(BATCH)
    table, expected = made.items.all(), []
    for items in ([4, 5, 6, 10, 11], [7, 12], [13, 14]):
        tokens = torch.tensor([items[:-1]])
        states = made.encoder(tokens, table[tokens])[0]
        for state, following in zip(states, items[1:], strict=True):
            scores = table[NUM_SPECIAL:] @ state + made.head.bias
            expected.append(float(scores.logsumexp(0) - scores[following - NUM_SPECIAL]))
    assert prediction.loss.item() == pytest.approx(sum(expected) / 6, rel=1e-5)


@torch.no_grad()
def test_binary_is_the_papers_loss_of_each_next_item_and_one_negative():
    # Two items: the list 4, 4 leaves 5 as its only negative.
    made = sasrec(num_items=2, loss="binary")
    prediction = made.predict(ListBatch(pad_lists([[4]]), pad_lists([[4]])))
    state = prediction.states[0]
    wanted, other = (float(made.items.weight[i] @ state + made.head.bias[i - 4]) for i in (4, 5))
    by_hand = -math.log(1 / (1 + math.exp(-wanted))) - math.log(1 - 1 / (1 + math.exp(-other)))
    assert prediction.loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_negatives_are_uniform_over_the_items_that_a_list_does_not_hold():
    lists = torch.tensor([[6, 4, 6, 9], [5, PAD, PAD, PAD], [PAD] * 4])
    torch.manual_seed(0)
    drawn = draw_negatives(lists, 6000, 6)  # items 4 to 9
    for row, outside in zip(drawn, ([5, 7, 8], [4, 6, 7, 8, 9], [4, 5, 6, 7, 8, 9]), strict=True):
        items, counts = row.unique(return_counts=True)
        assert items.tolist() == outside
        assert (counts / 6000).tolist() == pytest.approx([1 / len(outside)] * len(items), abs=0.03)


def test_a_list_of_the_whole_catalogue_still_gets_negatives_inside_it():
    drawn = draw_negatives(torch.tensor([[4, 5, 6]]), 20, 3)
    assert ((drawn >= 4) & (drawn <= 6)).all()


def test_binary_scores_start_as_the_log_of_popularity_against_uniform_negatives():
    made = build("sasrec", 4, None, loss="binary")
    made.start_from_popularity(torch.tensor([2, 4, 1, 1]))  # shares × 4: 1, 2, 1/2, 1/2
    expected = [0.0, math.log(2), -math.log(2), -math.log(2)]
    assert made.head.bias.tolist() == pytest.approx(expected, abs=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("loss", ["binary", "softmax"])
def test_lists_without_a_next_item_have_no_loss(loss):
    alone = ListBatch(pad_lists([[], []]), pad_lists([[4], [5]]))
    prediction = sasrec(loss=loss).predict(alone)
    assert prediction.loss.item() == 0
    assert (prediction.states.shape, prediction.targets.shape) == ((0, 16), (0,))


@torch.no_grad()
def test_an_empty_list_is_completed_by_the_biases_alone():
    made = sasrec()
    empty = ListBatch(pad_lists([[]]), pad_lists([[]]))
    assert made.complete(empty, 1)[0].item() == int(made.head.bias.argmax()) + NUM_SPECIAL


@torch.no_grad()
def test_a_list_need_not_be_read_again_for_each_guess():
    made = sasrec()
    for weight in made.parameters():  # as trained: positions and networks do something
        weight.add_(0.1 * torch.randn_like(weight))
    tokens = F.pad(pad_lists([[], [4], [5, 6, 7, 4], [8, 9]]), (0, 3))
    sizes, table = torch.tensor([[0], [1], [4], [2]]), made.items.all()
    states = made.step_states(tokens, sizes, table)
    for step in range(4):
        again = made.next_states(tokens[:, : 4 + step], sizes + step, table)
        assert torch.allclose(states(step), again, atol=1e-5)
        if step < 3:
            best = made.head(again, table).argmax(dim=1, keepdim=True)
            tokens.scatter_(1, sizes + step, best + NUM_SPECIAL)


def test_an_unknown_loss_is_refused_by_name():
    with pytest.raises(ValueError, match="loss"):
        SasRecSettings(loss="hinge")


@pytest.mark.parametrize("assignment", [None, "random", "nearest"])
def test_a_large_table_is_looked_up_by_id_with_the_same_loss_and_gradients(assignment):
    quantizer = None
    if assignment is not None:
        quantizer = QuantizerSettings(
            code_sizes=(5, 2), assignment=assignment, initialization="sample"
        )
    made = build("sasrec", NUM_ITEMS, quantizer, dropout=0.0, loss="binary")
    made.items.start_codes(0)
    assert made.looks_up_by_id
    found = []
    for sparse in (False, True):
        made.items.sparse_gradients = sparse
        made.zero_grad(set_to_none=True)
        torch.manual_seed(1)
        prediction = made.predict(BATCH)
        prediction.loss.backward()
        gradient = made.items.weight.grad
        assert gradient.is_sparse == sparse
        found.append((prediction.loss.detach(), gradient.to_dense()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
