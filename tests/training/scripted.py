"""A small run of the loop whose validation results are given beforehand."""

from collections.abc import Iterator
from pathlib import Path

import torch

from cove.batches import ListBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import ListCompleter, build_recommender
from training.loop import LoopPlan
from training.optimisation import TrainingSettings

SMALL: dict[str, object] = {"dimensions": 16, "layers": 1, "heads": 2, "max_length": 12}


class Scripted:
    """A task whose validation results are given beforehand; notes the weights at each."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores
        self.weights: list[dict[str, torch.Tensor]] = []

    def batches(self, size: int, generator: torch.Generator) -> Iterator[ListBatch]:
        for _ in range(2):
            items = torch.rand(8, 20, generator=generator).argsort(dim=1)[:, :8] + 4
            yield ListBatch(items[:, :4], items[:, 4:])

    def evaluate(self, recommender: ListCompleter, split: str) -> dict[str, float]:
        assert split == "valid"
        assert not recommender.training
        self.weights.append({k: v.clone() for k, v in recommender.state_dict().items()})
        return {"ndcg_at_10": self.scores[len(self.weights) - 1]}


def objective(
    name: str = "fans", quantizer: QuantizerSettings | None = None, **settings: object
) -> Objective:
    torch.manual_seed(0)
    made = build_recommender(name, SMALL | settings, 20, quantizer)
    return Objective(made, ObjectiveSettings(code_prediction_weight=0.1))


def plan(folder: Path, **settings: object) -> LoopPlan:
    return LoopPlan(
        TrainingSettings(**{"epochs": 6, "batch_size": 8} | settings),  # type: ignore[arg-type]
        0, "ndcg_at_10", folder / "checkpoint", "settings and data", "run",
    )  # fmt: skip
