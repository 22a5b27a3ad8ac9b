"""`cove data`: list, fetch, prepare and count the data sets."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cove.errors import SettingsError
from training.commands.options import AsJson
from training.datasets import DATASETS, ListData, default_filter, load_lists
from training.datasets.fetching import fetch
from training.datasets.stats import list_stats
from training.datasets.writing import write_lists

data_app = typer.Typer(no_args_is_help=True, help="Data sets: list, fetch, prepare, count.")

Source = Annotated[str, typer.Argument(help="A data set's name, or a CSV, TSV or Parquet file.")]
From = Annotated[Path | None, typer.Option("--from", help="The folder that holds the files.")]
Kind = Annotated[str, typer.Option(help="What a file holds: lists.")]
MinCount = Annotated[int | None, typer.Option(help="Least occurrences of an item.")]
MinLength = Annotated[int | None, typer.Option(help="Least items of a list.")]
MaxLength = Annotated[int | None, typer.Option(help="Most items of a list.")]
TooLong = Annotated[str | None, typer.Option(help="A longer list: truncate or drop.")]


@data_app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the data sets known by name."""
    if as_json:
        typer.echo(json.dumps([_description(name) for name in DATASETS]))
        return
    table = Table("name", "kind", "description", "list range", "terms")
    for dataset in DATASETS.values():
        rule = dataset.default_filter
        bounds = f"{rule.min_length} ~ {rule.max_length}"
        table.add_row(dataset.name, dataset.kind, dataset.description, bounds, dataset.terms)
    Console().print(table)


@data_app.command()
def stats(
    source: Source,
    *,
    directory: From = None,
    kind: Kind = "lists",
    min_count: MinCount = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    too_long: TooLong = None,
    as_json: AsJson = False,
) -> None:
    """Count lists, items, interactions and density after filtering, as in Table 1."""
    data = _load(
        source,
        directory,
        kind,
        min_count=min_count,
        min_length=min_length,
        max_length=max_length,
        too_long=too_long,
    )
    counts = list_stats(data)
    if as_json:
        typer.echo(json.dumps(counts))
        return
    table = Table("", data.name)
    for name, value in counts.items():
        table.add_row(name.replace("_", " "), _shown(name, value))
    Console().print(table)


@data_app.command()
def prepare(
    source: Source,
    *,
    output: Annotated[Path, typer.Option(help="The file to write: .csv, .tsv or .parquet.")],
    directory: From = None,
    kind: Kind = "lists",
    min_count: MinCount = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    too_long: TooLong = None,
) -> None:
    """Filter lists and write them as one file with list_id, item_id, position."""
    data = _load(
        source,
        directory,
        kind,
        min_count=min_count,
        min_length=min_length,
        max_length=max_length,
        too_long=too_long,
    )
    write_lists(data, output)
    typer.echo(f"{output}: {len(data.lists):,} lists")


@data_app.command("fetch")
def fetch_dataset(
    name: Annotated[str, typer.Argument(help="The data set: ml100k.")],
    to: Annotated[Path, typer.Option("--to", help="The folder that gets a sub-folder for it.")],
) -> None:
    """Download a data set that its owners let everybody download, unless it is there already."""
    typer.echo(str(fetch(name, to)))


def _load(source: str, directory: Path | None, kind: str, **changes: int | str | None) -> ListData:
    if kind != "lists":
        raise SettingsError(f"--kind must be lists: got {kind!r}")
    return load_lists(source, directory, default_filter(source).with_changes(**changes))


def _description(name: str) -> dict[str, Any]:
    dataset = DATASETS[name]
    return {
        "name": name,
        "kind": dataset.kind,
        "description": dataset.description,
        "filter": dataset.default_filter.model_dump(),
        "files": list(dataset.files),
        "terms": dataset.terms,
    }


def _shown(name: str, value: int | float | None) -> str:
    if value is None:
        return "-"
    if name == "density":
        return f"{value:.3%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
