"""`cove db`: the registry's schema, up and down."""

from typing import Annotated

import typer

from training.commands.options import DEFAULT_ARTIFACTS, Artifacts
from training.registry.database import downgrade as take_down
from training.registry.database import registry_url, shown
from training.registry.database import upgrade as bring_up

db_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@db_app.command()
def upgrade(
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    revision: Annotated[str, typer.Option(help="A migration's id.")] = "head",
) -> None:
    """Bring the schema up to a migration, the newest by default."""
    url = registry_url(artifacts)
    bring_up(url, revision)
    typer.echo(f"{shown(url)} is at {revision}")


@db_app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A migration's id; `base` drops all.")],
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
) -> None:
    """Take the schema down to a migration; what later ones hold is lost."""
    url = registry_url(artifacts)
    take_down(url, revision)
    typer.echo(f"{shown(url)} is at {revision}")
