"""Equation 4 and the lookup: four entities, two dimensions, codes as in test_quantization."""

import pytest
import torch
from torch import Tensor

from cove.batches import Part
from cove.embedding import EMBEDDING_SCALE, EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.vocabulary import CLS, MASK, NUM_SPECIAL, PAD, SEP

FINE = [[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]]
COARSE = [[0.0, 0.0], [1.0, 2.0]]
SPECIAL = [[9.0, 9.0], [8.0, 8.0], [7.0, 7.0], [6.0, 6.0]]
OWN = [[1.5, 0.5], [0.0, 2.0], [-1.0, 0.0], [2.0, 0.5]]  # codes 1, 2, 0, 1
# the averages are (1, 0), (.5, 2.5), (0, 0), (1, 0); with α = .5, half of them is added
AWARE = [[2.0, 0.5], [0.25, 3.25], [-1.0, 0.0], [2.5, 0.5]]
A, B, C, D = range(NUM_SPECIAL, NUM_SPECIAL + 4)


def embedding(quantized: bool = True, **settings: object) -> EntityEmbedding:
    chosen = QuantizerSettings(code_sizes=(3, 2), **({"alpha": 0.5} | settings))
    made = EntityEmbedding(4, 2, chosen if quantized else None)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(SPECIAL + OWN))
        if quantized:
            made.start_codes(0)
            made.quantizer.codebooks[0].copy_(torch.tensor(FINE))
            made.quantizer.codebooks[1].copy_(torch.tensor(COARSE))
    return made


def rows_quantized(made: EntityEmbedding) -> list[int]:
    """A list to which every later call of the quantizer adds how many vectors it was given."""
    counts: list[int] = []
    made.quantizer.register_forward_pre_hook(lambda _, inputs: counts.append(len(inputs[0])))
    return counts


def close(actual: Tensor, expected: list) -> None:
    torch.testing.assert_close(actual, torch.tensor(expected))


@pytest.mark.parametrize("gradient", ["straight_through", "direct"])
def test_equation_4_adds_the_weighted_average_code_to_the_entitys_own_embedding(gradient):
    made = embedding(gradient=gradient)
    close(made.all(), SPECIAL + AWARE)
    close(made(torch.tensor([[B, A], [PAD, C]])), [[AWARE[1], AWARE[0]], [SPECIAL[0], AWARE[2]]])


def test_alpha_zero_leaves_the_embeddings_as_they_are():
    close(embedding(alpha=0.0).all(), SPECIAL + OWN)


@pytest.mark.parametrize("quantized", [False, True])
def test_looking_up_and_the_whole_table_agree(quantized):
    made, ids = embedding(quantized), torch.tensor([[D, PAD, A], [MASK, D, SEP]])
    assert torch.equal(made(ids), made.all()[ids])


def test_without_a_quantizer_it_is_a_plain_table():
    made = embedding(quantized=False)
    close(made.all(), SPECIAL + OWN)
    assert [name for name, _ in made.named_parameters()] == ["weight"]
    assert made.codes().shape == (4, 0)
    assert made.quantization_loss(torch.tensor([A])).item() == 0
    assert made.revive() == 0


def test_until_its_codebooks_start_a_quantizer_does_nothing():
    made = EntityEmbedding(4, 2, QuantizerSettings(code_sizes=(3, 2)))
    assert torch.equal(made.all(), made.weight)
    assert made.codes().shape == (4, 0)
    assert made.quantization_loss(torch.tensor([A])).item() == 0
    made.start_codes(0)
    assert made.codes().shape == (4, 2)
    assert not torch.equal(made.all(), made.weight)


def test_a_new_table_has_the_scale_of_bert():
    made = EntityEmbedding(2000, 16)
    assert made.weight[NUM_SPECIAL:].std().item() == pytest.approx(EMBEDDING_SCALE, rel=0.05)
    assert made.dimensions == 16


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_straight_through_the_entity_gets_the_gradient_one_plus_alpha_times(lookup):
    made = embedding()
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # of A and of a special id
    table = made(torch.tensor([A, CLS])) if lookup == "forward" else made.all()[[A, CLS]]
    (table * weights).sum().backward()
    expected = torch.zeros(8, 2)
    expected[A], expected[CLS] = torch.tensor([1.5, 3.0]), weights[1]
    torch.testing.assert_close(made.weight.grad, expected)
    assert all(book.grad is None for book in made.quantizer.codebooks)


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_directly_the_codes_get_their_share_of_the_gradient_and_the_entity_one_part(lookup):
    made, weights = embedding(gradient="direct"), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    table = made(torch.tensor([A, B])) if lookup == "forward" else made.all()[[A, B]]
    (table * weights).sum().backward()
    close(made.weight.grad[[A, B]], weights.tolist())
    # α / H = .25 of the gradient each
    close(made.quantizer.codebooks[0].grad, [[0.0, 0.0], [0.25, 0.5], [0.75, 1.0]])
    close(made.quantizer.codebooks[1].grad, [[0.25, 0.5], [0.75, 1.0]])


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_the_loss_is_a_mean_over_the_batchs_distinct_entities_special_ids_left_out(lookup):
    made = embedding(loss_reduction="sum", commitment_weight=0.0)
    ids = torch.tensor([[A, A, B, PAD], [A, MASK, SEP, CLS]])
    made(ids) if lookup == "forward" else made.all()
    loss = made.quantization_loss(ids)
    # A: .5 + 4, B: 1 + 2, as in Eq. 6 by hand
    assert loss.item() == pytest.approx((4.5 + 3.0) / 2)


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_the_loss_reaches_the_batchs_entities_and_no_other_nor_a_special_id(lookup):
    made = embedding(loss_reduction="sum", commitment_weight=0.25)
    ids = torch.tensor([B, PAD, A, MASK, A])
    made(ids) if lookup == "forward" else made.all()
    made.quantization_loss(ids).backward()
    expected = torch.zeros(8, 2)
    expected[A], expected[B] = torch.tensor([0.375, 0.125]), torch.tensor([-0.25, 0.0])
    torch.testing.assert_close(made.weight.grad, expected)


