"""What browsing answers, as JSON: levels, codes, items and users.

Levels count from 1, the finest; codes from 0. A row of items has the id in `item`, one of users
in `user`.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LevelSummary(BaseModel):
    """One level: how many codes there are, how evenly the `items` or `users` spread over them;
    `labelled`: codes that a person has named."""

    level: int
    size: int
    used: int
    perplexity: float
    labelled: int = 0
    items: int | None = None
    users: int | None = None


class Levels(BaseModel):
    """The levels of a model, finest first; none where it learned no codes of that entity.
    `categories`: the true ones of its items, where the data have some."""

    model: str
    entity: Literal["item", "user"]
    levels: list[LevelSummary]
    categories: list[str] | None = None


class ItemSummary(BaseModel):
    """An item in a row of items. `distance`: of its embedding to the code."""

    item: str | int
    title: str | None = None
    popularity: int
    distance: float | None = None


class UserSummary(BaseModel):
    """A user in a row of users. `distance`: of the embedding to the code."""

    user: str | int
    popularity: int
    distance: float | None = None


class CategoryShare(BaseModel):
    """A true category and its share of a code's items."""

    category: str
    share: float


class CodeSummary(BaseModel):
    """A code in a row of codes: `size` in items or users, `popularity` in their occurrences;
    `label`: the name that a person gave it; `closeness`: the mean distance of its items or users,
    null where it has none; `categories`: the three most frequent true ones, where there are any."""

    level: int
    code: int
    label: str | None = None
    size: int
    popularity: int
    closeness: float | None
    parent: int | None
    examples: list[ItemSummary | UserSummary] = []
    categories: list[CategoryShare] | None = None


class NearCode(CodeSummary):
    """A code and how far its vector lies from the one asked for."""

    distance: float


class Codes(BaseModel):
    """The codes of one level. `next`: the offset to ask for the rest, null at the end."""

    model: str
    entity: Literal["item", "user"]
    level: int
    total: int
    codes: list[CodeSummary]
    next: int | None


class CodeDetail(CodeSummary):
    """One code with its place in the tree, the items or users closest to it and near codes;
    `categories`: all of them."""

    model: str
    entity: Literal["item", "user"]
    children: list[CodeSummary]
    representatives: list[ItemSummary | UserSummary]
    nearest: list[NearCode]


class LabelBody(BaseModel):
    """A person's name for a code; an empty one takes it away."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"label": "Horror"}]})

    label: str = Field(max_length=200)


class CodeLabel(BaseModel):
    """A code that a person has named."""

    level: int
    code: int
    label: str


class CodeLabels(BaseModel):
    """Every label of a model's codes."""

    model: str
    entity: Literal["item", "user"]
    labels: list[CodeLabel]


class TreeLevel(BaseModel):
    """The codes of one level in columns: code c is the c-th of each. `parents`: codes of the level
    above, null on the coarsest; `examples`: each one's most popular item or user by title or id,
    null where it has none; `labels`: the names that people gave, by code."""

    level: int
    sizes: list[int]
    parents: list[int] | None
    examples: list[str | None]
    labels: dict[int, str] = {}


class CodeTree(BaseModel):
    """The whole tree of codes, finest level first."""

    model: str
    entity: Literal["item", "user"]
    levels: list[TreeLevel]


class CodeItems(BaseModel):
    """Some of a code's items or users. `next`: the cursor of the rest, null at the end."""

    model: str
    entity: Literal["item", "user"]
    level: int
    code: int
    total: int
    items: list[ItemSummary | UserSummary]
    next: str | None


class SimilarItem(ItemSummary):
    """An item and the cosine of its z_c with the one asked for."""

    similarity: float


class SimilarUser(UserSummary):
    """A user and the cosine of z_c with the one asked for."""

    similarity: float


class ItemDetail(BaseModel):
    """One item. `codes`: level 1 first; `labels`: of these codes; `categories`: the true ones,
    where the data have them."""

    model: str
    item: str | int
    title: str | None
    categories: list[str] | None
    popularity: int
    codes: list[int]
    labels: list[str | None] = []
    similar: list[SimilarItem]


class UserDetail(BaseModel):
    """One user. `codes`: level 1 first; `labels`: of these codes; `popularity`: the user's
    occurrences in training; `history`: the 100 most popular items that the user had in training,
    null where the model does not keep them."""

    model: str
    user: str | int
    popularity: int
    codes: list[int]
    labels: list[str | None] = []
    similar: list[SimilarUser]
    history: list[ItemSummary] | None = None


class FoundItem(ItemSummary):
    """An item that a search found."""

    codes: list[int]


class FoundItems(BaseModel):
    """What a search found: exact ids first, then the most popular."""

    model: str
    items: list[FoundItem]


class FoundUser(UserSummary):
    """A user that a search found."""

    codes: list[int]


class FoundUsers(BaseModel):
    """What a search found: exact ids first, then those most often in training."""

    model: str
    users: list[FoundUser]
