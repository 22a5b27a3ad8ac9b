"""The pages, for people: all are views of the one at /; nothing comes from a CDN."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

WEB = Path(__file__).resolve().parent.parent / "web"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
}


class Files(StaticFiles):
    """The pages' scripts and styles; who has one asks whether it has changed."""

    def __init__(self) -> None:
        super().__init__(directory=WEB)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or that it has not changed."""
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> FileResponse:
    """The page whose scripts show every view of the server."""
    return FileResponse(WEB / "index.html", headers=_HEADERS)


@router.get("/docs")
def docs() -> RedirectResponse:
    """The page of the calls of this server, under the address that people look for."""
    return RedirectResponse("/#/api")
