"""The rows of a table, and which of them a person asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from cove.errors import SettingsError
from cove.recommenders import RECOMMENDERS

AUTO: tuple[int, ...] = ()
"""Code sizes that the number of entities suggests (`training.code_sizes.suggested_sizes`)."""


@dataclass(frozen=True)
class Row:
    """One row of a table: a recommender or a baseline, with its settings."""

    name: str
    """What `--rows` calls it, and its folder."""
    title: str
    group: str
    """One of `GROUPS`."""
    recommender: str
    """A name in `RECOMMENDERS`, or of a baseline."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """As `--set` takes them; without code sizes those of COVE are not known."""
    code_sizes: tuple[int, ...] | None = None
    """Of COVE on items; `AUTO` as the data suggest."""
    base: str | None = None
    """The row that it is compared with: the same without COVE."""
    codes_from: str | None = None
    """The row whose trained model of the same seed gives the codes."""
    note: str = ""
    user_code_sizes: tuple[int, ...] | None = None
    """Of COVE on users."""

    @property
    def is_trained(self) -> bool:
        """Whether there is a run to be made, or but a formula to be measured."""
        return self.recommender in RECOMMENDERS


GROUPS = {
    "baselines": "simple baselines",
    "plain": "recommenders without COVE",
    "cove": "COVE, default form",
    "cove-evolving": "COVE with codes that evolve",
    "cove-paper": "COVE as the paper has it",
    "controls": "controls",
}


def choose_rows(text: str, rows: Sequence[Row], is_main: Callable[[Row], bool]) -> list[Row]:
    """The rows that `--rows` names: all, main, groups, or rows, with commas between.

    A row whose codes come from another row's model brings that one along.

    Raises:
        SettingsError: there is no such row.
    """
    chosen: set[str] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = {
            row.name
            for row in rows
            if part in {"all", row.group, row.name} or (part == "main" and is_main(row))
        }
        if not found:
            raise SettingsError(_unknown(part, rows))
        chosen |= found
    if not chosen:
        raise SettingsError(f"--rows takes main, all or names of rows: got {text!r}")
    chosen |= {row.codes_from for row in rows if row.name in chosen and row.codes_from}
    return [row for row in rows if row.name in chosen]


def with_code_sizes(row: Row, sizes: tuple[int, ...]) -> Row:
    """The row with other code sizes, where it has COVE with sizes of its own."""
    return replace(
        row,
        code_sizes=sizes if row.code_sizes else row.code_sizes,
        user_code_sizes=sizes if row.user_code_sizes else row.user_code_sizes,
    )


def _unknown(name: str, rows: Sequence[Row]) -> str:
    names = ["main", "all", *dict.fromkeys(row.group for row in rows), *(row.name for row in rows)]
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
    return f"there is no row named {name!r}: {hint}"
