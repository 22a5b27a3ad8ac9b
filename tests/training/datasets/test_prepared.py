"""A prepared folder holds what the in-memory loader gives, whatever the size of its parts."""

import gzip
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch

from cove.errors import CoveError, DataError
from cove.vocabulary import NUM_SPECIAL
from training.datasets import InteractionData, InteractionFilter, load_interactions
from training.datasets.large import holding_out, numbering, preparing
from training.datasets.large.preparing import prepare_interactions
from training.datasets.prepared import PreparedInteractions, is_prepared, open_prepared
from training.datasets.stats import interaction_stats
from training.datasets.writing import write_interactions
from training.tasks.collaborative_filtering import CollaborativeFiltering, prepare_preferences
from training.tasks.negatives import PreferenceSettings
from training.tasks.sharded import prepare_sharded

UNIFORM = PreferenceSettings()
CORE = InteractionFilter(core=3)


def rows(number: int, ids: Callable[[int], object] = int, seed: int = 0) -> list[list[object]]:
    """Rows of 60 users and 40 items, popular ones more often, some pairs twice; times with ties."""
    draw = random.Random(seed)
    return [
        [ids(draw.randrange(60)), ids(int(40 * draw.random() ** 2)), draw.randint(1, 5),
         draw.randrange(200)]
        for _ in range(number)
    ]  # fmt: skip


def write(path: Path, content: list[list[object]], names: str) -> Path:
    lines = [",".join(map(str, row[: len(names.split(","))])) for row in content]
    path.write_text("\n".join([names, *lines]) + "\n", encoding="utf-8")
    return path


ALL = "user_id,item_id,rating,timestamp"


def prepared(path: Path, filter: InteractionFilter = CORE, **options: int) -> PreparedInteractions:
    output = path.parent / "prepared"
    prepare_interactions(path, output, filter, **options)
    return open_prepared(output, filter)


def both(
    path: Path, filter: InteractionFilter = CORE, settings: PreferenceSettings = UNIFORM
) -> tuple[CollaborativeFiltering, CollaborativeFiltering]:
    """The task from memory and the one from a prepared folder."""
    data = load_interactions(str(path), None, filter)
    return (
        prepare_preferences(data, 0, settings),
        prepare_sharded(prepared(path, filter), 0, settings),
    )


def same_held_out(one: CollaborativeFiltering, other: CollaborativeFiltering) -> None:
    for split in ("valid", "test"):
        first, second = getattr(one, split), getattr(other, split)
        for name in ("users", "targets", "candidates"):
            assert torch.equal(getattr(first, name), getattr(second, name)), (split, name)
        for left, right in zip(
            first.left_out.of(first.users), second.left_out.of(second.users), strict=True
        ):
            assert torch.equal(left, right)


def same_task(one: CollaborativeFiltering, other: CollaborativeFiltering) -> None:
    assert list(one.users.ids) == list(other.users.ids)
    assert list(one.items.ids) == list(other.items.ids)
    assert torch.equal(one.popularity(), other.popularity())
    assert one.counts() == other.counts()
    same_held_out(one, other)
    mine, theirs = one.histories(), other.histories()
    assert torch.equal(mine.starts, theirs.starts)
    assert torch.equal(mine.items, theirs.items)
    pairs = [sorted(zip(task.train.users.tolist(), task.train.items.tolist(), strict=True))
             for task in (one, other)]  # fmt: skip
    assert pairs[0] == pairs[1]


def epoch(task: CollaborativeFiltering) -> list[torch.Tensor]:
    torch.manual_seed(5)
    batches = list(task.batches(64, torch.Generator().manual_seed(1)))
    return [torch.cat(part) for part in zip(*batches, strict=True)]


@pytest.mark.parametrize("ids", [int, lambda n: f"n{n}", lambda n: f"{n:03}"])
@pytest.mark.parametrize("part", [1 << 21, 90])
def test_the_task_is_the_one_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: Callable[[int], object], part: int
) -> None:
    monkeypatch.setattr(numbering, "ROWS_IN_PART", part)
    one, other = both(write(tmp_path / "mine.csv", rows(900, ids), ALL))
    same_task(one, other)
    # One shard: even the batches are the same, and the negatives in them.
    assert all(torch.equal(a, b) for a, b in zip(epoch(one), epoch(other), strict=True))


@pytest.mark.slow
def test_toys_prepared_is_toys_from_memory(
    tmp_path: Path, data_folder: Callable[[str], Path]
) -> None:
    everything = InteractionFilter(core=0)
    file = tmp_path / "toys.csv"
    toys = load_interactions("toys", data_folder("toys"), everything)
    assert isinstance(toys, InteractionData)
    write_interactions(toys, file)
    same_task(*both(file, InteractionFilter(core=5)))


