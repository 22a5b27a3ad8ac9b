"""`python -m training.registry`: the schema brought up, for an image without `cove db upgrade`."""

import os
import sys
from pathlib import Path

from cove.errors import CoveError
from training.registry.database import registry_url, shown, upgrade


def main() -> int:
    """Migrate the registry of COVE_DATABASE_URL, or of the folder COVE_ARTIFACTS; 2 on failure."""
    url = registry_url(Path(os.environ.get("COVE_ARTIFACTS", "artifacts")))
    try:
        upgrade(url)
    except CoveError as error:
        print(f"cove: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{shown(url)} is at head")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
