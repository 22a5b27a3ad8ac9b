"""Interactions, (user, item) pairs that say "chosen" and nothing else, and facts about the items.

Shapes: n interactions, U users, I items, m facts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from cove.errors import DataError, SettingsError
from cove.vocabulary import ExternalId
from training.datasets.grouping import Indices, numbered
from training.datasets.rules import FilterRule, of_kept


class InteractionFilter(FilterRule):
    """Which rows are interactions, and which users and items are kept."""

    positive_from: float | None = Field(default=None, allow_inf_nan=False)
    """Where rows have ratings: the least that counts as a choice. None: every row counts, as is
    usual with Amazon's reviews, where writing one shows the purchase."""
    core: int = Field(default=5, ge=0)
    """Users and items with fewer interactions are dropped until none is left (the k-core); 0 and 1
    keep all."""


@dataclass(frozen=True, eq=False)
class RawInteractions:
    """What a loader of interactions gives, not yet filtered.

    `table` has one row each: `user_id` and `item_id` (text or int64) and, where the source has
    them, `rating` and `order` (float64: seconds, or the place in the user's line). `facts` has one
    fact a row: `head_item` or `head_other`, `relation`, `tail_item` or `tail_other`, of each two
    one null; the items have the type of the table's, others any type of id.
    """

    name: str
    table: pl.DataFrame
    titles: dict[ExternalId, str] | None
    categories: dict[ExternalId, list[str]] | None
    sha256: str
    facts: pl.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Facts:
    """A knowledge graph over the items: head, relation, tail. No fact comes twice.

    An entity below I is the item at this place of `item_ids`, I + j is `other_ids[j]`.
    """

    heads: Indices
    """[m] entities."""
    relations: Indices
    """[m] positions in `relation_names`."""
    tails: Indices
    """[m] entities."""
    relation_names: list[str]
    other_ids: list[ExternalId]


@dataclass(frozen=True, eq=False)
class InteractionData:
    """Distinct (user, item) pairs in the order of the source, as positions."""

    name: str
    user_ids: list[ExternalId]
    """[U] distinct, in the order of first appearance."""
    item_ids: list[ExternalId]
    """[I] distinct, in the order of first appearance."""
    users: Indices
    """[n] positions in `user_ids`."""
    items: Indices
    """[n] positions in `item_ids`."""
    order: npt.NDArray[np.float64] | None
    """[n] seconds, or the place in the user's line; None where the source has no order."""
    facts: Facts | None
    titles: dict[ExternalId, str] | None
    """Of items that an interaction has; None where the source has none. So are `categories`."""
    categories: dict[ExternalId, list[str]] | None
    sha256: str
    """Over the bytes of the raw files, in a fixed order."""
    source_users: int | None = None
    """How many users the source has, before the filter."""
    source_items: int | None = None
    """How many items the source has, before the filter, those without an interaction included."""

    def __post_init__(self) -> None:
        lengths = {"users": len(self.users), "items": len(self.items)}
        if self.order is not None:
            lengths["order"] = len(self.order)
        if len(set(lengths.values())) > 1:
            raise DataError(f"{self.name}: every interaction needs one of each: got {lengths}")

    @property
    def num_measured(self) -> int:
        """Users that metrics by user are of: all, those without a metric too."""
        return len(self.user_ids)


