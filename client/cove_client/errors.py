"""What a call may raise."""

import json
from dataclasses import dataclass
from typing import Any

import httpx


class ClientError(Exception):
    """The base of all errors of this client."""


class UnreachableError(ClientError):
    """No answer came: nobody listens at the address, the connection broke, or time ran out."""


class UnexpectedAnswerError(ClientError):
    """An answer came that is not one of COVE's server: a page of a proxy, or another version's."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


class ProblemError(ClientError):
    """The server refused a call or failed at it; the text says why.

    `status` is that of HTTP; `errors` tells which fields are wrong; `retry_after` is how many
    seconds the server asks to wait, where it does.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after


def problem_of(response: httpx.Response) -> ProblemError:
    """The error that an answer is; one of a proxy, without a problem document, has no detail."""
    document = _document(response)
    return ProblemError(
        response.status_code,
        str(document.get("title", response.reason_phrase)),
        str(document.get("detail", "")),
        tuple(
            FieldError(str(each["field"]), str(each["message"]))
            for each in document.get("errors") or ()
        ),
        _seconds(response.headers.get("Retry-After")),
    )


def _document(response: httpx.Response) -> dict[str, Any]:
    if response.headers.get("content-type", "").split(";")[0] != "application/problem+json":
        return {}
    try:
        found = response.json()
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None  # a date, which COVE's server does not send
