"""`cove models`: which models there are, and which one is served."""

import json
from typing import Annotated

import typer

from training.commands.options import DEFAULT_ARTIFACTS, Artifacts, AsJson
from training.commands.shared import (
    columns,
    headline,
    open_registry_of,
    print_table,
)
from training.registry.artifacts import holds
from training.registry.errors import RegistryError
from training.registry.models import Model

models_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@models_app.command(name="list")
def list_models(artifacts: Artifacts = DEFAULT_ARTIFACTS, as_json: AsJson = False) -> None:
    """Models, newest first; the active one of each task is marked."""
    with open_registry_of(artifacts) as registry:
        models = registry.sync_artifacts(artifacts)
        active = {registry.active_model(task) for task in {model.task for model in models}}
    ids = {model.id for model in active if model is not None}
    if as_json:
        typer.echo(json.dumps([columns(m) | {"active": m.id in ids} for m in models]))
        return
    rows = [
        (
            "*" if m.id in ids else "",
            m.id,
            m.task,
            m.data_name,
            headline(m.metrics.get("test")),
            m.path,
        )
        for m in models
    ]
    print_table(("active", "model", "task", "data", "test", "artifact"), rows)


@models_app.command()
def activate(
    model_id: Annotated[str, typer.Argument(help="A model's id, or the start of it.")],
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
) -> None:
    """Serve this model; a running server follows within seconds."""
    with open_registry_of(artifacts) as registry:
        registry.sync_artifacts(artifacts)
        _check(registry.get_model(model_id))
        model = registry.activate(model_id)
    typer.echo(f"{model.id} is the active model of {model.task}")


@models_app.command()
def rollback(
    task: Annotated[
        str | None, typer.Option(help="The task whose model changes, where there are several.")
    ] = None,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
) -> None:
    """Serve the model that was active before."""
    with open_registry_of(artifacts) as registry:
        registry.sync_artifacts(artifacts)
        known = sorted({model.task for model in registry.list_models()})
        if not known:
            raise RegistryError(f"there is no model in {artifacts} yet")
        if task is None and len(known) == 1:
            task = known[0]
        if task not in known:
            raise RegistryError(f"--task must be one of {', '.join(known)}: got {task or 'none'}")
        for before in registry.models_before(task)[:1]:
            _check(before)
        model = registry.rollback(task)
    typer.echo(f"{model.id} is the active model of {model.task} again")


def _check(model: Model | None) -> None:
    """Refuse to serve what cannot be."""
    if model is not None and not holds(model.path, model.id):
        raise RegistryError(f"the artifact of {model.id} is no longer at {model.path}")
