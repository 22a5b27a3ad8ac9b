"""The recommenders by name; a new one is one file and one entry here."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders.bag import Bag, BagSettings
from cove.recommenders.base import ListCompleter, Prediction, Recommender
from cove.recommenders.bert4rec import Bert4Rec, Bert4RecSettings
from cove.recommenders.bprmf import BprMf, BprMfSettings
from cove.recommenders.car import Car, CarSettings
from cove.recommenders.caser import Caser, CaserSettings
from cove.recommenders.cfkg import Cfkg, CfkgSettings
from cove.recommenders.dcn import Dcn, DcnSettings
from cove.recommenders.deepfm import DeepFm, DeepFmSettings
from cove.recommenders.factorization_machine import (
    FactorizationMachine,
    FactorizationMachineSettings,
)
from cove.recommenders.fans import Fans, FansSettings
from cove.recommenders.fans_two_stage import FansTwoStage, FansTwoStageSettings
from cove.recommenders.fibinet import FibiNet, FibiNetSettings
from cove.recommenders.finalmlp import FinalMlp, FinalMlpSettings
from cove.recommenders.gru4rec import Gru4Rec, Gru4RecSettings
from cove.recommenders.lightgcn import LightGcn, LightGcnSettings
from cove.recommenders.logistic_regression import LogisticRegression, LogisticRegressionSettings
from cove.recommenders.neumf import NeuMf, NeuMfSettings
from cove.recommenders.sasrec import SasRec, SasRecSettings

LISTS = "list_completion"
CLICKS = "click_through"
PREFERENCES = "collaborative_filtering"


class Entry(NamedTuple):
    """A recommender's class, its settings and the task that it is for."""

    build: Callable[..., Recommender]
    settings: type[BaseModel]
    task: str


RECOMMENDERS: dict[str, Entry] = {
    "caser": Entry(Caser, CaserSettings, LISTS),
    "gru4rec": Entry(Gru4Rec, Gru4RecSettings, LISTS),
    "sasrec": Entry(SasRec, SasRecSettings, LISTS),
    "car": Entry(Car, CarSettings, LISTS),
    "bert4rec": Entry(Bert4Rec, Bert4RecSettings, LISTS),
    "fans": Entry(Fans, FansSettings, LISTS),
    "fans_two_stage": Entry(FansTwoStage, FansTwoStageSettings, LISTS),
    "bag": Entry(Bag, BagSettings, LISTS),
    "logistic_regression": Entry(LogisticRegression, LogisticRegressionSettings, CLICKS),
    "factorization_machine": Entry(FactorizationMachine, FactorizationMachineSettings, CLICKS),
    "dcn": Entry(Dcn, DcnSettings, CLICKS),
    "deepfm": Entry(DeepFm, DeepFmSettings, CLICKS),
    "fibinet": Entry(FibiNet, FibiNetSettings, CLICKS),
    "finalmlp": Entry(FinalMlp, FinalMlpSettings, CLICKS),
    "bprmf": Entry(BprMf, BprMfSettings, PREFERENCES),
    "neumf": Entry(NeuMf, NeuMfSettings, PREFERENCES),
    "cfkg": Entry(Cfkg, CfkgSettings, PREFERENCES),
    "lightgcn": Entry(LightGcn, LightGcnSettings, PREFERENCES),
}

__all__ = [
    "CLICKS",
    "LISTS",
    "PREFERENCES",
    "RECOMMENDERS",
    "Entry",
    "ListCompleter",
    "Prediction",
    "Recommender",
    "build_recommender",
    "recommenders_for",
]


def recommenders_for(task: str) -> list[str]:
    """The names of a task's recommenders."""
    return [name for name, entry in RECOMMENDERS.items() if entry.task == task]


def build_recommender(
    name: str,
    settings: dict[str, object],
    num_items: int,
    quantizer: QuantizerSettings | None = None,
    num_users: int | None = None,
    user_quantizer: QuantizerSettings | None = None,
) -> Recommender:
    """Make a new recommender with random weights (torch's global generator).

    quantizer: COVE on items; num_users, user_quantizer: for the recommenders that know users.

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
    if entry.task == LISTS:
        return entry.build(checked, num_items, quantizer)
    if num_users is None:
        raise SettingsError(f"{name} needs users: num_users is missing")
    return entry.build(checked, num_users, num_items, user_quantizer, quantizer)


def first_problem(error: ValidationError) -> str:
    """The first rule that settings break, as one sentence."""
    problem = error.errors()[0]
    name = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"there is no setting named {name!r}"
    if not name or problem["type"] == "value_error":  # our own sentence, which says what it got
        return message
    return f"{name}: {message} (got {problem['input']!r})"
