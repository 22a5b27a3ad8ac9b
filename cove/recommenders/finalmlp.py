"""FinalMLP (Mao et al., AAAI 2023): two networks, each with its own view of the pair, fused.

    x = [v_u; v_i],   x_1 = 2σ(gate_1(v_u)) ⊙ x,   x_2 = 2σ(gate_2(v_i)) ⊙ x
    o_1 = deep_1(x_1),   o_2 = deep_2(x_2)
    logit(u, i) = b + w_1 · o_1 + w_2 · o_2 + Σ_h o_1,h · (W_h o_2,h)

with o_1,h, o_2,h the h-th of H equal parts. What a gate reads is open in the paper: its published
configurations name fields for each data set, or none, where a gate is one learned vector, which a
first layer can hold just as well. With ids alone we let one stream see the pair from the user's
side and the other from the item's; the gates read the embeddings that the streams read, where the
published code has tables of their own for them.

B pairs, D dimensions, W units of the last layers, H heads.
"""

import math
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from cove.quantization import QuantizerSettings
from cove.recommenders.clicks import ClickScorer, DenseLayers
from cove.recommenders.deep import DeepSettings


class FinalMlpSettings(DeepSettings):
    """FinalMLP's own settings beside those of the deep part, which each stream has."""

    gate_widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(64,), min_length=1)
    """Units of each hidden layer of a gate; the published code's default."""
    heads: int = Field(default=2, ge=1)
    """H, of the fusion; the published configuration's."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "FinalMlpSettings":
        if self.widths[-1] % self.heads:
            raise ValueError(
                f"heads must divide the last of widths, {self.widths[-1]}: got {self.heads}"
            )
        return self


class Gate(nn.Module):
    """Weights of all features, 0 to 2, by what one field's embedding says."""

    def __init__(self, dimensions: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.hidden = DenseLayers(dimensions, widths, 0.0)
        self.output = nn.Linear(widths[-1], 2 * dimensions)

    def forward(self, field: Tensor) -> Tensor:
        """Weights [B, 2D] by the embeddings `field` [B, D]."""
        weights: Tensor = 2 * self.output(self.hidden(field)).sigmoid()
        return weights


class BilinearFusion(nn.Module):
    """w_1 · o_1 + w_2 · o_2 + Σ_h o_1,h · (W_h o_2,h).

    A matrix product for each head, then one product and sum over units: the outer products of
    o_1 and o_2 are never made.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.first = nn.Linear(width, 1, bias=False)
        self.second = nn.Linear(width, 1, bias=False)
        self.weight = nn.Parameter(torch.empty(heads, self.size, self.size))
        nn.init.normal_(self.weight, std=math.sqrt(2 / (self.weight.numel() + 1)))  # as published

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Logits [B] of the streams' outputs o_1, o_2, [B, W]."""
        ours, theirs = (
            stream.view(-1, self.heads, self.size).transpose(0, 1) for stream in (first, second)
        )  # [H, B, W/H], views
        # w_2 is added where o_2 is multiplied anyway: (o_1 W + w_2) · o_2
        added = self.second.weight.view(self.heads, 1, self.size)
        projected = torch.baddbmm(added, ours, self.weight)  # [H, B, W/H]
        logits: Tensor = self.first(first).squeeze(1) + (projected * theirs).sum(dim=(0, 2))
        return logits


class FinalMlp(ClickScorer):
    """Two gated streams and their bilinear fusion."""

    def __init__(
        self,
        settings: FinalMlpSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self.user_gate = Gate(settings.dimensions, settings.gate_widths)
        self.item_gate = Gate(settings.dimensions, settings.gate_widths)
        width = 2 * settings.dimensions
        self.user_stream = DenseLayers(width, settings.widths, settings.dropout)
        self.item_stream = DenseLayers(width, settings.widths, settings.dropout)
        self.fusion = BilinearFusion(settings.widths[-1], settings.heads)

    def interact(self, users: Tensor, items: Tensor, user: Tensor, item: Tensor) -> Tensor:
        pair = torch.cat([user, item], dim=1)  # [B, 2D]
        first = self.user_stream(self.user_gate(user) * pair)
        second = self.item_stream(self.item_gate(item) * pair)
        logits: Tensor = self.fusion(first, second)
        return logits