def test_each_distinct_entity_of_a_batch_is_quantized_once():
    made = embedding()
    counts = rows_quantized(made)
    ids = torch.tensor([[A, B, A, PAD], [B, A, MASK, SEP]])
    made(ids)
    made.quantization_loss(ids)
    made.codes_in_step(torch.tensor([A, B, A]))
    assert counts == [2]
    made.all()
    assert counts == [2, 4]


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_the_codes_of_the_step_are_those_of_the_lookup(lookup):
    made, ids = embedding(), torch.tensor([D, A, B])
    made(ids) if lookup == "forward" else made.all()
    assert made.codes_in_step(torch.tensor([A, B, D])).tolist() == [[1, 0], [2, 1], [1, 0]]
    assert made.codes().tolist() == [[1, 0], [2, 1], [0, 0], [1, 0]]


def test_the_loss_before_any_lookup_is_refused():
    with pytest.raises(RuntimeError, match="nothing was looked up yet"):
        embedding().quantization_loss(torch.tensor([A]))


def test_a_batch_of_special_ids_alone_has_plain_embeddings():
    made = embedding()
    close(made(torch.tensor([MASK, PAD])), [SPECIAL[MASK], SPECIAL[PAD]])


def test_random_codes_are_looked_up_alike_in_part_and_in_whole():
    made = embedding(assignment="random")
    ids = torch.tensor([[D, A], [PAD, A]])
    assert torch.equal(made(ids), made.all()[ids])
    assert made.quantization_loss(ids).item() == 0
    before = made.codes()
    with torch.no_grad():
        made.weight.mul_(-3)
    assert torch.equal(made.codes(), before)


def test_revival_counts_the_codes_that_it_moved():
    made = embedding()
    with torch.no_grad():
        made.quantizer.codebooks[0][0] = 100.0  # (−1, 0) now takes a code that others use
    torch.manual_seed(0)
    assert made.revive() == 1
    assert 0 in made.codes()[:, 0]


def shrinking() -> EntityEmbedding:
    settings = QuantizerSettings(code_sizes=(2,), assignment="random", shrinkage=0.5)
    made = EntityEmbedding(6, 2, settings)
    made.start_codes(0)
    with torch.no_grad():
        made.weight.copy_(torch.arange(10.0)[:, None].expand(-1, 2))
        made.quantizer.codebooks[0].fill_(2.0)
    return made


@pytest.mark.parametrize("way", ["ids", "more ids", "catalogue"])
def test_shrinkage_is_a_mean_over_distinct_entities_however_often_they_are_read(way: str) -> None:
    made, ids = shrinking(), torch.tensor([4, 6, 6, PAD])
    if way == "catalogue":
        made.all()
    else:
        made(ids if way == "ids" else torch.tensor([6, 9, 4, 4, 6, 6, PAD]))
    loss = made.quantization_loss(ids)
    # 0.5 / 2 · ((2 · 4² + 2 · 2²) + (2 · 6² + 2 · 2²)) / 2
    assert loss.item() == pytest.approx(0.25 * (40 + 80) / 2)
    loss.backward()
    assert made.weight.grad.tolist() == [
        [0.25 * row] * 2 if row in {4, 6} else [0.0, 0.0] for row in range(10)
    ]


@pytest.mark.parametrize("assignment", ["random", "nearest"])
def test_the_losses_of_the_parts_of_a_batch_add_up_to_the_whole_one(assignment: str) -> None:
    shrinkage = 0.5 if assignment == "random" else 0.0
    settings = QuantizerSettings(
        code_sizes=(3, 2), assignment=assignment, shrinkage=shrinkage, initialization="sample"
    )
    torch.manual_seed(0)
    made = EntityEmbedding(20, 4, settings)
    made.start_codes(0)
    ids = torch.tensor([4, 6, 6, 9, 23, PAD, 5])
    made(ids)
    whole = made.quantization_loss(ids)
    parts = [made.quantization_loss(ids, Part(number, 7)) for number in range(7)]
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    assert parts[6].item() == 0  # five distinct entities: two parts have none
