"""Recommendations offline, from an artifact: to one user, or to all of them as one Parquet file.

B users scored at once, N items, K items given to a user.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import torch
from polars.io.plugins import register_io_source
from torch import Tensor

from cove.artifact import Artifact
from cove.errors import DataError
from cove.recommenders import LISTS
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, Vocabulary
from training.datasets.writing import replacing
from training.measure import described

_SCORES_AT_ONCE = 1 << 22
"""Scores held in memory: 16 MiB, and as much again while the best of them are found."""


def recommend_offline(artifact: Artifact, user: str, k: int) -> dict[str, Any]:
    """The k best items that a user has not seen; popularity answers for an unknown user.

    Raises:
        DataError: the artifact is for another task, or its weights are not finite.
    """
    recommender = _preference_model(artifact)
    assert artifact.users is not None
    index = artifact.users.vocabulary.index_of(user)
    if index is None:
        popularity = artifact.items.popularity
        rows = popularity.argsort(descending=True, stable=True)[:k]
        ranked = zip(rows.tolist(), popularity[rows].double().tolist(), strict=True)
    else:
        row = index - NUM_SPECIAL
        _, rows, scores = _best(artifact, recommender, row, row + 1, k)
        ranked = zip(rows.tolist(), scores.tolist(), strict=True)
    return {
        "user": user if index is None else artifact.users.vocabulary.decode(index),
        "known_user": index is not None,
        "items": [described(artifact, row + NUM_SPECIAL, score) for row, score in ranked],
        "source": "popularity" if index is None else "model",
        "seen": seen_in(artifact),
        "model": artifact.manifest.id,
    }


def write_recommendations(artifact: Artifact, k: int, path: Path) -> dict[str, Any]:
    """Write `user_id, item_id, rank, score` of the k best unseen items of every user; gives counts.

    Users come in the vocabulary's order, ranks count from 1, and a user with fewer than k unseen
    items has fewer rows. Ids are integers where all are, else text. Users are scored in parts, so
    that memory does not grow with their number; the file is first a temporary one, then renamed.

    Raises:
        DataError: the artifact is for another task, its weights are not finite, or the file cannot
            be written.
    """
    if path.suffix.lower() != ".parquet":
        raise DataError(f"the output must end in .parquet: got {path}")
    recommender = _preference_model(artifact)
    assert artifact.users is not None
    users, items = _ids(artifact.users.vocabulary), _ids(artifact.items.vocabulary)
    schema = {"user_id": users.dtype, "item_id": items.dtype, "rank": pl.Int32, "score": pl.Float32}
    at_once, written = max(1, _SCORES_AT_ONCE // max(1, len(items))), 0

    def parts(*_: object) -> Iterator[pl.DataFrame]:
        nonlocal written
        for first in range(0, len(users), at_once):
            last = min(first + at_once, len(users))
            owners, rows, scores = _best(artifact, recommender, first, last, k)
            starts = torch.searchsorted(owners, owners)  # a user's first row
            ranks = torch.arange(1, len(owners) + 1) - starts
            written += len(owners)
            columns = [
                users.gather((owners + first).numpy()),
                items.gather(rows.numpy()),
                pl.Series(ranks.numpy(), dtype=pl.Int32),
                pl.Series(scores.numpy(), dtype=pl.Float32),
            ]
            yield pl.DataFrame(dict(zip(schema, columns, strict=True)))

    with replacing(path) as temporary:
        register_io_source(parts, schema=schema).sink_parquet(temporary)
    return {
        "output": str(path),
        "users": len(users),
        "rows": written,
        "seen": seen_in(artifact),
        "model": artifact.manifest.id,
    }


def seen_in(artifact: Artifact) -> str:
    """ "left_out" where the artifact keeps what users have seen, else "not_kept"."""
    known = artifact.users is not None and artifact.users.seen is not None
    return "left_out" if known else "not_kept"


def _preference_model(artifact: Artifact) -> PreferenceModel:
    recommender = artifact.load_recommender()
    if isinstance(recommender, PreferenceModel):
        return recommender
    task = artifact.manifest.task
    other = "name a list with --items" if task == LISTS else "serve it, and see /docs"
    raise DataError(f"{artifact.manifest.id} is for {task} and recommends to no users: {other}")


def _best(
    artifact: Artifact, recommender: PreferenceModel, first: int, last: int, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best unseen items of the users in rows `first` to `last` - 1, best first.

    Returns, for each, its user's row counted from `first`, its own row and its score.
    """
    scores = recommender.score_all(torch.arange(first, last) + NUM_SPECIAL)  # [B, N]
    if not scores.isfinite().all():
        raise DataError(f"{artifact.manifest.id} gives no number for a user: train it again")
    assert artifact.users is not None
    if artifact.users.seen is not None:
        scores[artifact.users.seen.between(first, last)] = -torch.inf
    values, rows = scores.topk(min(k, scores.shape[1]), dim=1)  # [B, K]
    unseen = values > -torch.inf
    return unseen.nonzero()[:, 0], rows[unseen], values[unseen]


def _ids(vocabulary: Vocabulary) -> pl.Series:
    ids = vocabulary.ids
    if all(isinstance(each, int) for each in ids):
        return pl.Series(ids, dtype=pl.Int64)
    return pl.Series([str(each) for each in ids], dtype=pl.String)
