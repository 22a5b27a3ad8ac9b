"""What every loader gives: validated lists of external ids, and the rule that filters them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cove.errors import DataError, SettingsError
from cove.vocabulary import ExternalId


class ListFilter(BaseModel):
    """Which items and lists are kept (FANS, Liu et al. 2023); both length bounds are inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_count: int = Field(default=10, ge=1)
    """An item stays if it occurs at least so often in all; a repeat in a list counts."""
    min_length: int = Field(default=10, ge=1)
    """A list stays if it holds at least so many items."""
    max_length: int = Field(default=200, ge=1)
    """A list holds at most so many items."""
    too_long: Literal["truncate", "drop"] = "truncate"
    """What happens to a longer list: its first items are kept, or it is dropped."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "ListFilter":
        if self.min_length > self.max_length:
            raise ValueError(
                "min_length must not exceed max_length: "
                f"got min_length={self.min_length}, max_length={self.max_length}"
            )
        return self

    def with_changes(self, **changes: Any) -> "ListFilter":
        """Give a validated copy with some values changed; a change to None changes nothing.

        Raises:
            SettingsError: a name is unknown or a value breaks its rule.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        try:
            return ListFilter(**{**self.model_dump(), **given})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if not name:
                raise SettingsError(first["msg"].removeprefix("Value error, ")) from None
            rule = first["msg"][0].lower() + first["msg"][1:]
            raise SettingsError(f"{name}: {rule}, got {first['input']!r}") from None

    def __str__(self) -> str:
        return (
            f"min_count={self.min_count}, min_length={self.min_length}, "
            f"max_length={self.max_length}, too_long={self.too_long}"
        )


@dataclass(frozen=True)
class ListData:
    """Lists of items under their external ids, in the order of the source.

    `list_ids[p]` names `lists[p]`; titles and categories are None where the source has none, and
    hold no item that no list holds. `sha256` is over the bytes of the raw files, in a fixed order.
    """

    name: str
    lists: list[list[ExternalId]]
    list_ids: list[ExternalId]
    titles: dict[ExternalId, str] | None
    categories: dict[ExternalId, list[str]] | None
    sha256: str

    def __post_init__(self) -> None:
        if len(self.lists) != len(self.list_ids):
            raise DataError(
                f"{self.name}: every list needs one id, "
                f"got {len(self.lists)} lists and {len(self.list_ids)} ids"
            )


@dataclass(frozen=True)
class Dataset:
    """One source of data that this project knows by name."""

    name: str
    description: str
    terms: str
    """Where the files come from and what their owners allow."""
    load: Callable[[Path], ListData] = field(repr=False)
    """From the folder that holds the files to the lists, not yet filtered."""
    files: tuple[str, ...]
    """The files that the loader reads, for messages."""
    default_filter: ListFilter = field(default_factory=ListFilter)
    kind: Literal["lists"] = "lists"
