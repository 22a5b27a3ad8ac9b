"""The artifact: what training writes and the server reads, defined once for both.

A directory of safetensors and JSON; `manifest.json` holds the sha256 of every other file. It is
written beside its final place, the manifest last, and renamed: a crash leaves no half artifact.
"""

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import cove
from cove.card import model_card
from cove.entity_tables import EntityTables, as_json, read_tables, table_files
from cove.errors import ArtifactError, CoveError
from cove.item_index import IndexFacts, ItemIndex, read_index
from cove.quantization import LevelUse
from cove.recommenders import Recommender, build_recommender
from cove.views import EntityViews, read_views, view_files
from cove.vocabulary import NUM_SPECIAL

MANIFEST = "manifest.json"
EVALUATION = "evaluation.safetensors"
INDEX = "index.faiss"
_NOT_HASHED = {"id", "hash", "created_at", "run_id"}


class Manifest(BaseModel):
    """What an artifact is, where it came from, and the hash of each of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str = ""
    """Recommender and the start of `hash`: equal contents have equal ids."""
    hash: str = ""
    """sha256 of this manifest without id, hash, created_at and run_id; covers every file."""
    task: str
    recommender: str
    settings: dict[str, Any]
    """The recommender's own settings."""
    quantizers: dict[str, dict[str, Any]]
    """QuantizerSettings by entity; empty for a plain model."""
    training: dict[str, Any]
    """Every setting of the run: filtering, optimiser, loss weights."""
    num_items: int
    counts: dict[str, int | float | None]
    data_name: str
    data_sha256: str
    seed: int
    epochs: int
    """Epochs trained until the weights that were kept."""
    metrics: dict[str, dict[str, float]]
    code_use: dict[str, list[LevelUse]]
    code_version: str
    index: IndexFacts | None = None
    """Of the faiss index over the items, where there is one."""
    files: dict[str, str] = {}
    created_at: str = ""
    run_id: str | None = None


_DRAWS: set[Any] = {Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_}


class _Unfilled(TorchFunctionMode):
    """New tables stay as memory was found: drawing a million rows takes a second, for nothing."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Leave out what draws random numbers in place."""
        if function in _DRAWS:
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Artifact:
    """A checked artifact, read from `directory`."""

    manifest: Manifest
    directory: Path
    items: EntityTables
    users: EntityTables | None
    """None where the task knows no users."""
    weights: dict[str, Tensor]
    card: str
    evaluation: dict[str, Tensor] = field(default_factory=dict)
    """Each test metric by list of the test split or by user of the data, [n] float32 in their
    order, NaN where a metric skips one; empty in artifacts written before this was kept."""
    views: dict[str, EntityViews] = field(default_factory=dict)
    """By entity, of each that has tables."""

    def read_index(self) -> ItemIndex | None:
        """The index over the items, where there is one; needs faiss.

        Raises:
            ArtifactError: the file holds none.
        """
        if self.manifest.index is None:
            return None
        try:
            return read_index(self.directory / INDEX, self.manifest.index)
        except ValueError as error:
            raise ArtifactError(str(error)) from None

    def load_recommender(self) -> Recommender:
        """The recommender with z_c as its plain tables: serving pays nothing for COVE.

        Its weights are the artifact's own tensors, not copies.
        """
        manifest = self.manifest
        num_users = None if self.users is None else len(self.users.vocabulary)
        try:
            with _Unfilled():
                recommender = build_recommender(
                    manifest.recommender, manifest.settings, manifest.num_items, num_users=num_users
                )
            plain = {k: v for k, v in self.weights.items() if ".quantizer." not in k}
            for name, tables in (("items", self.items), ("users", self.users)):
                if tables is not None:
                    plain[f"{name}.weight"] = _whole(tables.table, plain[f"{name}.weight"])
            recommender.load_state_dict(plain, assign=True)
        except (CoveError, RuntimeError, KeyError) as error:
            raise ArtifactError(
                f"{self.directory / 'weights.safetensors'} does not fit the manifest's "
                f"recommender {manifest.recommender!r}: {str(error).splitlines()[0]}"
            ) from None
        return recommender.eval()


def write_artifact(
    directory: Path,
    manifest: Manifest,
    recommender: Recommender,
    entities: dict[str, EntityTables],
    evaluation: dict[str, Tensor] | None = None,
    index: ItemIndex | None = None,
) -> Manifest:
    """Write an artifact to `directory`, which must not exist or hold an artifact to replace.

    entities: the tables by entity, "item" and perhaps "user"; evaluation: each test metric by list
    or user, [n], as in `Artifact`; index: over the recommender's items.

    Returns the manifest with its files, hash and id filled in.

    Raises:
        ArtifactError: the place holds something else, or cannot be written.
    """
    directory = Path(directory)
    check_output(directory)
    scratch = directory.with_name(f".{directory.name}.{uuid4().hex[:8]}.tmp")
    try:
        scratch.mkdir(parents=True)
        if index is not None:
            index.write(scratch / INDEX)
            manifest = manifest.model_copy(update={"index": index.facts})
        finished = _write_files(scratch, manifest, recommender, entities, evaluation or {})
        if directory.exists():
            old = directory.with_name(f".{directory.name}.{uuid4().hex[:8]}.old")
            directory.rename(old)
            scratch.rename(directory)
            shutil.rmtree(old)
        else:
            scratch.rename(directory)
    except OSError as error:
        raise ArtifactError(f"cannot write the artifact {directory}: {error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return finished


def check_output(directory: Path) -> None:
    """Refuse a place for an artifact that holds anything but an artifact."""
    if not directory.name:
        raise ArtifactError(f"an artifact needs a directory with a name: got {directory}")
    if directory.exists() and not directory.is_dir():  # a device is no file, and would be replaced
        raise ArtifactError(f"{directory} is no directory: an artifact is one")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} holds other files and no {MANIFEST}: name another place")


