"""Every error as a problem document (RFC 9457), mapped once."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.schemas import FieldError, Problem
from app.services.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotReadyError,
)
from cove.errors import CoveError
from training.registry.errors import AmbiguousIdError, RegistryError

MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger("cove.app")
_STATUS: Mapping[type[CoveError], int] = {
    ForbiddenError: 403,
    NotFoundError: 404,
    AmbiguousIdError: 404,
    ConflictError: 409,
    InvalidError: 422,
    BusyError: 429,
    NotReadyError: 503,
    RegistryError: 503,
}
_RETRY_AFTER = {429: "1", 503: "5"}
"""Seconds after which the same call may well be answered."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's words on the problem documents that a route may answer."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def problem(
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response."""
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors) or None
    )
    retry = {"Retry-After": _RETRY_AFTER[status]} if status in _RETRY_AFTER else {}
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status,
        headers={**retry, **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def field_name(location: Sequence[int | str]) -> str:
    """("body", "lists", 0, 3) -> "lists[0][3]"; what is wrong with a whole body is "body"."""
    if location and location[0] == "body" and all(isinstance(part, int) for part in location[1:]):
        return "body"
    name = ""
    for part in location[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name.encode("ascii", "backslashreplace").decode()[:200] or "body"


def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=field_name(each["loc"]), message=_sentence(each))
        for each in error.errors()[:20]
    ]
    detail = "; ".join(f"{each.field}: {each.message}" for each in errors[:3])
    return problem(422, detail, errors)


def _sentence(error: Mapping[str, Any]) -> str:
    """Pydantic's message without its prefix, and with the reason of a JSON error."""
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error['ctx']['error']}"
    if error["loc"] == ("body",) and error["type"] in {"model_attributes_type", "missing"}:
        return "a JSON object is needed, sent as content-type application/json"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message.encode("ascii", "backslashreplace").decode()


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = "there is nothing at this path; /docs lists the calls"
    elif error.status_code == 405:
        detail = f"{request.method} is not one of the methods of this path"
    elif error.status_code == 400:
        detail = (
            "the body could not be read as JSON: compressed, not UTF-8, too deeply nested, or a "
            "number too long"
        )
    return problem(error.status_code, detail, headers=error.headers)


def _domain_error(_: Request, error: Exception) -> JSONResponse:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    if status == 500:
        _LOG.error("a request failed", exc_info=error)
    errors = []
    if isinstance(error, InvalidError):
        errors = [FieldError(field=error.field, message=error.message)]
    return problem(status, str(error), errors)


def _unexpected(_: Request, error: Exception) -> JSONResponse:
    _LOG.error("a request failed", exc_info=error)
    return problem(500, "the server failed; its log says where")


def install(app: FastAPI) -> None:
    """Let every error of an app leave as a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(CoveError, _domain_error)
    app.add_exception_handler(Exception, _unexpected)
