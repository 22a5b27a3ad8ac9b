"""Adam with its schedule and its bound on gradients, dense or, for large tables, row-sparse."""

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cove.errors import SettingsError
from cove.recommenders import Recommender
from cove.row_table import RowTable
from training.parallel import ALONE, Processes
from training.seldom_moved import seldom_moved

_LARGE_TABLE = 50_000
"""Rows from which a table is updated row by row: below, dense Adam costs little and ranks
better (`benchmarks/results/training.md`)."""


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
    embedding_sharding: Literal["never", "rows"] = "never"
    """Whether several processes share out the rows of the tables that are looked up by id, with
    their gradients and moments, so that tables may be larger than one GPU; else each has all. What
    is learned is the same, and so a run may go on with another value."""


class Optimizer:
    """Adam over all parameters; tables with row-sparse gradients have a row-sparse Adam, and codes
    that do not move in every step (`QuantizerSettings.update_interval`) one of their own.

    Gradients are those of all processes together; a lookup in a sharded table sends them to the
    process that has the row, which alone updates it. Steps are taken between `start_epoch` and
    `end_epoch`.
    """

    def __init__(
        self, parameters: nn.Module, settings: TrainingSettings, processes: Processes = ALONE
    ) -> None:
        self.settings, self.processes = settings, processes
        tables = [each for each in parameters.modules() if isinstance(each, RowTable)]
        self.sparse = [each.weight for each in tables if each.sparse_gradients]
        if self.sparse and settings.weight_decay:
            raise SettingsError(
                "weight_decay touches every row, row_sparse does not: set weight_decay=0 or "
                f"row_sparse=never (got weight_decay={settings.weight_decay})"
            )
        self.seldom = [] if settings.weight_decay else seldom_moved(tables)
        apart = {id(each) for each in chain(self.sparse, *(one.codebooks for one in self.seldom))}
        self.dense = [each for each in parameters.parameters() if id(each) not in apart]
        self.sharded = {id(each.weight) for each in tables if each.shards is not None}
        self.names = dict(parameters.named_parameters())
        self.parts: list[torch.optim.Optimizer] = []
        rate, decay = settings.learning_rate, settings.weight_decay
        if self.dense:
            self.parts.append(torch.optim.Adam(self.dense, lr=rate, weight_decay=decay, fused=True))
        if self.sparse:
            self.parts.append(torch.optim.SparseAdam(self.sparse, lr=rate))

    def set_learning_rate(self, epoch: int, taken: int) -> None:
        """Follow the schedule: `epoch` from 0, `taken` updates with the one to come."""
        settings = self.settings
        rate = settings.learning_rate * (1 - 0.9 * epoch / max(1, settings.epochs - 1))
        if settings.warmup_steps:
            rate *= min(1.0, taken / settings.warmup_steps)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
        for one in self.seldom:
            one.learning_rate = rate

    def start_epoch(self) -> None:
        """Fold codes that do not move in every step into their tables."""
        for one in self.seldom:
            one.entity.fold()

    def end_epoch(self) -> None:
        """Move them for the last time, and unfold them."""
        for one in self.seldom:
            one.end_epoch(self._first_moments(one.entity.weight), self.processes)

    def step(self, loss: Tensor) -> None:
        """One update."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        loss.backward()
        for one in self.seldom:
            one.pay()
        self.processes.sum_gradients(*map(self._not_sharded, (self.dense, self.sparse)))
        self._clip()
        for part in self.parts:
            part.step()
        for one in self.seldom:
            one.after_step(self._first_moments(one.entity.weight), self.processes)

    def _first_moments(self, table: Tensor) -> Any:
        """What Adam remembers of a dense table's gradients; None before its first step."""
        return self.parts[0].state[table].get("exp_avg")

    def _not_sharded(self, weights: list[Tensor]) -> list[Tensor]:
        return [each for each in weights if id(each) not in self.sharded]

    def _clip(self) -> None:
        """Clip by the norm over all gradients; of a sparse one over its values, which torch's own
        function cannot take. Where nothing is to be clipped, a CPU is spared a pass over all."""
        here, shared = [], []
        for weight in (each for each in (*self.dense, *self.sparse) if each.grad is not None):
            values = weight.grad
            if values.is_sparse:
                weight.grad = values.coalesce()
                values = weight.grad._values()
            (shared if id(weight) in self.sharded else here).append(values)
        bound = self.settings.gradient_norm
        norm = torch.nn.utils.get_total_norm(here)
        if self.sharded:
            elsewhere = self.processes.sum(torch.nn.utils.get_total_norm(shared).square())
            norm = (norm.square() + elsewhere).sqrt()
        if norm.device.type != "cpu" or not float(norm) + 1e-6 < bound:
            scale = (bound / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_([*here, *shared], scale)

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """Adam's moments, by kind and name of the parameter, for a checkpoint to keep or to fill.

        A parameter that had no gradient yet has zeros, which is what Adam starts from.
        """
        return {
            kind: {name: state[kind] for name, state in self._states()}
            for kind in ("exp_avg", "exp_avg_sq")
        }

    def updates(self) -> dict[str, int]:
        """How many updates each parameter had, by name."""
        return {name: int(state["step"]) for name, state in self._states()}

    def set_updates(self, counts: dict[str, int]) -> None:
        """Go on from so many updates of each parameter."""
        for name, state in self._states():
            if isinstance(state["step"], Tensor):
                state["step"].fill_(counts[name])
            else:
                state["step"] = counts[name]

    def _states(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What Adam keeps of each parameter, by name; made here before its first gradient."""
        parts = (*self.parts, *(one.adam for one in self.seldom))
        owners = {id(each): part for part in parts for each in part.param_groups[0]["params"]}
        for name, parameter in self.names.items():
            part = owners[id(parameter)]
            state = part.state[parameter]
            if not state:
                is_dense = isinstance(part, torch.optim.Adam)
                state["step"] = torch.zeros((), device=parameter.device) if is_dense else 0
                state |= {each: torch.zeros_like(parameter) for each in ("exp_avg", "exp_avg_sq")}
            yield name, state


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
    for module in recommender.modules():
        if isinstance(module, RowTable):
            module.sparse_gradients = len(module.weight) >= least
