"""What training minimises: the recommender's loss and COVE's own (Eq. 7, 8).

L = L_rec + ω_q (L_quant of the items + L_quant of the users) + ω_c L_cls
"""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.batches import WHOLE, Batch, Part, rows_of
from cove.code_prediction import CodePrediction
from cove.recommenders.base import ListCompleter, Prediction, Recommender


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


class PartLosses(NamedTuple):
    """What one of several processes makes of its part of a batch."""

    losses: Losses
    """`quantization` is the part's summand of the batch's; the others are means over the part."""
    terms: int
    """How many predictions those means are over."""


class Objective(nn.Module):
    """A recommender with what it needs in training alone: the weights and the code heads."""

    def __init__(self, recommender: Recommender, settings: ObjectiveSettings) -> None:
        super().__init__()
        self.recommender, self.settings = recommender, settings
        self.code_prediction: CodePrediction | None = None
        if isinstance(recommender, ListCompleter) and settings.code_prediction_weight > 0:
            items, quantizer = recommender.items, recommender.items.quantizer
            if quantizer is not None and quantizer.settings.assignment == "nearest":
                self.code_prediction = CodePrediction(
                    items.dimensions, quantizer.settings.code_sizes
                )

    def forward(self, batch: Batch) -> tuple[Tensor, Losses]:
        """The weighted loss of a batch, and its parts."""
        losses = self.losses(batch).losses
        return self.weighted(losses), losses

    def weighted(self, losses: Losses) -> Tensor:
        """L of its parts."""
        return (
            losses.recommendation
            + self.settings.quantization_weight * losses.quantization
            + self.settings.code_prediction_weight * losses.code_prediction
        )

    def losses(self, batch: Batch, part: Part = WHOLE) -> PartLosses:
        """The losses of a part of a batch; every process has the whole of it."""
        own = rows_of(batch, part)
        weighs_nothing = not len(own[0]) and part.of > 1
        if weighs_nothing:  # fewer rows than parts: a mean over nothing would be no number
            own = rows_of(batch, Part(0, len(batch[0])))
        prediction = self.recommender.predict(own)
        quantization = prediction.loss.new_zeros(())
        ids = self.recommender.ids_in(batch)
        for name, entity in self.recommender.entities().items():
            if entity.quantizer is not None:
                quantization = quantization + entity.quantization_loss(ids[name], part)
        predicted = own[0] if prediction.targets is None else prediction.targets
        losses = Losses(prediction.loss, quantization, self._code_prediction(prediction))
        return PartLosses(losses, 0 if weighs_nothing else len(predicted))

    def _code_prediction(self, prediction: Prediction) -> Tensor:
        """L_cls, 0 without its heads or before the codes have started."""
        items = self.recommender.entities()["item"]
        active = items.quantizer is not None and items.quantizer.is_active()
        if self.code_prediction is None or not active:
            return prediction.loss.new_zeros(())
        assert prediction.states is not None
        assert prediction.targets is not None
        return self.code_prediction.loss(prediction.states, items.codes_in_step(prediction.targets))