def build_interactions(raw: RawInteractions, filter: InteractionFilter) -> InteractionData:
    """Keep what counts as a choice, each pair once and its first by time, then the k-core.

    A fact with an item that is not kept goes with it, and so does an entity left without a fact.

    Raises:
        SettingsError: the filter bounds ratings, and the rows have none.
        DataError: nothing is left.
    """
    kept = _core(first_of_each_pair(_chosen(raw, filter)), filter.core)
    if kept.is_empty():
        raise DataError(f"{raw.name}: none of {raw.table.height} rows is left after {filter}")
    user_ids, users = numbered(kept["user_id"])
    item_ids, items = numbered(kept["item_id"])
    kept_items = set(item_ids)
    catalogue = set(raw.table["item_id"].unique().to_list())
    catalogue |= set(raw.titles or ()) | set(raw.categories or ())
    return InteractionData(
        name=raw.name,
        user_ids=user_ids,
        item_ids=item_ids,
        users=users,
        items=items,
        order=kept["order"].to_numpy() if "order" in kept.columns else None,
        facts=None if raw.facts is None else _facts_of(raw.facts, kept["item_id"]),
        titles=of_kept(raw.titles, kept_items),
        categories=of_kept(raw.categories, kept_items),
        sha256=raw.sha256,
        source_users=raw.table["user_id"].n_unique(),
        source_items=len(catalogue),
    )


def core_of(users: Indices, items: Indices, least: int) -> npt.NDArray[np.bool_]:
    """Give the mask [n] of the k-core of pairs, the largest part where all have `least` or more."""
    kept = np.ones(len(users), dtype=np.bool_)
    if not len(users):
        return kept
    while True:
        of_users = np.bincount(users[kept], minlength=users.max() + 1)
        of_items = np.bincount(items[kept], minlength=items.max() + 1)
        left = kept & (of_users[users] >= least) & (of_items[items] >= least)
        if left.sum() == kept.sum():
            return kept
        kept = left


def first_of_each_pair(table: pl.DataFrame) -> pl.DataFrame:
    """Keep each (user_id, item_id) once, the first by `order` where there is one, else by row."""
    rows = table.with_row_index("row")
    if "order" in table.columns:
        rows = rows.sort("order", maintain_order=True)
    first = rows.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    return first.sort("row").drop("row")


def _chosen(raw: RawInteractions, filter: InteractionFilter) -> pl.DataFrame:
    if filter.positive_from is None:
        return raw.table
    if "rating" not in raw.table.columns:
        raise no_ratings(raw.name, filter)
    return raw.table.filter(pl.col("rating") >= filter.positive_from)


def no_ratings(name: str, filter: InteractionFilter) -> SettingsError:
    """What is wrong with a filter that bounds ratings where there are none."""
    return SettingsError(
        f"{name} has no ratings: positive_from is for ratings, got {filter.positive_from}"
    )


def _core(table: pl.DataFrame, least: int) -> pl.DataFrame:
    if least <= 1:
        return table
    users, items = numbered(table["user_id"])[1], numbered(table["item_id"])[1]
    return table.filter(pl.Series(core_of(users, items, least)))


def _facts_of(raw: pl.DataFrame, column: pl.Series) -> Facts | None:
    """Number the facts among the items of this column; None where no fact is left."""
    items = _places(column)
    rows = raw.unique(maintain_order=True)
    for end in ("head", "tail"):
        own = items.select(pl.col("id").alias(f"{end}_item"), pl.col("place").alias(end))
        rows = rows.join(own, on=f"{end}_item", how="left", maintain_order="left")
        rows = rows.filter(pl.col(f"{end}_item").is_null() | pl.col(end).is_not_null())
    if rows.is_empty():
        return None
    others = _places(pl.concat([rows["head_other"], rows["tail_other"]]))
    for end in ("head", "tail"):
        own = others.select(
            pl.col("id").alias(f"{end}_other"), (pl.col("place") + items.height).alias("other")
        )
        rows = rows.join(own, on=f"{end}_other", how="left", maintain_order="left")
        rows = rows.with_columns(pl.coalesce(end, "other").alias(end)).drop("other")
    names, relations = numbered(rows["relation"])
    return Facts(
        heads=rows["head"].to_numpy(),
        relations=relations,
        tails=rows["tail"].to_numpy(),
        relation_names=[str(name) for name in names],
        other_ids=others["id"].to_list(),
    )


def _places(column: pl.Series) -> pl.DataFrame:
    """Give `id` and `place` of the distinct values of a column, in order of first appearance."""
    distinct = column.drop_nulls().unique(maintain_order=True).to_frame("id")
    return distinct.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("place"))
