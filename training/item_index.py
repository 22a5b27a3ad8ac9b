"""The index over a large catalogue, made when training is done."""

from collections.abc import Callable

import torch

from cove.entity_tables import EntityTables
from cove.item_index import ItemIndex, build_index, faiss_is_here
from cove.products import Products
from cove.recommenders import Recommender
from cove.recommenders.base import ListCompleter
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import PAD
from training.tasks import PreparedTask
from training.tasks.collaborative_filtering import CollaborativeFiltering
from training.tasks.list_completion import ListCompletion

INDEXED_FROM = 1_000_000
"""Items. Below it a server scores every one of them within some milliseconds."""
_ASKED = 256
"""Lists or users of the validation data that the recall is measured on."""


@torch.inference_mode()
def index_of_items(
    recommender: Recommender,
    task: PreparedTask,
    items: EntityTables,
    warn: Callable[[str], None],
) -> ItemIndex | None:
    """An index that finds 99 of 100 of the exact best; None where there need not be one, or where
    there is none so good, of which `warn` is told."""
    if len(items.vocabulary) < INDEXED_FROM:
        return None
    products = _products(recommender, task, items)
    if products is None:
        return None
    if not faiss_is_here():
        warn("faiss is not installed (the extra cpu or gpu): the artifact gets no index over items")
        return None
    index = build_index(products.table.cpu(), products.bias.cpu(), products.states.cpu())
    if index is None:
        warn("no index finds 99 of 100 of the best items: a server will score every item")
    return index


def _products(recommender: Recommender, task: PreparedTask, items: EntityTables) -> Products | None:
    """What scores are products of, for some of the validation data; None where they are none."""
    if isinstance(task, CollaborativeFiltering) and isinstance(recommender, PreferenceModel):
        users = task.valid.users
        return recommender.products(users[users != PAD][:_ASKED])
    head = getattr(recommender, "head", None)
    if not isinstance(task, ListCompletion) or not isinstance(head, CatalogueHead):
        return None
    assert isinstance(recommender, ListCompleter)
    batch = next(iter(task.valid.batches(_ASKED, None)))
    states = recommender.query_states(batch.inputs)
    return None if states is None else Products(states, items.table, head.bias)
