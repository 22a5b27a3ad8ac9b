"""MIND in its published layouts: impressions, histories, times, news."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from cove.errors import DataError
from tests.training.datasets.test_clicks import triples
from training.datasets import load_clicks
from training.datasets.splitting import split_clicks
from training.datasets.stats import click_stats

TRAIN = (
    "1\tU1\t11/12/2019 2:14:46 PM\tN1 N2 N1\tN3-1 N4-0\n"
    "2\tU1\t11/9/2019 6:42:51 AM\tN1 N2\tN3-0 N1-0\n"
    "3\tU2\t11/10/2019 12:00:01 AM\t\tN4-1\n"
)
DEV = "1\tU1\t11/15/2019 8:55:22 AM\tN1 N5\tN4-0\n"
NEWS = 'N1\tsports\tgolf\tA "quoted" title\t\t\t[]\t[]\nN3\tnews\tworld\tB\t\t\t[]\t[]\n'
MORE_NEWS = "N9\ttv\tshows\tNot shown\t\t\t[]\t[]\n"
SHOWN = [("U1", "N3", 1), ("U1", "N4", 0), ("U1", "N3", 0), ("U1", "N1", 0), ("U2", "N4", 1)]
# seconds from 1970 to these times, by `date --utc +%s`
AFTERNOON, MORNING, MIDNIGHT, IN_DEV = 1573568086, 1573281771, 1573344001, 1573808122


def write(folder: Path, behaviors: str, news: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "behaviors.tsv").write_text(behaviors)
    if news is not None:
        (folder / "news.tsv").write_text(news)


def test_impressions_are_samples_and_histories_positives_once_for_training(
    tmp_path: Path,
) -> None:
    write(tmp_path, TRAIN, NEWS + MORE_NEWS)
    data = load_clicks("mind", tmp_path)
    assert triples(data) == [*SHOWN, ("U1", "N1", 1), ("U1", "N2", 1)]
    assert data.training_only is not None
    assert data.training_only.tolist() == [False] * 5 + [True] * 2
    assert data.titles == {"N1": 'A "quoted" title', "N3": "B"}
    assert data.categories == {"N1": ["sports"], "N3": ["news"]}
    assert (data.source_users, data.source_items) == (2, 5)


def test_times_are_seconds_and_a_history_has_that_of_its_first_impression(
    tmp_path: Path,
) -> None:
    write(tmp_path, TRAIN)
    data = load_clicks("mind", tmp_path)
    shown = [AFTERNOON, AFTERNOON, MORNING, MORNING, MIDNIGHT]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [*shown, MORNING, MORNING]
    assert (data.titles, data.categories) == (None, None)


def test_more_spaces_than_one_make_no_item_without_a_name(tmp_path: Path) -> None:
    write(tmp_path, TRAIN.replace("N1 N2 N1", " N1  N2   N1 ").replace("N3-1 N4-0", "N3-1  N4-0"))
    assert triples(load_clicks("mind", tmp_path)) == [*SHOWN, ("U1", "N1", 1), ("U1", "N2", 1)]


@pytest.mark.parametrize("names", [("train", "dev"), ("MINDsmall_train", "MINDsmall_dev")])
@pytest.mark.parametrize("inside", ["", "mind"])
def test_train_and_dev_both_count_and_share_histories(
    tmp_path: Path, names: tuple[str, str], inside: str
) -> None:
    write(tmp_path / inside / names[0], TRAIN, NEWS)
    write(tmp_path / inside / names[1], DEV, NEWS + MORE_NEWS)
    data = load_clicks("mind", tmp_path)
    history = [("U1", "N1", 1), ("U1", "N2", 1), ("U1", "N5", 1)]
    assert triples(data) == [*SHOWN, ("U1", "N4", 0), *history]
    assert data.timestamps is not None
    assert data.timestamps.tolist()[5:] == [IN_DEV, MORNING, MORNING, IN_DEV]
    assert data.source_items == 6


def test_histories_stay_in_training_when_the_rest_is_split_by_time(tmp_path: Path) -> None:
    write(tmp_path, TRAIN)
    train, valid, test = split_clicks(load_clicks("mind", tmp_path), "time", 0)
    assert (train.tolist(), valid.tolist(), test.tolist()) == ([2, 3, 4, 5, 6], [0], [1])


def test_one_part_without_the_other_is_refused_but_can_be_named_itself(tmp_path: Path) -> None:
    write(tmp_path / "train", TRAIN)
    with pytest.raises(DataError, match="mind needs dev or MINDsmall_dev or MINDlarge_dev, not"):
        load_clicks("mind", tmp_path)
    assert len(load_clicks("mind", tmp_path / "train").labels) == 7


def test_the_sample_is_read_compressed(tmp_path: Path) -> None:
    (tmp_path / "behaviors.tsv.gz").write_bytes(gzip.compress(TRAIN.encode()))
    data = load_clicks("mind_small_sample", tmp_path)
    assert (data.name, len(data.labels)) == ("mind_small_sample", 7)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\tU1\t11/12/2019 2:14:46 PM\tN1\tN3-1 N4\n", "row 1 shows news that is not an id with"),
        ("1\tU1\t11/12/2019 2:14:46 PM\tN1\tN3 N4\n", "row 1 shows news that is not an id with"),
        ("1\tU1\t11/12/2019 2:14:46 PM\tN1\t\n", "row 1 has no impressions"),
        ("1\tU1\t2019-11-12 14:14\tN1\tN3-1\n", "time must be as in 11/13/2019 .*'2019-11-12 14"),
        ("1\t\t11/12/2019 2:14:46 PM\tN1\tN3-1\n", "row 1 has no user_id"),
        ("1\tU1\tN1\tN3-1\n", "is not a table separated by tabs"),
    ],
)
def test_a_broken_line_is_named_with_what_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, line)
    with pytest.raises(DataError, match=message) as caught:
        load_clicks("mind", tmp_path)
    assert "\n" not in str(caught.value)


def test_the_real_sample_holds_all_that_was_shown_and_distinct_histories(
    data_folder: Callable[[str], Path],
) -> None:
    data = load_clicks("mind_small_sample", data_folder("mind_small_sample"))
    counts = click_stats(data)
    assert counts["training_only"] == 136_952
    assert counts["samples"] == 189_359 + 136_952
    assert counts["interactions"] == 7_542 + 136_952
    assert (counts["users"], counts["items"]) == (4_637, 22_592)
    assert data.titles is not None
    assert len(data.titles) == 838
