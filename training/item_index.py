"""The index over a large catalogue, made when training is done."""

from collections.abc import Callable

import torch

from cove.entity_tables import EntityTables
from cove.item_index import ItemIndex, build_index, faiss_is_here
from cove.recommenders import Recommender
from cove.recommenders.base import ListCompleter
from cove.recommenders.catalogue import CatalogueHead
from training.tasks import PreparedTask
from training.tasks.list_completion import ListCompletion

INDEXED_FROM = 1_000_000
"""Items. Below it a server scores every one of them within some milliseconds."""
_LISTS = 256
"""Lists of the validation data that the recall is measured on."""


@torch.inference_mode()
def index_of_items(
    recommender: Recommender,
    task: PreparedTask,
    items: EntityTables,
    warn: Callable[[str], None],
) -> ItemIndex | None:
    """An index that finds 99 of 100 of the exact best; None where there need not be one, or where
    there is none so good, of which `warn` is told."""
    if len(items.vocabulary) < INDEXED_FROM or not isinstance(task, ListCompletion):
        return None
    head = getattr(recommender, "head", None)
    if not isinstance(recommender, ListCompleter) or not isinstance(head, CatalogueHead):
        return None
    batch = next(iter(task.valid.batches(_LISTS, None)))
    states = recommender.query_states(batch.inputs)
    if states is None:
        return None
    if not faiss_is_here():
        warn("faiss is not installed (the extra cpu or gpu): the artifact gets no index over items")
        return None
    index = build_index(items.table, head.bias.detach().cpu(), states.cpu())
    if index is None:
        warn("no index finds 99 of 100 of the best items: a server will score every item")
    return index
