"""Counts of a data set, as in Table 1."""

from collections.abc import Mapping

import numpy as np

from training.datasets.clicks import ClickData
from training.datasets.interactions import InteractionData
from training.datasets.prepared import PreparedInteractions
from training.datasets.tables import ListData

Stats = Mapping[str, int | float | None]


def list_stats(data: ListData) -> Stats:
    """Count lists, distinct items and interactions (a repeat counts) of list data.

    `density` is the ratio interactions / (lists × items), not a percentage; `samples` is None, for
    lists have no negative samples.
    """
    lengths = [len(row) for row in data.lists]
    interactions = sum(lengths)
    items = len({item for row in data.lists for item in row})
    cells = len(lengths) * items
    return {
        "lists": len(lengths),
        "items": items,
        "interactions": interactions,
        "samples": None,
        "items_per_list": interactions / len(lengths) if lengths else 0.0,
        "shortest": min(lengths, default=0),
        "longest": max(lengths, default=0),
        "density": interactions / cells if cells else 0.0,
    }


def click_stats(data: ClickData) -> Stats:
    """Count users, items, interactions (positive samples) and samples of clicks.

    Users and items are those with a sample left by the filter. `density` is interactions / (users ×
    items), as Table 1's caption defines it. But the numbers in Table 1 are of another kind: users
    and items are counted before the filter (`source_users`, `source_items`, where an item without
    a sample counts too), and the density is that of all samples among these (`source_density`):
    69,881 / (943 × 1,682) = 4.406 % for MovieLens-100K.
    """
    users, items, samples = len(data.user_ids), len(data.item_ids), len(data.labels)
    interactions = int(data.labels.sum(dtype=np.int64))
    source_users = users if data.source_users is None else data.source_users
    source_items = items if data.source_items is None else data.source_items
    fixed = 0 if data.training_only is None else int(data.training_only.sum())
    return {
        "users": users,
        "items": items,
        "interactions": interactions,
        "samples": samples,
        "training_only": fixed,
        "density": interactions / (users * items) if samples else 0.0,
        "source_users": source_users,
        "source_items": source_items,
        "source_density": samples / (source_users * source_items) if samples else 0.0,
    }


def interaction_stats(data: InteractionData | PreparedInteractions) -> Stats:
    """Count users, items, interactions and facts, and what Table 1 calls samples.

    `density` is interactions / (users × items), as Table 1's caption defines it. The table itself
    counts two samples an interaction, one of them a negative, and gives the samples' density:
    1,246,064 / (19,413 × 11,925) = 0.538 % for Toys (`samples_density`). Its users and items are
    one more than the 5-core has, as if a place for padding counted, and its interactions 3.7 times
    as many as the 5-core's 167,597. `entities` are those of the facts that are not items.
    """
    if isinstance(data, PreparedInteractions):
        return data.manifest.counts
    users, items = len(data.user_ids), len(data.item_ids)
    facts = data.facts
    counts = interaction_counts(
        users,
        items,
        len(data.users),
        users if data.source_users is None else data.source_users,
        items if data.source_items is None else data.source_items,
    )
    if facts is None:
        return counts
    return counts | {
        "facts": len(facts.heads),
        "relations": len(facts.relation_names),
        "entities": len(facts.other_ids),
    }


def interaction_counts(
    users: int, items: int, interactions: int, source_users: int, source_items: int
) -> dict[str, int | float | None]:
    """The counts of interactions without facts, by the names of `interaction_stats`."""
    cells = users * items
    return {
        "users": users,
        "items": items,
        "interactions": interactions,
        "samples": 2 * interactions,
        "density": interactions / cells if cells else 0.0,
        "samples_density": 2 * interactions / cells if cells else 0.0,
        "source_users": source_users,
        "source_items": source_items,
        "facts": None,
        "relations": None,
        "entities": None,
    }
