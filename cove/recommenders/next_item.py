"""What recommenders that guess one next item share: completion by appending guess after guess,
and the training pairs of those that read a list from left to right.

B lists, L positions, D dimensions, N items.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.batches import ListBatch
from cove.embedding import EntityEmbedding
from cove.recommenders.base import ListCompleter, last_items, whole_lists
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.transformer import at_places
from cove.retrieval import Barred
from cove.vocabulary import NUM_SPECIAL, PAD


class NextItemCompleter(ListCompleter):
    """Completes a list item by item: the best next item is appended, and so on.

    max_length: the longest list that is looked at, guesses included; a longer one keeps its last
    items. max_generated: items generated one by one; any further ones are ranked by the last
    step's scores, so that 1 ranks the whole catalogue once.
    """

    head: CatalogueHead

    def __init__(self, items: EntityEmbedding, max_length: int, max_generated: int) -> None:
        super().__init__()
        self.items = items
        self.max_length, self.max_generated = max_length, max_generated

    @abstractmethod
    def next_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Tensor:
        """States [B, D] that the head scores the item behind each list by.

        tokens: [B, L], PAD on the right, L perhaps 0; sizes: [B, 1], items of each list, perhaps 0;
        table: [NUM_SPECIAL + N, D], the embeddings of all indices.
        """

    def step_states(self, tokens: Tensor, sizes: Tensor, table: Tensor) -> Callable[[int], Tensor]:
        """Gives the states [B, D] behind each list and its first s guesses, asked for with s from 0
        on; the guesses stand in `tokens` [B, L + steps] by then.

        A recommender that need not read a list again for each guess has its own.
        """
        longest = int(sizes.max())
        return lambda step: self.next_states(tokens[:, : longest + step], sizes + step, table)

    def query_states(self, inputs: Tensor) -> Tensor:
        tokens = last_items(inputs, max(1, self.max_length - 1))
        sizes = (tokens != PAD).sum(dim=1, keepdim=True)
        return self.next_states(F.pad(tokens, (0, 1)), sizes, self.items.all())

    def _scores_per_list(self, length: int, k: int) -> int:
        return self.items.num_entities + NUM_SPECIAL + (length + k) * self.items.dimensions

    def _complete(self, inputs: Tensor, k: int, barred: Barred) -> tuple[Tensor, Tensor]:
        steps = min(k, self.max_generated)
        tokens = F.pad(last_items(inputs, max(1, self.max_length - steps)), (0, steps))
        sizes = (tokens != PAD).sum(dim=1, keepdim=True)  # [B, 1]
        table = self.items.all()
        states = self.step_states(tokens, sizes, table)
        chosen, scores = [], []
        for step in range(steps):
            wanted = 1 if step < steps - 1 else k - step  # the last step ranks all that is left
            best, values = self.head.top(states(step), table, wanted, barred)
            barred = barred.also(best)
            tokens.scatter_(1, sizes + step, best[:, :1])
            chosen.append(best)
            scores.append(values)
        return torch.cat(chosen, dim=1), torch.cat(scores, dim=1)


def next_items(batch: ListBatch, max_length: int) -> tuple[Tensor, Tensor]:
    """What is read and, at each position, the item behind it: two [B, L], PAD where there is none.

    Both halves of a list are one list here, padded on the right; of a list longer than
    `max_length` + 1 the last items are kept. L is at least 1.
    """
    tokens = last_items(whole_lists(batch), max_length + 1)
    tokens = F.pad(tokens, (0, max(0, 2 - tokens.shape[1])), value=PAD)
    return tokens[:, :-1], tokens[:, 1:]


def last_states(states: Tensor, sizes: Tensor) -> Tensor:
    """The state at the last item of each list, zero for an empty list, whose scores are then the
    biases alone: states [B, L, D], L at least 1, sizes [B, 1] -> [B, D]."""
    return at_places(states, (sizes - 1).clamp(min=0)).squeeze(1) * (sizes > 0)