def _write_files(
    scratch: Path,
    manifest: Manifest,
    recommender: Recommender,
    entities: dict[str, EntityTables],
    evaluation: dict[str, Tensor],
) -> Manifest:
    _write(scratch / "weights.safetensors", save(_weights(recommender, entities)))
    for entity, tables in entities.items():
        kept = table_files(entity, tables) | view_files(entity, tables, manifest.seed)
        for name, content in kept.items():
            _write(scratch / name, content)
    if evaluation:
        by_unit = {name: values.float().contiguous() for name, values in evaluation.items()}
        _write(scratch / EVALUATION, save(by_unit))
    _write(scratch / "README.md", model_card(manifest.model_dump()).encode())
    files = {path.name: _file_sha256(path) for path in sorted(scratch.iterdir())}
    manifest = manifest.model_copy(update={"files": files, "code_version": cove.__version__})
    digest = manifest_hash(manifest)
    finished = manifest.model_copy(
        update={
            "hash": digest,
            "id": f"{manifest.recommender}-{digest[:12]}",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    _write(scratch / MANIFEST, as_json(finished.model_dump()))
    return finished


def _weights(recommender: Recommender, entities: dict[str, EntityTables]) -> dict[str, Tensor]:
    """The recommender's state, without a table that the entity's own files hold as it is."""
    state = {k: v.detach().cpu().contiguous() for k, v in recommender.state_dict().items()}
    for entity, tables in entities.items():
        name = f"{entity}s.weight"
        if name in state and torch.equal(state[name], tables.table):
            del state[name]
    return state


def _write(path: Path, content: bytes) -> None:
    # Not safetensors' save_file: its files are for their owner alone, and the server may be
    # another user; and a full disk is no OSError there.
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_hash(manifest: Manifest) -> str:
    """sha256 over all of the manifest that a repeated run would write again."""
    content = manifest.model_dump(exclude=_NOT_HASHED)
    if content["index"] is None:  # as in manifests from before there were any
        del content["index"]
    return _sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest alone.

    Raises:
        ArtifactError: it is missing, malformed, of another schema, or altered.
    """
    path = Path(directory) / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError:
        raise ArtifactError(f"{directory} is no artifact: it has no readable {MANIFEST}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ArtifactError(
            f"{path} is no manifest of schema 1: {problem['msg']}{f' ({where})' if where else ''}"
        ) from None
    if manifest_hash(manifest) != manifest.hash:
        raise ArtifactError(f"{path} was altered: its contents do not match its own hash")
    return manifest


def read_artifact(directory: Path) -> Artifact:
    """Read an artifact and check every file against the manifest.

    Raises:
        ArtifactError: one sentence that names the file that is missing, altered or malformed.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    with ThreadPoolExecutor() as threads:  # hashing lets go of the interpreter's lock
        paths = threads.map(partial(_checked, directory), manifest.files.items())
        files = {path.name: path for path in paths}
    try:
        items, users = (read_tables(entity, files) for entity in ("item", "user"))
        if items is None:
            raise KeyError("codes.safetensors")
        weights = load_file(files["weights.safetensors"])
        for name, tables in (("items", items), ("users", users)):
            if tables is not None:
                weights.setdefault(f"{name}.weight", tables.table)
        evaluation = load_file(files[EVALUATION]) if EVALUATION in files else {}
        views = {entity: read_views(entity, files) for entity in ("item", "user")}
        card = files["README.md"].read_text(encoding="utf-8")
    except (OSError, KeyError, ValueError, TypeError, SafetensorError, CoveError) as error:
        raise ArtifactError(f"{directory} is not an artifact this version reads: {error}") from None
    return Artifact(manifest, directory, items, users, weights, card, evaluation, views)


def _checked(directory: Path, entry: tuple[str, str]) -> Path:
    """The path of a file, checked against its entry of the manifest, name and sha256."""
    name, sha = entry
    path = directory / name
    if Path(name).name != name:
        raise ArtifactError(f"{directory / MANIFEST} names a file outside the artifact: {name!r}")
    try:
        found = _file_sha256(path)
    except OSError:
        raise ArtifactError(f"{path} is missing: the artifact is incomplete") from None
    if found != sha:
        raise ArtifactError(f"{path} is damaged: its sha256 is not the one in the manifest")
    return path


def _whole(table: Tensor, weight: Tensor) -> Tensor:
    """The table of z_c; with the special rows of `weight` where an old artifact lacks them."""
    special = weight[:NUM_SPECIAL]
    if torch.equal(table[:NUM_SPECIAL], special):
        return table
    return torch.cat([special, table[NUM_SPECIAL:]])
