"""`cove data prepare FILE --output FOLDER`: interactions that need not fit into memory."""

from pathlib import Path

import typer

from cove.errors import SettingsError
from training.datasets import DATASETS
from training.datasets.interactions import InteractionFilter
from training.datasets.large.preparing import HELD_OUT_USERS, prepare_interactions
from training.datasets.rules import FilterRule


def prepare_folder(
    file: Path, output: Path, filter: FilterRule, held_out_users: int | None, seed: int
) -> None:
    """Prepare a folder, telling each stage.

    Raises:
        DataError: the file has something wrong, or the folder is there already.
        SettingsError: the file is no file of interactions.
    """
    if not isinstance(filter, InteractionFilter):
        raise SettingsError(f"a folder, as {output}, is for interactions alone: name a file")
    if str(file) in DATASETS:
        raise SettingsError(
            f"a folder is made of a file, {file} is a data set: make the file first, with "
            f"--output {file}.parquet"
        )
    most = HELD_OUT_USERS if held_out_users is None else held_out_users
    manifest = prepare_interactions(file, output, filter, most, seed, typer.echo)
    counts = manifest.counts
    typer.echo(
        f"{output}: {counts['interactions']:,} interactions of {counts['users']:,} users and "
        f"{counts['items']:,} items"
    )
