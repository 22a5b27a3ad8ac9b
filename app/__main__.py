"""`python -m app`: the server by its settings alone, for an image without the `cove` command."""

import sys

from cove.errors import CoveError, missing_extra


def main() -> int:
    """Serve until told to stop; a wrong setting gives one sentence and exit status 2."""
    try:
        try:
            from app.server import need_address, serve  # noqa: PLC0415 - what may be missing
            from app.settings import read_settings  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise missing_extra("serving", "serve", error) from None
        settings = read_settings()
        need_address(settings)
        serve(settings)
    except CoveError as error:
        print(f"cove: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
