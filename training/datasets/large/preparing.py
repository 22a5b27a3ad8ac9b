"""The whole preparation: from a file to a folder, or to one sentence and nothing."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from cove.errors import DataError
from training.datasets.interactions import InteractionFilter
from training.datasets.large.holding_out import Parted, hold_out
from training.datasets.large.numbering import Numbered, number_rows
from training.datasets.large.selecting import core_of_parts, keep_first_pairs
from training.datasets.large.source import open_source
from training.datasets.large.writing import write_files
from training.datasets.prepared import MANIFEST, PreparedManifest
from training.datasets.stats import interaction_counts
from training.datasets.writing import writing

HELD_OUT_USERS = 20_000
"""Users that are tested on where nobody says: the error of a mean over so many is less than a
hundredth of the spread between users. Half a million items scored for each, D = 64, are 1.3 TFLOP;
for five million users they would be 320 in every epoch."""


def prepare_interactions(
    path: Path,
    output: Path,
    filter: InteractionFilter,
    held_out_users: int = HELD_OUT_USERS,
    seed: int = 0,
    tell: Callable[[str], None] = lambda stage: None,
) -> PreparedManifest:
    """Make a prepared folder of a file of interactions, which need not fit into memory.

    tell: hears what is done next. Everything is first written to a folder beside `output`, which
    needs about as much of the disk again, and renamed in the end.

    Raises:
        DataError: the file has something wrong, nothing is left of it, or the folder is there
            already or cannot be written.
        SettingsError: the filter bounds ratings, and the rows have none.
    """
    if output.exists():
        raise DataError(f"{output} is there already: name another output")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
            made = Path(name, "prepared")
            made.mkdir()
            manifest = _prepare(path, made, Path(name), filter, held_out_users, seed, tell)
            made.rename(output)
    return manifest


def _prepare(
    path: Path,
    folder: Path,
    scratch: Path,
    filter: InteractionFilter,
    held_out_users: int,
    seed: int,
    tell: Callable[[str], None],
) -> PreparedManifest:
    tell(f"reading {path}")
    source = open_source(path, filter, scratch)
    if source.left_out:
        names = " and ".join(sorted(source.left_out))
        tell(f"a prepared folder does not keep {names}: where they are needed, train on the file")
    tell("numbering users and items")
    numbered = number_rows(source, filter.core, scratch / "parts")
    tell(f"{len(numbered.users):,} users and {len(numbered.items):,} items: each pair once")
    pairs = keep_first_pairs(numbered.parts, scratch / "pairs")
    core = core_of_parts(pairs, (len(numbered.users), len(numbered.items)), filter.core, tell)
    if not core.users.any():
        raise DataError(f"{source.name}: no row is left after {filter}")
    tell("holding out")
    parted = hold_out(pairs, core, held_out_users, seed, source.name, scratch / "train")
    tell("writing")
    users = numbered.users.filter(pl.Series(core.users))
    files = write_files(folder, scratch / "shards", parted, users, numbered.items)
    manifest = PreparedManifest(
        name=source.name,
        source_sha256=source.sha256,
        filter=filter,
        held_out_users=held_out_users,
        seed=seed,
        counts=_counts(numbered, parted),
        files=files,
    )
    (folder / MANIFEST).write_bytes(manifest.as_json())
    return manifest


def _counts(numbered: Numbered, parted: Parted) -> dict[str, int | float | None]:
    interactions = int(parted.of_users.sum()) + len(parted.valid) + len(parted.test)
    return interaction_counts(
        len(parted.of_users),
        parted.num_items,
        interactions,
        numbered.source_users,
        numbered.source_items,
    )
