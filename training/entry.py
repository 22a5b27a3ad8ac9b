"""Where the `cove` command begins: it says so in one sentence where its libraries are missing."""

import sys

_PACKAGES = {"training", "cove", "app", "migrations"}


def main() -> int:
    """Run the command; its exit status."""
    try:
        from training.cli import main as run  # noqa: PLC0415 - what may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _PACKAGES:
            raise
        print(  # noqa: T201
            f"cove: the command needs the extra `train` (no module {error.name}): "
            "pip install 'cove-recommender[cpu,serve,train]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("cove: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    return run()
