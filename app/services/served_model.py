"""A model in memory: its recommender, and its items and users as browsing looks them up."""

import logging

from app.services.entity_index import Entity, EntityIndex
from app.services.errors import InvalidError
from cove.artifact import Artifact, Manifest
from cove.entity_tables import EntityTables, SeenItems
from cove.errors import ArtifactError
from cove.item_index import faiss_is_here
from cove.recommenders import RECOMMENDERS, ListCompleter, Recommender
from cove.recommenders.catalogue import CatalogueHead
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL

_LOG = logging.getLogger("cove.app")


class ServedModel:
    """An artifact's recommender and tables; it never changes.

    Raises:
        ArtifactError: the weights do not fit the manifest, or the recommender not its task.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.manifest: Manifest = artifact.manifest
        self.id: str = artifact.manifest.id
        self.task: str = artifact.manifest.task
        self.recommender: Recommender = artifact.load_recommender()
        if RECOMMENDERS[self.manifest.recommender].task != self.task:
            raise ArtifactError(
                f"{artifact.directory}: {self.manifest.recommender} is no recommender for the "
                f"task {self.task!r}"
            )
        _take_index(self.recommender, artifact)
        self.recommender.pack()
        self.items = _index(artifact, "item", artifact.items)
        self.users: EntityIndex | None = None
        self.seen: SeenItems | None = None
        """The items of each user in training; None where the artifact does not keep them."""
        if artifact.users is not None:
            self.seen = artifact.users.seen
            self.users = _index(artifact, "user", artifact.users)

    def entity(self, entity: Entity) -> EntityIndex | None:
        """The tables of an entity; None where the model knows nothing of it."""
        return self.items if entity == "item" else self.users

    def index(self, entity: Entity) -> EntityIndex:
        """The tables of an entity that a call names.

        Raises:
            InvalidError: the model knows nothing of it.
        """
        found = self.entity(entity)
        if found is None:
            raise InvalidError("entity", f"the model {self.id}, for {self.task}, has no {entity}s")
        return found


def _take_index(recommender: Recommender, artifact: Artifact) -> None:
    """Give the recommender the index over its items, where there is one and faiss to read it."""
    holder: object = recommender
    if isinstance(recommender, ListCompleter):
        holder = getattr(recommender, "head", None)
    if artifact.manifest.index is None or not isinstance(holder, CatalogueHead | PreferenceModel):
        return
    if faiss_is_here():
        holder.index = artifact.read_index()
        return
    _LOG.warning(
        "%s has an index over its %d items, but faiss is not installed (the extra cpu or gpu): "
        "every item is scored for every call",
        artifact.manifest.id,
        artifact.manifest.num_items,
    )


def _index(artifact: Artifact, entity: Entity, tables: EntityTables) -> EntityIndex:
    """An entity's index; it lies as far from a code as z does (Eq. 1), or, where codes are fixed,
    as z_c does from the mean of the code's entities."""
    own = artifact.weights[f"{entity}s.weight"][NUM_SPECIAL:]
    assignment = artifact.manifest.quantizers.get(entity, {}).get("assignment", "nearest")
    if assignment != "nearest":
        own = tables.embeddings
    views = artifact.views.get(entity)
    return EntityIndex(artifact.manifest.id, entity, tables, own, views)
