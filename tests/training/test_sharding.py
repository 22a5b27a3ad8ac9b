"""Tables sharded by rows: what each process holds and finds; what is refused."""

import json
from typing import Any

import pytest
import torch

from cove.errors import SettingsError
from cove.recommenders import build_recommender
from cove.row_table import RowTable
from tests.training.parallel_runs import bytes_held
from tests.training.torchrun import WORKER, torchrun
from tests.training.worlds import TAKE_WHOLE_TABLES
from training.optimisation import TrainingSettings
from training.parallel import ALONE, Processes
from training.sharding import RowShards, check_sharding, shard_tables

ROWS = TrainingSettings(embedding_sharding="rows")
SLICES = [slice(0, 3), slice(3, 6), slice(6, 7)]
"""Rows of a table of seven that each of three processes has."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of three processes saw."""
    folder = tmp_path_factory.mktemp("tables")
    done = torchrun(*WORKER, "tables", str(folder), processes=3)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"tables-{rank}.json").read_text()) for rank in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_rows_are_found_wherever_they_lie(seen: list[dict[str, Any]], kind: str) -> None:
    whole = [[float(row), -float(row)] for row in range(7)]
    assert [each[kind]["own"] for each in seen] == [whole[part] for part in SLICES]
    found = [each[kind]["rows"] for each in seen]
    assert found == [[whole[6], whole[0], whole[6], whole[3]], [], [whole[5], whole[6]]]
    assert [each[kind]["whole"] for each in seen] == [whole] * 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_gradients_of_all_processes_come_to_the_one_that_has_the_row(
    seen: list[dict[str, Any]], kind: str
) -> None:
    times_asked = [1, 0, 0, 1, 0, 1, 3]  # row 6 twice by the first process, once by the third
    wanted = [[[float(times)] * 2 for times in times_asked[part]] for part in SLICES]
    assert [each[kind]["gradient"] for each in seen] == wanted
    assert {each[kind]["is_sparse"] for each in seen} == {kind == "sparse"}


@pytest.mark.slow
def test_three_processes_hold_a_third_of_the_tables_gradients_and_moments_each(
    seen: list[dict[str, Any]],
) -> None:
    alone = bytes_held()
    assert alone == 4 * 4 * 8 * (3004 + 6004)  # four tensors of each table, special ids included
    assert [each["bytes"] / alone for each in seen] == pytest.approx([1 / 3] * 3, rel=0.01)


@pytest.mark.parametrize(("name", "values"), TAKE_WHOLE_TABLES)
def test_what_takes_the_whole_table_in_a_step_is_not_sharded(
    name: str, values: dict[str, object]
) -> None:
    made = build_recommender(name, {"dimensions": 2} | values, num_items=20, num_users=20)
    with pytest.raises(SettingsError, match="embedding_sharding=rows is not for this recommender"):
        check_sharding(made, ROWS)
    check_sharding(made, TrainingSettings())


@pytest.mark.parametrize("name", ["bprmf", "neumf", "cfkg", "deepfm", "sasrec"])
def test_what_looks_up_by_id_may_be_sharded(name: str) -> None:
    values = {"dimensions": 2} | ({"heads": 2} if name == "sasrec" else {})
    check_sharding(build_recommender(name, values, num_items=20, num_users=20), ROWS)


def test_a_process_alone_keeps_its_tables_whole() -> None:
    table = RowTable(torch.zeros(3, 2))
    weight = table.weight
    shard_tables(table, ALONE)
    assert table.weight is weight
    assert table.whole() is weight


def test_a_sharded_table_never_passes_for_a_whole_one() -> None:
    table = RowTable(torch.zeros(3, 2))
    table.shards = RowShards(6, Processes(0, 2))
    with pytest.raises(RuntimeError, match="lies in several processes"):
        table.whole()
