"""A client of the tests' server."""

from collections.abc import Iterator

import pytest
from cove_client import Client


@pytest.fixture(scope="session")
def cove(address: str) -> Iterator[Client]:
    """A client of the server."""
    with Client(address) as client:
        yield client
