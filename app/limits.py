"""Bounds on what a request may hold: the size of its body, the lengths of its lists."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.services.errors import InvalidError
from app.settings import Settings


class BodyLimit:
    """Middleware that ends a request with 413 where its body is longer than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as the app reads it, whatever the request's head says of its length."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, f"the body is longer than {self.max_bytes} bytes")
            return message

        await self.app(scope, counted, send)


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
