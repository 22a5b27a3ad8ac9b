"""Samples of clicks, one (user, item, label) each, and the rule that filters and labels them.

Shapes: n samples, U users, I items.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from cove.errors import DataError, SettingsError
from cove.vocabulary import ExternalId
from training.datasets.grouping import Indices, numbered
from training.datasets.rules import FilterRule, of_kept


class ClickFilter(FilterRule):
    """Which ratings are clicks, and which users are kept."""

    positive_from: float = Field(default=4.0, allow_inf_nan=False)
    """Where samples have ratings and no labels: at least this is positive."""
    negative_to: float = Field(default=2.0, allow_inf_nan=False)
    """At most this is negative; a sample rated between the two is dropped."""
    min_positives: int = Field(default=0, ge=0)
    """A user stays who has at least so many positive samples, a repeat counted."""
    min_negatives: int = Field(default=0, ge=0)
    """A user stays who has at least so many negative samples, a repeat counted."""

    @model_validator(mode="after")
    def _no_rating_is_both(self) -> "ClickFilter":
        if self.negative_to >= self.positive_from:
            raise ValueError(
                "negative_to must be below positive_from: "
                f"got negative_to={self.negative_to}, positive_from={self.positive_from}"
            )
        return self


UNCHANGED_BOUNDS = (ClickFilter().positive_from, ClickFilter().negative_to)


@dataclass(frozen=True, eq=False)
class RawClicks:
    """What a loader of clicks gives, not yet labelled or filtered.

    `table` has one sample a row: `user_id` and `item_id` (text or int64), `label` (0 or 1) or
    `rating` (float64), and where the source has them `timestamp` (float64, seconds) and
    `training_only` (boolean). Titles and categories may name items that no sample has; such an
    item is in the source's catalogue all the same.
    """

    name: str
    table: pl.DataFrame
    titles: dict[ExternalId, str] | None
    categories: dict[ExternalId, list[str]] | None
    sha256: str


@dataclass(frozen=True, eq=False)
class ClickData:
    """Labelled samples, in the order of the source, with users and items as positions.

    A (user, item) pair may come more than once, and with both labels: an item shown twice is two
    samples. Table 1 counts MIND so (its impressions give 8,584,442 samples, all of them).
    """

    name: str
    user_ids: list[ExternalId]
    """[U] distinct, in the order of first appearance."""
    item_ids: list[ExternalId]
    """[I] distinct, in the order of first appearance."""
    users: Indices
    """[n] positions in `user_ids`."""
    items: Indices
    """[n] positions in `item_ids`."""
    labels: npt.NDArray[np.uint8]
    """[n] 1 for a click, 0 for none."""
    timestamps: npt.NDArray[np.float64] | None
    """[n] seconds, or None where the source has no times."""
    training_only: npt.NDArray[np.bool_] | None
    """[n] the samples that belong to training whatever the split; None where there are none."""
    titles: dict[ExternalId, str] | None
    """Of items that a sample has; None where the source has none. So are `categories`."""
    categories: dict[ExternalId, list[str]] | None
    sha256: str
    """Over the bytes of the raw files, in a fixed order."""
    source_users: int | None = None
    """How many users the source has, before the filter."""
    source_items: int | None = None
    """How many items the source has, before the filter, those without a sample included."""

    def __post_init__(self) -> None:
        lengths = {"users": len(self.users), "items": len(self.items), "labels": len(self.labels)}
        if self.timestamps is not None:
            lengths["timestamps"] = len(self.timestamps)
        if self.training_only is not None:
            lengths["training_only"] = len(self.training_only)
        if len(set(lengths.values())) > 1:
            raise DataError(f"{self.name}: every sample needs one of each: got {lengths}")


def build_clicks(raw: RawClicks, filter: ClickFilter) -> ClickData:
    """Label the samples, drop users with too few, and number what is left.

    Users are dropped once, by their own samples: no item is, so there is no fixpoint to reach.

    Raises:
        SettingsError: the filter bounds ratings, where the samples have labels.
        DataError: nothing is left, or all that is left has one label.
    """
    bounds = (filter.positive_from, filter.negative_to)
    if "label" in raw.table.columns and bounds != UNCHANGED_BOUNDS:
        raise SettingsError(
            f"{raw.name} has labels: positive_from and negative_to are for ratings, got {filter}"
        )
    kept = _enough(_labelled(raw.table, filter), filter)
    if kept.is_empty():
        raise DataError(f"{raw.name}: none of {raw.table.height} samples is left after {filter}")
    labels = kept["label"].to_numpy()
    if labels.min() == labels.max():
        kind = "positive" if labels[0] else "negative"
        after = "" if "label" in raw.table.columns else f" left after {filter}"
        raise DataError(
            f"{raw.name}: clicks need positive and negative samples, "
            f"all of {len(labels)}{after} are {kind}"
        )
    user_ids, users = numbered(kept["user_id"])
    item_ids, items = numbered(kept["item_id"])
    kept_items = set(item_ids)
    catalogue = set(raw.table["item_id"].unique().to_list()) | set(raw.titles or ())
    return ClickData(
        name=raw.name,
        user_ids=user_ids,
        item_ids=item_ids,
        users=users,
        items=items,
        labels=labels,
        timestamps=_array(kept, "timestamp"),
        training_only=_array(kept, "training_only"),
        titles=of_kept(raw.titles, kept_items),
        categories=of_kept(raw.categories, kept_items),
        sha256=raw.sha256,
        source_users=raw.table["user_id"].n_unique(),
        source_items=len(catalogue),
    )


def _labelled(table: pl.DataFrame, filter: ClickFilter) -> pl.DataFrame:
    if "label" in table.columns:
        return table.with_columns(pl.col("label").cast(pl.UInt8))
    positive = pl.col("rating") >= filter.positive_from
    negative = pl.col("rating") <= filter.negative_to
    return table.filter(positive | negative).with_columns(positive.cast(pl.UInt8).alias("label"))


def _enough(table: pl.DataFrame, filter: ClickFilter) -> pl.DataFrame:
    if not (filter.min_positives or filter.min_negatives):
        return table
    labels = pl.col("label").cast(pl.Int64)
    positives = labels.sum().over("user_id")
    negatives = (1 - labels).sum().over("user_id")
    return table.filter(positives >= filter.min_positives, negatives >= filter.min_negatives)


def _array(table: pl.DataFrame, name: str) -> npt.NDArray[Any] | None:
    return table[name].to_numpy() if name in table.columns else None
