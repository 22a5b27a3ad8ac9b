"""The two clients: one that waits for an answer, one to await."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self

import httpx
from pydantic import ValidationError

from cove_client import calls
from cove_client.calls import AnswerT, Call
from cove_client.errors import (
    ClientError,
    UnexpectedAnswerError,
    UnreachableError,
    problem_of,
)

SECONDS = 30.0
"""How long a call may take by default."""

_P = ParamSpec("_P")


def _sync(
    build: Callable[_P, Call[AnswerT]],
) -> Callable[Concatenate["Client", _P], AnswerT]:
    """A method that sends what `build` makes, with its parameters and documentation."""

    @wraps(build)
    def method(self: "Client", /, *args: _P.args, **kwargs: _P.kwargs) -> AnswerT:
        return self.send(build(*args, **kwargs))

    return method


def _async(
    build: Callable[_P, Call[AnswerT]],
) -> Callable[Concatenate["AsyncClient", _P], Coroutine[Any, Any, AnswerT]]:
    """Likewise, to await."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: _P.args, **kwargs: _P.kwargs) -> AnswerT:
        return await self.send(build(*args, **kwargs))

    return method


def _headers(key: str | None) -> dict[str, str]:
    key = (key or "").strip()  # a file's ends with a line end
    if not (key.isascii() and key.isprintable()):
        raise ClientError("the key holds characters that no key of a server has")
    return {"User-Agent": "cove-client"} | ({"Authorization": f"Bearer {key}"} if key else {})


def _arguments(call: Call[Any]) -> dict[str, Any]:
    """What httpx is given of a call."""
    sent = {"method": call.method, "url": call.path, "params": call.query}
    return sent if call.body is None else sent | {"json": call.body}


def _read(call: Call[AnswerT], response: httpx.Response) -> AnswerT:
    if not response.is_success:
        raise problem_of(response)
    try:
        return call.answer.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswerError(
            f"{response.url} gave an answer that is not that of COVE's server: is it there?"
        ) from error


def _unreachable(address: str, error: httpx.TransportError) -> UnreachableError:
    return UnreachableError(f"no answer from {address}: {error or type(error).__name__}")


class Client:
    """The server at an address, like http://127.0.0.1:8000, with open connections.

    Every method raises ProblemError where the server answers with an error, UnreachableError where
    it does not answer, and UnexpectedAnswerError where something else does; calls that change
    something need the admin key.
    """

    def __init__(
        self,
        address: str,
        key: str | None = None,
        seconds: float = SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=address, headers=_headers(key), timeout=seconds, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, call: Call[AnswerT]) -> AnswerT:
        """Make a call of `cove_client.calls`."""
        try:
            return _read(call, self._http.request(**_arguments(call)))
        except httpx.TransportError as error:
            raise _unreachable(str(self._http.base_url), error) from error

    complete_list = _sync(calls.complete_list)
    complete_lists = _sync(calls.complete_lists)
    score_clicks = _sync(calls.score_clicks)
    recommend_items = _sync(calls.recommend_items)
    levels = _sync(calls.levels)
    codes = _sync(calls.codes)
    code = _sync(calls.code)
    label_code = _sync(calls.label_code)
    labels = _sync(calls.labels)
    quality = _sync(calls.quality)
    entity_map = _sync(calls.entity_map)
    tree = _sync(calls.tree)
    code_items = _sync(calls.code_items)
    item = _sync(calls.item)
    search_items = _sync(calls.search_items)
    user = _sync(calls.user)
    search_users = _sync(calls.search_users)
    runs = _sync(calls.runs)
    run = _sync(calls.run)
    run_metrics = _sync(calls.run_metrics)
    models = _sync(calls.models)
    model = _sync(calls.model)
    diff = _sync(calls.diff)
    compare = _sync(calls.compare)
    activate = _sync(calls.activate)
    rollback = _sync(calls.rollback)
    ready = _sync(calls.ready)


class AsyncClient:
    """Client's methods, to await."""

    def __init__(
        self,
        address: str,
        key: str | None = None,
        seconds: float = SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=address, headers=_headers(key), timeout=seconds, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """Make a call of `cove_client.calls`."""
        try:
            return _read(call, await self._http.request(**_arguments(call)))
        except httpx.TransportError as error:
            raise _unreachable(str(self._http.base_url), error) from error

    complete_list = _async(calls.complete_list)
    complete_lists = _async(calls.complete_lists)
    score_clicks = _async(calls.score_clicks)
    recommend_items = _async(calls.recommend_items)
    levels = _async(calls.levels)
    codes = _async(calls.codes)
    code = _async(calls.code)
    label_code = _async(calls.label_code)
    labels = _async(calls.labels)
    quality = _async(calls.quality)
    entity_map = _async(calls.entity_map)
    tree = _async(calls.tree)
    code_items = _async(calls.code_items)
    item = _async(calls.item)
    search_items = _async(calls.search_items)
    user = _async(calls.user)
    search_users = _async(calls.search_users)
    runs = _async(calls.runs)
    run = _async(calls.run)
    run_metrics = _async(calls.run_metrics)
    models = _async(calls.models)
    model = _async(calls.model)
    diff = _async(calls.diff)
    compare = _async(calls.compare)
    activate = _async(calls.activate)
    rollback = _async(calls.rollback)
    ready = _async(calls.ready)
