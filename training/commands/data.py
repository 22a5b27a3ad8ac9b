"""`cove data`: list, fetch, prepare and count the data sets."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cove.errors import DataError, SettingsError
from training.commands.options import AsJson
from training.commands.prepare import prepare_folder
from training.datasets import (
    DATASETS,
    ClickData,
    ClickFilter,
    Data,
    Dataset,
    InteractionFilter,
    ListData,
    ListFilter,
    PreparedInteractions,
    default_click_filter,
    default_filter,
    default_interaction_filter,
    kind_of,
    load_data,
)
from training.datasets.fetching import fetch
from training.datasets.rules import FilterRule
from training.datasets.stats import Stats, click_stats, interaction_stats, list_stats
from training.datasets.writing import write_clicks, write_interactions, write_lists
from training.seeds import LARGEST_SEED

data_app = typer.Typer(no_args_is_help=True, help="Data sets: list, fetch, prepare, count.")

Source = Annotated[str, typer.Argument(help="A data set's name, or a CSV, TSV or Parquet file.")]
From = Annotated[Path | None, typer.Option("--from", help="The folder that holds the files.")]
Kind = Annotated[
    str | None,
    typer.Option(help="lists, clicks or interactions [default: what it holds; ratings are clicks]"),
]
MinCount = Annotated[int | None, typer.Option(help="Lists: least occurrences of an item.")]
MinLength = Annotated[int | None, typer.Option(help="Lists: least items of a list.")]
MaxLength = Annotated[int | None, typer.Option(help="Lists: most items of a list.")]
TooLong = Annotated[str | None, typer.Option(help="Lists: a longer list: truncate or drop.")]
PositiveFrom = Annotated[float | None, typer.Option(help="Clicks, interactions: least rating.")]
NegativeTo = Annotated[float | None, typer.Option(help="Clicks: most rating of a negative.")]
MinPositives = Annotated[int | None, typer.Option(help="Clicks: least positives of a user.")]
MinNegatives = Annotated[int | None, typer.Option(help="Clicks: least negatives of a user.")]
HeldOutUsers = Annotated[
    int | None, typer.Option(help="Folder: most users to test on, 0 for all.", min=0)
]
Seed = Annotated[
    int, typer.Option(help="Folder: draws those users, and the shards.", min=0, max=LARGEST_SEED)
]
Core = Annotated[int | None, typer.Option(help="Interactions: least of a user and of an item.")]

FILTERS: dict[str, type[FilterRule]] = {
    "lists": ListFilter, "clicks": ClickFilter, "interactions": InteractionFilter,
}  # fmt: skip
"""The kinds of data; an option is for the kinds whose filter has a field of its name."""


@data_app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the data sets known by name."""
    if as_json:
        typer.echo(json.dumps([_description(name) for name in DATASETS]))
        return
    for dataset in DATASETS.values():
        typer.echo(f"{dataset.name}: {dataset.description}")
        typer.echo(f"    read as {', '.join(dataset.kinds)}{_list_range(dataset)}")
        typer.echo(f"    files   {', '.join(dataset.files)}")
        typer.echo(f"    terms   {dataset.terms}")


@data_app.command()
def stats(
    source: Source,
    *,
    directory: From = None,
    kind: Kind = None,
    min_count: MinCount = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    too_long: TooLong = None,
    positive_from: PositiveFrom = None,
    negative_to: NegativeTo = None,
    min_positives: MinPositives = None,
    min_negatives: MinNegatives = None,
    core: Core = None,
    as_json: AsJson = False,
) -> None:
    """Count lists or users, items, interactions, samples after filtering, as in Table 1."""
    rule = {
        "min_count": min_count,
        "min_length": min_length,
        "max_length": max_length,
        "too_long": too_long,
        "positive_from": positive_from,
        "negative_to": negative_to,
        "min_positives": min_positives,
        "min_negatives": min_negatives,
        "core": core,
    }
    data = _load(source, directory, kind, rule)
    counts = _counts(data)
    if as_json:
        typer.echo(json.dumps(counts))
        return
    table = Table("", data.name)
    table.add_row("read as", _kind(data))
    for name, value in counts.items():
        table.add_row(name.replace("_", " "), _shown(name, value))
    Console().print(table)


