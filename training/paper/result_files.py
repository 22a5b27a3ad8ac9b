"""The result files of `cove reproduce` in a folder, and whether a registry knows their runs."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cove.errors import CoveError
from training.paper.tables import TABLES
from training.registry.queries import Registry

_NAMED = re.compile(r"(table|figure)(\d+)-(.+)")


@dataclass(frozen=True)
class ResultFile:
    """One table or figure on one data set."""

    name: str
    """Of its files, without what tells the kind."""
    content: dict[str, Any]
    sha256: str
    page: str
    """What it says for itself in Markdown, where this version cannot write that anew."""

    @property
    def is_known(self) -> bool:
        """Whether pages and pictures are made from its values here."""
        return self.content.get("table") in TABLES


def read_result_files(folder: Path) -> list[ResultFile]:
    """Every result in a folder: tables first, then figures, each by number and data set.

    Raises:
        CoveError: there is no such folder, nothing in it, or a file that cannot be read.
    """
    if not folder.is_dir():
        raise CoveError(f"there is no folder {folder}: name one that `cove reproduce` wrote to")
    found = {path: match for path in folder.glob("*.json") if (match := _NAMED.match(path.stem))}
    if not found:
        raise CoveError(f"{folder} holds no results: `cove reproduce table2` writes some")

    def order(path: Path) -> tuple[bool, int, str]:
        kind, number, data = found[path].groups()
        return kind == "figure", int(number), data

    return [_read(path) for path in sorted(found, key=order)]


def _read(path: Path) -> ResultFile:
    try:
        text = path.read_bytes()
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        result = ResultFile(path.stem, content, hashlib.sha256(text).hexdigest(), "")
        if result.is_known:
            return result
        page = path.with_suffix(".md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CoveError(f"the result {path} cannot be read: {error}") from None
    return ResultFile(result.name, content, result.sha256, page)


def runs_of(result: ResultFile) -> Iterator[dict[str, Any]]:
    """Every trained run of a result, as its file has it."""
    content = result.content
    for row in [*content.get("rows", []), *content.get("trained", [])]:
        yield from (seed for seed in row.get("seeds", []) if seed.get("run_id"))


def not_in_registry(results: Sequence[ResultFile], registry: Registry) -> list[str]:
    """The runs that a registry does not have as finished, with just these test metrics."""
    missing = []
    for result in results:
        for found in runs_of(result):
            run = registry.get_run(found["run_id"])
            if run is None or run.state != "finished" or not _agree(run.metrics, found["test"]):
                missing.append(found["run_id"])
    return list(dict.fromkeys(missing))


def _agree(metrics: dict[str, float] | None, shown: dict[str, float]) -> bool:
    """Whether what is shown is what was registered; some of it was computed from units later."""
    return bool(metrics) and all(shown.get(name) == value for name, value in metrics.items())
