"""GET /map: every item or user as a point in the plane."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from app.dependencies import CodesOf
from app.errors import documented
from app.services import maps
from app.view_schemas import Map

router = APIRouter(tags=["codes"], responses=documented(404, 422, 503))
_NOT_AT_ALL = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
"""The weight of a coding that is refused."""


@router.get("/map", response_model=Map)
def entity_map(
    index: CodesOf,
    limit: Annotated[int, Query(ge=1, le=1_000_000, description="The most popular ones")] = 100_000,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Items or users where a projection puts them that was made when the model was trained: who is
    alike lies near. Columns, not rows, and compressed for whoever takes gzip.
    """
    zipped = _takes_gzip(accept_encoding)
    headers = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if zipped else {})
    content = maps.content(index, limit, zipped)
    return Response(content, media_type="application/json", headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names gzip, and not with the weight 0."""
    codings = (each.partition(";") for each in accepted.lower().split(","))
    return any(
        name.strip() == "gzip" and not _NOT_AT_ALL.fullmatch(weight) for name, _, weight in codings
    )
