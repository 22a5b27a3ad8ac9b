"""The rows of Table 2 as data: every one can be run, and is named without doubt."""

import pytest

from cove.errors import SettingsError
from training.paper.baseline_runs import GRIDS
from training.paper.rows import GROUPS, choose_rows, table_rows
from training.run_settings import resolve

ROWS = {row.name: row for row in table_rows()}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_can_be_run(name: str) -> None:
    row = ROWS[name]
    assert row.group in GROUPS
    if row.group == "baselines":
        assert row.recommender in GRIDS
        return
    source = None if row.codes_from is None else "a model"
    settings = resolve(row.recommender, "aotm", row.code_sizes, 0, row.settings, source)
    assert (settings.quantizer is None) == (row.base is None)


def test_names_are_unique_and_a_base_is_the_same_recommender_without_cove() -> None:
    assert len(ROWS) == len(table_rows())
    for row in ROWS.values():
        if row.base is not None:
            base = ROWS[row.base]
            assert (base.recommender, base.code_sizes) == (row.recommender, None)
            assert base.settings.items() <= row.settings.items()


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
