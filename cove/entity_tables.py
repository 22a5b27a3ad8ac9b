"""What an artifact keeps of each entity, item or user: ids, embeddings, codes, popularity.

N entities, D dimensions, H levels, v codes of a level, U users, n interactions; rows count from 0
as in the vocabulary, without the special ids.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from cove.clustering import cluster_means
from cove.embedding import EntityEmbedding
from cove.packed import UNPACKED_UP_TO, PackedRows, packed
from cove.quantization import FixedCodes
from cove.search import TextSearch, pack_search, read_search
from cove.vocabulary import NUM_SPECIAL, Vocabulary, pack_vocabulary, read_vocabulary


@dataclass(frozen=True)
class SeenItems:
    """The items of each user in training, each once, those of one user together."""

    starts: Tensor  # [U + 1] int64, where a user's items begin
    items: Tensor  # [n] int64, rows of items

    def of(self, user: int) -> Tensor:
        """The rows of a user's items."""
        return self.items[int(self.starts[user]) : int(self.starts[user + 1])]

    def between(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """The interactions of the users `first` to `last` - 1: each one's user, counted from
        `first`, and its item."""
        starts = self.starts[first : last + 1]
        users = torch.arange(last - first).repeat_interleave(starts.diff())
        return users, self.items[int(starts[0]) : int(starts[-1])]


@dataclass(frozen=True)
class EntityTables:
    """A trained model's items, or its users."""

    vocabulary: Vocabulary
    table: Tensor  # [NUM_SPECIAL + N, D], z_c, special ids first
    codes: Tensor  # [N, H] int64
    parents: list[Tensor]  # H − 1 times [v]
    codebooks: list[Tensor]  # H times [v, D]; of fixed codes the means of their entities' z_c
    popularity: Tensor  # [N] int64, occurrences in training; of clicks the positive ones
    titles: Sequence[str] | None = None
    categories: Sequence[list[str]] | None = None
    seen: SeenItems | None = None
    """Of users: what is not to be recommended again; None where the task does not keep it."""
    kept_search: TextSearch | None = None
    """As it was read from an artifact; None in older ones and before one is written."""

    @property
    def embeddings(self) -> Tensor:
        """z_c of the entities alone, [N, D]."""
        return self.table[NUM_SPECIAL:]

    @property
    def code_sizes(self) -> tuple[int, ...]:
        """The codes of each level."""
        return tuple(len(book) for book in self.codebooks)

    @cached_property
    def search(self) -> TextSearch:
        """Finds entities by id and title; made now where it was not read."""
        if self.kept_search is not None:
            return self.kept_search
        return read_search(pack_search(self.vocabulary.ids, self.titles, self.popularity))


@torch.no_grad()
def entity_tables(
    embedding: EntityEmbedding,
    vocabulary: Vocabulary,
    popularity: Tensor,
    titles: list[str] | None = None,
    categories: list[list[str]] | None = None,
) -> EntityTables:
    """Freeze trained embeddings into tables."""
    quantizer, codes = embedding.quantizer, embedding.codes().cpu()
    table = embedding.all().detach().cpu().clone()
    parents, codebooks = [], []
    if quantizer is not None:
        parents = [parent.cpu().clone() for parent in quantizer.parents()]
        codebooks = [book.detach().cpu().clone() for book in quantizer.codebooks]
    if isinstance(quantizer, FixedCodes):
        levels = zip(codes.unbind(dim=1), quantizer.settings.code_sizes, strict=True)
        codebooks = [cluster_means(table[NUM_SPECIAL:], level, size) for level, size in levels]
    return EntityTables(
        vocabulary=vocabulary,
        table=table,
        codes=codes,
        parents=parents,
        codebooks=codebooks,
        popularity=popularity.cpu(),
        titles=titles,
        categories=categories,
    )


def table_files(entity: str, tables: EntityTables) -> dict[str, bytes]:
    """The files of an entity's tables, by name: items' have plain names, others a prefix."""
    codes = {"items": tables.codes.contiguous(), "popularity": tables.popularity.contiguous()}
    codes |= {f"parents_{i + 1}": parent.contiguous() for i, parent in enumerate(tables.parents)}
    codes |= {f"codebook_{i + 1}": book.contiguous() for i, book in enumerate(tables.codebooks)}
    texts = pack_vocabulary(tables.vocabulary.ids)
    for name, rows in (("titles", tables.titles), ("categories", tables.categories)):
        texts |= {} if rows is None else packed(name, rows)
    search = pack_search(tables.vocabulary.ids, tables.titles, tables.popularity)
    prefix = _prefix(entity)
    files = {
        f"{prefix}embeddings.safetensors": save({"table": tables.table.contiguous()}),
        f"{prefix}codes.safetensors": save(codes),
        f"{prefix}vocabulary.safetensors": save(texts),
        f"{prefix}search.safetensors": save(search),
    }
    if tables.seen is not None:
        seen = {"starts": tables.seen.starts, "items": tables.seen.items}
        files[f"{prefix}seen.safetensors"] = save({k: v.contiguous() for k, v in seen.items()})
    return files


def read_tables(entity: str, files: Mapping[str, Path]) -> EntityTables | None:
    """An entity's tables out of an artifact's files by name; None where it has none of this entity.

    Tensors are mapped into memory, not read: processes that read the same files share them.

    Raises:
        KeyError, ValueError, TypeError, SafetensorError, CoveError: the files are malformed.
    """
    prefix = _prefix(entity)
    if f"{prefix}codes.safetensors" not in files:
        return None
    tables = load_file(files[f"{prefix}codes.safetensors"])
    seen = files.get(f"{prefix}seen.safetensors")
    search = files.get(f"{prefix}search.safetensors")
    vocabulary, titles, categories = _read_texts(prefix, files)
    return EntityTables(
        vocabulary=vocabulary,
        table=_table(load_file(files[f"{prefix}embeddings.safetensors"])),
        codes=tables["items"],
        parents=_numbered(tables, "parents_"),
        codebooks=_numbered(tables, "codebook_"),
        popularity=tables["popularity"],
        titles=titles,
        categories=categories,
        seen=None if seen is None else SeenItems(**load_file(seen)),
        kept_search=None if search is None else read_search(load_file(search)),
    )


def _read_texts(
    prefix: str, files: Mapping[str, Path]
) -> tuple[Vocabulary, Sequence[str] | None, Sequence[list[str]] | None]:
    """Vocabulary, titles and categories; JSON as a whole in artifacts from before they were
    packed."""
    if (whole := files.get(f"{prefix}vocabulary.json")) is not None:
        content = json.loads(whole.read_bytes())
        return Vocabulary(content["ids"]), content["titles"], content["categories"]
    tensors = load_file(files[f"{prefix}vocabulary.safetensors"])
    titles, categories = (PackedRows.read(tensors, name) for name in ("titles", "categories"))
    if titles is not None and len(titles) <= UNPACKED_UP_TO:
        return read_vocabulary(tensors), list(titles), categories
    return read_vocabulary(tensors), titles, categories


def _table(tensors: Mapping[str, Tensor]) -> Tensor:
    """The whole table; artifacts written before it was kept whole lack the special ids' rows,
    which then are zero."""
    if "table" in tensors:
        return tensors["table"]
    return torch.nn.functional.pad(tensors["items"], (0, 0, NUM_SPECIAL, 0))


def as_json(content: object) -> bytes:
    """JSON as every file of an artifact has it: equal contents give equal bytes."""
    return f"{json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode()


def _prefix(entity: str) -> str:
    return "" if entity == "item" else f"{entity}_"


def _numbered(tables: dict[str, Tensor], prefix: str) -> list[Tensor]:
    names = sorted((k for k in tables if k.startswith(prefix)), key=lambda k: int(k[len(prefix) :]))
    return [tables[name] for name in names]
