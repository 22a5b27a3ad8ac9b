"""The best items of a catalogue: what may not be given is barred, then the top k is read.

B lists, M rows of scores, N items, G barred items of a list, V = NUM_SPECIAL + N indices.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD

BLOCK = 64
"""Items whose maximum stands for them at first."""
_FEWEST_SCORES = 1 << 15
"""Below it `topk` alone is as fast: see `benchmarks/top_items.py`."""


@dataclass(frozen=True)
class Barred:
    """What lists may not be given: some items of each, and perhaps a whole mask."""

    indices: Tensor  # [B, G] int64, PAD where a list has fewer
    mask: Tensor | None = None  # [B or 1, V] bool

    def of(self, lists: Tensor | slice) -> "Barred":
        """What is barred from the lists at these places, [M] int64, repeats allowed."""
        shared = self.mask is None or len(self.mask) == 1
        mask = self.mask if shared or self.mask is None else self.mask[lists]
        return Barred(self.indices[lists], mask)

    def also(self, indices: Tensor) -> "Barred":
        """The same with further items of each list, [B, ·] int64."""
        return Barred(torch.cat([self.indices, indices], dim=1), self.mask)

    def allowed(self, at_most: int) -> Tensor | None:
        """The indices of items that the mask leaves to all lists, [A] int64; None where there are
        more than `at_most`, or each list has a mask of its own."""
        if self.mask is None or len(self.mask) != 1:
            return None
        found = (~self.mask[0, NUM_SPECIAL:]).nonzero().flatten() + NUM_SPECIAL
        return found if len(found) <= at_most else None

    def bars(self, candidates: Tensor) -> Tensor:
        """Which of candidates [M, C], indices of items or PAD, each list may not be given by
        `indices`, PAD included: [M, C] bool."""
        ordered = F.pad(self.indices, (0, 1), value=PAD).sort(dim=1).values  # [M, G + 1]
        places = torch.searchsorted(ordered, candidates.contiguous())
        places = places.clamp(max=ordered.shape[1] - 1)
        return ordered.gather(1, places) == candidates

    def bar(self, scores: Tensor) -> Tensor:
        """Set what is barred to −inf in scores [B, N], which are changed and returned."""
        if self.mask is not None:
            scores.masked_fill_(self.mask[:, NUM_SPECIAL:], -torch.inf)
        rows, places = (self.indices >= NUM_SPECIAL).nonzero(as_tuple=True)
        columns = self.indices[rows, places] - NUM_SPECIAL
        scores[rows, columns] = scores.new_tensor(-torch.inf)
        return scores


def top_items(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of scores [..., N] over items: indices with the special ids counted, scores.

    Best first; items of equal score come in any order. Where N is below k the tail is PAD with
    −inf.
    """
    values, rows = highest(scores, k)
    return made_up_to(k, rows + NUM_SPECIAL, values)


def made_up_to(k: int, indices: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and scores [..., K], K at most k, to [..., k] by PAD with −inf."""
    missing = k - values.shape[-1]
    if missing == 0:
        return indices, values
    return (
        F.pad(indices, (0, missing), value=PAD),
        F.pad(values, (0, missing), value=-torch.inf),
    )


def highest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest of each row of scores [..., N], or all N where there are fewer, in order, and
    where they are."""
    size = scores.shape[-1]
    wanted = min(k, size)
    if scores.dim() == 2 and scores.numel() >= _FEWEST_SCORES and 4 * wanted * BLOCK <= size:
        return _top_of_blocks(scores, wanted)
    values, places = scores.topk(wanted, dim=-1)
    return values, places


def _top_of_blocks(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest of each row of scores [M, N], and where they are.

    They lie in the k blocks whose maxima are highest: a maximum reads memory once, and only k
    blocks, and what is left of N behind the last whole one, are sorted.
    """
    whole = scores.shape[1] // BLOCK * BLOCK
    blocks = scores[:, :whole].view(len(scores), -1, BLOCK)  # [M, blocks, BLOCK]
    chosen = blocks.amax(dim=2).topk(k, dim=1, sorted=False).indices[:, :, None]  # [M, k, 1]
    values = blocks.gather(1, chosen.expand(-1, -1, BLOCK)).flatten(1)
    within = torch.arange(BLOCK, device=scores.device)
    places = (chosen * BLOCK + within).flatten(1)  # [M, k · BLOCK]
    if whole < scores.shape[1]:
        rest = torch.arange(whole, scores.shape[1], device=scores.device)
        values = torch.cat([values, scores[:, whole:]], dim=1)
        places = torch.cat([places, rest.expand(len(scores), -1)], dim=1)
    values, order = values.topk(k, dim=1)
    return values, places.gather(1, order)
