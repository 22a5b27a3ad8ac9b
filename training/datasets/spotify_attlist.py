"""Spotify playlists as AttList published them (CIKM 2019): `listId<TAB>[item, item, …]` a line."""

import json
from pathlib import Path

import polars as pl

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.files import RawFiles, decode
from training.datasets.grouping import integers_where_canonical
from training.datasets.tables import Dataset, ListData, ListFilter

FILES = ("listItem_spotify.txt.gz", "listItem_spotify.txt")


def load(directory: Path) -> ListData:
    """Read the playlists, in the order of the file.

    Raises:
        DataError: the file is missing, or a line has another form or an id that came before.
    """
    raw = RawFiles("spotify_attlist", directory)
    path = raw.need(*FILES)
    ids: list[str] = []
    lists: list[list[ExternalId]] = []
    for number, line in enumerate(decode(raw.read(path), path).splitlines(), start=1):
        if line.strip():
            list_id, items = _parse(line, number, path)
            ids.append(list_id)
            lists.append(items)
    if not lists:
        raise DataError(f"{path} has no row")
    list_ids = integers_where_canonical(pl.Series("list_id", ids), path)
    if list_ids.n_unique() < len(ids):
        raise DataError(f"{path} has two lines for one list")
    return ListData("spotify_attlist", lists, list_ids.to_list(), None, None, raw.sha256)


def _parse(line: str, number: int, path: Path) -> tuple[str, list[ExternalId]]:
    list_id, _, text = line.partition("\t")
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not (list_id and isinstance(items, list) and all(type(item) is int for item in items)):
        raise DataError(f"{path}: line {number} is not a list id, a tab and [item, item, …]")
    return list_id, items


SPOTIFY_ATTLIST = Dataset(
    name="spotify_attlist",
    description="Spotify playlists, the smaller version of CIKM 2019",
    terms="github.com/heyunh2015/AttList; none stated, cite the paper",
    load=load,
    files=FILES,
    default_filter=ListFilter(min_length=20, max_length=300),
)
