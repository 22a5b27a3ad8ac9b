"""What goes in and out over HTTP, as JSON. Levels count from 1, the finest; codes from 0."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_MAX_ID_LENGTH = 1000
_LARGEST_ID = (1 << 63) - 1


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
    elif abs(value) > _LARGEST_ID:
        raise ValueError("an integer id must fit 64 bits")
    return value


ExternalIdOf = Annotated[
    Any,
    BeforeValidator(_external_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": _MAX_ID_LENGTH},
                {"type": "integer", "minimum": -_LARGEST_ID, "maximum": _LARGEST_ID},
            ]
        }
    ),
]
"""An external id: a string or an integer; 50 and "50" are one item, or one user."""
Ids = Annotated[list[ExternalIdOf], Field(fail_fast=True)]
"""The first wrong id is named alone: a megabyte of them is half a million, and a second's work."""
DEEPEST = 1 << 14
"""Items that are looked through for one list or user: FANS with a list of 100 sorts a hundred times
as many (36,000 items: 0.3 GB, and over a second)."""
MaxPerCode = Annotated[
    int | None,
    Field(
        ge=1,
        strict=True,
        description=f"At most so many items of one level-1 code, out of the {DEEPEST:,} best",
    ),
]
_SCORE = (
    "What the model gives; the order of the items is the answer. Scores need not fall where one "
    "place is filled, or one next item found, after another. Of the most popular items: "
    "occurrences in training"
)


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

    items: Ids | None = None
    lists: Annotated[list[Ids], Field(fail_fast=True)] | None = None
    k: int = Field(default=10, ge=1, strict=True)
    exclude: Ids = Field(default=[], description="Items never to be given")
    allow: Ids | None = Field(
        default=None, description="The only items that may be given; all where it is left out"
    )
    unknown: Literal["ignore", "error"] = Field(
        default="ignore", description="What to do about items of the list that the model lacks"
    )
    explain: bool = Field(default=False, strict=True)
    max_per_code: MaxPerCode = None
    model: str | None = Field(
        default=None, max_length=200, description="A model's id; the active one by default"
    )


class CompletedItem(BaseModel):
    """One item of a completion. `shared_codes`: level -> given items that share its code there."""

    item: str | int
    score: float = Field(description=_SCORE)
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


class ScoringRequest(BaseModel):
    """A user and the items whose clicks are to be scored, known to the model or not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user": "196", "items": ["50", "172", "new"], "explain": True}]
        },
    )

    user: ExternalIdOf
    items: Ids
    explain: bool = Field(default=False, strict=True, description="Whether codes are given")
    model: str | None = Field(
        default=None, max_length=200, description="A model's id; the active one by default"
    )


class ScoredItem(BaseModel):
    """An item and the probability, 0 to 1, that the user clicks it.

    `known`: whether the model knows the item; else it is scored as the average item.
    """

    item: str | int
    probability: float
    known: bool
    title: str | None = None
    codes: list[int] | None = None


class ClickScores(BaseModel):
    """The scores of a user's items, in the order asked. An unknown user is the average user.

    `source`: "average" where neither the user nor any item is known, so that nothing of what was
    asked entered the answer.
    """

    user: str | int
    known_user: bool
    user_codes: list[int] | None = None
    items: list[ScoredItem]
    source: Literal["model", "average"]
    model: str


class RecommendationRequest(BaseModel):
    """A user to recommend to, known to the model or not, and what may be given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user": "196", "k": 3, "explain": True}]},
    )

    user: ExternalIdOf
    items: Ids | None = Field(
        default=None,
        description="What the user is further known to have: never given, and all that an unknown "
        "user is judged by",
    )
    k: int = Field(default=10, ge=1, strict=True)
    exclude: Ids = Field(default=[], description="Items never to be given")
    allow: Ids | None = Field(
        default=None, description="The only items that may be given; all where it is left out"
    )
    include_seen: bool = Field(
        default=False,
        strict=True,
        description="Whether items may be given that the user had in training",
    )
    max_per_code: MaxPerCode = None
    explain: bool = Field(default=False, strict=True)
    model: str | None = Field(
        default=None, max_length=200, description="A model's id; the active one by default"
    )


class NearestSeen(BaseModel):
    """An item that the user has and the cosine of its z_c with that of a recommended item."""

    item: str | int
    title: str | None = None
    similarity: float


class RecommendedItem(BaseModel):
    """One recommended item. What `explain` adds tells of the user's other items, in training and
    in `items`: `shared_codes`, level -> how many of them share the item's code there;
    `nearest_seen`, up to three of them, closest first.
    """

    item: str | int
    score: float = Field(description=_SCORE)
    title: str | None = None
    codes: list[int] | None = None
    shared_codes: dict[str, int] | None = None
    nearest_seen: list[NearestSeen] | None = None


class Recommendation(BaseModel):
    """What a user is recommended, best first. Scores are what `source` says: the model's for the
    user, the list model's for `items` ("completion"), the cosine with the mean of `items`
    ("nearest_items"), occurrences in training ("popularity").
    """

    user: str | int
    known_user: bool
    user_codes: list[int] | None = None
    items: list[RecommendedItem]
    source: Literal["model", "nearest_items", "completion", "popularity"]
    seen: Literal["left_out", "included", "not_kept"] | None = Field(
        default=None,
        description="What became of a known user's items of training; not_kept: the artifact does "
        "not hold them, so they may be among those given",
    )
    unknown_items: list[str | int] | None = Field(
        default=None, description="Those of `items` that the model lacks"
    )
    model: str = Field(description="The model that chose")


class Health(BaseModel):
    """Whether the server lives, or is ready and with which models."""

    status: Literal["alive", "ready"]
    model: str | None = Field(default=None, description="The model that is browsed by default")
    models: dict[str, str] | None = Field(
        default=None, description="The model that is served for each task"
    )
    problems: dict[str, str] | None = Field(
        default=None,
        description="Why the active model of a task is not served; of the registry, what is wrong",
    )
