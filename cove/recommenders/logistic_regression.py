"""Logistic regression: how much a user clicks and how much an item is clicked, nothing of both.

    logit(u, i) = b + w_u + w_i

The baseline that cannot rank one user's items otherwise than another's. Its weights are embeddings
of one dimension, so that it is trained, stored and averaged as all others are; to quantize a number
would say nothing of categories, so COVE is not offered.

B pairs.
"""

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer


class LogisticRegressionSettings(BaseModel):
    """Logistic regression has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LogisticRegression(ClickScorer):
    """Adds the weight of the user to that of the item.

    Raises:
        SettingsError: a quantizer is given.
    """

    def __init__(
        self,
        settings: LogisticRegressionSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        if user_quantizer is not None or item_quantizer is not None:
            raise SettingsError("logistic_regression has no embeddings that COVE could be on")
        super().__init__(1, num_users, num_items, None, None)
        self.settings = settings
        with torch.no_grad():  # no product in which zeros would stay zeros
            self.users.weight.zero_()
            self.items.weight.zero_()

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        return (user + item).squeeze(1)
