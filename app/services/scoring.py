"""Scores a user's clicks with a served model; who is unknown is scored as the average."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch

from app.schemas import ClickScores, ScoredItem
from app.services.entity_index import EntityIndex
from app.services.errors import NotReadyError
from app.services.served_model import ServedModel
from cove.recommenders.clicks import ClickScorer
from cove.vocabulary import NUM_SPECIAL, PAD, ExternalId


@dataclass(frozen=True)
class PairsQuestion:
    """How likely does this user click each of these items?"""

    model: ServedModel
    user: ExternalId
    items: Sequence[ExternalId]
    explain: bool = False

    @property
    def size(self) -> int:
        """Sets of pairs, one more for every 16 items."""
        return 1 + len(self.items) // 16

    @property
    def alike(self) -> Hashable:
        """All pairs are scored alike."""
        return None

    @classmethod
    def answer(cls, questions: Sequence["PairsQuestion"]) -> list[ClickScores]:
        """The probabilities of each question's pairs, by one forward pass."""
        rows = [(_user_row(each), each.rows) for each in questions]
        found = iter(_probabilities(questions[0].model, rows))
        return [
            _scores(question, user, items, [next(found) for _ in items])
            for question, (user, items) in zip(questions, rows, strict=True)
        ]

    @property
    def rows(self) -> list[int | None]:
        """The items' rows, None where the model does not know one."""
        return [self.model.items.row_of(item) for item in self.items]


def score_clicks(
    model: ServedModel, user: ExternalId, items: Sequence[ExternalId], explain: bool = False
) -> ClickScores:
    """The probability that a user clicks each item, in the order given, by one forward pass.

    Raises:
        NotReadyError: the model gives no number for a pair: its weights are not finite.
    """
    return PairsQuestion.answer([PairsQuestion(model, user, items, explain)])[0]


def _scores(
    question: PairsQuestion,
    user: int | None,
    rows: Sequence[int | None],
    probabilities: Sequence[float],
) -> ClickScores:
    model, explain = question.model, question.explain
    assert model.users is not None
    known = user is not None or any(row is not None for row in rows)
    return ClickScores(
        user=question.user if user is None else model.users.external(user),
        known_user=user is not None,
        user_codes=_codes(model.users, user) if explain else None,
        items=[
            ScoredItem(
                item=item if row is None else model.items.external(row),
                probability=probability,
                known=row is not None,
                title=None if row is None else model.items.title(row),
                codes=_codes(model.items, row) if explain else None,
            )
            for item, row, probability in zip(question.items, rows, probabilities, strict=True)
        ],
        source="model" if known else "average",
        model=model.id,
    )


def _probabilities(
    model: ServedModel, pairs: Sequence[tuple[int | None, Sequence[int | None]]]
) -> list[float]:
    """Probabilities of each user's row with each of its items' rows; None where one is unknown."""
    assert isinstance(model.recommender, ClickScorer)
    users = [_index(user) for user, items in pairs for _ in items]
    items = [_index(row) for _, rows in pairs for row in rows]
    if not items:
        return []
    with torch.inference_mode():
        logits = model.recommender(torch.tensor(users), torch.tensor(items))  # [B]
    if logits.isnan().any():
        raise NotReadyError(f"the model {model.id} gives no number for a pair: train it again")
    probabilities: list[float] = logits.double().sigmoid().tolist()
    return probabilities


def _user_row(question: PairsQuestion) -> int | None:
    assert question.model.users is not None
    return question.model.users.row_of(question.user)


def _index(row: int | None) -> int:
    return PAD if row is None else row + NUM_SPECIAL


def _codes(index: EntityIndex, row: int | None) -> list[int] | None:
    return None if row is None else index.codes_of(row)
