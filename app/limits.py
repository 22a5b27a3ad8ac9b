"""Bounds on what a request may hold: the size of its body, the lengths of its lists."""

import asyncio
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import problem
from app.services.errors import InvalidError
from app.settings import Settings


class RequestLimits:
    """Middleware that ends a request whose body is too long (413) or too slow (408), and one whose
    answer takes too long (503)."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.max_bytes = settings.max_body_bytes
        self.seconds = settings.request_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as the app reads it, whatever the request's head says of its length."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received, waits_for_body, answering = 0, False, False

        async def counted() -> Message:
            nonlocal received, waits_for_body
            waits_for_body = True
            message = await receive()
            waits_for_body = message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, f"the body is longer than {self.max_bytes} bytes")
            return message

        async def watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            async with asyncio.timeout(self.seconds):
                await self.app(scope, counted, watched)
        except TimeoutError:
            if answering:
                raise
            await self._too_slow(waits_for_body)(scope, receive, send)

    def _too_slow(self, waits_for_body: bool) -> ASGIApp:
        if waits_for_body:
            headers = {"Connection": "close"}
            return problem(408, f"the body did not come within {self.seconds:g} s", headers=headers)
        return problem(503, f"there was no answer within {self.seconds:g} s: try again later")


def check_k(k: int, settings: Settings) -> None:
    """Refuse, as an InvalidError, to give more items than the settings allow."""
    if k > settings.max_k:
        raise InvalidError("k", f"must be at most {settings.max_k}: got {k}")


def check_lengths(settings: Settings, **lists: Sequence[object]) -> None:
    """Refuse, as an InvalidError that names the field, a list longer than the settings allow."""
    most = settings.max_list_length
    for field, ids in lists.items():
        if len(ids) > most:
            raise InvalidError(field, f"at most {most} items in a list: got {len(ids)}")
