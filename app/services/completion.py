"""Completes lists with a served model, or by popularity where the model knows none of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.schemas import CompletedItem, Completion
from app.services.candidates import (
    Bounds,
    Candidates,
    forbidden_rows,
    limited,
    most_popular,
    shared_codes,
)
from app.services.entity_index import EntityIndex
from app.services.errors import NotFoundError, shown
from app.services.served_model import ServedModel
from cove.batches import ListBatch, pad_lists
from cove.recommenders import ListCompleter
from cove.vocabulary import NUM_SPECIAL, ExternalId


@dataclass(frozen=True)
class CompletionOptions(Bounds):
    """What a completion may give, and how much it says; the fields of CompletionRequest."""

    unknown: Literal["ignore", "error"] = "ignore"
    explain: bool = False


def complete_lists(
    model: ServedModel, lists: Sequence[Sequence[ExternalId]], options: CompletionOptions
) -> list[Completion]:
    """Complete lists of external ids, in one call of the recommender.

    Raises:
        NotFoundError: `unknown` is "error" and a list holds ids that the model lacks.
    """
    index = model.items
    encoded = [index.vocabulary.encode(one) for one in lists]
    unknown = list(dict.fromkeys(item for _, missing in encoded for item in missing))
    if unknown and options.unknown == "error":
        named = ", ".join(shown(item) for item in unknown[:10])
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        raise NotFoundError(f"the model {model.id} does not know these items: {named}{more}")
    forbidden = forbidden_rows(index, options)
    known = [given for given, _ in encoded if given]
    chosen = iter(_by_model(model, known, forbidden, options) if known else [])
    results = []
    for given, missing in encoded:
        candidates = next(chosen) if given else most_popular(index, forbidden, options)
        results.append(
            Completion(
                items=_items(index, candidates, given, options.explain),
                source="model" if given else "popularity",
                unknown_items=missing,
            )
        )
    return results


def _by_model(
    model: ServedModel, lists: list[list[int]], forbidden: Tensor, options: CompletionOptions
) -> list[Candidates]:
    assert isinstance(model.recommender, ListCompleter)
    batch = ListBatch(pad_lists(lists), torch.zeros((len(lists), 0), dtype=torch.int64))
    banned = torch.nn.functional.pad(forbidden, (NUM_SPECIAL, 0), value=True)
    banned = banned.expand(len(lists), -1)  # [B, NUM_SPECIAL + N]
    most = int((~forbidden).sum())
    wanted = min(options.k if options.max_per_code is None else 4 * options.k, most)
    while True:
        if wanted == 0:
            return [[] for _ in lists]
        indices, scores = model.recommender.complete(batch, wanted, banned)
        results = [
            limited(
                model.items,
                [
                    (index - NUM_SPECIAL, score)
                    for index, score in zip(row.tolist(), values.tolist(), strict=True)
                    if index >= NUM_SPECIAL
                ],
                options,
            )
            for row, values in zip(indices, scores, strict=True)
        ]
        if wanted >= most or all(len(one) == options.k for one in results):
            return results
        if options.max_per_code is None:
            return results
        wanted = min(4 * wanted, most)


def _items(
    index: EntityIndex, candidates: Candidates, given: Sequence[int], explain: bool
) -> list[CompletedItem]:
    items = [
        CompletedItem(item=index.external(row), score=score, title=index.title(row))
        for row, score in candidates
    ]
    if explain:
        rows = torch.tensor([row for row, _ in candidates], dtype=torch.int64)
        own = torch.tensor(sorted(set(given)), dtype=torch.int64) - NUM_SPECIAL
        codes, shared = index.codes[rows], shared_codes(index, rows, own)  # [K, H] each
        for item, item_codes, row in zip(items, codes.tolist(), shared.tolist(), strict=True):
            item.codes = item_codes
            item.shared_codes = {str(level + 1): count for level, count in enumerate(row)}
    return items
