"""What browsing answers. Levels count from 1, the finest; codes from 0."""

from typing import Literal

from pydantic import Field

from cove_client.base import Answer, Id


class LevelSummary(Answer):
    """One level of codes."""

    level: int
    size: int
    used: int
    perplexity: float
    labelled: int = 0
    items: int | None = None
    users: int | None = None


class Levels(Answer):
    """The levels of a model, finest first."""

    model: str
    entity: Literal["item", "user"]
    levels: list[LevelSummary]
    categories: list[str] | None = None


class EntitySummary(Answer):
    """An item (`item`) or a user (`user`) in a row of them."""

    item: Id | None = None
    user: Id | None = None
    title: str | None = None
    popularity: int
    distance: float | None = None
    similarity: float | None = None
    codes: list[int] | None = None


class CategoryShare(Answer):
    """A true category and its share of a code's items."""

    category: str
    share: float


class CodeSummary(Answer):
    """A code in a row of codes."""

    level: int
    code: int
    label: str | None = None
    size: int
    popularity: int
    closeness: float | None
    parent: int | None
    examples: list[EntitySummary] = Field(default_factory=list)
    categories: list[CategoryShare] | None = None


class NearCode(CodeSummary):
    """A code and how far its vector lies from the one asked for."""

    distance: float


class Codes(Answer):
    """Codes of one level. `next`: the offset to ask for the rest."""

    model: str
    entity: Literal["item", "user"]
    level: int
    total: int
    codes: list[CodeSummary]
    next: int | None


class CodeDetail(CodeSummary):
    """One code with its place in the tree."""

    model: str
    entity: Literal["item", "user"]
    children: list[CodeSummary]
    representatives: list[EntitySummary]
    nearest: list[NearCode]


class CodeLabel(Answer):
    """A code that a person has named."""

    level: int
    code: int
    label: str


class CodeLabels(Answer):
    """Every label of a model's codes."""

    model: str
    entity: Literal["item", "user"]
    labels: list[CodeLabel]


class TreeLevel(Answer):
    """The codes of one level in columns: code c is the c-th of each."""

    level: int
    sizes: list[int]
    parents: list[int] | None
    examples: list[str | None]
    labels: dict[int, str] = Field(default_factory=dict)


class CodeTree(Answer):
    """The whole tree of codes, finest level first."""

    model: str
    entity: Literal["item", "user"]
    levels: list[TreeLevel]


class CodeItems(Answer):
    """Items or users of a code. `next`: the cursor of the rest."""

    model: str
    entity: Literal["item", "user"]
    level: int
    code: int
    total: int
    items: list[EntitySummary]
    next: str | None


class ItemDetail(Answer):
    """One item with its codes and the items closest to it."""

    model: str
    item: Id
    title: str | None
    categories: list[str] | None
    popularity: int
    codes: list[int]
    labels: list[str | None] = Field(default_factory=list)
    similar: list[EntitySummary]


class UserDetail(Answer):
    """One user with its codes and the users closest to it."""

    model: str
    user: Id
    popularity: int
    codes: list[int]
    labels: list[str | None] = Field(default_factory=list)
    similar: list[EntitySummary]
    history: list[EntitySummary] | None = None


class FoundItems(Answer):
    """What a search for items found."""

    model: str
    items: list[EntitySummary]


class FoundUsers(Answer):
    """What a search for users found."""

    model: str
    users: list[EntitySummary]


class CodeSet(Answer):
    """Codes of one level, and how far they agree with the true categories."""

    codes: Literal["learned", "k-means", "random"]
    purity: float
    normalized_mutual_information: float
    adjusted_rand_index: float
    covered_by_a_tenth: float
    coverage: list[float]
    coverage_of: dict[str, list[float]]


class LevelQuality(Answer):
    """The codes of one level beside others of the same number."""

    level: int
    size: int
    positions: list[int]
    sets: list[CodeSet]


class CodeQuality(Answer):
    """How good an entity's codes are."""

    entities: int
    categories: dict[str, int]
    num_categories: int
    kmeans_of: str | None
    levels: list[LevelQuality]


class Quality(Answer):
    """How good a model's codes are; without figures the reason."""

    model: str
    entity: Literal["item", "user"]
    quality: CodeQuality | None
    reason: str | None


class Map(Answer):
    """Items or users as points in the plane, the most popular first, column by column."""

    model: str
    entity: Literal["item", "user"]
    total: int
    ids: list[Id]
    x: list[float]
    y: list[float]
    codes: list[list[int]]
    category_names: list[str]
    categories: list[list[int]]
