"""What lists, clicks and users are answered."""

from typing import Literal

from cove_client.base import Answer, Id


class CompletedItem(Answer):
    """One item of a completion."""

    item: Id
    score: float
    title: str | None = None
    codes: list[int] | None = None
    shared_codes: dict[str, int] | None = None


class Completion(Answer):
    """How one list goes on, best first."""

    items: list[CompletedItem]
    source: Literal["model", "popularity"]
    unknown_items: list[Id]


class ListCompletion(Completion):
    """How one list goes on, and by which model."""

    model: str


class ManyCompletions(Answer):
    """How many lists go on, in their order."""

    results: list[Completion]
    model: str


class ScoredItem(Answer):
    """An item and the probability that the user clicks it."""

    item: Id
    probability: float
    known: bool
    title: str | None = None
    codes: list[int] | None = None


class ClickScores(Answer):
    """The scores of a user's items, in the order asked."""

    user: Id
    known_user: bool
    user_codes: list[int] | None = None
    items: list[ScoredItem]
    source: Literal["model", "average"]
    model: str


class NearestSeen(Answer):
    """An item that the user has, and the cosine with the recommended one."""

    item: Id
    title: str | None = None
    similarity: float


class RecommendedItem(CompletedItem):
    """One recommended item."""

    nearest_seen: list[NearestSeen] | None = None


class Recommendation(Answer):
    """What a user is recommended, best first."""

    user: Id
    known_user: bool
    user_codes: list[int] | None = None
    items: list[RecommendedItem]
    source: Literal["model", "nearest_items", "completion", "popularity"]
    seen: Literal["left_out", "included", "not_kept"] | None = None
    unknown_items: list[Id] | None = None
    model: str
