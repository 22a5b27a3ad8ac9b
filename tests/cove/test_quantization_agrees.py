"""Agreement with vector-quantize-pytorch where both define the same thing.

Its learnable codebook trains on mean (z − e)², whose gradient reaches both sides: our Eq. 6 with
β = 1 and `loss_reduction="mean"` has the same gradients and, written as two terms, twice the value.
"""

import pytest
import torch
from vector_quantize_pytorch import VectorQuantize

from cove.quantization import CascadedQuantizer, QuantizerSettings

NUM, DIMENSIONS, SIZES = 200, 8, (32, 6)


@pytest.fixture
def ours() -> CascadedQuantizer:
    made = CascadedQuantizer(QuantizerSettings(code_sizes=SIZES, initialization="normal"), 8)
    made.initialize(vectors().detach(), 0)
    return made


@pytest.fixture
def theirs(ours) -> list[VectorQuantize]:
    made = []
    for book in ours.codebooks:
        one = VectorQuantize(
            dim=DIMENSIONS,
            codebook_size=len(book),
            learnable_codebook=True,
            ema_update=False,
            rotation_trick=False,
            commitment_weight=1.0,
        )
        with torch.no_grad():
            one.codebook = book.detach()
        made.append(one.train())
    return made


def vectors() -> torch.Tensor:
    made = torch.randn(NUM, DIMENSIONS, generator=torch.Generator().manual_seed(2)) * 0.02
    return made.requires_grad_()


def run(theirs: list[VectorQuantize], source: torch.Tensor):
    """Cascade their quantizers: codes [N, H], the average of the outputs, the sum of the losses."""
    codes, outputs, total = [], [], 0.0
    for one in theirs:
        source, indices, loss = one(source)
        codes.append(indices)
        outputs.append(source)
        total = total + loss
    return torch.stack(codes, dim=1), torch.stack(outputs).mean(dim=0), total


def test_codes_and_average_agree_on_every_level(ours, theirs):
    codes, average, _ = run(theirs, vectors())
    mine = ours(vectors())
    assert torch.equal(mine.codes, codes)
    torch.testing.assert_close(mine.average, average)


def test_the_loss_is_twice_theirs_at_beta_one_and_once_at_beta_zero(ours, theirs):
    _, _, loss = run(theirs, vectors())
    mine = ours.loss(vectors(), ours.codes(vectors()))
    torch.testing.assert_close(mine, 2 * loss)
    ours.settings = ours.settings.model_copy(update={"commitment_weight": 0.0})
    torch.testing.assert_close(ours.loss(vectors(), ours.codes(vectors())), loss)


def test_gradients_of_the_loss_agree_for_entities_and_codebooks(ours, theirs):
    mine, other = vectors(), vectors()
    ours.loss(mine, ours.codes(mine)).backward()
    run(theirs, other)[2].backward()
    torch.testing.assert_close(mine.grad, other.grad)
    for book, one in zip(ours.codebooks, theirs, strict=True):
        torch.testing.assert_close(book.grad, one._codebook.embed.grad.squeeze(0))


def test_the_straight_through_gradient_of_the_average_agrees(ours, theirs):
    weights = torch.randn(NUM, DIMENSIONS, generator=torch.Generator().manual_seed(4))
    mine, other = vectors(), vectors()
    (ours(mine).average * weights).sum().backward()
    (run(theirs, other)[1] * weights).sum().backward()
    torch.testing.assert_close(mine.grad, weights)
    torch.testing.assert_close(mine.grad, other.grad)
