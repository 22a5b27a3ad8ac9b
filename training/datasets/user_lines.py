"""Files of one user a line, `user item item …`: Amazon Toys and the Kindle 10-core."""

import json
from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.files import RawFiles, decode
from training.datasets.grouping import integers_where_canonical
from training.datasets.interactions import InteractionFilter, RawInteractions
from training.datasets.tables import Dataset

TOYS_FILES = ("Toys_and_Games.txt", "Toys_and_Games.txt.gz")
TOYS_ATTRIBUTES = (
    "Toys_and_Games_item2attributes.json", "Toys_and_Games_item2attributes.json.gz",
)  # fmt: skip
UNNAMED_BRAND = 1
"""Of `toys`: the first attribute of 2,375 items, which spread over the categories as all items do
(the exponential of the entropy is 16.3 against 16.2; that of the next largest brands is 1.2 to 10).
So it stands for a brand that is not named, and is no fact."""
KINDLE_PARTS = ("train", "valid", "test")


def read_user_lines(raw: RawFiles, path: Path) -> pl.DataFrame:
    """Give `user_id` and `item_id`, one interaction a row, in the order of the file.

    Raises:
        DataError: the file is unreadable or empty, or a line has a user and no item.
    """
    text = pl.Series("line", decode(raw.read(path), path).splitlines(), dtype=pl.String)
    lines = text.to_frame().select(pl.col("line").str.extract_all(r"\S+").alias("ids"))
    sizes = lines["ids"].list.len()
    if (sizes == 1).any():
        number = (sizes == 1).arg_true()[0] + 1
        raise DataError(f"{path}: line {number} has a user and no item")
    if not sizes.sum():
        raise DataError(f"{path} has no row")
    rows = lines.filter(sizes > 1).select(
        pl.col("ids").list.first().alias("user_id"), pl.col("ids").list.slice(1).alias("item_id")
    )
    return rows.explode("item_id")


def load_toys(directory: Path) -> RawInteractions:
    """Read the users' lines in time order and, where the file is there, the items' attributes.

    The attributes are an item's brand, then its categories, as numbers without names. One that
    every item has says nothing and is left out (it is the category of all toys), so is a brand that
    is not named; the rest are facts, has_brand and has_category. Categories are these numbers.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles("toys", directory)
    path = raw.need(*TOYS_FILES)
    rows = read_user_lines(raw, path)
    table = pl.DataFrame([integers_where_canonical(rows[name], path) for name in rows.columns])
    table = table.with_columns(
        pl.int_range(pl.len()).over("user_id").cast(pl.Float64).alias("order")
    )
    attributes = raw.find(*TOYS_ATTRIBUTES)
    if attributes is None:
        return RawInteractions("toys", table, None, None, raw.sha256)
    facts = _attribute_facts(raw.read(attributes), attributes, table["item_id"].dtype)
    return RawInteractions("toys", table, None, _categories(facts), raw.sha256, facts)


def _attribute_facts(content: bytes, path: Path, item_type: pl.DataType) -> pl.DataFrame:
    """Give one fact a row, as `RawInteractions` wants them."""
    wrong = DataError(f"{path} is not a JSON object from items to lists of numbers")
    try:
        attributes = json.loads(decode(content, path))
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(attributes, dict) or not all(
        isinstance(held, list) and all(type(one) is int for one in held)
        for held in attributes.values()
    ):
        raise wrong
    held = pl.DataFrame(
        {
            "head_item": pl.Series(list(attributes), dtype=pl.String).cast(item_type, strict=False),
            "tail_other": pl.Series(list(attributes.values()), dtype=pl.List(pl.Int64)),
        }
    )
    rows = held.explode("tail_other").drop_nulls()
    is_brand = pl.int_range(pl.len()).over("head_item") == 0
    holders = pl.col("head_item").n_unique().over("tail_other")
    return (
        rows.with_columns(
            pl.when(is_brand)
            .then(pl.lit("has_brand"))
            .otherwise(pl.lit("has_category"))
            .alias("relation"),
            holders.alias("holders"),
        )
        .filter(
            pl.col("holders") < held.height,
            (pl.col("relation") != "has_brand") | (pl.col("tail_other") != UNNAMED_BRAND),
        )
        .select(
            "head_item",
            pl.lit(None, dtype=pl.Int64).alias("head_other"),
            "relation",
            pl.lit(None, dtype=item_type).alias("tail_item"),
            "tail_other",
        )
        .unique(maintain_order=True)
    )


def _categories(facts: pl.DataFrame) -> dict[ExternalId, list[str]]:
    held = facts.filter(pl.col("relation") == "has_category").select("head_item", "tail_other")
    names = held.group_by("head_item", maintain_order=True).agg(pl.col("tail_other"))
    return {item: [str(one) for one in ones] for item, ones in names.iter_rows()}


def load_kindle_10core(directory: Path) -> RawInteractions:
    """Read train, valid and test, which split users, and join them; they have no time order.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles("kindle_10core", directory)
    paths = [raw.need(f"{part}.txt", f"{part}.txt.gz") for part in KINDLE_PARTS]
    rows = pl.concat([read_user_lines(raw, path) for path in paths])
    columns = [integers_where_canonical(rows[name], directory) for name in rows.columns]
    return RawInteractions("kindle_10core", pl.DataFrame(columns), None, None, raw.sha256)


TOYS = Dataset(
    name="toys",
    description="Amazon Toys and Games reviews of 2014, 5-core, in time order; brands, categories",
    terms="github.com/aHuiWang/CIKM2020-S3Rec, data/; none stated, McAuley's crawl, research use",
    load=None,
    files=("Toys_and_Games.txt with Toys_and_Games_item2attributes.json",),
    load_interactions=load_toys,
)
KINDLE_10CORE = Dataset(
    name="kindle_10core",
    description="Amazon Kindle Store reviews, 10-core, without time order",
    terms="github.com/LIANG-SN/MetaCF-S, dataset/kindle/; none stated",
    load=None,
    files=("train.txt, valid.txt and test.txt",),
    load_interactions=load_kindle_10core,
    default_interaction_filter=InteractionFilter(core=10),
)
