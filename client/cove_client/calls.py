"""Every call of the server as a value: what is sent, and what the answer is read as."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from cove_client import browsing, recommending, records
from cove_client.base import Id

AnswerT = TypeVar("AnswerT", bound=BaseModel)
Entity = Literal["item", "user"]
Task = Literal["list_completion", "click_through", "collaborative_filtering"]


@dataclass(frozen=True)
class Call(Generic[AnswerT]):
    """One request. What is None in `query` and `body` is not sent."""

    answer: type[AnswerT]
    method: Literal["GET", "POST", "PUT"]
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _get(answer: type[AnswerT], path: str, **query: Any) -> Call[AnswerT]:
    return Call(answer, "GET", path, _given(**query))


def _post(answer: type[AnswerT], path: str, **body: Any) -> Call[AnswerT]:
    return Call(answer, "POST", path, body=_given(**body))


def _part(value: Id) -> str:
    """An id as one part of a path: its slashes and dots are not the path's."""
    return quote(str(value), safe="").replace(".", "%2E")


def complete_list(
    items: Sequence[Id],
    *,
    k: int = 10,
    exclude: Sequence[Id] = (),
    allow: Sequence[Id] | None = None,
    unknown: Literal["ignore", "error"] = "ignore",
    max_per_code: int | None = None,
    explain: bool = False,
    model: str | None = None,
) -> Call[recommending.ListCompletion]:
    """Complete a list of items."""
    return _post(
        recommending.ListCompletion, "/complete-list", items=items, k=k, exclude=exclude,
        allow=allow, unknown=unknown, max_per_code=max_per_code, explain=explain, model=model,
    )  # fmt: skip


def complete_lists(
    lists: Sequence[Sequence[Id]],
    *,
    k: int = 10,
    exclude: Sequence[Id] = (),
    allow: Sequence[Id] | None = None,
    unknown: Literal["ignore", "error"] = "ignore",
    max_per_code: int | None = None,
    explain: bool = False,
    model: str | None = None,
) -> Call[recommending.ManyCompletions]:
    """Complete many lists in one request."""
    return _post(
        recommending.ManyCompletions, "/complete-list", lists=lists, k=k, exclude=exclude,
        allow=allow, unknown=unknown, max_per_code=max_per_code, explain=explain, model=model,
    )  # fmt: skip


def score_clicks(
    user: Id, items: Sequence[Id], *, explain: bool = False, model: str | None = None
) -> Call[recommending.ClickScores]:
    """Give the probability that a user clicks each of the items."""
    return _post(
        recommending.ClickScores, "/score-clicks",
        user=user, items=items, explain=explain, model=model,
    )  # fmt: skip


def recommend_items(
    user: Id,
    *,
    items: Sequence[Id] | None = None,
    k: int = 10,
    exclude: Sequence[Id] = (),
    allow: Sequence[Id] | None = None,
    include_seen: bool = False,
    max_per_code: int | None = None,
    explain: bool = False,
    model: str | None = None,
) -> Call[recommending.Recommendation]:
    """Give the best items for a user."""
    return _post(
        recommending.Recommendation, "/recommend-items", user=user, items=items, k=k,
        exclude=exclude, allow=allow, include_seen=include_seen, max_per_code=max_per_code,
        explain=explain, model=model,
    )  # fmt: skip


def levels(*, entity: Entity = "item", model: str | None = None) -> Call[browsing.Levels]:
    """The levels of codes."""
    return _get(browsing.Levels, "/codes", entity=entity, model=model)


def tree(*, entity: Entity = "item", model: str | None = None) -> Call[browsing.CodeTree]:
    """Every code of every level."""
    return _get(browsing.CodeTree, "/codes/tree", entity=entity, model=model)


def codes(
    level: int,
    *,
    sort: Literal["code", "size", "popularity", "closeness"] = "code",
    order: Literal["ascending", "descending"] | None = None,
    examples: int = 3,
    limit: int | None = None,
    offset: int = 0,
    entity: Entity = "item",
    model: str | None = None,
) -> Call[browsing.Codes]:
    """The codes of a level."""
    return _get(
        browsing.Codes, f"/codes/{level}", sort=sort, order=order, examples=examples,
        limit=limit, offset=offset, entity=entity, model=model,
    )  # fmt: skip


def code(
    level: int, code: int, *, entity: Entity = "item", model: str | None = None
) -> Call[browsing.CodeDetail]:
    """One code with its place in the tree."""
    return _get(browsing.CodeDetail, f"/codes/{level}/{code}", entity=entity, model=model)


