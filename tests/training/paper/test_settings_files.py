"""The settings files of the paper's data: the command that each names can be given."""

import shlex
from pathlib import Path

import pytest

from training.datasets import DATASETS
from training.paper.jobs import Job, Workplace
from training.paper.rows import choose_rows, with_code_sizes
from training.paper.tables import TABLES
from training.run_settings import RunSettings, parse_code_sizes, read_settings_file

FOLDER = Path(__file__).resolve().parents[3] / "training" / "paper" / "settings"
FILES = sorted(path.name for path in FOLDER.glob("*.toml"))


def runs_of(file: str) -> tuple[str, dict[str, RunSettings]]:
    """The data set of a file's command, and the settings of each trained row."""
    path = FOLDER / file
    words = shlex.split(path.read_text().splitlines()[0].removeprefix("# "))
    assert words[:2] == ["cove", "reproduce"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--settings"] == f"training/paper/settings/{file}"
    table = TABLES[words[2]]
    rows = choose_rows(options["--rows"], table.rows(), table.is_main)
    if "--cove" in options:
        rows = [with_code_sizes(row, parse_code_sizes(options["--cove"])) for row in rows]
    workplace = Workplace(
        options["--dataset"], None, Path(), "", "cpu", read_settings_file(path), table.name
    )
    trained = [row for row in rows if row.is_trained and row.codes_from is None]
    return options["--dataset"], {row.name: Job(row, 0, workplace).settings() for row in trained}


@pytest.mark.parametrize("file", FILES)
def test_every_row_of_the_command_resolves_with_the_papers_training(file: str) -> None:
    dataset, runs = runs_of(file)
    assert dataset in DATASETS
    paper = {"table2": (256, 0.01), "table3": (1024, 0.001), "table4": (5000, 0.001)}
    found = {(run.training.batch_size, run.training.learning_rate) for run in runs.values()}
    assert found <= set(paper.values())
    assert len(found) == 1


def test_each_of_the_papers_seven_sets_has_a_file() -> None:
    assert sorted(runs_of(file)[0] for file in FILES) == [
        "goodreads", "kindle", "mind", "ml100k", "spotify", "toys", "zhihu",
    ]  # fmt: skip


def test_goodreads_has_the_codes_and_weights_that_section_4_6_names() -> None:
    quantizer = runs_of("goodreads.toml")[1]["fans_cove_paper"].quantizer
    assert quantizer is not None
    assert quantizer.code_sizes == (500, 50)
    assert (quantizer.alpha, quantizer.commitment_weight) == (1.0, 0.5)
    assert (quantizer.loss_reduction, quantizer.initialization) == ("sum", "sample")


def test_weights_of_cove_leave_the_plain_rows_alone_and_sizes_those_that_fit_the_data() -> None:
    runs = runs_of("zhihu.toml")[1]
    assert runs["fans"].quantizer is None
    assert runs["fans_cove"].quantizer is not None
    assert runs["fans_cove"].quantizer.code_sizes == ()
    assert runs["fans_cove_paper"].quantizer is not None
    assert runs["fans_cove_paper"].quantizer.alpha == 0.6
