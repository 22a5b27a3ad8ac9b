"""A model's items or users as points in the plane, as JSON that is made once."""

import gzip
import json
from weakref import WeakKeyDictionary

from app.services.entity_index import EntityIndex

_DIGITS = 4
"""Of a coordinate: a ten-thousandth of the map is less than a point is wide."""
_made: WeakKeyDictionary[EntityIndex, tuple[int, bytes]] = WeakKeyDictionary()
"""The last map of each index, with its limit, compressed; let go with its model."""


def content(index: EntityIndex, limit: int, zipped: bool) -> bytes:
    """The map's JSON, compressed where `zipped`: of the `limit` most popular."""
    held = _made.get(index)
    if held is None or held[0] != limit:
        held = _made[index] = limit, gzip.compress(_json(index, limit), compresslevel=4)
    return held[1] if zipped else gzip.decompress(held[1])


def _json(index: EntityIndex, limit: int) -> bytes:
    rows = index.most_popular[:limit].long()
    listed = rows.tolist()
    held = [index.categories[row] for row in listed] if index.categories else []
    names = sorted({name for each in held for name in each})
    place = {name: number for number, name in enumerate(names)}
    x, y = index.points[rows].double().round(decimals=_DIGITS).unbind(dim=1)
    return json.dumps(
        {
            "model": index.model_id,
            "entity": index.entity,
            "total": len(index.codes),
            "ids": [index.external(row) for row in listed],
            "x": x.tolist(),
            "y": y.tolist(),
            "codes": index.codes[rows].T.tolist(),
            "category_names": names,
            "categories": [[place[name] for name in each] for each in held] if names else [],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "backslashreplace")