def label_code(
    level: int, code: int, label: str, *, entity: Entity = "item", model: str | None = None
) -> Call[browsing.CodeDetail]:
    """Name a code; an empty label takes the name away. Needs the admin key."""
    query = _given(entity=entity, model=model)
    path = f"/codes/{level}/{code}/label"
    return Call(browsing.CodeDetail, "PUT", path, query, {"label": label})


def quality(*, entity: Entity = "item", model: str | None = None) -> Call[browsing.Quality]:
    """How far the codes agree with the true categories."""
    return _get(browsing.Quality, "/codes/quality", entity=entity, model=model)


def entity_map(
    *, limit: int = 100_000, entity: Entity = "item", model: str | None = None
) -> Call[browsing.Map]:
    """Items or users as points in the plane, the most popular first."""
    return _get(browsing.Map, "/map", limit=limit, entity=entity, model=model)


def labels(*, entity: Entity = "item", model: str | None = None) -> Call[browsing.CodeLabels]:
    """Every name that people gave to codes of a model."""
    return _get(browsing.CodeLabels, "/codes/labels", entity=entity, model=model)


def code_items(
    level: int,
    code: int,
    *,
    sort: Literal["popularity", "closeness"] = "popularity",
    limit: int = 50,
    cursor: str | None = None,
    entity: Entity = "item",
    model: str | None = None,
) -> Call[browsing.CodeItems]:
    """Items or users of a code; the rest with the `next` of the answer as `cursor`."""
    return _get(
        browsing.CodeItems, f"/codes/{level}/{code}/items", sort=sort, limit=limit,
        cursor=cursor, entity=entity, model=model,
    )  # fmt: skip


def item(item: Id, *, similar: int = 10, model: str | None = None) -> Call[browsing.ItemDetail]:
    """One item with its codes and the items closest to it."""
    return _get(browsing.ItemDetail, f"/items/{_part(item)}", similar=similar, model=model)


def search_items(
    search: str = "", *, limit: int = 20, model: str | None = None
) -> Call[browsing.FoundItems]:
    """Items whose id or title holds a text."""
    return _get(browsing.FoundItems, "/items", search=search, limit=limit, model=model)


def user(user: Id, *, similar: int = 10, model: str | None = None) -> Call[browsing.UserDetail]:
    """One user with its codes and the users closest to it."""
    return _get(browsing.UserDetail, f"/users/{_part(user)}", similar=similar, model=model)


def search_users(
    search: str = "", *, limit: int = 20, model: str | None = None
) -> Call[browsing.FoundUsers]:
    """Users whose id holds a text."""
    return _get(browsing.FoundUsers, "/users", search=search, limit=limit, model=model)


def runs(
    *,
    state: Literal["queued", "running", "finished", "failed"] | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Call[records.Runs]:
    """Training runs, newest first."""
    return _get(records.Runs, "/runs", state=state, limit=limit, offset=offset)


def run(run: str) -> Call[records.Run]:
    """One training run."""
    return _get(records.Run, f"/runs/{_part(run)}")


def run_metrics(run: str) -> Call[records.RunMetrics]:
    """What a run recorded, epoch by epoch."""
    return _get(records.RunMetrics, f"/runs/{_part(run)}/metrics")


def models() -> Call[records.Models]:
    """The trained models, newest first."""
    return _get(records.Models, "/models")


def model(model: str) -> Call[records.ModelDetail]:
    """One model with its manifest."""
    return _get(records.ModelDetail, f"/models/{_part(model)}")


def diff(
    model: str, other: str, *, entity: Entity = "item", k: int = 10, moves: int = 20
) -> Call[records.ModelDiff]:
    """How entities moved between codes of two models, and how far both answer alike."""
    path = f"/models/{_part(model)}/diff/{_part(other)}"
    return _get(records.ModelDiff, path, entity=entity, k=k, moves=moves)


def compare(model: str, *, k: int = 10) -> Call[records.ShadowComparison]:
    """Put the last calls to a model and to the served one; needs the admin key."""
    path = f"/models/{_part(model)}/compare"
    return Call(records.ShadowComparison, "POST", path, {"k": k})


def activate(model: str) -> Call[records.ModelSummary]:
    """Serve a model for its task; needs the admin key."""
    return Call(records.ModelSummary, "POST", f"/models/{_part(model)}/activate")


def rollback(task: Task | None = None) -> Call[records.ModelSummary]:
    """Serve the model that was active for a task before; needs the admin key. The task may be left
    out where models of one task are served."""
    return Call(records.ModelSummary, "POST", "/models/rollback", {"task": task} if task else {})


def ready() -> Call[records.Health]:
    """Which models are served; a server without one raises ProblemError, 503."""
    return _get(records.Health, "/readyz")
