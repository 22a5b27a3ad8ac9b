"""`python -m app`: the server by its settings alone, for an image without the `cove` command."""

import sys

from app.server import serve
from app.settings import read_settings
from cove.errors import CoveError


def main() -> int:
    """Serve until told to stop; a wrong setting gives one sentence and exit status 2."""
    try:
        serve(read_settings())
    except CoveError as error:
        print(f"cove: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
