"""Factorization machine (Rendle, ICDM 2010), of two fields.

    logit(u, i) = b + w_u + w_i + <v_u, v_i>

With a user and an item alone its sum over pairs of fields has one product: this is matrix
factorization with biases, under the logistic loss.

B pairs, D dimensions.
"""

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer, IdWeights


class FactorizationMachineSettings(BaseModel):
    """Size of the factorization machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of each embedding."""


class FactorizationMachine(ClickScorer):
    """Adds the product of the two embeddings to the weights of the user and the item."""

    def __init__(
        self,
        settings: FactorizationMachineSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self.user_weights = IdWeights(num_users)
        self.item_weights = IdWeights(num_items)

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        first_order: Tensor = self.user_weights(users) + self.item_weights(items)
        return first_order + (user * item).sum(dim=1)
