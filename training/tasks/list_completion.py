"""List completion: the first half of a list is given, the second is to be found.

Everything that training knows (vocabulary, popularity, co-occurrence) comes from the training
lists alone. All lists live on the device as one flat tensor; batches hold lists of like length.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cove.batches import ListBatch
from cove.entity_tables import EntityTables
from cove.errors import DataError
from cove.recommenders import LISTS, ListCompleter
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId, Vocabulary
from training.categories import give_categories
from training.datasets.splitting import split_lists
from training.datasets.stats import list_stats
from training.datasets.tables import ListData
from training.evaluation import thirds
from training.evaluation.baselines import ItemCooccurrence, MostPopular
from training.evaluation.metrics import mean_metrics, metrics_by_list
from training.tasks.indexing import occurrences, sorted_vocabulary, tables_of_items

CUTOFFS = (5, 10)
SELECTION_METRIC = "ndcg_at_10"
"""What validation is judged by: the standard NDCG."""
_EVALUATION_BATCH = 512


class ListSet:
    """Lists of indices as one flat tensor, each cut into two halves."""

    def __init__(self, inputs: list[list[int]], targets: list[list[int]]) -> None:
        joined = [a + b for a, b in zip(inputs, targets, strict=True)]
        self.flat = torch.tensor([index for one in joined for index in one], dtype=torch.int64)
        self.input_sizes = torch.tensor([len(one) for one in inputs], dtype=torch.int64)
        self.target_sizes = torch.tensor([len(one) for one in targets], dtype=torch.int64)
        ends = (self.input_sizes + self.target_sizes).cumsum(0)
        self.starts = ends - self.input_sizes - self.target_sizes

    def __len__(self) -> int:
        return len(self.starts)

    def to(self, device: torch.device) -> "ListSet":
        """Move the tensors to a device, in place."""
        for name in ("flat", "input_sizes", "target_sizes", "starts"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def lists(self) -> list[list[int]]:
        """Each whole list as Python integers."""
        sizes = (self.input_sizes + self.target_sizes).tolist()
        return [part.tolist() for part in self.flat.cpu().split(sizes)] if sizes else []

    def batch(self, rows: Tensor) -> ListBatch:
        """The lists `rows` [B], each half padded to the longest among them."""
        starts, sizes = self.starts[rows], self.input_sizes[rows]
        return ListBatch(
            self._gather(starts, sizes), self._gather(starts + sizes, self.target_sizes[rows])
        )

    def _gather(self, starts: Tensor, sizes: Tensor) -> Tensor:
        if not len(starts):
            return starts.new_zeros((0, 0))
        place = torch.arange(int(sizes.max()), device=starts.device)
        flat = (starts[:, None] + place).clamp(max=len(self.flat) - 1)
        return self.flat[flat].masked_fill(place >= sizes[:, None], PAD)

    def batches(self, size: int, generator: torch.Generator | None) -> Iterator[ListBatch]:
        """All lists once, in batches of like length; shuffled where there is a generator."""
        order = torch.arange(len(self))
        if generator is not None:
            order = torch.randperm(len(self), generator=generator)
        order = self._by_length(order)
        chunks = list(order.split(size)) if len(order) else []
        if generator is not None:
            chunks = [chunks[i] for i in torch.randperm(len(chunks), generator=generator).tolist()]
        for chunk in chunks:
            yield self.batch(chunk.to(self.starts.device))

    def places_in_batches(self) -> Tensor:
        """Where each list, [n], comes among the unshuffled batches' lists."""
        return self._by_length(torch.arange(len(self))).argsort()

    def _by_length(self, order: Tensor) -> Tensor:
        lengths = (self.input_sizes + self.target_sizes).cpu()
        return order[lengths[order].argsort(stable=True)]


