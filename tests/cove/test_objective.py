"""Equation 7, with a recommender whose loss is known."""

import math

import pytest
import torch
from torch import Tensor

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import ListCompleter, Prediction
from cove.retrieval import Barred
from cove.vocabulary import MASK, NUM_SPECIAL, PAD

A, B, C = range(NUM_SPECIAL, NUM_SPECIAL + 3)
BATCH = ListBatch(torch.tensor([[A, A], [B, PAD]]), torch.tensor([[B, MASK], [A, PAD]]))


class Known(ListCompleter):
    """L_rec is the sum of A's embedding; it predicts A and B, from states of zeros."""

    def __init__(self, quantizer: QuantizerSettings | None) -> None:
        super().__init__()
        self.items = EntityEmbedding(3, 2, quantizer)
        with torch.no_grad():
            self.items.weight[A:] = torch.tensor([[1.5, 0.5], [0.0, 2.0], [5.0, 5.0]])

    def predict(self, batch: ListBatch) -> Prediction:
        table = self.items.all()
        return Prediction(table[A].sum(), torch.zeros(2, 2), torch.tensor([A, B]))

    def _complete(self, inputs: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _scores_per_list(self, length: int, k: int) -> int:
        return 1


def objective(weights: dict[str, float], active: bool = True, **settings: object) -> Objective:
    quantizer = QuantizerSettings(
        code_sizes=(3, 2), alpha=0.5, commitment_weight=0.25, loss_reduction="sum", **settings
    )
    recommender = Known(quantizer)
    if active:
        recommender.items.start_codes(0)
        books = recommender.items.quantizer.codebooks
        with torch.no_grad():
            books[0].copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
            books[1].copy_(torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
    made = Objective(recommender, ObjectiveSettings(**weights))
    if made.code_prediction is not None:
        for parameter in made.code_prediction.parameters():
            torch.nn.init.zeros_(parameter)
    return made


def test_equation_7_adds_the_weighted_parts():
    made = objective({"quantization_weight": 2.0, "code_prediction_weight": 0.5})
    total, parts = made(BATCH)
    # L_rec: (1.5, .5) + .5 (1, 0); L_quant: 3.75 (1 + β) of A and B alone, see test_quantization;
    # L_cls: zero heads, so ln 3 + ln 2
    assert parts.recommendation.item() == pytest.approx(2.5)
    assert parts.quantization.item() == pytest.approx(4.6875)
    assert parts.code_prediction.item() == pytest.approx(math.log(6))
    assert total.item() == pytest.approx(2.5 + 2 * 4.6875 + 0.5 * math.log(6))


def test_the_gradients_of_the_parts_add_up_by_their_weights():
    made = objective({"quantization_weight": 2.0, "code_prediction_weight": 0.0})
    made(BATCH)[0].backward()
    gradient = made.recommender.items.weight.grad
    # recommendation: (1 + α) (1, 1) for A; quantization: twice (.375, .125) and (−.25, 0)
    torch.testing.assert_close(gradient[A], torch.tensor([2.25, 1.75]))
    torch.testing.assert_close(gradient[B], torch.tensor([-0.5, 0.0]))
    assert not gradient[C].any()
    assert not gradient[:NUM_SPECIAL].any()
    coarse = made.recommender.items.quantizer.codebooks[1].grad
    torch.testing.assert_close(coarse, 2 * torch.tensor([[-2.0, 0.0], [1.0, -1.0]]))


def test_without_a_quantizer_the_recommenders_loss_is_all():
    made = Objective(Known(None), ObjectiveSettings())
    total, parts = made(BATCH)
    assert total.item() == parts.recommendation.item() == 2.0
    assert (parts.quantization.item(), parts.code_prediction.item()) == (0, 0)
    assert made.code_prediction is None


def test_before_the_codebooks_start_the_recommenders_loss_is_all():
    total, parts = objective({}, active=False)(BATCH)
    assert total.item() == parts.recommendation.item() == 2.0
    assert (parts.quantization.item(), parts.code_prediction.item()) == (0, 0)


def test_random_codes_have_neither_a_quantization_loss_nor_heads():
    made = objective({}, assignment="random")
    total, parts = made(BATCH)
    assert made.code_prediction is None
    assert total.item() == parts.recommendation.item()


def test_no_weight_on_code_prediction_makes_no_heads():
    made = objective({"code_prediction_weight": 0.0})
    assert made.code_prediction is None
    assert made(BATCH)[1].code_prediction.item() == 0


@pytest.mark.parametrize("name", ["quantization_weight", "code_prediction_weight"])
def test_negative_weights_are_refused(name):
    with pytest.raises(ValueError, match=name):
        ObjectiveSettings(**{name: -1.0})
