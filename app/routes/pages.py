"""The pages, for people: / to browse and complete, /docs for the calls; nothing from a CDN."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

WEB = Path(__file__).resolve().parent.parent / "web"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> FileResponse:
    """The page that browses codes and asks the models."""
    return FileResponse(WEB / "index.html", headers=_HEADERS)


@router.get("/docs")
def docs() -> FileResponse:
    """The calls of this server, read from /openapi.json by the page itself."""
    return FileResponse(WEB / "docs.html", headers=_HEADERS)
