"""A typed client of COVE's server."""

from cove_client.clients import AsyncClient, Client
from cove_client.errors import (
    ClientError,
    FieldError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
)

__all__ = [
    "AsyncClient", "Client", "ClientError", "FieldError", "ProblemError", "UnexpectedAnswerError",
    "UnreachableError",
]  # fmt: skip
