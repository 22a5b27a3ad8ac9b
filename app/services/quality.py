"""Says how good a model's codes are, or why that cannot be said."""

from app.services.entity_index import EntityIndex
from app.view_schemas import Quality


def quality(index: EntityIndex) -> Quality:
    """The figures that the artifact keeps, or that are quickly made."""
    return Quality(
        model=index.model_id, entity=index.entity, quality=index.quality, reason=_reason(index)
    )


def _reason(index: EntityIndex) -> str | None:
    if not index.levels:
        return f"The model learned no codes of {index.entity}s: train it with --cove."
    if not any(index.categories or []):
        return f"The data have no true categories of {index.entity}s to compare with."
    if index.quality is None:
        return "The artifact keeps no figures, and there are too many items to measure now."
    if index.quality.kmeans_of is None:
        return "The artifact keeps no figures of k-means codes: the command cove codes makes them."
    return None
