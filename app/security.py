"""Who may ask what: the names the server answers to, the keys of calls, headers of every answer."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import documented, problem
from app.keys import Keys, given_key
from app.services.errors import ForbiddenError
from app.settings import Settings

_OPEN = {"/", "/docs", "/openapi.json", "/livez", "/readyz", "/favicon.ico"}
"""What needs no key: health, and the pages, which ask for one themselves."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_NAME = "key"


class Guard:
    """Middleware that refuses unknown hosts and missing keys, and sets the security headers.

    It guards every path but those of `_OPEN`: a new call needs a key by default. A route may set
    one of the headers itself. Whatever answers GET answers HEAD.
    """

    def __init__(self, app: ASGIApp, keys: Keys, settings: Settings) -> None:
        self.app = app
        self.keys = keys
        self.hosts = settings.allowed_hosts
        self.local = not self.hosts and _is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400 or 401, or pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._refusal(scope) or self.app
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # uvicorn keeps the body back
        await app(scope, receive, secured)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if not self._answers_to(_host(headers)):
            return problem(400, "this server does not answer to that Host; see COVE_ALLOWED_HOSTS")
        path = scope["path"]
        if path in _OPEN or path.startswith("/web/") or self.keys.may_read(given_key(headers)):
            return None
        return problem(
            401,
            "this server needs a key: Authorization: Bearer KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _answers_to(self, host: str) -> bool:
        if self.local:
            return "." not in host or _address(host) is not None
        return not self.hosts or "*" in self.hosts or host in self.hosts


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _host(headers: Mapping[str, str]) -> str:
    """The name of a Host header without its port, an IPv6 address without its brackets."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _need_admin(request: Request) -> None:
    keys: Keys = request.app.state.keys
    if keys.admin is None:
        raise ForbiddenError("this server has no admin key (COVE_ADMIN_KEY): nothing is changed")
    if not keys.may_change(given_key(request.headers)):
        raise HTTPException(
            403,
            "only the admin key (COVE_ADMIN_KEY) may change anything",
            headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        )


NeedsAdmin = Annotated[None, Depends(_need_admin)]
"""A dependency of calls that change something."""


def describe_keys(schema: dict[str, Any]) -> None:
    """Tell OpenAPI's readers which calls need which key."""
    schemes = schema["components"].setdefault("securitySchemes", {})
    schemes[_NAME] = {
        "type": "http",
        "scheme": "bearer",
        "description": "COVE_API_KEY where the server has one; COVE_ADMIN_KEY for changes",
    }
    for path, methods in schema["paths"].items():
        if path in _OPEN:
            continue
        for operation in methods.values():
            for_admin = "403" in operation["responses"]
            operation["security"] = [{_NAME: []}] if for_admin else [{_NAME: []}, {}]
            operation["responses"] |= {str(k): v for k, v in documented(401).items()}
