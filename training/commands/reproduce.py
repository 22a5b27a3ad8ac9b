"""`cove reproduce`: the paper's tables, on data that are at hand."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cove.errors import SettingsError
from training.commands.options import AsJson

reproduce_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@reproduce_app.callback()
def reproduce() -> None:
    """The paper's tables, on data that are at hand."""


@reproduce_app.command()
def table2(
    dataset: Annotated[str, typer.Option("--dataset", help="Data set name, or a file of lists.")],
    directory: Annotated[
        Path | None, typer.Option("--from", help="Folder that holds the data set.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds with commas between.")] = "0,1,2",
    rows: Annotated[str, typer.Option(help="main, all, or rows and groups of rows.")] = "main",
    jobs: Annotated[int, typer.Option(help="Runs at once, a process each.", min=1)] = 1,
    output: Annotated[Path, typer.Option(help="Where runs and table go.")] = Path("runs"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="name=value for every trained row.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List completion, Table 2: runs what is missing and writes table, JSON and plot."""
    chosen_seeds = parse_seeds(seeds)
    from training.paper.jobs import Workplace  # noqa: PLC0415 - torch and more: `--help` is quick
    from training.paper.rows import choose_rows  # noqa: PLC0415
    from training.paper.table2 import make_table  # noqa: PLC0415
    from training.registry.database import registry_url  # noqa: PLC0415
    from training.run_settings import parse_overrides  # noqa: PLC0415
    from training.train import pick_device  # noqa: PLC0415

    chosen_rows = choose_rows(rows)
    values = parse_overrides(overrides or [])
    output = output.absolute()
    if output.is_file():
        raise SettingsError(f"--output must be a folder: {output} is a file")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {output}: {error.strerror}") from None
    if device != "auto":
        pick_device(device)
    workplace = Workplace(dataset, directory, output, registry_url(output), device, values)
    command = _command(dataset, directory, seeds, rows, overrides or [])
    table = make_table(chosen_rows, chosen_seeds, workplace, jobs, command)
    if as_json:
        typer.echo(table.markdown.with_suffix(".json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(table.markdown.read_text(encoding="utf-8"))
        typer.echo(f"written: {table.markdown} (and .json, .png beside it)")
    if table.failed:
        for outcome in table.failed:
            name, seed = outcome.key
            typer.echo(f"cove: {name}, seed {seed} failed: {outcome.reason}", err=True)
        raise typer.Exit(1)


def parse_seeds(text: str) -> list[int]:
    """Seeds as the command line spells them: "0,1,2".

    Raises:
        SettingsError: one is no whole number from 0, or stands there twice.
    """
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise SettingsError(
            f"seeds are different whole numbers from 0 with commas between, like 0,1,2: "
            f"got {text!r}"
        )
    return seeds


def _command(
    dataset: str, directory: Path | None, seeds: str, rows: str, overrides: list[str]
) -> str:
    """The call as another person would give it: folders by what they are."""
    name = Path(dataset).name
    parts = ["cove", "reproduce", "table2", "--dataset", name]
    parts += ["--from", "DIR"] if directory is not None else []
    parts += ["--seeds", seeds, "--rows", rows, "--output", "RUNS"]
    for each in overrides:
        parts += ["--set", each]
    return shlex.join(parts)
