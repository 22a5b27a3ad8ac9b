"""`cove report`: one document of all results, the same bytes each time but for its date."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.training.paper.worlds import COVE, small_rows
from tests.training.worlds import CODE_SIZES
from training.cli import main
from training.paper.beside import beside_the_paper
from training.paper.markdown import anchor
from training.paper.rows import Row
from training.paper.tables import FIGURE_4, TABLE_2, TABLE_5, TABLES
from training.paper.weights import curves, over_zero

WRITTEN = re.compile(r"Written on \d{4}-\d\d-\d\d")


def small_weight_rows() -> list[Row]:
    """FANS, and COVE with all weights 1 and with α = 0."""
    fans = next(row for row in small_rows() if row.name == "fans")
    ones = COVE | {
        "alpha": 1.0, "commitment_weight": 1.0, "quantization_weight": 1.0,
        "code_prediction_weight": 1.0, "form": "evolving",
    }  # fmt: skip
    rows = {"fans_evolving_ones": ones, "fans_evolving_alpha_0": ones | {"alpha": 0.0}}
    return [
        fans,
        *(
            Row(name, name, "cove-evolving", "fans", settings, CODE_SIZES, base="fans")
            for name, settings in rows.items()
        ),
    ]


@pytest.fixture(scope="module")
def runs(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with Table 2 and Figure 4 of a tiny file."""
    output = tmp_path_factory.mktemp("report") / "runs"
    call = ["--dataset", str(tiny), "--output", str(output), "--device", "cpu", "--seeds", "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, "table2", replace(TABLE_2, rows=small_rows))
        patch.setitem(TABLES, "figure4", replace(FIGURE_4, rows=small_weight_rows))
        for name in ("table2", "figure4"):
            assert main(["reproduce", name, *call, "--rows", "all", "--set", "min_count=1"]) == 0
    return output


def result(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}-tiny.json").read_text())
    return found


def undated(path: Path) -> bytes:
    return WRITTEN.sub("Written", path.read_text(), count=1).encode()


class Page(HTMLParser):
    """What a page links to, and where it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links, self.sources = set[str](), set[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses."""
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            elif name == "href":
                self.links.add(str(value))
            elif name == "src":
                self.sources.append(str(value))


def test_the_report_made_again_has_the_same_bytes_but_for_its_date(
    runs: Path, tmp_path: Path
) -> None:
    names = ["figure4-tiny.png", "report.html", "report.md", "table2-tiny.png"]
    made = []
    for _ in range(2):
        assert main(["report", str(runs), "--output", str(tmp_path / "out")]) == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
        pictures = [(tmp_path / "out" / name).read_bytes() for name in names if "png" in name]
        made.append([undated(tmp_path / "out" / f"report.{kind}") for kind in ("md", "html")])
        made[-1] += pictures
        shutil.rmtree(tmp_path / "out")
    assert made[0] == made[1]
    assert (runs / "table2-tiny.png").read_bytes() in made[0]  # as `cove reproduce` has drawn it


def test_every_run_is_named_with_its_hash_and_is_in_the_registry(
    runs: Path, tmp_path: Path
) -> None:
    assert main(["report", str(runs), "--output", str(tmp_path)]) == 0
    pages = [(tmp_path / f"report.{kind}").read_text() for kind in ("md", "html")]
    found = [
        seed
        for name in ("table2", "figure4")
        for row in result(runs, name)["rows"]
        for seed in row["seeds"]
    ]
    assert len(found) == 5 + 3
    for page in pages:
        for seed in found:
            assert seed.get("settings_hash", seed.get("key"))[:12] in page
            assert seed.get("run_id", "")[:12] in page
            assert f"{seed['test']['ndcg_at_10']:.4f}" in page
        assert "Of 5 runs, 5 are in the registry at hand, finished" in page  # FANS is in both
    assert all(seed["seconds"] >= 0 for seed in found if "run_id" in seed)


def test_a_figure_that_no_run_has_is_said_to_be_untraced(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "runs"
    copy.mkdir()
    for name in ("registry.sqlite3", "table2-tiny.json"):
        shutil.copy(runs / name, copy)
    changed = result(runs, "table2")
    run = changed["rows"][2]["seeds"][0]
    run["test"]["hit_at_5"] += 0.001
    (copy / "table2-tiny.json").write_text(json.dumps(changed))
    assert main(["report", str(copy)]) == 0
    text = (copy / "report.md").read_text()
    assert "Of 3 runs, 2 are in the registry at hand" in text
    assert f"Not so: `{run['run_id']}`." in text


def test_the_html_needs_no_other_file_and_its_contents_lead_somewhere(
    runs: Path, tmp_path: Path
) -> None:
    assert main(["report", str(runs), "--output", str(tmp_path)]) == 0
    page = Page((tmp_path / "report.html").read_text())
    assert len(page.sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert {"#table-2-on-tiny", "#figure-4-on-tiny", "#table-1"} <= page.links
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= page.ids


def test_a_result_that_this_version_does_not_make_is_taken_in_as_it_is(
    runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "figure5-tiny.json").write_text('{"figure": "figure5"}')
    (tmp_path / "figure5-tiny.md").write_text("# Figure 5 on `tiny`\n\nSo it is.\n")
    shutil.copy(runs / "table2-tiny.png", tmp_path / "figure5-tiny.png")
    assert main(["report", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "## Figure 5 on `tiny`\n\nSo it is.\n\n![figure5-tiny](figure5-tiny.png)" in text
    assert "- [Figure 5 on `tiny`](#figure-5-on-tiny)" in text


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (None, "", "holds no results"),
        ("table2-x.json", "{", "table2-x.json cannot be read"),
        ("table2-x.json", "[]", "it holds no JSON object"),
        ("table9-x.json", "{}", "table9-x.json cannot be read"),
    ],
)
def test_a_folder_without_results_or_with_a_damaged_one_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str | None, content: str,
    sentence: str,
) -> None:  # fmt: skip
    if file is not None:
        (tmp_path / file).write_text(content)
    assert main(["report", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "report.md").exists()


def test_a_folder_that_is_not_there_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def weight_row(alpha: float, beta: float, score: float) -> dict[str, Any]:
    settings = {
        "form": "evolving", "alpha": alpha, "commitment_weight": beta,
        "quantization_weight": 1.0, "code_prediction_weight": 1.0,
    }  # fmt: skip
    return {"base": "fans", "settings": settings, "mean": {"ndcg_at_10": score}}


def test_a_curve_is_the_metric_over_that_at_0() -> None:
    rows = [weight_row(1, 1, 0.06), weight_row(0, 1, 0.05), weight_row(0.4, 1, 0.055)]
    rows += [weight_row(1, 0.4, 0.07), {"base": None, "settings": {}, "mean": {}}]
    (curve,) = curves({"rows": rows})  # β lacks 0, so it has no curve
    assert curve[:2] == ("evolving", "alpha")
    assert curve[2] == pytest.approx({0: 0, 0.4: 0.1, 1: 0.2})
    text = over_zero({"rows": rows})
    assert "| evolving | α | `alpha` | +0.0 % | +10.0 % | +20.0 % |" in text
    assert "By what 1 gains over 0, `evolving`: α (+20.0 %). The paper's order is" in text


def test_what_a_table_asks_is_answered_with_intervals_and_in_short(runs: Path) -> None:
    page = (runs / "figure4-tiny.md").read_text()
    (found,) = (
        one
        for one in result(runs, "figure4")["comparisons"]
        if one["kind"].startswith("What each weight") and one["metric"] == "ndcg_at_10"
    )
    assert (found["row"], found["against"]) == ("fans_evolving_ones", "fans_evolving_alpha_0")
    asked = page.split("### What each weight is worth, all at 1 against it at 0: Standard")[1]
    assert f"{found['low']:+.4f} to {found['high']:+.4f}" in asked
    above, below = int(found["low"] > 0), int(found["high"] < 0)
    assert (
        f"In short: of 1, {above} lie above 0 and {below} below with their whole interval; their "
        f"mean is {found['difference']:+.4f}."
    ) in asked


def table_row(name: str, title: str, base: str | None, sizes: list[int] | None) -> dict[str, Any]:
    mean = dict.fromkeys(TABLE_5.paper_metrics, 0.05 if base is None else 0.06)
    return {
        "name": name, "title": title, "group": "plain" if base is None else "cove", "base": base,
        "code_sizes": sizes, "user_code_sizes": None, "mean": mean,
    }  # fmt: skip


def test_our_rows_stand_beside_the_papers_of_the_same_name() -> None:
    rows = [
        table_row("bert4rec", "BERT4Rec", None, None),
        table_row("bert4rec_cove", "COVE on BERT4Rec", "bert4rec", [500, 10]),
        table_row("bag", "Bag of items (ours)", None, None),
    ]
    text = beside_the_paper({"rows": rows, "dataset": {"name": "tiny"}}, TABLE_2)
    hits = text.split("### HR@10")[1]
    assert "| BERT4Rec | 0.0500 |  | 0.2933 |  | 0.3212 |  | 0.2678 |  |" in hits
    # 0.3987 / 0.2933 = 1.359..., 0.4559 / 0.3212 = 1.419..., and Goodreads is the same twice
    assert (
        "| COVE on BERT4Rec | 0.0600 | +20.0 % | 0.3987 | +35.9 % | 0.4559 | +41.9 % | 0.2678 "
        "| +0.0 % |"
    ) in hits
    assert "Bag" not in text


def test_a_setting_of_table_5_stands_beside_the_papers_of_that_recommender() -> None:
    rows = [
        table_row("fans", "FANS", None, None),
        table_row("fans_evolving_500_50", "FANS, 500, 50", "fans", [500, 50]),
    ]
    text = beside_the_paper({"rows": rows, "dataset": {"name": "tiny"}}, TABLE_5)
    first = text.split("###")[1]
    assert "| FANS, 500, 50 | 0.0600 | +20.0 % | 0.0294 |  | 0.0399 |  |" in first


def test_a_heading_is_linked_to_without_its_signs() -> None:
    assert anchor("Table 4 on `mind_small_sample`") == "table-4-on-mind_small_sample"
