"""What every list loader gives, the rule that filters it, and what a data set by name is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cove.errors import DataError
from cove.vocabulary import ExternalId
from training.datasets.clicks import ClickFilter, RawClicks
from training.datasets.interactions import InteractionFilter, RawInteractions
from training.datasets.rules import FilterRule

Kind = Literal["lists", "clicks", "interactions"]


class ListFilter(FilterRule):
    """Which items and lists are kept (FANS, Liu et al. 2023); both length bounds are inclusive."""

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
    load: Callable[[Path], ListData] | None = field(repr=False)
    """From the folder that holds the files to the lists, not yet filtered; None: it has none."""
    files: tuple[str, ...]
    """The files that the loaders read, for messages."""
    default_filter: ListFilter = field(default_factory=ListFilter)
    load_clicks: Callable[[Path], RawClicks] | None = field(default=None, repr=False)
    """From the folder to the samples of clicks, not yet filtered; None: it has none."""
    default_click_filter: ClickFilter = field(default_factory=ClickFilter)
    load_interactions: Callable[[Path], RawInteractions] | None = field(default=None, repr=False)
    """From the folder to the interactions, not yet filtered; None: it has none."""
    default_interaction_filter: InteractionFilter = field(default_factory=InteractionFilter)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What the set can be read as; the first is what it is where nobody says more."""
        kinds: list[Kind] = []
        if self.load_clicks is not None:
            kinds.append("clicks")
        if self.load is not None:
            kinds.append("lists")
        if self.load_interactions is not None:
            kinds.append("interactions")
        return tuple(kinds)
