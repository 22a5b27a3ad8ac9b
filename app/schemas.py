"""What goes in and out over HTTP, as JSON. Levels count from 1, the finest; codes from 0."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_MAX_ID_LENGTH = 1000


def _external_id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("an id must be a string or an integer")
    if isinstance(value, str):
        if len(value) > _MAX_ID_LENGTH:
            raise ValueError(f"an id must not be longer than {_MAX_ID_LENGTH} characters")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("an id must be valid Unicode: it holds a lone surrogate") from None
    elif abs(value) >= 1 << 63:
        raise ValueError("an integer id must fit 64 bits")
    return value


ItemId = Annotated[
    Any,
    BeforeValidator(_external_id),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 1000}, {"type": "integer"}]}),
]
"""An external id: a string or an integer; 50 and "50" are the same item."""


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


class CompletionRequest(BaseModel):
    """A list to complete (`items`) or many of them (`lists`): exactly one of the two."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"items": ["50", "172"], "k": 3, "explain": True}]},
    )

    items: list[ItemId] | None = None
    lists: list[list[ItemId]] | None = None
    k: int = Field(default=10, ge=1, strict=True)
    exclude: list[ItemId] = Field(default=[], description="Items never to be given")
    allow: list[ItemId] | None = Field(
        default=None, description="The only items that may be given; all where it is left out"
    )
    unknown: Literal["ignore", "error"] = Field(
        default="ignore", description="What to do about items of the list that the model lacks"
    )
    explain: bool = Field(default=False, strict=True)
    max_per_code: int | None = Field(
        default=None, ge=1, strict=True, description="At most so many items of one level-1 code"
    )
    model: str | None = Field(
        default=None, max_length=200, description="A model's id; the active one by default"
    )


class CompletedItem(BaseModel):
    """One item of a completion. `shared_codes`: level -> given items that share its code there."""

    item: str | int
    score: float
    title: str | None = None
    codes: list[int] | None = None
    shared_codes: dict[str, int] | None = None


class Completion(BaseModel):
    """How one list goes on, best first. `source`: who chose, the model or the fallback."""

    items: list[CompletedItem]
    source: Literal["model", "popularity"]
    unknown_items: list[str | int]


class ListCompletion(Completion):
    """The completion of `items`."""

    model: str


class ManyCompletions(BaseModel):
    """The completions of `lists`, in their order."""

    results: list[Completion]
    model: str


class LevelSummary(BaseModel):
    """One level of codes: how many there are and how evenly `items` spread over them."""

    level: int
    size: int
    used: int
    perplexity: float
    items: int


class Levels(BaseModel):
    """The levels of a model, finest first; none where it learned no codes."""

    model: str
    entity: Literal["item"] = "item"
    levels: list[LevelSummary]


class ItemSummary(BaseModel):
    """An item in a row of items. `distance`: of its own embedding to the code."""

    item: str | int
    title: str | None = None
    popularity: int
    distance: float | None = None


class CodeSummary(BaseModel):
    """A code in a row of codes: `size` in items, `popularity` in their occurrences."""

    level: int
    code: int
    size: int
    popularity: int
    parent: int | None
    examples: list[ItemSummary] = []


class NearCode(CodeSummary):
    """A code and how far its vector lies from the one asked for."""

    distance: float


class Codes(BaseModel):
    """The codes of one level. `next`: the offset to ask for the rest, null at the end."""

    model: str
    level: int
    total: int
    codes: list[CodeSummary]
    next: int | None


class CodeDetail(CodeSummary):
    """One code with its place in the tree, the items closest to it and the nearest codes."""

    model: str
    children: list[CodeSummary]
    representatives: list[ItemSummary]
    nearest: list[NearCode]


class ItemPage(BaseModel):
    """Some of a code's items. `next`: the cursor of the rest, null at the end."""

    model: str
    level: int
    code: int
    total: int
    items: list[ItemSummary]
    next: str | None


class SimilarItem(ItemSummary):
    """An item and the cosine of its z_c with the one asked for."""

    similarity: float


class ItemDetail(BaseModel):
    """One item. `codes`: level 1 first; `categories`: the true ones, where the data have them."""

    model: str
    item: str | int
    title: str | None
    categories: list[str] | None
    popularity: int
    codes: list[int]
    similar: list[SimilarItem]


class FoundItem(ItemSummary):
    """An item that a search found."""

    codes: list[int]


class FoundItems(BaseModel):
    """What a search found: exact ids first, then the most popular."""

    model: str
    items: list[FoundItem]


class Health(BaseModel):
    """Whether the server lives, or is ready and with which model."""

    status: Literal["alive", "ready"]
    model: str | None = None