@data_app.command()
def prepare(
    source: Source,
    *,
    output: Annotated[
        Path,
        typer.Option(help="A file, .csv, .tsv or .parquet; or, without an ending, a folder."),
    ],
    directory: From = None,
    kind: Kind = None,
    min_count: MinCount = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    too_long: TooLong = None,
    positive_from: PositiveFrom = None,
    negative_to: NegativeTo = None,
    min_positives: MinPositives = None,
    min_negatives: MinNegatives = None,
    core: Core = None,
    held_out_users: HeldOutUsers = None,
    seed: Seed = 0,
) -> None:
    """Filter into a file: lists (list_id, item_id, position), clicks (user_id, item_id, label).

    Interactions become user_id, item_id and, where they have an order, timestamp; or a folder that
    cove train reads as data, and that is made of a file larger than memory.
    """
    rule = {
        "min_count": min_count,
        "min_length": min_length,
        "max_length": max_length,
        "too_long": too_long,
        "positive_from": positive_from,
        "negative_to": negative_to,
        "min_positives": min_positives,
        "min_negatives": min_negatives,
        "core": core,
    }
    file = Path(source) if directory is None else directory / source
    if output.exists() and file.exists() and output.samefile(file):
        raise DataError(f"{output} is what is read: name another output")
    if not output.suffix:
        filter = _filter(source, kind or "interactions", rule)
        prepare_folder(file, output, filter, held_out_users, seed)
        return
    if held_out_users is not None or seed:
        raise SettingsError("--held-out-users and --seed are for a folder: --output without ending")
    data = _load(source, directory, kind, rule)
    if isinstance(data, ListData):
        write_lists(data, output)
        typer.echo(f"{output}: {len(data.lists):,} lists")
    elif isinstance(data, ClickData):
        write_clicks(data, output)
        typer.echo(f"{output}: {len(data.labels):,} samples")
    elif isinstance(data, PreparedInteractions):
        raise DataError(f"{source} is prepared already")
    else:
        write_interactions(data, output)
        typer.echo(f"{output}: {len(data.users):,} interactions")


@data_app.command("fetch")
def fetch_dataset(
    name: Annotated[str, typer.Argument(help="The data set: ml100k.")],
    to: Annotated[Path, typer.Option("--to", help="The folder that gets a sub-folder for it.")],
) -> None:
    """Download a data set that its owners let everybody download, unless it is there already."""
    typer.echo(str(fetch(name, to)))


def _load(source: str, directory: Path | None, kind: str | None, rule: dict[str, Any]) -> Data:
    if kind is None:
        kind = kind_of(source, directory)
    return load_data(source, directory, _filter(source, kind, rule))


def _filter(source: str, kind: str, rule: dict[str, Any]) -> Any:
    """The filter of a source that is read as lists, clicks or interactions, with what the options
    say."""
    if kind not in FILTERS:
        raise SettingsError(f"--kind must be lists, clicks or interactions: got {kind!r}")
    for name, value in rule.items():
        if value is not None and name not in FILTERS[kind].model_fields:
            owners = [one for one, filter in FILTERS.items() if name in filter.model_fields]
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(
                f"{option} is for {' and '.join(owners)}, and {source} is read as {kind}: "
                f"add --kind {' or --kind '.join(owners)}"
            )
    own = {name: value for name, value in rule.items() if name in FILTERS[kind].model_fields}
    default = {
        "lists": default_filter,
        "clicks": default_click_filter,
        "interactions": default_interaction_filter,
    }[kind]
    return default(source).with_changes(**own)


def _kind(data: Data) -> str:
    if isinstance(data, ListData):
        return "lists"
    return "clicks" if isinstance(data, ClickData) else "interactions"


def _counts(data: Data) -> Stats:
    if isinstance(data, ListData):
        return list_stats(data)
    return click_stats(data) if isinstance(data, ClickData) else interaction_stats(data)


def _description(name: str) -> dict[str, Any]:
    dataset = DATASETS[name]
    lists, clicks, interactions = (kind in dataset.kinds for kind in FILTERS)
    of_interactions = dataset.default_interaction_filter.model_dump()
    return {
        "name": name,
        "kinds": list(dataset.kinds),
        "description": dataset.description,
        "filter": dataset.default_filter.model_dump() if lists else None,
        "click_filter": dataset.default_click_filter.model_dump() if clicks else None,
        "interaction_filter": of_interactions if interactions else None,
        "files": list(dataset.files),
        "terms": dataset.terms,
    }


def _list_range(dataset: Dataset) -> str:
    """The lengths of lists that are kept, where it has lists."""
    rule = dataset.default_filter
    if "lists" not in dataset.kinds:
        return ""
    return f" (lists of {rule.min_length} to {rule.max_length} items)"


def _shown(name: str, value: int | float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("density"):
        return f"{value:.3%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
