"""Fixed codes folded into their table: three entities, two dimensions, α = .5."""

import pytest
import torch

from cove.batches import Part
from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from cove.vocabulary import NUM_SPECIAL, PAD
from tests.cove.test_embedding import close

A, B, C = range(NUM_SPECIAL, NUM_SPECIAL + 3)


def folding(**settings: object) -> EntityEmbedding:
    """Three entities of code 0, 1 and 0, whose codes move every second step; α = .5."""
    values = {"alpha": 0.5, "update_interval": 2} | settings
    made = EntityEmbedding(3, 2, QuantizerSettings(code_sizes=(2,), assignment="random", **values))
    made.start_codes(0)
    with torch.no_grad():
        made.quantizer.fixed.copy_(torch.tensor([0, 1, 0]))
        made.quantizer.codebooks[0].copy_(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
        made.weight.copy_(torch.arange(7.0)[:, None].expand(-1, 2))
    return made


FOLDED = [[4 + 1.0, 4.0], [5.0, 5 + 2.0], [6 + 1.0, 6.0]]


def test_a_folded_table_holds_what_a_lookup_gives_and_unfolds_to_what_it_was() -> None:
    made, ids = folding(), torch.tensor([[A, PAD], [C, B]])
    before, looked_up = made.weight.detach().clone(), made(ids).detach()
    made.fold()
    made.fold()  # the second time nothing happens
    close(made.weight[NUM_SPECIAL:].detach(), FOLDED)
    assert torch.equal(made.weight[:NUM_SPECIAL], before[:NUM_SPECIAL])
    assert torch.equal(made(ids), looked_up)
    assert torch.equal(made.all(), made.weight)
    made.unfold()
    assert torch.equal(made.weight, before)
    assert torch.equal(made(ids), looked_up)


@pytest.mark.parametrize("lookup", ["forward", "all"])
def test_a_lookup_in_a_folded_table_has_the_gradient_of_a_plain_one(lookup: str) -> None:
    made, ids = folding(), torch.tensor([A, C, PAD, B])
    made.fold()
    slopes = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    rows = made(ids) if lookup == "forward" else made.all()[ids]
    (rows * slopes).sum().backward()
    expected = torch.zeros(7, 2)
    expected[ids] = slopes
    close(made.weight.grad, expected.tolist())
    assert made.quantizer.codebooks[0].grad is None


def test_folded_codes_have_the_gradients_of_their_entities() -> None:
    made = folding()
    made.fold()
    moments = torch.tensor([[9.0, 9.0]] * 4 + [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    made.folded.give_gradients(moments, 2, lambda values: values)
    # α (A + C) and α B, of two steps
    close(made.quantizer.codebooks[0].grad, [[6.0, 8.0], [3.0, 4.0]])


def test_entities_follow_their_folded_codes() -> None:
    made = folding()
    made.fold()
    made.folded.move(lambda: made.quantizer.codebooks[0].data.add_(torch.tensor([[2.0], [-6.0]])))
    rise = torch.tensor([1.0, -3.0, 1.0])[:, None]
    close(made.weight[NUM_SPECIAL:].detach(), (torch.tensor(FOLDED) + rise).tolist())
    made.unfold()
    close(made.weight.detach(), torch.arange(7.0)[:, None].expand(-1, 2).tolist())


def test_a_folded_table_shrinks_every_second_step_by_twice_as_much() -> None:
    made, ids = folding(shrinkage=0.1, update_interval=8), torch.tensor([A, PAD, A, B])
    made.fold()
    losses = []
    for step in range(3):
        loss = made.quantization_loss(ids)
        losses.append(loss.item())
        if step == 0:
            (3 * loss).backward()
            made.folded.pay()
            made.folded.pay()  # the second time nothing is owed
    # 2 · .1 / 2 · (A: 2 · 4² + 2²; B: 2 · 5² + 4²) / 2
    assert losses == pytest.approx([0.05 * (36 + 66), 0, 0.05 * (36 + 66)])
    # of z: λ z, as a mean over two, twice, thrice
    close(made.weight.grad[[A, B]], [[1.2, 1.2], [1.5, 1.5]])
    assert made.weight.grad[[PAD, C]].abs().sum() == 0
    # of z̄: λ z̄, as often, less α · 4 steps · (1 - .9) · .9² of the above, which a first moment of z
    # remembers two steps later
    once = [[0.6 - 0.162 * 1.2, -0.162 * 1.2], [-0.162 * 1.5, 1.2 - 0.162 * 1.5]]
    for expected in (once, [[0.0, 0.0], [0.0, 0.0]]):
        made.quantizer.codebooks[0].grad = None
        made.folded.give_gradients(torch.zeros(7, 2), 4, lambda values: values)
        close(made.quantizer.codebooks[0].grad, expected)


def test_the_shrinkage_of_the_parts_of_a_batch_adds_up_in_a_folded_table() -> None:
    ids, losses = torch.tensor([A, C, PAD, A, B]), []
    for part in (Part(), Part(0, 2), Part(1, 2)):
        made = folding(shrinkage=0.1)
        made.fold()
        losses.append(made.quantization_loss(ids, part).item())
    assert losses[0] == pytest.approx(losses[1] + losses[2])


@pytest.mark.parametrize(
    "settings", [{"update_interval": 1}, {"sparse": True}, {"assignment": "nearest"}]
)
def test_codes_that_move_in_every_step_and_row_sparse_tables_do_not_fold(settings: dict) -> None:
    settings = {"update_interval": 2, "assignment": "random"} | settings
    if settings["assignment"] == "nearest":
        settings["update_interval"] = 1
    sparse = settings.pop("sparse", False)
    made = EntityEmbedding(3, 2, QuantizerSettings(code_sizes=(2,), **settings))
    made.start_codes(0)
    made.sparse_gradients = sparse
    before = made.weight.detach().clone()
    made.fold()
    assert torch.equal(made.weight, before)
