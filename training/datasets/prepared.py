"""A prepared folder: interactions that are filtered, numbered, split and need not fit into memory.

`cove data prepare FILE --output FOLDER` makes one (`training.datasets.large`). U users, N items of
training, n training interactions, m held-out users, V = NUM_SPECIAL + U or N indices.

    prepared.json               what it is, and the sha256 of every other file
    shards/0.parquet, …         training interactions, `user` and `item` (int32 indices), each
                                shard a random share of them, its users ascending
    seen.npy                    [n] int64, what each user has, as `UnseenItems` searches it
    tables.safetensors          small tables: see `Tables`
    user_ids.safetensors        the vocabularies, packed; so is item_ids.safetensors

A shard is decoded when its turn comes: Parquet is encoded, so that it is small and any tool reads
it, but cannot be mapped as it is. What is looked up at random is mapped: seen.npy by numpy, the
rest by safetensors.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cove.errors import DataError, SettingsError
from cove.vocabulary import ExternalId, Vocabulary, read_vocabulary
from training.datasets.files import digest_of
from training.datasets.interactions import InteractionFilter

MANIFEST = "prepared.json"
SEEN = "seen.npy"
TABLES = "tables.safetensors"
SHARDS = "shards"


class PreparedManifest(BaseModel):
    """What a prepared folder is and where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    source_sha256: str
    """Of the file that it was made from."""
    filter: InteractionFilter
    held_out_users: int
    """At most so many have two interactions held out; 0: all who have three."""
    seed: int
    """Drew the held-out users, the shards and, where the source has no order, what is held out."""
    counts: dict[str, int | float | None]
    """As `interaction_stats` gives them."""
    files: dict[str, str]
    """The sha256 of each file, by its path in the folder."""

    def as_json(self) -> bytes:
        """The bytes of `prepared.json`, equal for equal contents."""
        return f"{json.dumps(self.model_dump(), indent=1, sort_keys=True)}\n".encode()


@dataclass(frozen=True, eq=False)
class Tables:
    """What is small beside the interactions: of each user and item one number or two."""

    starts: Tensor  # [V + 1 of users] int64, where each user's interactions begin in seen.npy
    popularity: Tensor  # [N] int64, training interactions of each item
    valid_users: Tensor  # [m] int64 indices, in the order of the source
    valid_items: Tensor  # [m] int64 indices, PAD where training does not know the item
    test_users: Tensor  # [m] likewise
    test_items: Tensor  # [m]


@dataclass(frozen=True, eq=False)
class PreparedInteractions:
    """A prepared folder that was checked; stands where `InteractionData` do."""

    folder: Path
    manifest: PreparedManifest
    sha256: str
    """Of prepared.json, and so of all."""
    users: Vocabulary
    items: Vocabulary
    tables: Tables
    seen: Tensor
    """seen.npy, mapped."""
    facts: None = None
    titles: dict[ExternalId, str] | None = None
    categories: dict[ExternalId, list[str]] | None = None

    @property
    def name(self) -> str:
        """The stem of the file that it was made from."""
        return self.manifest.name

    @property
    def shards(self) -> list[Path]:
        """The files of training interactions."""
        names = (name for name in self.manifest.files if name.startswith(f"{SHARDS}/"))
        return [self.folder / name for name in sorted(names)]

    @property
    def num_measured(self) -> int:
        """Users that metrics by user are of: those that are held out."""
        return len(self.tables.test_users)


def is_prepared(path: Path) -> bool:
    """Whether a path is that of a prepared folder."""
    return (path / MANIFEST).is_file()


def read_manifest(folder: Path) -> PreparedManifest:
    """Read the manifest alone.

    Raises:
        DataError: it is not of this version, or malformed.
    """
    path = folder / MANIFEST
    try:
        return PreparedManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise DataError(f"{path} cannot be read: {reason}") from None


def open_prepared(folder: Path, filter: InteractionFilter | None) -> PreparedInteractions:
    """Read a prepared folder; filter: what it should have been made with, None for whatever was.

    Raises:
        SettingsError: it was made with another.
        DataError: as `read_prepared`.
    """
    made_with = read_manifest(folder).filter
    if filter not in (None, made_with):
        raise SettingsError(
            f"{folder} was prepared with {made_with}, which cannot be changed: prepare it anew for "
            f"{filter}"
        )
    return read_prepared(folder)


def read_prepared(folder: Path) -> PreparedInteractions:
    """Check every file of a prepared folder, and map what is looked up at random.

    Raises:
        DataError: a file is missing, altered, or not of this version.
    """
    manifest = read_manifest(folder)
    with ThreadPoolExecutor() as threads:
        found = dict(zip(manifest.files, threads.map(digest_of, _paths(folder, manifest.files)),
                         strict=True))  # fmt: skip
    for name, digest in found.items():
        if digest != manifest.files[name]:
            raise DataError(f"{folder / name} is damaged: its sha256 is not the one in {MANIFEST}")
    try:
        users, items = (
            read_vocabulary(load_file(folder / f"{entity}_ids.safetensors"))
            for entity in ("user", "item")
        )
        tables = Tables(**load_file(folder / TABLES))
        # Copy on write, and so it never changes: torch takes no array that may not be written to.
        seen = torch.from_numpy(np.load(folder / SEEN, mmap_mode="c"))
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder} is no prepared folder of this version: {error}") from None
    digest = hashlib.sha256(manifest.as_json()).hexdigest()
    return PreparedInteractions(folder, manifest, digest, users, items, tables, seen)


def _paths(folder: Path, names: Mapping[str, str]) -> list[Path]:
    paths = [folder / name for name in names]
    outside = [path for path in paths if not path.resolve().is_relative_to(folder.resolve())]
    if outside:
        raise DataError(f"{folder / MANIFEST} names a file outside the folder: {outside[0]}")
    return paths
