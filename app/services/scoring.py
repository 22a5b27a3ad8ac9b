"""Scores a user's clicks with a served model; who is unknown is scored as the average."""

from collections.abc import Sequence

import torch

from app.schemas import ClickScores, ScoredItem
from app.services.entity_index import EntityIndex
from app.services.errors import NotReadyError
from app.services.served_model import ServedModel
from cove.recommenders.clicks import ClickScorer
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId


def score_clicks(
    model: ServedModel, user: ExternalId, items: Sequence[ExternalId], explain: bool = False
) -> ClickScores:
    """The probability that a user clicks each item, in the order given, by one forward pass.

    Raises:
        NotReadyError: the model gives no number for a pair: its weights are not finite.
    """
    assert model.users is not None
    user_row = model.users.row_of(user)
    rows = [model.items.row_of(item) for item in items]
    known = user_row is not None or any(row is not None for row in rows)
    return ClickScores(
        user=user if user_row is None else model.users.external(user_row),
        known_user=user_row is not None,
        user_codes=_codes(model.users, user_row) if explain else None,
        items=[
            ScoredItem(
                item=item if row is None else model.items.external(row),
                probability=probability,
                known=row is not None,
                title=None if row is None else model.items.title(row),
                codes=_codes(model.items, row) if explain else None,
            )
            for item, row, probability in zip(
                items, rows, _probabilities(model, user_row, rows), strict=True
            )
        ],
        source="model" if known else "average",
        model=model.id,
    )


def _probabilities(
    model: ServedModel, user: int | None, items: Sequence[int | None]
) -> list[float]:
    """Probabilities of the rows `items` for the row `user`, None where one is unknown."""
    assert isinstance(model.recommender, ClickScorer)
    if not items:
        return []
    users = torch.tensor(_index(user)).expand(len(items))
    with torch.inference_mode():
        logits = model.recommender(users, torch.tensor([_index(row) for row in items]))  # [B]
    if logits.isnan().any():
        raise NotReadyError(f"the model {model.id} gives no number for a pair: train it again")
    probabilities: list[float] = logits.double().sigmoid().tolist()
    return probabilities


def _index(row: int | None) -> int:
    return PAD if row is None else row + NUM_SPECIAL


def _codes(index: EntityIndex, row: int | None) -> list[int] | None:
    return None if row is None else index.codes_of(row)