def test_several_shards_hold_every_interaction_once_in_an_order_that_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding_out, "ROWS_IN_SHARD", 100)
    monkeypatch.setattr(numbering, "ROWS_IN_PART", 200)
    one, other = both(write(tmp_path / "mine.csv", rows(900), ALL))
    same_task(one, other)
    assert isinstance(other.data, PreparedInteractions)
    assert len(other.data.shards) == 6
    trained = {*zip(one.train.users.tolist(), one.train.items.tolist(), strict=True)}
    firsts = set()
    for seed in range(8):
        batches = list(other.batches(16, torch.Generator().manual_seed(seed)))
        users, items, negatives = (torch.cat(part) for part in zip(*batches, strict=True))
        assert len(users) == len(trained)
        assert {*zip(users.tolist(), items.tolist(), strict=True)} == trained
        assert not {*zip(users.tolist(), negatives[:, 0].tolist(), strict=True)} & trained
        firsts.add(frozenset(zip(*(part[:100].tolist() for part in (users, items)), strict=True)))
    assert len(firsts) > 1
    for file in other.data.shards:
        assert pl.read_parquet(file)["user"].is_sorted()


def test_ratings_bound_and_negatives_by_popularity_are_those_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows(1500), ALL)
    one, other = both(
        path,
        InteractionFilter(core=4, positive_from=3),
        PreferenceSettings(negative_sampling="popularity", negatives=2, validation_users=7),
    )
    same_task(one, other)
    assert len(other.valid) == 7
    assert all(torch.equal(a, b) for a, b in zip(epoch(one), epoch(other), strict=True))


def test_without_times_the_preparation_s_seed_draws_what_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows(900), "user_id,item_id")
    data = load_interactions(str(path), None, CORE)
    one = prepare_preferences(data, 0, UNIFORM)
    found = [prepare_sharded(prepared(path, seed=seed), 0, UNIFORM) for seed in (0, 1)
             if not shutil.rmtree(tmp_path / "prepared", ignore_errors=True)]  # fmt: skip
    assert not torch.equal(found[0].test.targets, found[1].test.targets)
    for other in found:
        assert list(other.users.ids) == list(one.users.ids)
        everything = [
            sorted([*zip(task.train.users.tolist(), task.train.items.tolist(), strict=True),
                    *zip(task.valid.users.tolist(), task.valid.targets.tolist(), strict=True),
                    *zip(task.test.users.tolist(), task.test.targets.tolist(), strict=True)])
            for task in (one, other)
        ]  # fmt: skip
        assert everything[0] == everything[1]


def test_so_many_users_are_held_out_and_the_others_train_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows(900), ALL)
    one = prepare_preferences(load_interactions(str(path), None, CORE), 0, UNIFORM)
    other = prepare_sharded(prepared(path, held_out_users=10), 0, UNIFORM)
    assert len(other.valid) == len(other.test) == other.data.num_measured == 10
    assert len(other.train) == one.counts()["interactions"] - 20
    wanted, found = (
        {*zip(task.test.users.tolist(), task.test.targets.tolist(), strict=True)}
        for task in (one, other)
    )
    assert found < wanted
    assert sorted(other.test.owners.tolist()) == list(range(10))


@pytest.mark.parametrize("form", ["gz", "zip", "parquet", "inter"])
def test_every_form_of_file_gives_the_same_folder_but_for_its_source(
    tmp_path: Path, form: str
) -> None:
    content = rows(600, lambda n: f"n{n}")
    plain = prepared(write(tmp_path / "mine.csv", content, ALL))
    folder = tmp_path / "other"
    folder.mkdir()
    path = folder / "mine.csv"
    if form == "gz":
        path = path.with_suffix(".csv.gz")
        path.write_bytes(gzip.compress((tmp_path / "mine.csv").read_bytes()))
    elif form == "zip":
        path = path.with_suffix(".csv.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(tmp_path / "mine.csv", "mine.csv")
    elif form == "parquet":
        path = path.with_suffix(".parquet")
        table = pl.DataFrame(content, schema=ALL.split(","), orient="row")
        table.with_columns(pl.from_epoch("timestamp")).write_parquet(path)
    else:
        path = write(path.with_suffix(".inter"), content, ALL)
        path.write_text(path.read_text().replace(",", "\t").replace("item_id", "item_id:token"))
    found = prepared(path)
    assert found.manifest.files == plain.manifest.files
    assert found.manifest.source_sha256 != plain.manifest.source_sha256
    assert found.name == "mine"


def test_counts_are_those_of_the_file_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows(700), ALL)
    data = load_interactions(str(path), None, CORE)
    assert prepared(path).manifest.counts == dict(interaction_stats(data))


