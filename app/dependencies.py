"""What routes are given: the settings, the store, the tables of the model that a request names."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.metrics import FALLBACKS, UNKNOWN_IDS
from app.schemas import CompletionRequest, RecommendationRequest, ScoringRequest
from app.services.answer_cache import Answer, AnswerCache
from app.services.batching import Batcher
from app.services.entity_index import Entity, EntityIndex
from app.services.errors import NotFoundError
from app.services.labels import Labels
from app.services.model_store import ModelStore
from app.services.served_model import ServedModel
from app.services.shadow import AnyQuestion, RecentCalls
from app.settings import Settings


@dataclass(frozen=True)
class Serving:
    """What it takes to ask a model; one dependency, for each of several costs every call anew."""

    settings: Settings
    store: ModelStore
    batcher: Batcher
    cache: AnswerCache
    recent: RecentCalls


async def _serving(request: Request) -> Serving:
    return cast(Serving, request.app.state.serving)


async def _store(request: Request) -> ModelStore:
    return (await _serving(request)).store


async def _recent(request: Request) -> RecentCalls:
    return (await _serving(request)).recent


ServingOf = Annotated[Serving, Depends(_serving)]
StoreOf = Annotated[ModelStore, Depends(_store)]
RecentOf = Annotated[RecentCalls, Depends(_recent)]


async def model_for(store: ModelStore, model_id: str | None, task: str) -> ServedModel:
    """As `ModelStore.for_task`, off the event loop where something must be read."""
    if model_id is None or store.in_memory(model_id) is not None:
        return store.for_task(model_id, task)
    return await run_in_threadpool(store.for_task, model_id, task)


def answer_of(found: BaseModel, unknown_ids: int, sources: Iterable[str]) -> Answer:
    """An answer as JSON, what is not there left out: validated when it was made, not again."""
    content = found.model_dump_json(exclude_none=True).encode()
    return Answer(content, unknown_ids, Counter(each for each in sources if each != "model"))


async def answered(
    serving: Serving,
    request: CompletionRequest | ScoringRequest | RecommendationRequest,
    question: AnyQuestion,
    models: str,
    make: Callable[[], Awaitable[Answer]],
) -> Response:
    """The answer to a question, kept or new, counted and remembered to compare models on.

    It is kept by the request, word by word, and by the ids of the models that it is from.
    """
    answer = await serving.cache.get(lambda: f"{models} {request.model_dump_json()}", make)
    if request.model is None:
        serving.recent.add(question)
    task = question.model.task
    UNKNOWN_IDS.labels(task).inc(answer.unknown_ids)
    for source, count in answer.fallbacks.items():
        FALLBACKS.labels(source).inc(count)
    return Response(answer.content, media_type="application/json")


_ModelId = Annotated[
    str | None,
    Query(
        max_length=200,
        description="A model's id; by default the active one for lists, else for clicks, else for "
        "recommendations; where users are asked for the one that knows users",
    ),
]


def _codes(
    store: StoreOf,
    model: _ModelId = None,
    entity: Annotated[Entity, Query(description="Whose codes")] = "item",
) -> EntityIndex:
    return store.to_browse(model, entity).index(entity)


def _items(store: StoreOf, model: _ModelId = None) -> EntityIndex:
    return store.to_browse(model, "item").items


def _knowing_users(store: StoreOf, model: _ModelId = None) -> ServedModel:
    served = store.to_browse(model, "user")
    if served.users is None:
        raise NotFoundError(f"the model {served.id}, for {served.task}, has no users")
    return served


def _users(served: Annotated[ServedModel, Depends(_knowing_users)]) -> EntityIndex:
    assert served.users is not None
    return served.users


def _labels(store: StoreOf, index: Annotated[EntityIndex, Depends(_codes)]) -> Labels:
    return store.labels.of(index)


CodesOf = Annotated[EntityIndex, Depends(_codes)]
"""The items or users whose codes are asked for."""
LabelsOf = Annotated[Labels, Depends(_labels)]
"""The labels of those codes."""
ItemsOf = Annotated[EntityIndex, Depends(_items)]
UsersOf = Annotated[EntityIndex, Depends(_users)]
UserModelOf = Annotated[ServedModel, Depends(_knowing_users)]
"""The model whose users are asked for."""
