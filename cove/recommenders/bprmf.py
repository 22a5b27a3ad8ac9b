"""BPRMF: matrix factorization trained to rank (Rendle et al., UAI 2009).

    s_ui = <u, i>
    L = mean of −log σ(s_up − s_un) + λ/2 · mean of (‖u‖² + ‖p‖² + ‖n‖²)

Both means are over the batch's pairs of a positive p and a negative n. There is no bias of an item.

With `loss=softmax` a score is a cosine over a temperature, and the loss is that of the positive
among the batch's negatives, which all users share (as in Wu et al., "On the Effectiveness of
Sampled Softmax Loss for Item Recommendation", TOIS 2024):

    s_ui = cos(u, i) / τ,    L = mean of −log [exp s_up / (exp s_up + N / M Σ exp s_un)]

B users, K negatives of each, D dimensions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cove.batches import PairBatch
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.product_model import ProductModel, ProductSettings, sampled_softmax


class BprMfSettings(ProductSettings):
    """Size and regularization."""

    regularization: float = Field(default=0.01, ge=0)
    """λ of `bpr`, on what the batch looks up; off where COVE shrinks users and items itself.
    `toys`, N@10 among 100: .245 with 0.01, .189 with 0.001, .163 with 0.0001."""


class BprMf(ProductModel):
    """Users and items in one space, scored by their product."""

    settings: BprMfSettings

    def __init__(
        self,
        settings: BprMfSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        quantizers = [each.quantizer for each in self.entities().values()]
        self._shrunk = all(each is not None and each.settings.shrinkage > 0 for each in quantizers)

    def predict(self, batch: PairBatch) -> Prediction:
        if self.settings.loss == "softmax":
            negatives = batch.negatives.flatten()
            items = self.scored(self.items(torch.cat([batch.positives, negatives])))
            user, count = self.scored(self.users(batch.users)), self.items.num_entities
            return Prediction(sampled_softmax(user, items, batch.positives, negatives, count))
        ids = torch.cat([batch.positives[None], batch.negatives.T])  # [1 + K, B]
        user, items = self.users(batch.users), self.items(ids)
        regularization = 0.0 if self._shrunk else self.settings.regularization
        return Prediction(_ranking_loss(user, items, regularization))


def _ranking_loss(user: Tensor, items: Tensor, regularization: float) -> Tensor:
    """L of `user` [B, D], `items` [1 + K, B, D], positive first, and λ."""
    loss: Tensor = _RankingLoss.apply(user, items, regularization)  # type: ignore[no-untyped-call]
    return loss


class _RankingLoss(torch.autograd.Function):
    """The loss with its gradient written out: that of autograd takes half as long again.

    g = σ(s_un − s_up) / BK,    ∂L/∂n = g u + λ n / BK,
    ∂L/∂p = −Σ g u + λ p / B,    ∂L/∂u = Σ g (n − p) + λ u / B
    """

    @staticmethod
    def forward(ctx: Any, user: Tensor, items: Tensor, regularization: float) -> Tensor:
        count, share = items[1:, :, 0].numel(), regularization / max(1, len(user))
        differences = items[1:] - items[:1]  # [K, B, D]
        margins = (differences * user).sum(dim=2)  # [K, B]
        slopes = (margins.sigmoid() / count)[:, :, None]
        ctx.save_for_backward(user, items, differences, slopes)
        ctx.share = share
        loss = F.softplus(margins).mean()
        if share:
            of_negatives = items[1:].square().sum() / len(margins)
            squares = user.square().sum() + items[0].square().sum() + of_negatives
            loss.add_(squares, alpha=share / 2)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        user, items, differences, slopes = ctx.saved_tensors
        slopes = slopes * upstream
        to_user = (differences * slopes).sum(dim=0)
        to_items = torch.empty_like(items)
        torch.mul(slopes, user, out=to_items[1:])
        torch.sum(to_items[1:], dim=0, out=to_items[0]).neg_()
        if ctx.share:
            share = ctx.share * upstream
            to_user.addcmul_(user, share)
            to_items[0].addcmul_(items[0], share)
            to_items[1:].addcmul_(items[1:], share / len(slopes))
        return to_user, to_items, None
