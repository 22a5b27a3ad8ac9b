"""`cove runs`: what was trained, how it went, how runs compare."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from training.commands.options import DEFAULT_ARTIFACTS, Artifacts, AsJson
from training.commands.shared import (
    columns,
    headline,
    open_registry_of,
    print_table,
)
from training.registry.errors import RegistryError
from training.registry.models import STATES, Run
from training.registry.queries import Registry

runs_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
RunId = Annotated[str, typer.Argument(help="A run's id, or the start of it.")]


@runs_app.command(name="list")
def list_runs(
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    task: Annotated[str | None, typer.Option(help="Only runs of this task.")] = None,
    state: Annotated[str | None, typer.Option(help=", ".join(STATES))] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Training runs, newest first."""
    if state is not None and state not in STATES:
        raise RegistryError(f"state must be one of {', '.join(STATES)}: got {state!r}")
    with open_registry_of(artifacts) as registry:
        runs = registry.list_runs(task=task, state=state, limit=limit)
    if as_json:
        typer.echo(json.dumps([columns(run) for run in runs]))
        return
    rows = [
        (run.id[:12], run.state, run.recommender, run.data_name, str(run.seed), str(run.epochs),
         _duration(run), _result(run))
        for run in runs
    ]  # fmt: skip
    print_table(("run", "state", "recommender", "data", "seed", "epochs", "time", "result"), rows)


@runs_app.command()
def show(run_id: RunId, artifacts: Artifacts = DEFAULT_ARTIFACTS, as_json: AsJson = False) -> None:
    """One run: its settings and what it recorded each epoch."""
    with open_registry_of(artifacts) as registry:
        run = _known(registry, run_id)
        metrics = registry.run_metrics(run.id)
    if as_json:
        points = [{"epoch": m.epoch, "name": m.name, "value": m.value} for m in metrics]
        typer.echo(json.dumps(columns(run) | {"history": points}))
        return
    for name, value in columns(run).items():
        typer.echo(f"{name}: {json.dumps(value) if isinstance(value, dict) else value}")
    names = sorted({m.name for m in metrics if "_5" not in m.name})
    by_epoch: dict[int, dict[str, float]] = {}
    for metric in metrics:
        by_epoch.setdefault(metric.epoch, {})[metric.name] = metric.value
    rows = [
        (str(epoch), *(f"{values[n]:.4g}" if n in values else "" for n in names))
        for epoch, values in by_epoch.items()
    ]
    print_table(("epoch", *names), rows)


@runs_app.command()
def compare(
    run_ids: Annotated[list[str], typer.Argument(help="Two runs or more.")],
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: AsJson = False,
) -> None:
    """Test metrics and differing settings of runs, side by side."""
    if len(set(run_ids)) < 2:
        raise RegistryError(f"compare needs two runs or more: got {', '.join(run_ids)}")
    with open_registry_of(artifacts) as registry:
        runs = [_known(registry, run_id) for run_id in run_ids]
    facts = [_flat(run.settings) | (run.metrics or {}) for run in runs]
    names = list(dict.fromkeys(name for fact in facts for name in fact))
    measured = {name for run in runs for name in run.metrics or {}}
    kept = [n for n in names if n in measured or len({str(f.get(n)) for f in facts}) > 1]
    if as_json:
        typer.echo(
            json.dumps(
                {r.id: {n: f.get(n) for n in kept} for r, f in zip(runs, facts, strict=True)}
            )
        )
        return
    print_table(
        ("", *(run.id[:12] for run in runs)),
        [(name, *(_cell(fact.get(name), name in measured) for fact in facts)) for name in kept],
    )


def _known(registry: Registry, run_id: str) -> Run:
    run = registry.get_run(run_id)
    if run is None:
        raise RegistryError(f"there is no run {run_id!r}: `cove runs list` shows them")
    return run


def _flat(settings: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _cell(value: object, measured: bool) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if measured and isinstance(value, float) else str(value)


def _duration(run: Run) -> str:
    end = run.finished_at or datetime.now(UTC)
    return f"{(end - run.started_at).total_seconds():.0f} s"


def _result(run: Run) -> str:
    if run.state == "failed":
        return run.reason or ""
    score = headline(run.metrics)
    return f"{run.model_id}  {score}" if score else ""
