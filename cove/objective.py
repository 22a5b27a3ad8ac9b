"""What training minimises: the recommender's loss and COVE's own (Eq. 7).

L = L_rec + ω_q L_quant + ω_c L_cls
"""

from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import ListBatch
from cove.code_prediction import CodePrediction
from cove.recommenders.base import ListCompleter


class ObjectiveSettings(BaseModel):
    """Weights of COVE's losses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantization_weight: float = Field(default=1.0, ge=0)
    """ω_q of Eq. 7 and 8."""
    code_prediction_weight: float = Field(default=0.0, ge=0)
    """ω_c of Section 4.6. The paper's grids have 1; on `aotm` even 0.1 made FANS worse (codes
    from a random start; validation N@10 .036 against .052 without, at eight and ten epochs)."""


class Losses(NamedTuple):
    """The parts of a batch's loss, each a scalar, weights not applied."""

    recommendation: Tensor
    quantization: Tensor
    code_prediction: Tensor


class Objective(nn.Module):
    """A recommender with what it needs in training alone: the weights and the code heads."""

    def __init__(self, recommender: ListCompleter, settings: ObjectiveSettings) -> None:
        super().__init__()
        self.recommender, self.settings = recommender, settings
        quantizer = recommender.items.quantizer
        self.code_prediction: CodePrediction | None = None
        learns_codes = quantizer is not None and quantizer.settings.assignment == "nearest"
        if quantizer is not None and learns_codes and settings.code_prediction_weight > 0:
            self.code_prediction = CodePrediction(
                recommender.items.dimensions, quantizer.settings.code_sizes
            )

    def forward(self, batch: ListBatch) -> tuple[Tensor, Losses]:
        """The weighted loss of a batch, and its parts."""
        items = self.recommender.items
        prediction = self.recommender.predict(batch)
        zero = prediction.loss.new_zeros(())
        quantizer = items.quantizer
        if quantizer is None or not quantizer.active:
            return prediction.loss, Losses(prediction.loss, zero, zero)
        quantization = items.quantization_loss(torch.cat([part.flatten() for part in batch]))
        code_prediction = zero
        if self.code_prediction is not None:
            wanted = items.codes_in_step(prediction.targets)
            code_prediction = self.code_prediction.loss(prediction.states, wanted)
        total = (
            prediction.loss
            + self.settings.quantization_weight * quantization
            + self.settings.code_prediction_weight * code_prediction
        )
        return total, Losses(prediction.loss, quantization, code_prediction)
