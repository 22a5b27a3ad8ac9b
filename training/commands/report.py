"""`cove report`: all results of a folder as one document."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from training.paper.full_report import Written, write_report
from training.registry.database import registry_url
from training.registry.queries import Registry


def run_report(results: Path, output: Path) -> Written:
    """Write the report of a folder; runs are looked up in its registry, where there is one.

    Raises:
        CoveError: one sentence on what is wrong with the folder, its results or its registry.
    """
    with _registry_of(results) as registry:
        return write_report(results, output, registry)


def _registry_of(results: Path) -> AbstractContextManager[Registry | None]:
    if "COVE_DATABASE_URL" in os.environ or (results / "registry.sqlite3").exists():
        return Registry(registry_url(results))
    return nullcontext()
