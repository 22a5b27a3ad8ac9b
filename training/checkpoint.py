"""Where a run stands, on disk: a stopped run goes on from its last epoch, in as many processes as
there are then.

A checkpoint is a directory that holds one directory, named by its epoch: `standing.json`, and the
tensors as safetensors, by torch's distributed checkpoint. Of a sharded table each process writes
and reads its own rows. A new one is written beside, under another name, and renamed when it is
whole; then the one before is removed.
"""

import json
import math
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.tensor import DTensor

from training.errors import TrainingError
from training.parallel import ALONE, Processes, others_alive

_STANDING = "standing.json"
_FILE_BYTES = 1 << 28
"""Bytes of tensors from which a process begins another file: each is made in memory first."""
_EXPECTED = "torch.distributed is disabled|TypedStorage is deprecated"
"""Warnings that torch gives where one process writes, and 2.10 wherever it does."""


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs done."""
    steps: int = 0
    """Updates done."""
    best_epoch: int = 0
    best: float = -math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: losses, validation metrics, code use, seconds."""


@dataclass(frozen=True)
class Standing:
    """What a checkpoint holds beside tensors."""

    fingerprint: str
    """Of the run's settings and data."""
    run_id: str
    progress: dict[str, Any]
    """Of `Progress` all but the weights."""
    has_best: bool
    """Whether it has best weights."""
    updates: dict[str, int]
    """How many each parameter had, by name."""

    @classmethod
    def of(
        cls, fingerprint: str, run_id: str, progress: Progress, updates: dict[str, int]
    ) -> "Standing":
        """Where a run stands."""
        values = {name: value for name, value in vars(progress).items() if name != "best_weights"}
        return cls(fingerprint, run_id, values, bool(progress.best_weights), updates)


def write_checkpoint(
    path: Path, standing: Standing, tensors: dict[str, Tensor], processes: Processes = ALONE
) -> None:
    """Write the checkpoint and remove the one before: a kill leaves one of the two.

    tensors: by name; of sharded tables DTensors, and then all processes write, into one folder.

    Raises:
        TrainingError: it cannot be written.
    """
    together = _is_shared(tensors)
    if not (together or processes.first):
        return
    tensors = {name: each.contiguous() for name, each in tensors.items()}  # safetensors wants that
    name = str(standing.progress["epoch"])
    scratch = path / f".{name}.tmp"
    with _in_a_sentence(f"the checkpoint {path} cannot be written"):
        if processes.first:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
        if together:
            processes.agree(None)  # none writes before that is done
        writer = dcp.HuggingFaceStorageWriter(str(scratch), _files(tensors), save_distributed=True)
        dcp.save(tensors, storage_writer=writer, no_dist=not together)
        if not processes.first:
            return
        with (scratch / _STANDING).open("w", encoding="utf-8") as file:
            json.dump(asdict(standing), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(path / name)
        for other in path.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)


def read_standing(path: Path) -> Standing | None:
    """Where the run that left a checkpoint at `path` stands, or None where there is nothing.

    Raises:
        TrainingError: the checkpoint cannot be read.
    """
    if not path.exists():
        return None
    with _in_a_sentence(*_unreadable(path)):
        if not path.is_dir():
            raise ValueError("it is a file, as earlier versions wrote it")
        whole = {int(each.parent.name): each for each in path.glob(f"[0-9]*/{_STANDING}")}
        if not whole:
            return None
        return Standing(**json.loads(whole[max(whole)].read_text(encoding="utf-8")))


def read_tensors(
    path: Path, standing: Standing, tensors: dict[str, Tensor], processes: Processes = ALONE
) -> None:
    """Fill tensors, by name as in `write_checkpoint`, on all processes.

    Raises:
        TrainingError: they cannot be read, or are not those of the checkpoint.
    """
    together = _is_shared(tensors)
    if together or processes.first:
        with _in_a_sentence(*_unreadable(path)):
            reader = dcp.HuggingFaceStorageReader(str(path / str(standing.progress["epoch"])))
            dcp.load(tensors, storage_reader=reader, no_dist=not together)
    if not together:
        processes.equalise(tensors.values())


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint at `path`, where there is one: a kill leaves it or nothing to go by."""
    if path.is_dir():
        for standing in path.glob(f"*/{_STANDING}"):
            standing.unlink()
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_shared(tensors: dict[str, Tensor]) -> bool:
    return any(isinstance(each, DTensor) for each in tensors.values())


def _files(tensors: dict[str, Tensor]) -> dict[str, int]:
    """The number of the file, from 1, that holds each tensor."""
    files, number, filled = {}, 1, 0
    for name, tensor in tensors.items():
        if filled >= _FILE_BYTES:
            number, filled = number + 1, 0
        files[name] = number
        filled += tensor.numel() * tensor.element_size()
    return files


def _unreadable(path: Path) -> tuple[str, str]:
    return f"the checkpoint {path} cannot be read", ": pass --restart to begin again"


@contextmanager
def _in_a_sentence(trouble: str, remedy: str = "") -> Iterator[None]:
    """Say what went wrong with a checkpoint, and what to do about it.

    Raises:
        TrainingError: that; or another process is gone.
    """
    try:
        with warnings.catch_warnings(), others_alive():
            warnings.filterwarnings("ignore", message=_EXPECTED)
            yield
    except CheckpointException as error:  # no Exception, and it wraps even an interrupt
        causes = [cause for cause, _ in error.failures.values()]
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
            raise KeyboardInterrupt from None
        raise TrainingError(f"{trouble} ({_described(causes[0])}){remedy}") from None
    except TrainingError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{trouble} ({_described(error)}){remedy}") from None


def _described(cause: BaseException) -> str:
    first_line = next(iter(str(cause).splitlines()), "")
    return f"{type(cause).__name__}: {first_line[:200]}"
