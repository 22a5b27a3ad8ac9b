"""DCN, Deep and Cross Network (Wang et al., ADKDD 2017), its first version.

    x_0 = [v_u; v_i],   x_{l+1} = x_0 (x_l · w_l) + b_l + x_l    (the paper's Eq. 3)
    logit(u, i) = b + w · [x_L; deep(x_0)]

Every cross layer adds one degree of interaction at the price of two vectors. Section 4.1 of COVE's
paper has 3 cross layers beside the 3 deep ones.

B pairs, D dimensions of an embedding, W units of the last deep layer.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer, DenseLayers
from cove.recommenders.deep import DeepSettings


class DcnSettings(DeepSettings):
    """DCN's own setting beside those of the deep part."""

    cross_layers: int = Field(default=3, ge=1)
    """L, of the cross network."""


class CrossLayer(nn.Module):
    """One step of the cross network: x_0 (x · w) + b + x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, start: Tensor, states: Tensor) -> Tensor:
        """States [B, width] after this layer, of x_0 `start` and `states` [B, width]."""
        return torch.addcmul(states + self.bias, start, self.weight(states))


class Dcn(ClickScorer):
    """A cross network and a deep one side by side, joined by one linear layer."""

    def __init__(
        self,
        settings: DcnSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self.width = 2 * settings.dimensions
        self.cross = nn.ModuleList(CrossLayer(self.width) for _ in range(settings.cross_layers))
        self.deep = DenseLayers(self.width, settings.widths, settings.dropout)
        self.output = nn.Linear(self.width + settings.widths[-1], 1, bias=False)

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        start = torch.cat([user, item], dim=1)  # [B, 2D]
        crossed = start
        for layer in self.cross:
            crossed = layer(start, crossed)
        # the weights are cut rather than the states joined: that would copy [B, 2D + W]
        weight = self.output.weight
        logits = F.linear(crossed, weight[:, : self.width])
        return (logits + F.linear(self.deep(start), weight[:, self.width :])).squeeze(1)
