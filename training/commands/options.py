"""Options that several commands take; imports nothing heavy, so that `cove --help` stays quick."""

from pathlib import Path
from typing import Annotated

import typer

Artifacts = Annotated[
    Path, typer.Option("--artifacts", envvar="COVE_ARTIFACTS", help="Folder of artifacts.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DEFAULT_ARTIFACTS = Path("artifacts")
