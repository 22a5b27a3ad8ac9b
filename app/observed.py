"""Every request has an id, a line in the log, and its place in the metrics."""

import logging
import random
import re
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import REQUEST_ID
from app.metrics import REQUEST_SECONDS, REQUESTS

_LOG = logging.getLogger("cove.access")
_ID = re.compile(r"[0-9A-Za-z._-]{1,100}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Observed:
    """Middleware that gives each request its id, or keeps a sound X-Request-ID, and records it.

    Metrics name the route, never the path: what clients make up cannot fill their memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell of it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 500
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        REQUEST_ID.set(request_id)

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            _tell(scope, status, perf_counter() - began)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    path = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, path, str(status)).inc()
    REQUEST_SECONDS.labels(path).observe(seconds)
    if _LOG.isEnabledFor(logging.INFO):
        fields = {
            "method": method,
            "path": scope["path"][:200],
            "status": status,
            "milliseconds": round(seconds * 1e3, 2),
        }
        _LOG.info("answered", extra={"fields": fields})
