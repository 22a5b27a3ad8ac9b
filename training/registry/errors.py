"""What can go wrong with the registry."""

from cove.errors import CoveError


class RegistryError(CoveError):
    """The registry cannot be reached, or does not know what was asked for."""


class AmbiguousIdError(RegistryError):
    """What was given is the start of several ids."""


class NoModelError(RegistryError):
    """There is no model to return to."""
