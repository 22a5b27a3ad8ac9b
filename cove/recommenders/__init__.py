"""The recommenders by name; a new one is one file and one entry here."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders.bag import Bag, BagSettings
from cove.recommenders.base import ListCompleter, Prediction
from cove.recommenders.bert4rec import Bert4Rec, Bert4RecSettings
from cove.recommenders.car import Car, CarSettings
from cove.recommenders.caser import Caser, CaserSettings
from cove.recommenders.fans import Fans, FansSettings
from cove.recommenders.fans_two_stage import FansTwoStage, FansTwoStageSettings
from cove.recommenders.gru4rec import Gru4Rec, Gru4RecSettings
from cove.recommenders.sasrec import SasRec, SasRecSettings


class Entry(NamedTuple):
    """A recommender's class, its settings and the task that it is for."""

    build: Callable[..., ListCompleter]
    settings: type[BaseModel]
    task: str


RECOMMENDERS: dict[str, Entry] = {
    "caser": Entry(Caser, CaserSettings, "list_completion"),
    "gru4rec": Entry(Gru4Rec, Gru4RecSettings, "list_completion"),
    "sasrec": Entry(SasRec, SasRecSettings, "list_completion"),
    "car": Entry(Car, CarSettings, "list_completion"),
    "bert4rec": Entry(Bert4Rec, Bert4RecSettings, "list_completion"),
    "fans": Entry(Fans, FansSettings, "list_completion"),
    "fans_two_stage": Entry(FansTwoStage, FansTwoStageSettings, "list_completion"),
    "bag": Entry(Bag, BagSettings, "list_completion"),
}

__all__ = ["RECOMMENDERS", "ListCompleter", "Prediction", "build_recommender"]


def build_recommender(
    name: str, settings: dict[str, object], num_items: int, quantizer: QuantizerSettings | None
) -> ListCompleter:
    """Make a new recommender with random weights (torch's global generator).

    Raises:
        SettingsError: unknown name, or settings that its rules forbid.
    """
    entry = RECOMMENDERS.get(name)
    if entry is None:
        raise SettingsError(f"recommender must be one of {', '.join(RECOMMENDERS)}: got {name!r}")
    try:
        checked = entry.settings.model_validate(settings)
    except ValidationError as error:
        raise SettingsError(first_problem(error)) from None
    return entry.build(checked, num_items, quantizer)


def first_problem(error: ValidationError) -> str:
    """The first rule that settings break, as one sentence."""
    problem = error.errors()[0]
    name = ".".join(map(str, problem["loc"])) or "settings"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"there is no setting named {name!r}"
    return f"{name}: {message} (got {problem['input']!r})"
