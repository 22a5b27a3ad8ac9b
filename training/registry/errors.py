"""What can go wrong with the registry."""

from cove.errors import CoveError


class RegistryError(CoveError):
    """The registry cannot be reached, or does not know what was asked for."""
