"""The rows of the tables as data: every one can be run, and is named without doubt."""

import pytest

from cove.errors import SettingsError
from cove.recommenders import LISTS
from training.paper import ablation_rows, click_rows, list_rows, paper_figures
from training.paper.baseline_runs import GRIDS
from training.paper.list_rows import table_rows
from training.paper.rows import AUTO, GROUPS, Row
from training.paper.rows import choose_rows as choose
from training.paper.table import Table
from training.paper.tables import TABLES
from training.resolving import resolve

ROWS = {row.name: row for row in table_rows()}
EVERY = [(table, row) for table in TABLES.values() for row in table.rows()]


def choose_rows(text: str) -> list[Row]:
    return choose(text, table_rows(), list_rows.is_main)


@pytest.mark.parametrize(("table", "row"), EVERY, ids=[f"{t.name} {r.name}" for t, r in EVERY])
def test_every_row_can_be_run(table: Table, row: Row) -> None:
    assert row.group in GROUPS
    if not row.is_trained:
        assert row.recommender in GRIDS
        return
    source = None if row.codes_from is None else "a model"
    data = "aotm" if table.task == LISTS else "ml100k"
    settings = resolve(
        row.recommender, data, row.code_sizes, 0, row.settings, source, row.user_code_sizes
    )
    assert settings.task == table.task
    assert bool(settings.quantizers()) == (row.base is not None)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_names_are_unique_and_a_base_is_the_same_recommender_without_cove(table: Table) -> None:
    rows = {row.name: row for row in table.rows()}
    assert len(rows) == len(table.rows())
    for row in rows.values():
        if row.base is not None:
            base = rows[row.base]
            assert base.recommender == row.recommender
            assert (base.code_sizes, base.user_code_sizes) == (None, None)
            assert base.settings.items() <= row.settings.items()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_metric_that_a_table_names_is_in_one_of_its_metric_tables(table: Table) -> None:
    shown = {name for one in table.metric_tables for name in one.metrics}
    assert {table.selected[0], table.plotted[0], *table.compared} <= shown


def test_figure_3_has_each_network_of_table_4_plain_and_in_three_forms() -> None:
    rows = click_rows.figure_rows()
    assert all(row in click_rows.table_rows() for row in rows)
    for network in ("dcn", "deepfm", "fibinet", "finalmlp"):
        forms = [(r.user_code_sizes, r.code_sizes) for r in rows if r.recommender == network]
        assert forms == [(None, None), (AUTO, None), (None, AUTO), (AUTO, AUTO)]


def test_cove_is_on_every_one_of_the_six_and_on_sasrec_with_full_cross_entropy() -> None:
    bases = {row.base for row in ROWS.values() if row.group == "cove"}
    assert {"caser", "gru4rec", "sasrec", "car", "bert4rec", "fans", "sasrec_softmax"} <= bases


def test_main_leaves_out_the_leak_and_the_controls_and_all_is_all() -> None:
    main = {row.name for row in choose_rows("main")}
    assert {"ease", "fans", "fans_two_stage", "fans_cove"} <= main
    assert not {"fans_two_stage_leak", "fans_alpha_0", "fans_cove_paper"} & main
    assert choose_rows("all") == table_rows()


def test_rows_are_chosen_by_name_or_group_in_the_tables_order() -> None:
    assert [row.name for row in choose_rows("sasrec, caser,baselines")] == [
        "most_popular", "item_cooccurrence", "item_knn", "ease", "caser", "sasrec",
    ]  # fmt: skip


def test_a_row_brings_along_the_row_that_gives_its_codes() -> None:
    assert [row.name for row in choose_rows("fans_kmeans_codes")] == ["fans", "fans_kmeans_codes"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fan", "no row named 'fan': did you mean 'fans'?"),
        ("fans,zzzz", "no row named 'zzzz': known are main, all, baselines"),
        (" , ", "takes main, all or names of rows"),
    ],
)
def test_an_unknown_row_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        choose_rows(text)
    assert sentence in str(refused.value)


def test_a_group_that_a_table_lacks_is_not_offered() -> None:
    figure = TABLES["figure3"]
    with pytest.raises(SettingsError, match="no row named 'baselines': known are main, all, plain"):
        choose("baselines", figure.rows(), figure.is_main)


def test_table_5_has_the_papers_16_settings_on_bert4rec_and_fans() -> None:
    rows = [row for row in ablation_rows.size_rows() if row.group == "cove-evolving"]
    for recommender in ("bert4rec", "fans"):
        sizes = [row.code_sizes for row in rows if row.recommender == recommender]
        assert len(sizes) == 16
        assert sizes[0] == (10,)
        assert sizes[-1] == (8000, 400, 20)
    assert {row.settings["form"] for row in rows} == {"evolving"}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_what_a_table_asks_is_of_its_rows(table: Table) -> None:
    names = {row.name for row in table.rows()}
    assert {name for asked in table.questions.values() for pair in asked for name in pair} <= names


def test_the_papers_table_5_has_a_figure_of_each_setting() -> None:
    figures = paper_figures.TABLE_5["Goodreads, COVE on FANS"]["N@5"]
    best = dict(zip(paper_figures.SIZES, figures, strict=True))
    assert (best[500, 50], best[10,], best[8000, 400, 20]) == (0.0399, 0.0396, 0.0383)
    every = [values for metrics in paper_figures.TABLE_5.values() for values in metrics.values()]
    assert [len(values) for values in every] == [16] * 16


@pytest.mark.parametrize("form", ["evolving", "paper"])
def test_figure_4_takes_each_weight_from_0_to_1_while_the_others_are_1(form: str) -> None:
    rows = [row for row in ablation_rows.weight_rows() if row.settings.get("form") == form]
    taken = [tuple(row.settings[name] for name in ablation_rows.WEIGHTS) for row in rows]
    assert taken[0] == (1, 1, 1, 1)
    for place in range(4):
        line = [
            values for values in taken if all(v == 1 for v in values[:place] + values[place + 1 :])
        ]
        assert sorted(values[place] for values in line) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert len(taken) == 4 * 5 + 1
