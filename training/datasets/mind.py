"""MIND (Wu et al., ACL 2020): `behaviors.tsv` of impressions and histories, `news.tsv`.

https://msnews.github.io: a line of behaviors.tsv is impression id, user, time, the news clicked
before (the history) and the news shown, `N1-1` clicked or `N1-0` not.
"""

from functools import partial
from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.clicks import RawClicks
from training.datasets.files import RawFiles, read_text_table
from training.datasets.grouping import reject_missing
from training.datasets.tables import Dataset

BEHAVIORS = ("behaviors.tsv", "behaviors.tsv.gz")
NEWS = ("news.tsv", "news.tsv.gz")
PARTS = (("train", "MINDsmall_train", "MINDlarge_train"), ("dev", "MINDsmall_dev", "MINDlarge_dev"))
"""The sub-folders of the published archives; both parts count."""
BEHAVIOR_COLUMNS = ("impression_id", "user_id", "time", "history", "impressions")
NEWS_COLUMNS = (
    "item_id", "category", "subcategory", "title", "abstract", "url", "title_entities",
    "abstract_entities",
)  # fmt: skip
TIME = "%m/%d/%Y %I:%M:%S %p"
SHOWN = r"^(.+)-([01])$"


def load(name: str, directory: Path) -> RawClicks:
    """Read behaviors.tsv (and news.tsv where it is there) of the folder, or of train and dev.

    Samples are first every news shown, in the order of the files: a news shown to a user twice is
    two samples, as Table 1 counts. Then the histories: every distinct (user, news) pair once, for
    each impression of a user repeats the history; a positive, for training only. Its time is that
    of the first impression that lists it, and so too late: MIND does not say when it was clicked.
    Times count in seconds from 1970 as if they were UTC. Categories are the news' first category.

    Raises:
        DataError: a file is missing or malformed.
    """
    raw = RawFiles(name, directory)
    folders = _folders(raw)
    behaviors = pl.concat([_behaviors(raw, folder) for folder in folders])
    news = [_news(raw, folder) for folder in folders]
    known = [part for part in news if part is not None]
    titles, categories = _titles_and_categories(pl.concat(known)) if known else (None, None)
    table = pl.concat([_shown(behaviors), _history(behaviors)])
    return RawClicks(name, table, titles, categories, raw.sha256)


def _folders(raw: RawFiles) -> list[RawFiles]:
    """Give where behaviors.tsv lies: the folder itself, or its sub-folders for train and dev."""
    if raw.find(*BEHAVIORS) is not None or all(raw.find(*names) is None for names in PARTS):
        return [raw]
    return [RawFiles(raw.name, raw.need(*names)) for names in PARTS]


def _behaviors(raw: RawFiles, folder: RawFiles) -> pl.DataFrame:
    """Give user_id, timestamp, history and the list `impressions` of one file, checked."""
    path = folder.need(*BEHAVIORS)
    table = read_text_table(raw.read(path), path, separator="\t", columns=BEHAVIOR_COLUMNS)
    reject_missing(table.select("user_id", "time", "impressions"), path)
    times = table["time"].str.to_datetime(TIME, strict=False, time_unit="ms")
    if times.null_count():
        row = times.is_null().arg_true()[0]
        raise DataError(
            f"{path}: time must be as in 11/13/2019 8:36:57 AM, "
            f"got {table['time'][row]!r} in row {row + 1}"
        )
    rows = table.select(
        "user_id",
        (times.dt.epoch("ms").cast(pl.Float64) / 1000).alias("timestamp"),
        *(
            pl.col(name)
            .str.strip_chars()
            .str.replace_all(" +", " ")
            .replace("", None)
            .str.split(" ")
            for name in ("history", "impressions")
        ),
    )
    wrong = ~rows["impressions"].list.eval(pl.element().str.contains(SHOWN)).list.all()
    if wrong.any():
        row = wrong.arg_true()[0]
        raise DataError(f"{path}: row {row + 1} shows news that is not an id with -0 or -1")
    return rows


def _shown(behaviors: pl.DataFrame) -> pl.DataFrame:
    rows = behaviors.select("user_id", "timestamp", shown="impressions").explode("shown")
    return rows.select(
        "user_id",
        pl.col("shown").str.head(-2).alias("item_id"),
        (pl.col("shown").str.tail(1) == "1").cast(pl.UInt8).alias("label"),
        "timestamp",
        pl.lit(False).alias("training_only"),
    )


def _history(behaviors: pl.DataFrame) -> pl.DataFrame:
    rows = behaviors.select("user_id", "timestamp", item_id="history").explode("item_id")
    pairs = (
        rows.drop_nulls("item_id")
        .group_by("user_id", "item_id", maintain_order=True)
        .agg(pl.col("timestamp").min())
    )
    return pairs.select(
        "user_id",
        "item_id",
        pl.lit(1, dtype=pl.UInt8).alias("label"),
        "timestamp",
        pl.lit(True).alias("training_only"),
    )


def _news(raw: RawFiles, folder: RawFiles) -> pl.DataFrame | None:
    path = folder.find(*NEWS)
    if path is None:
        return None
    table = read_text_table(raw.read(path), path, separator="\t", columns=NEWS_COLUMNS)
    reject_missing(table.select("item_id"), path)
    return table.select("item_id", "category", "title").with_columns(pl.all().fill_null(""))


def _titles_and_categories(
    news: pl.DataFrame,
) -> tuple[dict[ExternalId, str], dict[ExternalId, list[str]]]:
    """Give both by news; where train and dev both have a news, the later line counts."""
    ids, names = news["item_id"].to_list(), news["category"].to_list()
    titles = dict(zip(ids, news["title"].to_list(), strict=True))
    return titles, {item: [name] if name else [] for item, name in zip(ids, names, strict=True)}


MIND = Dataset(
    name="mind",
    description="MIND-small news: shown and clicked or not, train and dev; histories for training",
    terms="msnews.github.io; Microsoft Research terms, no redistribution",
    load=None,
    files=("behaviors.tsv, news.tsv, in train/ and dev/ (MINDsmall_train/, MINDsmall_dev/)",),
    load_clicks=partial(load, "mind"),
)
MIND_SMALL_SAMPLE = Dataset(
    name="mind_small_sample",
    description="A sample of MIND-small: 5,000 of its 156,965 training impressions",
    terms="github.com/Farabi667/AI-Term-Project; Microsoft Research terms, no redistribution",
    load=None,
    files=("behaviors.tsv.gz, news.tsv.gz",),
    load_clicks=partial(load, "mind_small_sample"),
)
