"""The `cove` command, the one place where training, registry and server meet."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import cove
from cove.errors import CoveError, SettingsError, missing_extra
from training.commands.options import DEFAULT_ARTIFACTS, Artifacts, AsJson
from training.seeds import LARGEST_SEED

app = typer.Typer(
    name="cove",
    help="Recommenders that learn their own categories from ids alone.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


_INTERRUPTED = 130
"""Exit status after Ctrl-C; newer typers give it, older ones raise."""

_ClickError: type[Exception] = typer.BadParameter.__mro__[2]
"""ClickException of the click that this typer uses, its own copy or the package."""


@app.command(name="train")
def train_command(
    recommender: Annotated[str, typer.Argument(help="Which one, like fans or sasrec.")],
    data: Annotated[str, typer.Option("--data", help="Data set name, or a file.")],
    output: Annotated[Path, typer.Option("--output", help="Where the artifact goes.")],
    directory: Annotated[
        Path | None, typer.Option("--from", help="Folder that holds the data set.")
    ] = None,
    code_sizes: Annotated[
        str | None,
        typer.Option(
            "--cove", "--item-cove", help="COVE on items: auto, or codes a level: 500,10."
        ),
    ] = None,
    user_code_sizes: Annotated[
        str | None, typer.Option("--user-cove", help="COVE on users, where a task knows them.")
    ] = None,
    codes_from: Annotated[
        Path | None,
        typer.Option(help="Take fixed codes from this trained model, by k-means: a control."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="One seed for everything.", min=0, max=LARGEST_SEED)
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, for any setting; repeatable.")
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file of settings, name = value.")
    ] = None,
    restart: Annotated[bool, typer.Option(help="Begin again, without the checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace another model at --output.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recommender and write a servable artifact; the same command resumes."""
    from cove.artifact import check_output, read_manifest
    from training.commands.shared import make_folder
    from training.datasets import load_data
    from training.parallel import under_torchrun
    from training.registry.database import registry_url, upgrade
    from training.registry.queries import Registry
    from training.resolving import resolve
    from training.run_settings import parse_code_sizes, parse_overrides, read_settings_file
    from training.train import Place, follow_training, run_training
    from training.watching import watcher_for

    values: dict[str, Any] = read_settings_file(settings_file) if settings_file else {}
    values |= parse_overrides(overrides or [])
    sizes, user_sizes = (
        parse_code_sizes(text) if text else None for text in (code_sizes, user_code_sizes)
    )
    source = None if codes_from is None else read_manifest(codes_from).id
    settings = resolve(recommender, data, sizes, seed, values, source, user_sizes, directory)
    output = output.resolve()
    place = Place(directory, output, device, restart, overwrite, codes_from)
    with under_torchrun() as processes:
        if not processes.first:
            follow_training(settings, place, processes)
            return
        check_output(output)
        loaded = load_data(data, directory, settings.filter)
        make_folder(output.parent)
        url = registry_url(output.parent)
        upgrade(url)
        with watcher_for(settings.training.epochs, quiet=as_json) as watcher, Registry(url) as runs:
            manifest = run_training(settings, place, runs, watcher, loaded, processes)
            active = runs.active_model(manifest.task)
    if as_json:
        typer.echo(json.dumps({"id": manifest.id, "hash": manifest.hash} | manifest.metrics))
        return
    typer.echo(f"{manifest.id} in {output} (hash {manifest.hash[:12]}, epoch {manifest.epochs})")
    _print_metrics(manifest.metrics)
    if active is None or active.id == manifest.id:
        typer.echo(f"serve it:  cove serve --artifacts {output.parent}")
    else:
        typer.echo(f"{active.id} stays the model that is served; to serve this one instead:")
        typer.echo(f"cove models activate {manifest.id} --artifacts {output.parent}")


