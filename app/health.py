"""`python -m app.health`: whether the server on this machine answers, for a container's check."""

import http.client
import os
import sys

SECONDS = 4
"""How long the server may take."""


def main() -> int:
    """Give 0 where the server answers, 1 where it does not or fails."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("COVE_PORT", "8000")), timeout=SECONDS
    )
    try:
        connection.request("GET", "/livez")
        # A refusal, like one of the name 127.0.0.1 (COVE_ALLOWED_HOSTS), is an answer too.
        return int(connection.getresponse().status >= 500)
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
