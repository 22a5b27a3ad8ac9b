"""Tables and headings in Markdown."""

import re
from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under their head; a bar in a cell becomes a slash."""
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def anchor(title: str) -> str:
    """What a heading is linked to by, as on the sites that show Markdown."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
