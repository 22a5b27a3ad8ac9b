"""POST /complete-list."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.dependencies import ServingOf, answer_of, answered, model_for
from app.errors import documented
from app.limits import check_k, check_lengths
from app.schemas import CompletionRequest, ListCompletion, ManyCompletions
from app.services.answer_cache import Answer
from app.services.completion import CompletionOptions, ListsQuestion
from app.services.errors import InvalidError
from app.settings import Settings
from cove.recommenders import LISTS

router = APIRouter(tags=["completion"])


@router.post(
    "/complete-list",
    response_model=ListCompletion | ManyCompletions,
    responses=documented(400, 404, 408, 413, 422, 429, 503),
)
async def complete_list(request: CompletionRequest, serving: ServingOf) -> Response:
    """Complete one list (`items`) or many (`lists`); given items are never returned."""
    lists = _checked_lists(request, serving.settings)
    model = await model_for(serving.store, request.model, LISTS)
    options = CompletionOptions(
        k=request.k,
        exclude=request.exclude,
        allow=request.allow,
        unknown=request.unknown,
        explain=request.explain,
        max_per_code=request.max_per_code,
    )
    question = ListsQuestion(model, lists, options)

    async def make() -> Answer:
        results = await serving.batcher.ask(question)
        found: BaseModel
        if request.lists is not None:
            found = ManyCompletions(results=results, model=model.id)
        else:
            found = ListCompletion(**dict(results[0]), model=model.id)
        unknown = sum(len(each.unknown_items) for each in results)
        return answer_of(found, unknown, [each.source for each in results])

    return await answered(serving, request, question, model.id, make)


def _checked_lists(request: CompletionRequest, settings: Settings) -> list[list[str | int]]:
    """The lists of a request, within the server's limits."""
    if (request.items is None) == (request.lists is None):
        raise InvalidError("items", "give exactly one of items and lists")
    check_k(request.k, settings)
    lists = [request.items] if request.items is not None else request.lists or []
    if len(lists) > settings.max_lists:
        raise InvalidError("lists", f"at most {settings.max_lists} lists: got {len(lists)}")
    name = "items" if request.lists is None else "lists"
    for one in lists:
        check_lengths(settings, **{name: one})
    check_lengths(settings, exclude=request.exclude, allow=request.allow or [])
    return lists
