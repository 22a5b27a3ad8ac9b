"""`python -m app`: the server by its settings alone, for an image without the `cove` command."""

import sys

import uvicorn

from app.main import create_app
from app.settings import read_settings
from cove.errors import CoveError


def main() -> int:
    """Serve until told to stop; a wrong setting gives one sentence and exit status 2."""
    try:
        settings = read_settings()
        app = create_app(settings)
    except CoveError as error:
        print(f"cove: {error}", file=sys.stderr)  # noqa: T201
        return 2
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
