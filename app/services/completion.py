"""Completes lists with a served model, or by popularity where the model knows none of a list."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.schemas import CompletedItem, Completion
from app.services.candidates import (
    Bounds,
    Candidates,
    allowed_mask,
    best,
    most_popular,
    shared_codes,
)
from app.services.entity_index import EntityIndex
from app.services.errors import NotFoundError, shown
from app.services.served_model import ServedModel
from cove.batches import ListBatch, pad_lists
from cove.errors import CoveError
from cove.recommenders import ListCompleter
from cove.vocabulary import NUM_SPECIAL, ExternalId


@dataclass(frozen=True)
class CompletionOptions(Bounds):
    """What a completion may give, and how much it says; the fields of CompletionRequest."""

    unknown: Literal["ignore", "error"] = "ignore"
    explain: bool = False


@dataclass(frozen=True)
class ListsQuestion:
    """How do these lists go on?"""

    model: ServedModel
    lists: Sequence[Sequence[ExternalId]]
    options: CompletionOptions

    @property
    def size(self) -> int:
        """How many lists there are."""
        return len(self.lists)

    @property
    def alike(self) -> Hashable:
        """Lists that ask for as many items are completed together."""
        return self.options.alike

    @classmethod
    def answer(cls, questions: Sequence["ListsQuestion"]) -> list[list[Completion] | Exception]:
        """The completions of each question's lists, in one call of the recommender."""
        read = [_read(question) for question in questions]
        known = [one for each in read if isinstance(each, list) for one in each if one.given]
        chosen = iter(_by_model(questions[0], known) if known else [])
        answers: list[list[Completion] | Exception] = []
        for question, lists in zip(questions, read, strict=True):
            if isinstance(lists, Exception):
                answers.append(lists)
                continue
            index, options = question.model.items, question.options
            results = []
            for one in lists:
                ranked = next(chosen) if one.given else most_popular(index, one.excluded, options)
                results.append(_completion(index, one, ranked, options))
            answers.append(results)
        return answers


@dataclass(frozen=True)
class _List:
    """A list in the words of the model: indices of what it knows, ids of what it does not."""

    given: list[int]
    unknown: list[ExternalId]
    excluded: list[int]


def complete_lists(
    model: ServedModel, lists: Sequence[Sequence[ExternalId]], options: CompletionOptions
) -> list[Completion]:
    """Complete lists of external ids, in one call of the recommender.

    Raises:
        NotFoundError: `unknown` is "error" and a list holds ids that the model lacks.
    """
    (answer,) = ListsQuestion.answer([ListsQuestion(model, lists, options)])
    if isinstance(answer, Exception):
        raise answer
    return answer


def _read(question: ListsQuestion) -> list[_List] | CoveError:
    vocabulary = question.model.items.vocabulary
    excluded = vocabulary.encode(question.options.exclude)[0]
    lists = [_List(*vocabulary.encode(one), excluded) for one in question.lists]
    unknown = list(dict.fromkeys(item for one in lists for item in one.unknown))
    if unknown and question.options.unknown == "error":
        named = ", ".join(shown(item) for item in unknown[:10])
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        return NotFoundError(
            f"the model {question.model.id} does not know these items: {named}{more}"
        )
    return lists


def _by_model(question: ListsQuestion, lists: list[_List]) -> list[Candidates]:
    """What the model gives for lists that it knows, all of them within one question's bounds."""
    recommender = question.model.recommender
    assert isinstance(recommender, ListCompleter)
    given = pad_lists([one.given for one in lists])
    excluded = pad_lists([one.excluded for one in lists])
    mask = allowed_mask(question.model.items, question.options)

    def top(places: slice, k: int) -> tuple[Tensor, Tensor]:
        batch = ListBatch(given[places], given[places, :0])
        return recommender.complete(batch, k, mask, excluded[places])

    return best(question.model.items, top, mask, question.options)


def _completion(
    index: EntityIndex, one: _List, ranked: Candidates, options: CompletionOptions
) -> Completion:
    return Completion(
        items=_items(index, ranked, one.given, options.explain),
        source="model" if one.given else "popularity",
        unknown_items=one.unknown,
    )


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
