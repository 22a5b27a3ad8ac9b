"""LightGCN: embeddings spread over the graph of interactions (He et al., SIGIR 2020).

    E^(k+1) = A E^(k),   A_ui = A_iu = 1 / √(|N_u| |N_i|),   E = mean of E^(0) … E^(K)
    s_ui = <e_u, e_i>
    L = mean of −log σ(s_up − s_un) + λ/2 · mean of (‖u‖² + ‖p‖² + ‖n‖²) of layer 0

(the paper's Eq. 3 to 5, 7 and 15; the norms as in its published code: those of the batch, over its
size). With COVE, layer 0 is the category-aware embeddings. `loss=softmax` is that of `bprmf`, on E.

B users, U users and N items in all, V = U + N + special ids, n interactions, D dimensions.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cove.batches import PairBatch
from cove.quantization import QuantizerSettings
from cove.recommenders.base import Prediction
from cove.recommenders.preferences import candidates, ranking_loss, squared_norms
from cove.recommenders.product_model import ProductModel, ProductSettings, sampled_softmax


class LightGcnSettings(ProductSettings):
    """Size, depth and regularization."""

    layers: int = Field(default=3, ge=1)
    """K, how far an interaction spreads."""
    regularization: float = Field(default=0.0001, ge=0)
    """λ, the paper's."""


class LightGcn(ProductModel):
    """Scores by the product of what users and items gathered from their neighbours.

    Without `know_interactions` nothing spreads. The interactions are kept with the weights, as
    pairs, so that a model read from an artifact needs no data.
    """

    settings: LightGcnSettings
    interactions: Tensor  # [2, n] int32, rows of the users' and the items' tables, unique
    neighbours: Tensor  # [2n] int64, of all entities one after the other
    starts: Tensor  # [V + 1] int64, where each entity's neighbours begin
    strengths: Tensor  # [2n], A of each neighbour

    looks_up_by_id = False  # every step propagates the whole tables

    def __init__(
        self,
        settings: LightGcnSettings,
        num_users: int,
        num_items: int,
        user_quantizer: QuantizerSettings | None = None,
        item_quantizer: QuantizerSettings | None = None,
    ) -> None:
        super().__init__(settings.dimensions, num_users, num_items, user_quantizer, item_quantizer)
        self.settings = settings
        self.register_buffer("interactions", torch.empty((2, 0), dtype=torch.int32))
        for name in ("neighbours", "starts", "strengths"):
            self.register_buffer(name, torch.empty(0), persistent=False)
        self._build_graph()

    def know_interactions(self, users: Tensor, items: Tensor) -> None:
        pairs = torch.stack([users, items]).to(self.interactions.device)
        # In one piece, as a checkpoint takes it: `unique` gives a transposed view.
        self.interactions = torch.unique(pairs, dim=1).int().contiguous()
        self._build_graph()

    def _build_graph(self) -> None:
        users = self.interactions[0].long()
        items = self.interactions[1].long() + len(self.users.weight)
        heads, tails = torch.cat([users, items]), torch.cat([items, users])
        degrees = torch.bincount(heads, minlength=len(self.users.weight) + len(self.items.weight))
        order = heads.argsort(stable=True)
        self.neighbours = tails[order]
        self.starts = F.pad(degrees.cumsum(0), (1, 0))
        self.strengths = (degrees[heads] * degrees[tails]).float().rsqrt()[order]

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Take interactions of any number; the graph follows from them."""
        given = state_dict.get(f"{prefix}interactions")
        if given is not None and given.dim() == 2 and len(given) == 2:
            self.interactions = torch.empty_like(given, device=self.interactions.device)
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)
        self._build_graph()

    def tables(self) -> tuple[Tensor, Tensor]:
        spread = self._spread(self._first_layer())
        return spread[: len(self.users.weight)], spread[len(self.users.weight) :]

    def _first_layer(self) -> Tensor:
        """E^(0), [V, D]: users above items."""
        return torch.cat([self.users.all(), self.items.all()])

    def _spread(self, first: Tensor) -> Tensor:
        """E of E^(0), both [V, D]."""
        graph = _Graph(self.neighbours, self.starts, self.strengths)
        spread: Tensor = _Spread.apply(first, graph, self.settings.layers)  # type: ignore[no-untyped-call]
        return spread

    def _rows(self, users: Tensor, items: Tensor) -> Tensor:
        """Rows of [V, D] for users [B] and items [B, M]: [B, 1 + M]."""
        return torch.cat([users[:, None], items + len(self.users.weight)], dim=1)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        rows = self._rows(users, items)
        looked_up = F.embedding(rows, self._spread(self._first_layer()))
        return self.interact(looked_up[:, 0], looked_up[:, 1:])

    def predict(self, batch: PairBatch) -> Prediction:
        rows, first = self._rows(batch.users, candidates(batch)), self._first_layer()
        last = F.embedding(rows, self._spread(first))
        loss = self._ranking_loss(batch, last)
        if self.settings.regularization:
            own = F.embedding(rows, first)
            loss = loss + self.settings.regularization * squared_norms(own[:, 0], own[:, 1:])
        return Prediction(loss)

    def _ranking_loss(self, batch: PairBatch, last: Tensor) -> Tensor:
        """The loss of E [B, 2 + K, D] of users, positives and negatives."""
        if self.settings.loss == "bpr":
            return ranking_loss(self.interact(last[:, 0], last[:, 1:]))
        scored, ids = self.scored(last), (batch.positives, batch.negatives.flatten())
        items = torch.cat([scored[:, 1], scored[:, 2:].flatten(end_dim=1)])
        return sampled_softmax(scored[:, 0], items, *ids, self.items.num_entities)


class _Graph(NamedTuple):
    neighbours: Tensor
    starts: Tensor
    strengths: Tensor

    def gather(self, values: Tensor) -> Tensor:
        """A values: [V, D] -> [V, D]. On a CPU four times as fast as torch's sparse product."""
        return F.embedding_bag(
            self.neighbours,
            values,
            self.starts,
            mode="sum",
            per_sample_weights=self.strengths,
            include_last_offset=True,
        )


class _Spread(torch.autograd.Function):
    """The mean of E^(0) … E^(K). A is symmetric, so the gradient spreads in the same way."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, graph: _Graph, layers: int) -> Tensor:
        ctx.graph, ctx.layers = graph, layers
        return _mean_of_layers(start, graph, layers)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        return _mean_of_layers(upstream, ctx.graph, ctx.layers), None, None


def _mean_of_layers(start: Tensor, graph: _Graph, layers: int) -> Tensor:
    layer, total = start, start.clone()
    for _ in range(layers):
        layer = graph.gather(layer)
        total += layer
    return total.div_(layers + 1)
