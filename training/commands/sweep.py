"""`cove sweep`: the best settings of a recommender on some data, by validation."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from training.commands.options import AsJson
from training.seeds import LARGEST_SEED


def sweep(
    recommender: Annotated[str, typer.Argument(help="Which one, like fans or sasrec.")],
    data: Annotated[str, typer.Option("--data", help="Data set name, or a file.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of trials and best settings.")],
    ranges: Annotated[
        list[str],
        typer.Option("--range", help="name=low..high[:log] or name=value,value; repeatable."),
    ],
    directory: Annotated[
        Path | None, typer.Option("--from", help="Folder that holds the data set.")
    ] = None,
    code_sizes: Annotated[
        str | None, typer.Option("--cove", "--item-cove", help="COVE on items, as for train.")
    ] = None,
    user_code_sizes: Annotated[
        str | None, typer.Option("--user-cove", help="COVE on users, as for train.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in all, of every process.", min=1)] = 20,
    seed: Annotated[
        int, typer.Option(help="Of every run, and of the search.", min=0, max=LARGEST_SEED)
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="name=value for every trial.")
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file of settings for every trial.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="sqlite:///FILE or postgresql://HOST/NAME, else a file in --output."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for the best settings; the same call again goes on, or helps where one runs."""
    from training.commands.shared import make_folder  # noqa: PLC0415 - torch and more
    from training.datasets import load_data  # noqa: PLC0415
    from training.registry.database import registry_url, upgrade  # noqa: PLC0415
    from training.resolving import resolve  # noqa: PLC0415
    from training.run_settings import (  # noqa: PLC0415
        RunSettings,
        parse_code_sizes,
        parse_overrides,
        read_settings_file,
    )
    from training.sweep import BEST, Sweep, open_study, run_sweep  # noqa: PLC0415
    from training.sweep_ranges import parse_ranges  # noqa: PLC0415
    from training.train import Place  # noqa: PLC0415

    fixed: dict[str, Any] = read_settings_file(settings_file) if settings_file else {}
    fixed |= parse_overrides(overrides or [])
    sizes, user_sizes = (
        parse_code_sizes(text) if text else None for text in (code_sizes, user_code_sizes)
    )

    def settings_of(values: Any) -> RunSettings:
        return resolve(recommender, data, sizes, seed, fixed | values, None, user_sizes, directory)

    output = output.resolve()
    call = ["cove", "train", recommender, "--data", data, "--seed", str(seed)]
    call += ["--from", "DIR"] if directory is not None else []
    for option, text in (("--cove", code_sizes), ("--user-cove", user_code_sizes)):
        call += [option, text] if text else []
    search = Sweep(
        name=f"{recommender} on {Path(data).name}",
        storage=storage or f"sqlite:///{output / 'sweep.sqlite3'}",
        output=output,
        ranges=parse_ranges(ranges),
        resolve=settings_of,
        fixed=fixed,
        command=shlex.join(call),
        place=lambda folder: Place(directory, folder, device),
        registry=registry_url(output),
    )
    search = search.checked()
    load_data(data, directory, settings_of({}).filter)  # what is wrong with it is said once
    make_folder(output)
    upgrade(search.registry)
    best = run_sweep(
        search, open_study(search, seed), trials, lambda line: typer.echo(line, err=True)
    )
    if as_json:
        typer.echo(json.dumps({"trial": best.number, "valid": best.value, "settings": best.params}))
    else:
        typer.echo(f"trial {best.number}, {best.value:.4f} in validation: {output / BEST}")