@app.command()
def evaluate(
    artifact: Annotated[Path, typer.Argument(help="Artifact directory.")],
    directory: Annotated[
        Path | None,
        typer.Option("--from", help="Measure again on the data in this folder, or file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the test metrics of an artifact, as recorded, or measured again on its data."""
    from cove.artifact import read_artifact
    from training.measure import measure_again

    loaded = read_artifact(artifact)
    metrics = loaded.manifest.metrics
    if directory is not None:
        metrics = metrics | {"test": measure_again(loaded, directory)}
    if as_json:
        typer.echo(json.dumps(metrics["test"]))
    else:
        _print_metrics(metrics)


@app.command()
def codes(
    artifact: Annotated[Path, typer.Argument(help="Artifact directory.")],
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another model of the same data: k-means of its embeddings, not of its own."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of k-means and of random codes.", min=0, max=LARGEST_SEED)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Show how far the codes of items agree with their true categories."""
    from training.commands.codes import MEASURES, quality, rows
    from training.commands.shared import print_table

    found = quality(artifact, against, seed)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    head = ("level", "codes", "which", *(name.replace("_", " ") for name in MEASURES))
    print_table(head, list(rows(found)))
    typer.echo(
        f"{found.entities} items in {found.num_categories} categories; k-means of "
        f"{found.kmeans_of}; random: the learned codes dealt out anew"
    )


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder that cove reproduce wrote to.")],
    output: Annotated[
        Path | None, typer.Option(help="Where the report goes, else beside the results.")
    ] = None,
) -> None:
    """Write one report of all results in a folder, as HTML and as Markdown."""
    from training.commands.report import run_report

    written = run_report(results, output or results)
    typer.echo(f"written: {written.html} and {written.markdown}")


@app.command()
def recommend(
    artifact: Annotated[Path, typer.Argument(help="Artifact directory.")],
    items: Annotated[
        str | None,
        typer.Option("--items", help="Ids of a list to complete, as a line of a CSV file."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Id of a user.")] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="Recommend to every user, into --output.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Parquet file for --all-users.")
    ] = None,
    k: Annotated[int, typer.Option(help="How many items to give.", min=1, max=1000)] = 10,
    as_json: AsJson = False,
) -> None:
    """Complete a list, or recommend to users, offline from an artifact."""
    from training.commands.recommend import Asked, run_recommend

    run_recommend(artifact, Asked(items, user, all_users, output), k, as_json)


@app.command()
def serve(
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    host: Annotated[str, typer.Option(envvar="COVE_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="COVE_PORT", min=0, max=65535)] = 8000,
    workers: Annotated[
        int, typer.Option(envvar="COVE_WORKERS", min=1, max=256, help="Processes that answer.")
    ] = 1,
) -> None:
    """Serve the artifacts of a folder over HTTP, with pages to browse the codes."""
    try:
        from app.server import need_address
        from app.server import serve as serve_over_http
        from app.settings import read_settings
    except ImportError as error:
        raise missing_extra("serving", "serve", error) from None
    if not artifacts.is_dir():
        raise SettingsError(f"there is no folder {artifacts}: name one with --artifacts")
    settings = read_settings(artifacts=artifacts, host=host, port=port, workers=workers)
    need_address(settings)
    typer.echo(f"COVE on http://{host}:{port}  (pages at /, API at /docs; Ctrl-C stops it)")
    serve_over_http(settings)


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--from", help="Folder with MovieLens-100K, else fetched.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the server left running.")] = False,
) -> None:
    """Train on MovieLens-100K, serve, complete a list of films; leaves the server up."""
    from training.commands.demo import run_demo, stop_demo

    if stop:
        stop_demo()
    else:
        run_demo(directory, port)


def _print_metrics(metrics: dict[str, dict[str, float]]) -> None:
    from training.commands.shared import print_table

    names = tuple(dict.fromkeys(name for values in metrics.values() for name in values))
    rows = [
        (name, *(f"{found[name]:.4f}" if name in found else "" for found in metrics.values()))
        for name in names
    ]
    print_table(("metric", *metrics), rows)


def _add_groups() -> None:
    from training.commands.data import data_app
    from training.commands.db import db_app
    from training.commands.models import models_app
    from training.commands.reproduce import reproduce_app
    from training.commands.runs import runs_app
    from training.commands.sweep import sweep

    app.command(name="sweep")(sweep)
    app.add_typer(data_app, name="data", help="Data sets and files of lists.")
    app.add_typer(runs_app, name="runs", help="Training runs.")
    app.add_typer(models_app, name="models", help="Registered models.")
    app.add_typer(db_app, name="db", help="The registry's database.")
    app.add_typer(reproduce_app, name="reproduce", help="The paper's tables.")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cove {cove.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            allow_from_autoenv=False,
            help="Version.",
        ),
    ] = False,
) -> None:
    """Recommenders that learn their own categories from ids alone."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; a mistake of the caller's gives one sentence and exit status 2."""
    if not app.registered_groups:
        _add_groups()
    try:
        status = app(arguments, standalone_mode=False, prog_name="cove", auto_envvar_prefix="COVE")
    except CoveError as error:
        print(f"cove: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except _ClickError as error:
        print(_sentence(error), file=sys.stderr)  # noqa: T201
        return 2
    except (KeyboardInterrupt, typer.Abort):
        print("cove: interrupted", file=sys.stderr)  # noqa: T201
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"cove: {place}{error.strerror or error}", file=sys.stderr)  # noqa: T201
        return 2
    if status == _INTERRUPTED:
        print("cove: interrupted", file=sys.stderr)  # noqa: T201
    return status if isinstance(status, int) else 0


def _sentence(error: Any) -> str:
    """What is wrong with the call, on one line; a call without arguments gets the help instead."""
    message = str(error.format_message())
    if type(error).__name__ == "NoArgsIsHelpError":
        return message
    return f"cove: {' '.join(message.split())}"


if __name__ == "__main__":
    sys.exit(main())
