"""Errors of training itself."""

from cove.errors import CoveError


class TrainingError(CoveError):
    """Training cannot go on; the sentence says why and what to change."""
