"""What a person sees of a whole model, as JSON: how good its codes are, and its map."""

from typing import Literal

from pydantic import BaseModel

from cove.quality import CodeQuality


class Quality(BaseModel):
    """How good a model's codes are, measured against the true categories of the data."""

    model: str
    entity: Literal["item", "user"]
    quality: CodeQuality | None
    reason: str | None
    """Why there are no figures, or some are missing."""


class Map(BaseModel):
    """Items or users as points in the plane, the most popular first, column by column."""

    model: str
    entity: Literal["item", "user"]
    total: int
    """How many there are; the columns hold as many as were asked for."""
    ids: list[str | int]
    x: list[float]
    """Between -1 and 1; the map is no wider than high or the other way round."""
    y: list[float]
    codes: list[list[int]]
    """A column for each level, the finest first."""
    category_names: list[str]
    categories: list[list[int]]
    """The places of each one's categories in `category_names`; empty where the data have none."""