REFUSED = {
    "": "is empty",
    "user_id,item_id\n": "has no row",
    "user_id,other\n1,2\n": "lacks the column item_id: it has user_id, other",
    "user_id,item_id,label\n1,2,1\n": "has the column label",
    "user_id,item_id,item_id:token\n1,2,3\n": "has the column item_id more than once",
    "user_id,item_id\n1,2\n3,\n": "row 2 has no item_id",
    "user_id,item_id\n1,2\n\n,2\n": "row 2 has no user_id",
    "user_id,item_id,timestamp\n1,2,3\n1,3,soon\n": "1970, got 'soon' in row 2",
    "user_id,item_id,timestamp\n1,2,inf\n": "timestamp must be a number of seconds, like those",
    "user_id;item_id\n1;2\n": "is separated by semicolons",
    "list_id,item_id\n1,2\n": "so it holds lists, and no interactions",
    "user_id,item_id,rating\n1,2,4\n1,3,\n": "row 2 has no rating",
    "user_id,item_id\n1,2\n1,3\n": "no user has 3 interactions",
    "user_id,item_id\n1,2,3\n": "is not a table separated by commas",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_with_a_file_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(CoveError) as error:
        prepare_interactions(path, tmp_path / "made" / "prepared", InteractionFilter(core=0))
    assert REFUSED[text] in str(error.value)
    assert "\n" not in str(error.value)
    made = tmp_path / "made"
    assert not made.exists() or not [*made.iterdir()]


def test_files_that_are_none_and_filters_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows(50), "user_id,item_id")
    (tmp_path / "mine.csv.gz").write_bytes(gzip.compress(b"user_id,item_id\n1,2\n" * 99)[:-9])
    (tmp_path / "mine.parquet").write_text("no")
    cases = {
        tmp_path / "none.csv": "there is no file",
        tmp_path / "mine.csv.gz": "is not a whole gz file",
        tmp_path / "mine.parquet": "is not a Parquet file",
        tmp_path: "is a folder",
    }
    for file, reason in cases.items():
        with pytest.raises(DataError, match=reason):
            prepared(file, CORE) if file != tmp_path else prepare_interactions(
                file, tmp_path / "made", CORE
            )
    with pytest.raises(DataError, match=r"no row is left after .*core=60"):
        prepared(path, InteractionFilter(core=60))
    with pytest.raises(CoveError, match="positive_from is for ratings"):
        prepared(path, InteractionFilter(positive_from=4))
    (tmp_path / "prepared").mkdir()
    with pytest.raises(DataError, match="is there already"):
        prepared(path)


def test_a_stop_half_way_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparing, "write_files", full)
    path = write(tmp_path / "mine.csv", rows(300), ALL)
    with pytest.raises(DataError, match="prepared cannot be written: No space left on device"):
        prepared(path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.csv"]


def test_a_damaged_folder_and_another_filter_are_refused(tmp_path: Path) -> None:
    made = prepared(write(tmp_path / "mine.csv", rows(600), ALL))
    assert is_prepared(made.folder)
    with pytest.raises(CoveError, match=r"was prepared with positive_from=None, core=3, which"):
        open_prepared(made.folder, InteractionFilter(core=5))
    whole = (made.folder / "seen.npy").read_bytes()
    (made.folder / "seen.npy").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match=r"seen\.npy is damaged"):
        open_prepared(made.folder, None)
    (made.folder / "seen.npy").unlink()
    with pytest.raises(DataError, match=r"there is no file .*seen\.npy"):
        open_prepared(made.folder, None)
    manifest = made.folder / "prepared.json"
    manifest.write_text(manifest.read_text().replace('"seen.npy"', '"../mine.csv"'))
    with pytest.raises(DataError, match=r"names a file outside the folder"):
        open_prepared(made.folder, None)
    manifest.write_text("{}")
    with pytest.raises(DataError, match=r"prepared\.json cannot be read: Field required"):
        open_prepared(made.folder, None)


def test_what_is_mapped_takes_no_copy_and_is_not_changed_on_disk(tmp_path: Path) -> None:
    made = prepared(write(tmp_path / "mine.csv", rows(600), ALL))
    before = (made.folder / "seen.npy").read_bytes()
    made.seen[0] = -1
    assert (made.folder / "seen.npy").read_bytes() == before
    assert int(open_prepared(made.folder, None).seen[0]) >= NUM_SPECIAL
