"""What can be wrong with a question, in the words of the domain; HTTP knows the status."""

from typing import Any

from cove.errors import CoveError


class NotFoundError(CoveError):
    """The thing that was asked for does not exist."""


class InvalidError(CoveError):
    """A value breaks a rule that only the served model can check."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ForbiddenError(CoveError):
    """Whoever asks may not do this."""


class ConflictError(CoveError):
    """What was asked for cannot be done as things are."""


class BusyError(CoveError):
    """More calls wait already than the settings allow."""


class NotReadyError(CoveError):
    """No model is served yet."""


class GivenUpError(CoveError):
    """Whoever asked waits no more."""


def shown(value: Any) -> str:
    """Give a client's value as it may stand in a sentence: quoted, printable, short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
