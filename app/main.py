"""The server: `create_app` puts settings, store, routes and pages together."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import torch
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool

import cove
from app import errors
from app.dependencies import Serving
from app.keys import read_keys
from app.limits import RequestLimits
from app.observed import Observed
from app.routes import (
    code_quality,
    codes,
    completion,
    items,
    maps,
    models,
    operations,
    pages,
    recommending,
    runs,
    scoring,
    users,
)
from app.schemas import Problem
from app.security import Guard, describe_keys
from app.services.answer_cache import AnswerCache
from app.services.batching import Batcher
from app.services.model_store import ModelStore
from app.services.shadow import RecentCalls
from app.settings import Settings, read_settings
from app.tracing import TRACES

_DESCRIPTION = (
    "Completes lists, scores clicks and recommends items by learned categories, and shows what was "
    "learned. Ids are strings or integers and come back as they were in the data. Levels count "
    "from 1, the finest; codes from 0. Every error is a problem document (RFC 9457)."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the server; the registry and the model are opened when it starts."""
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        torch.set_num_threads(settings.torch_threads)
        store = ModelStore(settings)
        batcher = Batcher(settings.max_batch, settings.max_queue)
        cache, recent = AnswerCache(settings.cache_bytes), RecentCalls(settings.recent_calls)
        app.state.serving = Serving(settings, store, batcher, cache, recent)
        try:
            await run_in_threadpool(store.start)
            gc.freeze()  # what lives as long as the server is not looked through again and again
            yield
        finally:
            await run_in_threadpool(batcher.close)
            await run_in_threadpool(store.stop)

    app = FastAPI(
        title="COVE",
        version=cove.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=TRACES,
    )
    app.state.keys = read_keys(settings)
    errors.install(app)
    app.add_middleware(RequestLimits, settings=settings)
    app.add_middleware(Guard, keys=app.state.keys, settings=settings)
    app.add_middleware(Observed)  # the last is the outermost
    browsed = (code_quality, codes, maps, items, users)
    asked = (completion, scoring, recommending)
    for module in (*asked, *browsed, runs, models, operations, pages):
        app.include_router(module.router)
    app.mount("/web", pages.Files(), name="web")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, with the problem document that the error answers refer to."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        template = "#/components/schemas/{model}"
        problem = Problem.model_json_schema(ref_template=template)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas |= problem.pop("$defs", {}) | {"Problem": problem}
        describe_keys(schema)
        app.openapi_schema = schema
    return app.openapi_schema
