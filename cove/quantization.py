"""The cascade of vector quantizers (Section 3.1 of the paper).

N entities, D dimensions, H levels; level 1 is the finest and has v¹ codes, level H the coarsest.
Level 2 and up see only codes of the level below, so every code has exactly one parent and the
codebooks form a tree: parents are computed once on the codebooks, never on the entities.
"""

import math
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from cove.clustering import cluster_means, kmeans


class QuantizerSettings(BaseModel):
    """How one entity's embeddings are quantized. Where a default is not the paper's, it says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code_sizes: tuple[int, ...]
    """Codes per level, v¹ > v² > …, fine to coarse; () leaves them to training, which knows how
    many entities there are."""
    alpha: float = Field(default=0.5, ge=0)
    """α of Eq. 4: weight of the average code beside the entity's own embedding. The paper's best
    were 0.6 and 1; FANS on `aotm` preferred 0.5 to 1 (validation N@10 .0689 against .0670)."""
    commitment_weight: float = Field(default=1.0, ge=0)
    """β of Eq. 6."""
    gradient: Literal["straight_through", "direct"] = "straight_through"
    """Eq. 5, or the recommendation gradient straight into the codebooks."""
    loss_reduction: Literal["sum", "mean"] = "mean"
    """Over the D dimensions of Eq. 6: the paper's sum, or the published module's mean."""
    assignment: Literal["nearest", "cooccurrence", "random", "given"] = "nearest"
    """Nearest code (Eq. 1); or codes fixed before training: `cooccurrence` those that k-means
    finds in who occurs with whom in the training data, and the controls, `random` random ones and
    `given` those of the embeddings of a trained model (`FixedCodes.take_from`)."""
    averaged_levels: int = Field(default=0, ge=0)
    """Levels of fixed codes, from the finest, that z̄ is the average of; coarser ones are there to
    browse. 0: all, as in Eq. 3."""
    shrinkage: float = Field(default=0.0, ge=0)
    """λ of fixed codes' own loss, in Eq. 6's place: mean of λ/2 (‖z‖² + ‖z̄‖²). What is shared
    pays once for all who share it, so that an entity seldom seen stays near its code."""
    update_interval: int = Field(default=1, ge=1)
    """K: in training fixed codes move once in K steps, and λ is paid once in K / 4 (K / 4 times as
    much): see `cove.folding`. Those of row-sparse tables do so in every step. Below 32 part of what
    shrinkage does to z reaches the codes, for the table's moments remember it over a move."""
    initialization: Literal["sample", "normal", "kmeans"] = "kmeans"
    """Codebooks from the embeddings of random entities, from a normal distribution at the
    embeddings' scale (the paper's random start), or by k-means on the embeddings after
    `warmup_epochs` without codes: early codes mean nothing yet and hold training up."""
    warmup_epochs: int = Field(default=2, ge=0)
    """Epochs before k-means; unused by the other initializations."""
    revival_interval: int = Field(default=50, ge=0)
    """Training steps between two revivals of dead codes; 0 never revives."""

    @model_validator(mode="after")
    def _keeps_to_its_assignment(self) -> Self:
        if self.assignment != "nearest":
            return self
        if self.shrinkage:
            raise ValueError(
                "shrinkage is for fixed codes (assignment=cooccurrence); nearest codes have "
                "commitment_weight"
            )
        if self.averaged_levels:
            raise ValueError(
                "averaged_levels is for fixed codes (assignment=cooccurrence); nearest codes "
                "average all levels (Eq. 3)"
            )
        if self.update_interval > 1:
            raise ValueError(
                "update_interval is for fixed codes (assignment=cooccurrence); nearest codes move "
                "in every step"
            )
        return self

    @property
    def first_epoch(self) -> int:
        """The epoch, from 0, in which the codes start."""
        waits = self.initialization == "kmeans" and self.assignment != "cooccurrence"
        return self.warmup_epochs if waits else 0

    @field_validator("code_sizes")
    @classmethod
    def _fall_strictly(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        falls = all(fine > coarse for fine, coarse in pairwise(sizes))
        if not falls or min(sizes, default=1) < 1:
            raise ValueError(f"code_sizes must fall strictly, fine to coarse: got {sizes}")
        return sizes


class Quantized(NamedTuple):
    """What quantizing N embeddings gives."""

    codes: Tensor  # [N, H] int64
    average: Tensor  # [N, D], z̄ of Eq. 3, with the gradient that the settings ask for


class _StraightThrough(torch.autograd.Function):
    """Eq. 5: the value of the code, the gradient of the identity to what was quantized."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def straight_through(source: Tensor, value: Tensor) -> Tensor:
    """Give `value` exactly, with ∂/∂source = I and no gradient to `value` (Eq. 5)."""
    result: Tensor = _StraightThrough.apply(source, value)  # type: ignore[no-untyped-call]
    return result


def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Index of the nearest code of each vector, Eq. 1, as arg min of ‖e‖² − 2 z·e.

    vectors: [N, D]; codebook: [v, D]; returns [N] int64. Ties go to the lowest index.
    """
    with torch.no_grad():
        squares = codebook.square().sum(dim=1)
        return torch.addmm(squares, vectors, codebook.t(), alpha=-2).argmin(dim=1)


class CascadedQuantizer(nn.Module):
    """H codebooks, each quantizing the output of the one below (Eq. 1, 2, 3, 5, 6).

    `codes` gives the codes of embeddings, `forward` their average with its gradient, `loss` Eq. 6.
    Until `initialize` has run the codebooks are zero and `active` is False.
    """

    active: Tensor

    def __init__(self, settings: QuantizerSettings, dimensions: int) -> None:
        super().__init__()
        if not settings.code_sizes:
            raise ValueError("code_sizes must hold a level at least: got ()")
        self.settings = settings
        self.codebooks = nn.ParameterList(
            nn.Parameter(torch.zeros(size, dimensions)) for size in settings.code_sizes
        )
        self.register_buffer("active", torch.tensor(False))
        self._known_active = False

    def is_active(self) -> bool:
        """Whether the codes have started; once they have, without a look at the device, which would
        hold up every step on a GPU."""
        self._known_active = self._known_active or bool(self.active)
        return self._known_active

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        self._known_active = False
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    @torch.no_grad()
    def initialize(self, vectors: Tensor, seed: int) -> None:
        """Set the codebooks from the embeddings `vectors` [N, D], at their scale.

        Raises:
            ValueError: there are fewer embeddings than codes on level 1.
        """
        size = self.settings.code_sizes[0]
        if size > len(vectors):
            raise ValueError(
                f"code_sizes must not exceed the number of entities, {len(vectors)}: got {size}"
            )
        generator = torch.Generator().manual_seed(seed)
        source = vectors.detach()
        for codebook in self.codebooks:
            if self.settings.initialization == "kmeans":
                codebook.copy_(kmeans(source, len(codebook), seed))
            elif self.settings.initialization == "normal":
                noise = torch.randn(codebook.shape, generator=generator)
                codebook.copy_(noise.to(source.device) * source.std())
            else:
                rows = torch.randperm(len(source), generator=generator)[: len(codebook)]
                codebook.copy_(source[rows.to(source.device)])
            source = codebook
        self.active.fill_(True)

    def parents(self) -> list[Tensor]:
        """The tree: for every level but the last, the parent of each of its codes, [v] int64."""
        books = list(self.codebooks)
        return [nearest_codes(fine, coarse) for fine, coarse in pairwise(books)]

    def lineage(self) -> Tensor:
        """Each fine code and its ancestors, [v¹, H] int64: the tree as a table."""
        levels = [torch.arange(len(self.codebooks[0]), device=self.codebooks[0].device)]
        for parent in self.parents():
            levels.append(parent[levels[-1]])
        return torch.stack(levels, dim=1)  # [v¹, H]

    def fine_codes(self, vectors: Tensor) -> Tensor:
        """Codes of level 1 of the embeddings [N, D], [N] int64 (Eq. 1)."""
        return nearest_codes(vectors, self.codebooks[0])

    def codes(self, vectors: Tensor) -> Tensor:
        """Codes of the embeddings [N, D] on every level, [N, H] int64 (Eq. 1, 2)."""
        return self.lineage()[self.fine_codes(vectors)]

    def forward(self, vectors: Tensor) -> Quantized:
        """Quantize embeddings [N, D]; averages (Eq. 3) are made per fine code, then looked up."""
        lineage, fine = self.lineage(), self.fine_codes(vectors)
        levels = [F.embedding(lineage[:, i], book) for i, book in enumerate(self.codebooks)]
        table = torch.stack(levels).mean(dim=0)  # [v¹, D]
        if self.settings.gradient == "straight_through":
            average = straight_through(vectors, F.embedding(fine, table.detach()))
        else:
            average = F.embedding(fine, table)
        return Quantized(lineage[fine], average)

    def loss(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """Eq. 6, averaged over the N entities: vectors [N, D] and their codes [N, H]."""
        source, total = vectors, vectors.new_zeros(())
        for level, codebook in enumerate(self.codebooks):
            selected = F.embedding(codes[:, level], codebook)  # [N, D]
            quantization = self._reduce(source.detach() - selected)
            commitment = self._reduce(source - selected.detach())
            total = total + quantization + self.settings.commitment_weight * commitment
            if self.settings.gradient == "straight_through":
                selected = straight_through(source, selected)
            source = selected
        return total

    def _reduce(self, difference: Tensor) -> Tensor:
        squares = difference.square()
        if self.settings.loss_reduction == "mean":
            return squares.mean()
        return squares.sum(dim=1).mean()

    @torch.no_grad()
    def revive(self, vectors: Tensor) -> int:
        """Move each code that no entity of the catalogue uses onto what its level quantizes.

        Level 1 takes entities (`vectors`: [N, D]), a higher level the codes of the level below,
        drawn with probability in proportion to their squared distance from their own code.
        Returns the number of codes moved. Uses torch's global generator.
        """
        source, moved = vectors.detach(), 0
        for codebook in self.codebooks:
            assigned = nearest_codes(source, codebook)
            used = torch.zeros(len(codebook), dtype=torch.bool, device=codebook.device)
            used[assigned] = True
            dead = (~used).nonzero().squeeze(1)
            distances = (source - codebook[assigned]).square().sum(dim=1)
            count = min(len(dead), int((distances > 0).sum()))
            if count:
                rows = torch.multinomial(distances, count, replacement=False)
                codebook[dead[:count]] = source[rows]
                moved += count
            used = torch.zeros(len(codebook), dtype=torch.bool, device=codebook.device)
            used[nearest_codes(source, codebook)] = True
            source = codebook[used]
        return moved


class FixedCodes(CascadedQuantizer):
    """Codes that never change, codebooks trained by the recommender alone.

    From co-occurrence, they say from the first step on what few interactions cannot. As controls:
    drawn at random, they show what shared parameters give without categories; taken from a
    trained model, what categories give that did not evolve with it. Eq. 6 does not apply.
    """

    fixed: Tensor
    taken: Tensor

    def __init__(self, settings: QuantizerSettings, dimensions: int, num_entities: int) -> None:
        changes = {"gradient": "direct"}
        if settings.assignment == "cooccurrence":
            changes["initialization"] = "normal"  # there is nothing to wait for
        super().__init__(settings.model_copy(update=changes), dimensions)
        averaged = settings.averaged_levels or len(settings.code_sizes)
        self.codebooks = self.codebooks[:averaged]
        self.register_buffer("fixed", torch.zeros(num_entities, dtype=torch.int64))
        self.register_buffer("taken", torch.tensor(False))
        for level, size in enumerate(settings.code_sizes[:-1]):
            self.register_buffer(f"parent_{level}", torch.zeros(size, dtype=torch.int64))

    @torch.no_grad()
    def take_from(self, vectors: Tensor, seed: int) -> None:
        """Fix the codes that a k-means cascade gives these embeddings, [num_entities, D'].

        Raises:
            ValueError: there are not as many embeddings as entities.
        """
        if len(vectors) != len(self.fixed):
            raise ValueError(
                f"vectors must be those of all {len(self.fixed)} entities: got {len(vectors)}"
            )
        settings = self.settings.model_copy(update={"initialization": "kmeans"})
        source = CascadedQuantizer(settings, vectors.shape[1]).to(vectors.device)
        source.initialize(vectors, seed)
        self.fixed.copy_(source.fine_codes(vectors))
        for own, parent in zip(self.parents(), source.parents(), strict=True):
            own.copy_(parent)
        self.taken.fill_(True)

    @torch.no_grad()
    def regroup(self, embeddings: Tensor, seed: int) -> None:
        """Make the levels that no embedding holds anew, from trained embeddings, [N, D] of all.

        Their codes are clusters of the embeddings; a finer code goes to the cluster nearest to the
        mean of its members, and a cluster that none goes to takes the code nearest to it.
        """
        codes, sizes = self.fixed, self.settings.code_sizes
        for level, parents in enumerate(self.parents()):
            if level + 1 >= len(self.codebooks):
                means = cluster_means(embeddings, codes, sizes[level])
                centroids = kmeans(embeddings, sizes[level + 1], seed)
                parents.copy_(nearest_codes(means, centroids))
                empty = torch.bincount(parents, minlength=len(centroids)) == 0
                parents[nearest_codes(centroids[empty], means)] = empty.nonzero().flatten()
            codes = parents[codes]

    @torch.no_grad()
    def initialize(self, vectors: Tensor, seed: int) -> None:
        super().initialize(vectors, seed)
        if self.taken:
            return
        generator = torch.Generator().manual_seed(seed)
        sizes = self.settings.code_sizes
        self.fixed.copy_(_even_random(len(self.fixed), sizes[0], generator))
        for level, parent in enumerate(self.parents()):
            parent.copy_(_even_random(sizes[level], sizes[level + 1], generator))

    def parents(self) -> list[Tensor]:
        return [
            self.get_buffer(f"parent_{level}") for level in range(len(self.settings.code_sizes) - 1)
        ]

    def fine_codes(self, vectors: Tensor) -> Tensor:
        if len(vectors) != len(self.fixed):
            raise ValueError(
                f"random codes belong to the whole catalogue of {len(self.fixed)} entities: "
                f"got {len(vectors)} vectors"
            )
        return self.fixed

    def loss(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """Nothing: Eq. 6 does not apply."""
        return vectors.new_zeros(())

    def fine_averages(self) -> Tensor:
        """z̄ of every code of level 1, [v¹, D]."""
        (finest, *coarser), codes = self.codebooks, None
        levels = [finest]
        for parent, book in zip(self.parents(), coarser, strict=False):
            codes = parent if codes is None else parent[codes]
            levels.append(F.embedding(codes, book))
        return torch.stack(levels).mean(dim=0) if coarser else finest

    def averages(self, entities: Tensor) -> Tensor:
        """z̄ of entities, [...] int64 from 0: [..., D]."""
        return F.embedding(self.fixed[entities], self.fine_averages())

    @torch.no_grad()
    def add_gradient(self, of_averages: Tensor) -> None:
        """Add to the codebooks' gradients what follows from that of `fine_averages`."""
        share = of_averages / len(self.codebooks)
        for level, book in enumerate(self.codebooks):
            if level:
                share = torch.zeros_like(book).index_add_(0, self.parents()[level - 1], share)
            book.grad = share if book.grad is None else book.grad + share

    def shrinkage(self, own: Tensor, average: Tensor, weights: Tensor) -> Tensor:
        """The sum over looked-up rows of weight · λ/2 (‖z‖² + ‖z̄‖²).

        own, average: z and z̄, [..., D]; weights: [...], which add up to 1.
        """
        weights = weights * self.settings.shrinkage
        loss: Tensor = _HalfSquares.apply(own, average, weights)  # type: ignore[no-untyped-call]
        return loss

    def revive(self, vectors: Tensor) -> int:
        return 0


class _HalfSquares(torch.autograd.Function):
    """Σ w/2 (‖z‖² + ‖z̄‖²), with its gradient w z written out: autograd's takes twice as long."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, average: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(own, average, weights)
        squares = torch.linalg.vecdot(own, own) + torch.linalg.vecdot(average, average)
        total: Tensor = torch.linalg.vecdot(squares.flatten(), weights.flatten())
        return total / 2

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        own, average, weights = ctx.saved_tensors
        slopes = (weights * upstream[0])[..., None]
        return own * slopes, average * slopes, None


def _even_random(count: int, size: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator) % size


class LevelUse(BaseModel):
    """How a level's codes are used by the whole catalogue."""

    level: int
    size: int
    used: int
    perplexity: float
    """exp of the entropy of the code frequencies: the number of codes evenly used."""

    @property
    def ratio(self) -> float:
        """Share of the level's codes that at least one entity has, 0 to 1."""
        return self.used / self.size


def code_use(codes: Tensor, code_sizes: tuple[int, ...]) -> list[LevelUse]:
    """Use and perplexity of every level, from the codes [N, H] of the whole catalogue."""
    result = []
    for level, size in enumerate(code_sizes):
        counts = torch.bincount(codes[:, level], minlength=size).double()
        shares = counts[counts > 0] / counts.sum()
        entropy = float(-(shares * shares.log()).sum())
        used = int((counts > 0).sum())
        result.append(LevelUse(level=level + 1, size=size, used=used, perplexity=math.exp(entropy)))
    return result
