"""What a benchmark prints first: the machine and the versions that its figures are of."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import cove


def described(*packages: str) -> str:
    """The processor, its cores and load; the versions of Python, of packages and of cove."""
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    versions = "".join(f", {each} {version(each)}" for each in packages)
    return (
        f"{_processor()}, {os.cpu_count()} cores, load average {load}; Python "
        f"{platform.python_version()}{versions}, cove {cove.__version__}"
    )


def _processor() -> str:
    """As Linux names it, else as Python does."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