@dataclass(frozen=True)
class ListCompletion:
    """A data set made ready: three sets of halved lists over the training lists' vocabulary."""

    data: ListData
    vocabulary: Vocabulary
    train: ListSet
    valid: ListSet
    test: ListSet

    name = LISTS
    selection_metric = SELECTION_METRIC

    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """The ids by entity."""
        return {"item": self.vocabulary}

    def start(self, recommender: ListCompleter, seed: int, warn: Callable[[str], None]) -> None:
        """Tell a new recommender what is known before training."""
        give_categories(recommender, self, seed, warn)
        recommender.start_from_popularity(self.popularity())

    def to(self, device: torch.device) -> "ListCompletion":
        """Move all lists to a device, in place."""
        for one in (self.train, self.valid, self.test):
            one.to(device)
        return self

    def popularity(self) -> Tensor:
        """Occurrences of each item in the training lists, [N] int64."""
        return occurrences(self.train.flat, self.vocabulary)

    def owners_and_items(self) -> tuple[Tensor, Tensor]:
        """Which training list holds which item: numbers from 0, both [n] int64."""
        sizes = self.train.input_sizes + self.train.target_sizes
        lists = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        return lists, self.train.flat - NUM_SPECIAL

    def batches(self, size: int, generator: torch.Generator) -> Iterator[ListBatch]:
        """One epoch of training batches."""
        return self.train.batches(size, generator)

    def evaluate(self, recommender: ListCompleter, split: str) -> dict[str, float]:
        """Means over the lists of `split` ("valid" or "test") of every metric at 5 and 10."""
        return mean_metrics(self.evaluate_lists(recommender, split))

    def evaluate_lists(self, completer: object, split: str) -> dict[str, Tensor]:
        """Every metric of every list of a split, each [n] float64, in the order of the split."""
        ranked, targets = rank_lists(completer, getattr(self, split), max(CUTOFFS))
        return metrics_by_list(ranked, targets, CUTOFFS)

    def test_metrics(
        self, recommender: ListCompleter
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Test metrics, also by thirds of items and of lists; and each of them by list."""
        ranked, targets = rank_lists(recommender, self.test, max(CUTOFFS))
        by_list = metrics_by_list(ranked, targets, CUTOFFS)
        lengths = self.test.input_sizes.cpu()
        by_list |= thirds.of_wanted_sets(ranked, targets, self.popularity().cpu())
        by_list |= thirds.of_lengths(by_list[thirds.NDCG], lengths, "lists")
        return mean_metrics(by_list), by_list

    def baseline_metrics(self) -> dict[str, dict[str, float]]:
        """Test metrics of the simple baselines, which any model has to beat."""
        num_items = len(self.vocabulary)
        popularity = torch.cat([torch.zeros(NUM_SPECIAL, dtype=torch.int64), self.popularity()])
        baselines = {
            "most_popular": MostPopular(popularity),
            "item_cooccurrence": ItemCooccurrence(self.train.lists(), num_items),
        }
        return {
            f"test_{name}": mean_metrics(self.evaluate_lists(baseline, "test"))
            for name, baseline in baselines.items()
        }

    def counts(self) -> dict[str, Any]:
        """What the data hold, and the lists of each split."""
        sizes = {
            f"{split}_lists": len(getattr(self, split)) for split in ("train", "valid", "test")
        }
        return dict(list_stats(self.data)) | sizes

    def tables(self, recommender: ListCompleter) -> dict[str, EntityTables]:
        """The tables of an artifact."""
        popularity = self.popularity()
        items = tables_of_items(recommender.items, self.vocabulary, popularity, self.data)
        return {"item": items}


def rank_lists(completer: object, lists: ListSet, k: int) -> tuple[Tensor, Tensor]:
    """Complete every list: ranked [n, k] and targets [n, T], in the order of the split."""
    ranked, targets = [], []
    for batch in lists.batches(_EVALUATION_BATCH, None):
        ranked.append(completer.complete(batch, k, None)[0].cpu())  # type: ignore[attr-defined]
        targets.append(batch.targets.cpu())
    widest = max(part.shape[1] for part in targets)
    padded = [torch.nn.functional.pad(part, (0, widest - part.shape[1])) for part in targets]
    places = lists.places_in_batches()
    return torch.cat(ranked)[places], torch.cat(padded)[places]


def prepare(data: ListData, seed: int) -> ListCompletion:
    """Split 8 : 1 : 1 by the seed, halve, and index by the training lists' items.

    An item that no training list holds is unknown: as an input it is left out; as a target it
    keeps its place, under an index beyond the vocabulary that nothing can recommend.

    Raises:
        DataError: too few lists to have one in each split.
    """
    splits = split_lists(len(data.lists), seed)
    if not (splits.train and splits.valid and splits.test):
        raise DataError(
            f"{data.name} has {len(data.lists)} lists after filtering: at least 10 are needed "
            "to train, validate and test"
        )
    seen: dict[ExternalId, None] = {}
    for row in splits.train:
        seen.update(dict.fromkeys(data.lists[row]))
    vocabulary = sorted_vocabulary(seen)
    parts = (splits.train, splits.valid, splits.test)
    train, valid, test = (_index_lists(data, rows, vocabulary) for rows in parts)
    return ListCompletion(data, vocabulary, train, valid, test)


def _index_lists(data: ListData, rows: list[int], vocabulary: Vocabulary) -> ListSet:
    inputs, targets = [], []
    beyond = NUM_SPECIAL + len(vocabulary)
    for row in rows:
        items = data.lists[row]
        half = len(items) // 2
        known, _ = vocabulary.encode(items[:half])
        _, unknown = vocabulary.encode(items[half:])
        place = {item: beyond + n for n, item in enumerate(dict.fromkeys(unknown))}
        inputs.append(known)
        targets.append([place.get(item) or vocabulary.index_of(item) for item in items[half:]])
    return ListSet(inputs, targets)
