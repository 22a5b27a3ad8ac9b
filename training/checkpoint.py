"""Where a run stands, on disk: a stopped run goes on from its last epoch."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.errors import TrainingError

_NAMES = ("fingerprint", "run_id", "objective", "optimizer", "progress")


@dataclass
class Progress:
    """Where a run stands; all of it is in a checkpoint."""

    epoch: int = 0
    """Epochs done."""
    steps: int = 0
    """Updates done."""
    best_epoch: int = 0
    best: float = -math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: losses, validation metrics, code use, seconds."""


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write the checkpoint beside its place, then rename: a kill leaves the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    with scratch.open("wb") as file:
        torch.save({name: content[name] for name in _NAMES}, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """What a run left at `path`, or None where there is nothing.

    Raises:
        TrainingError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return {name: content[name] for name in _NAMES}
    except Exception as error:
        raise TrainingError(
            f"the checkpoint {path} cannot be read ({type(error).__name__}): "
            "pass --restart to begin again"
        ) from None
