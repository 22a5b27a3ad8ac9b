"""Adam with its schedule and its bound on gradients, dense or, for large tables, row-sparse."""

import math
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.errors import SettingsError
from cove.recommenders import Recommender
from cove.recommenders.clicks import IdWeights
from training.parallel import ALONE, Processes

_LARGE_TABLE = 50_000
"""Rows from which a table is updated row by row: below, dense Adam is as fast."""


class TrainingSettings(BaseModel):
    """Optimisation, the same for every recommender of a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=10, ge=1)
    """At most; a curriculum spreads its steps over them."""
    batch_size: int = Field(default=128, ge=1)
    """Lists a step. Section 4.1 has 256; validation on `aotm` preferred more, smaller steps."""
    learning_rate: float = Field(default=0.003, gt=0)
    """Section 4.1 has 0.01; FANS on `aotm` preferred 0.003 to 0.002 and 0.005 on validation. Of
    Adam, after `warmup_steps`; falls linearly to a tenth at the last epoch."""
    warmup_steps: int = Field(default=40, ge=0)
    """Steps over which the learning rate grows from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    gradient_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are scaled down to it."""
    patience: int = Field(default=3, ge=1)
    """Epochs without a better validation result after which training stops."""
    row_sparse: Literal["auto", "always", "never"] = "auto"
    """Whether a step updates only those rows of the embedding tables that its batch holds (Adam's
    moments of the others rest): another rule of update than dense Adam, whose moments move every
    row in every step. `auto` does for tables of at least 50,000 rows. Tasks that score the whole
    catalogue in each step are always dense."""


class Optimizer:
    """Adam over all parameters; tables with row-sparse gradients have a row-sparse Adam.

    Gradients are those of all processes together.
    """

    def __init__(
        self, parameters: nn.Module, settings: TrainingSettings, processes: Processes = ALONE
    ) -> None:
        self.settings, self.processes = settings, processes
        sparse = [module.weight for module in _sparse_tables(parameters)]
        if sparse and settings.weight_decay:
            raise SettingsError(
                "weight_decay touches every row, row_sparse does not: set weight_decay=0 or "
                f"row_sparse=never (got weight_decay={settings.weight_decay})"
            )
        ids = {id(weight) for weight in sparse}
        self.dense = [each for each in parameters.parameters() if id(each) not in ids]
        self.sparse = sparse
        self.parts: list[torch.optim.Optimizer] = []
        rate, decay = settings.learning_rate, settings.weight_decay
        if self.dense:
            self.parts.append(torch.optim.Adam(self.dense, lr=rate, weight_decay=decay, fused=True))
        if sparse:
            self.parts.append(torch.optim.SparseAdam(sparse, lr=rate))

    def set_learning_rate(self, epoch: int, taken: int) -> None:
        """Follow the schedule: `epoch` from 0, `taken` updates with the one to come."""
        settings = self.settings
        rate = settings.learning_rate * (1 - 0.9 * epoch / max(1, settings.epochs - 1))
        if settings.warmup_steps:
            rate *= min(1.0, taken / settings.warmup_steps)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate

    def step(self, loss: Tensor) -> None:
        """One update."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.sum_gradients(self.dense, self.sparse)
        self._clip()
        for part in self.parts:
            part.step()

    def _clip(self) -> None:
        """Clip by the norm over all gradients; of a sparse one over its values, which torch's own
        function cannot take. Where nothing is to be clipped, a CPU is spared a pass over all."""
        values = [each.grad for each in self.dense if each.grad is not None]
        for weight in self.sparse:
            if weight.grad is not None:
                weight.grad = weight.grad.coalesce()
                values.append(weight.grad._values())
        bound = self.settings.gradient_norm
        norm = torch.nn.utils.get_total_norm(values)
        if norm.device.type != "cpu" or not float(norm) + 1e-6 < bound:
            torch._foreach_mul_(values, (bound / (norm + 1e-6)).clamp(max=1.0))

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of both parts, for a checkpoint."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]] | dict[str, Any]) -> None:
        """Go on from a checkpoint; one from before there were two kinds holds the dense one's."""
        if isinstance(states, dict):
            states = [states]
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def choose_sparse_tables(recommender: Recommender, settings: TrainingSettings) -> None:
    """Give the tables that are looked up by id row-sparse gradients, as the settings say.

    Raises:
        SettingsError: `always` for a recommender whose steps score the whole catalogue.
    """
    if not recommender.looks_up_by_id:
        if settings.row_sparse == "always":
            raise SettingsError(
                "row_sparse=always is not for this recommender: each of its steps takes the whole "
                "table"
            )
        return
    least = {"auto": float(_LARGE_TABLE), "always": 0.0, "never": math.inf}[settings.row_sparse]
    for entity in recommender.entities().values():
        entity.sparse_gradients = len(entity.weight) >= least
    for module in recommender.modules():
        if isinstance(module, IdWeights):
            module.sparse_gradients = len(module.weight) >= least


def _sparse_tables(parameters: nn.Module) -> list[Any]:
    return [each for each in parameters.modules() if getattr(each, "sparse_gradients", False)]
