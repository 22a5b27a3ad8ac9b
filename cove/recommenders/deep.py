"""Settings that every click-through recommender with a deep part has (Section 4.1 of the paper).

Batch normalisation, which some of the published configurations have, is not among them: Section
4.1 does not mention it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DeepSettings(BaseModel):
    """Size of the embeddings and of the deep part, and its noise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=64, ge=1)
    """D, of each embedding."""
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1000, 1000, 1000), min_length=1
    )
    """Units of each deep layer."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the units dropped after each deep layer in training."""
