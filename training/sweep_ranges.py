"""What a sweep may choose of each setting: a range of numbers, or a list of values."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cove.errors import SettingsError
from training.run_settings import parse_overrides

if TYPE_CHECKING:
    from optuna import Trial

_SPAN = re.compile(r"(?P<low>[^.:,]+(?:\.\d+)?)\.\.(?P<high>[^:,]+?)(?P<log>:log)?")


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, both included; whole ones where both are integers."""

    low: float
    high: float
    log: bool = False
    """Whether they are drawn evenly on a logarithmic scale."""

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Draw one."""
        if self.is_whole:
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers alone are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ends(self) -> list[Any]:
        """Values that a setting must allow."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Choices:
    """Values, one of which is taken."""

    values: tuple[Any, ...]

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Draw one."""
        return trial.suggest_categorical(name, self.values)

    def ends(self) -> list[Any]:
        """Values that a setting must allow."""
        return list(self.values)


Range = Span | Choices


def parse_ranges(texts: Sequence[str]) -> dict[str, Range]:
    """Ranges as the command line spells them: "alpha=0..2", "batch_size=64,128".

    `low..high` is a range, with `:log` behind it a logarithmic one; commas part choices.

    Raises:
        SettingsError: one is neither, or its ends are no numbers that rise.
    """
    found: dict[str, Range] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value:
            raise SettingsError(f"--range takes name=low..high or name=value,value: got {text!r}")
        span = _SPAN.fullmatch(value)
        found[name.strip()] = _span(text, span.groupdict()) if span else _choices(text, value)
    if not found:
        raise SettingsError("there is nothing to choose: give a --range, like alpha=0..2")
    return found


def with_fractions(found: Range, allows: Callable[[float], bool]) -> Range:
    """A range whose ends are spelled as whole numbers, of a setting that allows others: 0..2 of α
    is all between, of layers 0, 1 and 2.

    allows: whether the setting may have a value.
    """
    if not isinstance(found, Span) or not found.is_whole or not allows(found.low + 0.5):
        return found
    return replace(found, low=float(found.low), high=float(found.high))


def _span(text: str, parts: Mapping[str, str | None]) -> Span:
    low, high = (parse_overrides([f"x={parts[end]}"])["x"] for end in ("low", "high"))
    log = parts["log"] is not None
    numbers = [end for end in (low, high) if type(end) in {int, float}]
    if len(numbers) < 2 or not low < high or (log and low <= 0):
        rule = "numbers above 0 that rise" if log else "numbers that rise"
        raise SettingsError(f"the ends of a --range must be {rule}: got {text!r}")
    return Span(low, high, log)


def _choices(text: str, value: str) -> Choices:
    values = tuple(parse_overrides([f"x={part}"])["x"] for part in value.split(","))
    plain = all(isinstance(each, str | int | float) and each != "" for each in values)
    if len(set(map(str, values))) < 2 or not plain:
        raise SettingsError(f"--range takes name=low..high or name=value,value: got {text!r}")
    return Choices(values)
