"""`cove recommend`: an artifact at work without a server."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from cove.artifact import read_artifact
from cove.errors import SettingsError
from training.measure import complete_offline
from training.recommending import recommend_offline, write_recommendations


@dataclass(frozen=True)
class Asked:
    """Whom to recommend to: exactly one of a list, a user, and all users into a file."""

    items: str | None
    user: str | None
    all_users: bool
    output: Path | None

    def check(self) -> None:
        """Refuse, as a SettingsError, options that do not go together."""
        asked = {
            "--items": self.items is not None,
            "--user": self.user is not None,
            "--all-users": self.all_users,
        }
        named = [name for name, given in asked.items() if given]
        if len(named) != 1:
            raise SettingsError(
                "recommend takes exactly one of --items, --user and --all-users: got "
                f"{' and '.join(named) or 'none'}"
            )
        if self.all_users and self.output is None:
            raise SettingsError("--all-users needs a file for its answer: --output FILE.parquet")
        if self.output is not None and not self.all_users:
            raise SettingsError(f"--output goes with --all-users: got it with {named[0]}")


def run_recommend(artifact: Path, asked: Asked, k: int, as_json: bool) -> None:
    """Answer on standard output, or into the file of `asked`; notes go to standard error.

    Raises:
        CoveError: one sentence on what is wrong with the options, the artifact or the file.
    """
    asked.check()
    answer = _answer(artifact, asked, k)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    for unknown in answer.get("unknown_items", []):
        typer.echo(f"cove: not in the model: {unknown}", err=True)
    if answer.get("source") == "popularity" and asked.items is not None:
        typer.echo("cove: none of the items is known: the most popular, by occurrences", err=True)
    if not answer.get("known_user", True):
        typer.echo(f"cove: not in the model: {answer['user']}; the most popular items", err=True)
    elif answer.get("seen") == "not_kept":
        typer.echo(
            f"cove: {answer['model']} does not keep what users have seen: nothing is left out",
            err=True,
        )
    for row in answer.get("items", []):
        typer.echo(f"{row['score']:8.3f}  {row['item']}  {row.get('title', '')}".rstrip())
    if "output" in answer:
        typer.echo(f"{answer['rows']} rows for {answer['users']} users in {answer['output']}")


def _answer(artifact: Path, asked: Asked, k: int) -> dict[str, Any]:
    if asked.items is not None:
        items = next(csv.reader([" ".join(asked.items.splitlines())], skipinitialspace=True))
        return complete_offline(artifact, [item.strip() for item in items], k)
    loaded = read_artifact(artifact)
    if asked.user is not None:
        return recommend_offline(loaded, asked.user, k)
    assert asked.output is not None
    return write_recommendations(loaded, k, asked.output)
