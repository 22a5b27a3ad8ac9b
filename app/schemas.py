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


ExternalIdOf = Annotated[
    Any,
    BeforeValidator(_external_id),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 1000}, {"type": "integer"}]}),
]
"""An external id: a string or an integer; 50 and "50" are one item, or one user."""


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

    items: list[ExternalIdOf] | None = None
    lists: list[list[ExternalIdOf]] | None = None
    k: int = Field(default=10, ge=1, strict=True)
    exclude: list[ExternalIdOf] = Field(default=[], description="Items never to be given")
    allow: list[ExternalIdOf] | None = Field(
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


class ScoringRequest(BaseModel):
    """A user and the items whose clicks are to be scored, known to the model or not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user": "196", "items": ["50", "172", "new"], "explain": True}]
        },
    )

    user: ExternalIdOf
    items: list[ExternalIdOf]
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


class Health(BaseModel):
    """Whether the server lives, or is ready and with which models."""

    status: Literal["alive", "ready"]
    model: str | None = Field(default=None, description="The model that is browsed by default")
    models: dict[str, str] | None = Field(
        default=None, description="The model that is served for each task"
    )
    problems: dict[str, str] | None = Field(
        default=None, description="Why the active model of a task is not served"
    )
