"""/codes and below: the categories that a model learned, of items or of users, and their names."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.browsing_schemas import (
    CodeDetail,
    CodeItems,
    CodeLabels,
    Codes,
    CodeTree,
    LabelBody,
    Levels,
)
from app.dependencies import CodesOf, LabelsOf, StoreOf
from app.errors import documented
from app.security import NeedsAdmin
from app.services import browsing, labels

router = APIRouter(prefix="/codes", tags=["codes"], responses=documented(404, 422, 503))


@router.get("", response_model_exclude_none=True)
def levels(index: CodesOf, given: LabelsOf) -> Levels:
    """The levels with their sizes, use and perplexity; none where the model has no codes."""
    answer = browsing.levels(index)
    labels.count_labels(answer, given)
    return answer


@router.get("/labels")
def all_labels(index: CodesOf, given: LabelsOf) -> CodeLabels:
    """Every name that people gave to codes of the model."""
    return labels.all_labels(index, given)


@router.get("/tree")
def code_tree(index: CodesOf, given: LabelsOf) -> CodeTree:
    """Every code of every level in columns, small enough to draw thousands of them."""
    answer = browsing.tree(index)
    labels.name_tree(answer, given)
    return answer


@router.get("/{level}")
def codes(
    index: CodesOf,
    given: LabelsOf,
    level: int,
    sort: Literal["code", "size", "popularity", "closeness"] = "code",
    order: Annotated[
        Literal["ascending", "descending"] | None,
        Query(description="By default the largest sizes, the most popular or the closest first"),
    ] = None,
    examples: Annotated[int, Query(ge=0, le=10)] = 3,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Codes:
    """The codes of a level, whole or by `limit` and `offset`, with the most popular of each."""
    first = "descending" if sort in {"size", "popularity"} else "ascending"
    answer = browsing.codes(
        index,
        level,
        sort=sort,
        descending=(order or first) == "descending",
        examples=examples,
        limit=limit,
        offset=offset,
    )
    labels.with_labels(answer.codes, given)
    return answer


@router.get("/{level}/{code}")
def code_detail(index: CodesOf, given: LabelsOf, level: int, code: int) -> CodeDetail:
    """A code's size, parent, children, the items or users closest to it, the nearest codes."""
    answer = browsing.code_detail(index, level, code)
    labels.with_labels([answer, *answer.children, *answer.nearest], given)
    return answer


@router.put("/{level}/{code}/label", responses=documented(400, 403, 408, 413))
def put_label(
    store: StoreOf, index: CodesOf, _: NeedsAdmin, level: int, code: int, body: LabelBody
) -> CodeDetail:
    """Name a code; an empty label takes the name away. Needs the admin key.

    The name belongs to the code of this model alone; other workers follow within seconds.
    """
    browsing.find_code(index, level, code)
    store.label(index, level, code, labels.cleaned(body.label))
    return code_detail(index, store.labels.of(index), level, code)


@router.get("/{level}/{code}/items")
def code_items(
    index: CodesOf,
    level: int,
    code: int,
    sort: Literal["popularity", "closeness"] = "popularity",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> CodeItems:
    """A code's items, or users; `next` is the cursor of the following page, null at the end."""
    return browsing.code_items(index, level, code, sort, limit, cursor)
