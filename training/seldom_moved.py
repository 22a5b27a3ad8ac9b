"""The optimiser of codes that move once in K steps (`cove.folding`)."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cove.embedding import EntityEmbedding
from training.parallel import Processes


class SeldomMoved:
    """An entity's codebooks, moved by what the Adam of its table remembers of gradients.

    A move is as long as K steps of noise add up to, √K times the learning rate, and remembers
    squares for as many steps (Malladi et al., NeurIPS 2022, for a batch K times as large).
    """

    def __init__(self, entity: EntityEmbedding) -> None:
        quantizer = entity.quantizer
        assert quantizer is not None
        self.entity, self.codebooks = entity, list(quantizer.codebooks)
        self.interval = quantizer.settings.update_interval
        self.learning_rate = 0.0
        """Of a step."""
        self._steps = 0  # since the last move
        betas = (0.0, 0.999**self.interval)  # what it is given is a first moment already
        self.adam = torch.optim.Adam(self.codebooks, betas=betas, fused=True)

    def pay(self) -> None:
        """Add the gradient of shrinkage to that of the table, after a backward pass."""
        if self.entity.folded is not None:
            self.entity.folded.pay()

    def after_step(self, first_moments: Tensor, processes: Processes) -> None:
        """Move, where it is time to; first_moments: those of the table's rows in this process.
        Codes that have not started are not folded, and do not move."""
        if self.entity.folded is None:
            return
        self._steps += 1
        if self._steps == self.interval:
            self._move(first_moments, processes)

    def end_epoch(self, first_moments: Tensor, processes: Processes) -> None:
        """Move if there were steps since the last move, and unfold: a checkpoint holds z."""
        if self._steps:
            self._move(first_moments, processes)
        self.entity.unfold()

    def _move(self, first_moments: Tensor, processes: Processes) -> None:
        folded = self.entity.folded
        assert folded is not None
        folded.give_gradients(first_moments, self._steps, processes.sum)
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate * math.sqrt(self._steps)
        folded.move(self.adam.step)
        self.adam.zero_grad(set_to_none=True)
        self._steps = 0


def seldom_moved(modules: Iterable[nn.Module]) -> list[SeldomMoved]:
    """Those of the modules whose codes do not move in every step."""
    found = (each for each in modules if isinstance(each, EntityEmbedding))
    return [SeldomMoved(each) for each in found if each.may_fold]
