"""The losses of an epoch, and whether they are still numbers."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from training.errors import TrainingError
from training.parallel import Processes

_NAMES = ("loss", "quantization_loss", "code_prediction_loss")
_LOOK_EVERY = 20
"""Steps between two looks at the losses on a GPU."""


class EpochLosses:
    """The losses of an epoch so far. On a GPU they stay there, and are looked at now and then: each
    look waits for all steps before it."""

    def __init__(self, learning_rate: float, epoch: int) -> None:
        self.learning_rate, self.epoch = learning_rate, epoch
        self.sums, self.steps = torch.zeros(3), 0
        self.last = math.nan
        """The recommendation loss of the step that was looked at last."""

    def add(self, parts: Tensor) -> None:
        """Add a step's, [3].

        Raises:
            TrainingError: they are no numbers any more.
        """
        self.sums = self.sums.to(parts.device) + parts
        self.steps += 1
        if parts.device.type == "cpu" or self.steps % _LOOK_EVERY == 1:
            self.last = float(parts[0])
            self._check()

    def means(self) -> dict[str, float]:
        """The means over the steps, by name."""
        self._check()
        means = (self.sums / self.steps).tolist()
        return dict(zip(_NAMES, means, strict=True))

    def check_weights(self, weights: Iterable[Tensor], processes: Processes) -> None:
        """Look at what the last step left, of which no loss tells any more.

        Raises:
            TrainingError: some of it is no number, in this process or another.
        """
        total = torch.stack([each.detach().float().sum().cpu() for each in weights]).sum()
        if float(processes.sum((~total.isfinite()).float())):
            raise self._broken("a weight")

    def _check(self) -> None:
        if not math.isfinite(float(self.sums.sum())):
            raise self._broken("the loss")

    def _broken(self, what: str) -> TrainingError:
        return TrainingError(
            f"{what} is not a number any more in epoch {self.epoch}: "
            f"lower learning_rate ({self.learning_rate})"
        )
