"""The pages, for people: all are views of the one at /; nothing comes from a CDN."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse

WEB = Path(__file__).resolve().parent.parent / "web"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> FileResponse:
    """The page whose scripts show every view of the server."""
    return FileResponse(WEB / "index.html", headers=_HEADERS)


@router.get("/docs")
def docs() -> RedirectResponse:
    """The page of the calls of this server, under the address that people look for."""
    return RedirectResponse("/#/api")
