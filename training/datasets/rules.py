"""What the filters of lists, of clicks and of interactions share."""

from collections.abc import Set
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cove.errors import SettingsError
from cove.vocabulary import ExternalId

Value = TypeVar("Value")


class FilterRule(BaseModel):
    """Frozen settings that say what of a data set is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_changes(self, **changes: Any) -> Self:
        """Give a validated copy with some values changed; a change to None changes nothing.

        Raises:
            SettingsError: a name is unknown or a value breaks its rule.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        try:
            return type(self)(**{**self.model_dump(), **given})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if not name:
                raise SettingsError(first["msg"].removeprefix("Value error, ")) from None
            rule = first["msg"][0].lower() + first["msg"][1:]
            raise SettingsError(f"{name}: {rule}, got {first['input']!r}") from None

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.model_dump().items())


def of_kept(
    table: dict[ExternalId, Value] | None, kept: Set[ExternalId]
) -> dict[ExternalId, Value] | None:
    """Give the entries of the items that are kept; a source without a table stays without one."""
    if table is None:
        return None
    return {item: value for item, value in table.items() if item in kept}
