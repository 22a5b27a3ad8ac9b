"""Fetching MovieLens-100K, with sources that stand in for the two real ones."""

import io
import urllib.error
import zipfile
from pathlib import Path

import pytest

from cove.errors import DataError
from tests.training.datasets.test_named_sets import write_classic, write_recbole
from training.datasets import fetching
from training.datasets.fetching import fetch_ml100k


def unreachable(folder: Path) -> None:
    (folder / "u.data").write_text("half a fi")
    raise urllib.error.URLError("no route")


def garbage(folder: Path) -> None:
    (folder / "u.data").write_text("<html>log in to the network</html>")


def use(monkeypatch: pytest.MonkeyPatch, grouplens: object, recbole: object) -> None:
    monkeypatch.setattr(fetching, "from_grouplens", grouplens)
    monkeypatch.setattr(fetching, "from_recbole", recbole)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_grouplens_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, write_classic, unreachable)
    assert fetch_ml100k(tmp_path / "data") == tmp_path / "data" / "ml100k"
    assert names(tmp_path / "data") == ["ml100k"]
    assert names(tmp_path / "data" / "ml100k") == ["u.data", "u.genre", "u.item"]


@pytest.mark.parametrize("first", [unreachable, garbage])
def test_recbole_follows_and_nothing_of_a_failed_download_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: object
) -> None:
    use(monkeypatch, first, write_recbole)
    assert names(fetch_ml100k(tmp_path)) == ["ml-100k.inter", "ml-100k.item"]
    assert names(tmp_path) == ["ml100k"]


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, unreachable, unreachable)
    write_classic(tmp_path / "ml100k")
    assert fetch_ml100k(tmp_path) == tmp_path / "ml100k"
    assert fetch_ml100k(tmp_path / "ml100k") == tmp_path / "ml100k"


def test_no_source_gives_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, unreachable, garbage)
    with pytest.raises(DataError, match=r"neither from GroupLens nor .* with --from"):
        fetch_ml100k(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, write_classic, write_recbole)
    (tmp_path / "ml100k").mkdir()
    (tmp_path / "ml100k" / "notes").write_text("mine")
    with pytest.raises(DataError, match="holds no whole ml100k: remove it first"):
        fetch_ml100k(tmp_path)
    assert names(tmp_path / "ml100k") == ["notes"]


def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, write_classic, write_recbole)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        fetch_ml100k(tmp_path / "file" / "data")


def test_grouplens_archive_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = io.BytesIO()
    write_classic(tmp_path / "classic")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("ml-100k/README", "terms")
        for name in ("u.data", "u.item", "u.genre"):
            opened.write(tmp_path / "classic" / name, f"ml-100k/{name}")
    archive.seek(0)
    asked = []

    def answer(address: str, timeout: float) -> io.BytesIO:
        asked.append((address, timeout))
        return archive

    monkeypatch.setattr(fetching.urllib.request, "urlopen", answer)
    fetch_ml100k(tmp_path / "data")
    assert asked == [("https://files.grouplens.org/datasets/movielens/ml-100k.zip", 10)]
    assert names(tmp_path / "data" / "ml100k") == ["README", "u.data", "u.genre", "u.item"]


def test_the_recbole_wheel_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recbole(tmp_path / "recbole")
    (tmp_path / "recbole" / "ml-100k.user").write_text("user_id:token\n1\n")

    def download(command: list[str], **_: object) -> None:
        assert command[2:5] == ["pip", "download", "recbole==1.2.1"]
        wheel = Path(command[-1], "recbole-1.2.1-py3-none-any.whl")
        with zipfile.ZipFile(wheel, "w") as opened:
            for path in (tmp_path / "recbole").iterdir():
                opened.write(path, f"recbole/dataset_example/ml-100k/{path.name}")

    monkeypatch.setattr(fetching, "from_grouplens", unreachable)
    monkeypatch.setattr(fetching.subprocess, "run", download)
    folder = fetch_ml100k(tmp_path / "data")
    assert names(folder) == ["ml-100k.inter", "ml-100k.item", "ml-100k.user"]
