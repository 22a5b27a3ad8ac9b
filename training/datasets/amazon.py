"""Amazon reviews as the review site published them in 2014: ratings as CSV, reviews as JSON lines.

https://jmcauley.ucsd.edu/data/amazon: `ratings_<Category>.csv` has no header line and the columns
user, item, rating, timestamp; `reviews_<Category>_5.json.gz` is the 5-core, one review a line.
The CSV of 2018, whose first column is the item, has other names (`<Category>.csv`).
"""

import io
from functools import partial
from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.files import RawFiles, read_text_table
from training.datasets.grouping import integers_where_canonical, numbers, reject_missing
from training.datasets.interactions import RawInteractions
from training.datasets.tables import Dataset

CSV_COLUMNS = ("user_id", "item_id", "rating", "order")
JSON_FIELDS = {
    "reviewerID": "user_id", "asin": "item_id", "overall": "rating", "unixReviewTime": "order",
}  # fmt: skip
JSON_TYPES = {
    "reviewerID": pl.String, "asin": pl.String, "overall": pl.Float64, "unixReviewTime": pl.Float64,
}  # fmt: skip
PATTERNS = (
    "reviews_{}.json.gz", "reviews_{}.json", "ratings_{}.csv", "ratings_{}.csv.gz",
)  # fmt: skip
"""Reviews first: where a folder has both, they are the 5-core of the ratings."""


def load(name: str, category: str, directory: Path) -> RawInteractions:
    """Read the reviews or ratings of one category; `*` takes whichever the folder holds one of.

    Raises:
        DataError: no file or more than one is there, or it is malformed.
    """
    raw = RawFiles(name, directory)
    path = raw.only(*(pattern.format(category) for pattern in PATTERNS))
    content = raw.read(path)
    if ".json" in path.name.lower():
        table = _json_lines(content, path)
    else:
        table = read_text_table(content, path, separator=",", columns=CSV_COLUMNS)
    columns = [integers_where_canonical(table[name], path) for name in CSV_COLUMNS[:2]]
    columns += [numbers(table[name], path) for name in CSV_COLUMNS[2:]]
    rows = pl.DataFrame(columns)
    reject_missing(rows, path)
    return RawInteractions(name, rows, None, None, raw.sha256)


def _json_lines(content: bytes, path: Path) -> pl.DataFrame:
    try:
        table = pl.read_ndjson(io.BytesIO(content), schema=JSON_TYPES)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"{path} is not one JSON object a line: {reason}") from None
    if table.is_empty():
        raise DataError(f"{path} has no row")
    return table.rename(JSON_FIELDS)


AMAZON = Dataset(
    name="amazon",
    description="Amazon reviews of one category, as published in 2014, in time order",
    terms="jmcauley.ucsd.edu/data/amazon; none stated, research use, cite the papers",
    load=None,
    files=("reviews_<Category>_5.json.gz or ratings_<Category>.csv",),
    load_interactions=partial(load, "amazon", "*"),
)
KINDLE = Dataset(
    name="kindle",
    description="Amazon Kindle Store reviews of 2014, 5-core, as in Table 1, in time order",
    terms="jmcauley.ucsd.edu/data/amazon; none stated, research use, cite the papers",
    load=None,
    files=("reviews_Kindle_Store_5.json.gz or ratings_Kindle_Store.csv",),
    load_interactions=partial(load, "kindle", "Kindle_Store*"),
)
