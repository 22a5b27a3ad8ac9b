"""`cove reproduce`: the paper's tables, on data that are at hand."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cove.errors import SettingsError
from training.commands.options import AsJson

reproduce_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Dataset = Annotated[str, typer.Option("--dataset", help="Data set name, or a file.")]
From = Annotated[Path | None, typer.Option("--from", help="Folder that holds the data set.")]
Seeds = Annotated[str, typer.Option(help="Seeds with commas between.")]
Rows = Annotated[str, typer.Option(help="main, all, or rows and groups of rows.")]
Jobs = Annotated[int, typer.Option(help="Runs at once, a process each.", min=1)]
Output = Annotated[Path, typer.Option(help="Where runs and table go.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="name=value for every trained row.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file of settings for every trained row.")
]
Sizes = Annotated[
    str | None,
    typer.Option("--cove", help="Codes a level, like 500,10, of rows whose codes evolve."),
]


@reproduce_app.callback()
def reproduce() -> None:
    """The paper's tables, on data that are at hand."""


@dataclass(frozen=True)
class _Call:
    """What all tables are asked for with."""

    dataset: str
    directory: Path | None
    seeds: str
    rows: str
    jobs: int
    output: Path
    device: str
    overrides: list[str]
    settings_file: Path | None
    code_sizes: str | None
    as_json: bool


def _add_command(name: str, default_seeds: str, text: str) -> None:
    """Add a table's command: all take the same options."""

    def command(
        dataset: Dataset,
        directory: From = None,
        seeds: Seeds = default_seeds,
        rows: Rows = "main",
        jobs: Jobs = 1,
        output: Output = Path("runs"),
        device: Device = "auto",
        overrides: Overrides = None,
        settings_file: SettingsFile = None,
        code_sizes: Sizes = None,
        as_json: AsJson = False,
    ) -> None:
        _reproduce(
            name,
            _Call(
                dataset, directory, seeds, rows, jobs, output, device, overrides or [],
                settings_file, code_sizes, as_json,
            ),
        )  # fmt: skip

    reproduce_app.command(name=name, help=text)(command)


_add_command(
    "table2",
    "0,1,2",
    "List completion, Table 2: runs what is missing and writes table, JSON and plot.",
)
_add_command(
    "table3",
    "0,1,2,3,4",
    "Collaborative filtering, Table 3: four recommenders with and without COVE.",
)
_add_command(
    "table4",
    "0,1,2,3,4",
    "Click-through rate, Table 4: four networks with and without COVE.",
)
_add_command(
    "figure3",
    "0,1,2,3,4",
    "COVE on users, on items and on both, Figure 3: from the runs of Table 4.",
)
_add_command(
    "table5",
    "0",
    "Levels and sizes of codes on BERT4Rec and FANS, Table 5.",
)
_add_command(
    "figure4",
    "0",
    "The weights of COVE on FANS, each from 0 to 1, Figure 4.",
)
_add_command(
    "figure5",
    "0",
    "How codes agree with true categories, Figure 5: ml100k, toys, grocery_kg.",
)


def _reproduce(name: str, call: _Call) -> None:
    chosen_seeds = parse_seeds(call.seeds)
    from training.commands.shared import make_folder  # noqa: PLC0415
    from training.paper.categories import make_figure  # noqa: PLC0415
    from training.paper.jobs import Workplace  # noqa: PLC0415 - torch and more: `--help` is quick
    from training.paper.making import make_table  # noqa: PLC0415
    from training.paper.rows import choose_rows, with_code_sizes  # noqa: PLC0415
    from training.paper.tables import TABLES  # noqa: PLC0415
    from training.preparing import pick_device  # noqa: PLC0415
    from training.registry.database import registry_url  # noqa: PLC0415
    from training.run_settings import (  # noqa: PLC0415
        parse_code_sizes,
        parse_overrides,
        read_settings_file,
    )

    table = TABLES[name]
    chosen_rows = choose_rows(call.rows, table.rows(), table.is_main)
    if call.code_sizes is not None:
        sizes = parse_code_sizes(call.code_sizes)
        if name == "table5" or not sizes:
            raise SettingsError(f"{name} takes no --cove {call.code_sizes}: sizes are its rows'")
        chosen_rows = [with_code_sizes(row, sizes) for row in chosen_rows]
    values = read_settings_file(call.settings_file) if call.settings_file else {}
    values |= parse_overrides(call.overrides)
    output = call.output.resolve()
    if output.is_file():
        raise SettingsError(f"--output must be a folder: {output} is a file")
    make_folder(output)
    if call.device != "auto":
        pick_device(call.device)
    workplace = Workplace(
        call.dataset, call.directory, output, registry_url(output), call.device, values, name
    )
    make = make_figure if name == "figure5" else make_table
    made = make(chosen_rows, chosen_seeds, workplace, call.jobs, _command(name, call))
    if call.as_json:
        typer.echo(made.markdown.with_suffix(".json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(made.markdown.read_text(encoding="utf-8"))
        typer.echo(f"written: {made.markdown} (and .json, .png beside it)")
    if made.failed:
        for outcome in made.failed:
            row, seed = outcome.key
            typer.echo(f"cove: {row}, seed {seed} failed: {outcome.reason}", err=True)
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


def _command(name: str, call: _Call) -> str:
    """The call as another person would give it: folders by what they are."""
    parts = ["cove", "reproduce", name, "--dataset", Path(call.dataset).name]
    parts += ["--from", "DIR"] if call.directory is not None else []
    parts += ["--seeds", call.seeds, "--rows", call.rows, "--output", "RUNS"]
    parts += ["--cove", call.code_sizes] if call.code_sizes is not None else []
    parts += ["--settings", call.settings_file.name] if call.settings_file is not None else []
    for each in call.overrides:
        parts += ["--set", each]
    return shlex.join(parts)
