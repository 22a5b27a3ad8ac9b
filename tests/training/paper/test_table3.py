"""`cove reproduce table3` on a tiny file: two protocols that never meet, paired by user."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cove.artifact import read_manifest
from training.cli import main
from training.paper.rows import Row
from training.paper.tables import TABLE_3, TABLES

PLAIN: dict[str, Any] = {
    "epochs": 3, "batch_size": 64, "learning_rate": 0.02, "dimensions": 8, "warmup_steps": 0,
}  # fmt: skip
COVE: dict[str, Any] = PLAIN | {"initialization": "sample"}
BASELINES = ("most_popular_item", "neighbour_items", "ease_of_users", "ials")


def rows() -> list[Row]:
    return [
        *(Row(name, name.replace("_", " "), "baselines", name) for name in BASELINES),
        Row("bprmf", "BPRMF", "plain", "bprmf", PLAIN),
        Row(
            "bprmf_cove", "COVE on BPRMF", "cove", "bprmf", COVE, (4,), base="bprmf",
            user_code_sizes=(5, 2),
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The table of two seeds, on 40 users of two groups that choose of 240 items."""
    folder = tmp_path_factory.mktemp("table3")
    draw = random.Random(0)
    lines = [
        f"u{user},{2 * item + user % 2},{time}"
        for user in range(40)
        for time, item in enumerate(draw.sample(range(120), 30))
    ]
    file, output = folder / "chosen.csv", folder / "runs"
    file.write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, "table3", replace(TABLE_3, rows=rows))
        call = ["reproduce", "table3", "--dataset", str(file), "--output", str(output)]
        call += ["--device", "cpu", "--seeds", "0,1", "--rows", "all", "--set", "core=1"]
        assert main(call) == 0
    return output, json.loads((output / "table3-chosen.json").read_text())


def test_every_row_and_seed_is_measured_by_both_protocols(
    made: tuple[Path, dict[str, Any]],
) -> None:
    output, report = made
    assert [row["name"] for row in report["rows"]] == [row.name for row in rows()]
    for row in report["rows"]:
        assert {"ndcg_at_10", "sampled_99_ndcg_at_10"} <= row["mean"].keys()
        assert row["mean"]["sampled_99_ndcg_at_10"] > row["mean"]["ndcg_at_10"]  # an easier one
        for seed in row["seeds"]:
            if "model_id" in seed:
                assert read_manifest(output / seed["place"]).metrics["test"] == seed["test"]
    knn = next(row for row in report["rows"] if row["name"] == "neighbour_items")
    popular = next(row for row in report["rows"] if row["name"] == "most_popular_item")
    assert knn["mean"]["ndcg_at_10"] > popular["mean"]["ndcg_at_10"]  # it finds the two groups


def test_the_two_protocols_stand_in_tables_of_their_own(made: tuple[Path, dict[str, Any]]) -> None:
    output, report = made
    text = (output / "table3-chosen.md").read_text()
    full, rest = text.split("## Table B")
    sampled, rest = rest.split("## Table C")
    by_thirds = rest.split("## ")[0]
    for row in report["rows"]:
        for name, mean in row["mean"].items():
            part = by_thirds if "_of_" in name else sampled if "sampled" in name else full
            assert f"{mean:.4f} ± {row['sd'][name]:.4f}" in part
    assert "0.2778" in text  # the paper's COVE on CFKG, Toys, N@10


def test_cove_is_compared_with_its_base_and_with_every_baseline_by_user(
    made: tuple[Path, dict[str, Any]],
) -> None:
    found = made[1]["comparisons"]
    for metric in ("ndcg_at_10", "sampled_99_ndcg_at_10"):
        against = {c["against"] for c in found if c["metric"] == metric}
        assert against == {"bprmf", *BASELINES}
    by_metric = {c["metric"]: c["num_units"] for c in found}
    assert by_metric["ndcg_at_10"] == by_metric["sampled_99_ndcg_at_10"] == 80  # 40 in each seed
    assert 0 < by_metric["ndcg_at_10_of_rare_items"] < 80
