"""Checkpoints: what they hold, what a kill leaves, what is refused."""

import errno
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from tests.training.scripted import Scripted, objective, plan
from tests.training.worlds import Watcher
from training.checkpoint import (
    Standing,
    read_standing,
    read_tensors,
    remove_checkpoint,
    write_checkpoint,
)
from training.errors import TrainingError
from training.loop import train


def test_no_checkpoint_is_read_as_none(tmp_path: Path) -> None:
    assert read_standing(tmp_path / "checkpoint") is None
    (tmp_path / "checkpoint" / ".1.tmp").mkdir(parents=True)  # a kill while the first was written
    assert read_standing(tmp_path / "checkpoint") is None


def test_a_checkpoint_says_whose_it_is(tmp_path: Path) -> None:
    where = plan(tmp_path, epochs=2)
    train(objective(), Scripted([0.1, 0.2]), where, Watcher())
    standing = read_standing(where.checkpoint)
    assert standing is not None
    assert (standing.fingerprint, standing.run_id) == ("settings and data", "run")
    assert standing.progress["epoch"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert [path.name for path in where.checkpoint.iterdir()] == ["2"]  # not the one before


def test_a_checkpoint_holds_no_pickles(tmp_path: Path) -> None:
    where = plan(tmp_path, epochs=1)
    train(objective(), Scripted([0.1]), where, Watcher())
    names = {path.name for path in (where.checkpoint / "1").iterdir()}
    assert names == {"standing.json", "shard-00001-model-00001-of-00001.safetensors"}


def test_a_kill_while_a_checkpoint_is_removed_leaves_nothing_to_go_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = plan(tmp_path, epochs=1)
    train(objective(), Scripted([0.1]), where, Watcher())
    monkeypatch.setattr("shutil.rmtree", lambda *_: None)  # it was about to begin
    remove_checkpoint(where.checkpoint)
    assert read_standing(where.checkpoint) is None


def test_large_tensors_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.checkpoint._FILE_BYTES", 1)
    tensors = {"a": torch.arange(3), "b": torch.tensor(True), "c": torch.zeros(0, 2)}
    standing = Standing("settings and data", "run", {"epoch": 1}, True, {})
    write_checkpoint(tmp_path / "checkpoint", standing, tensors)
    assert len(list((tmp_path / "checkpoint" / "1").glob("*.safetensors"))) == 3
    read = {name: torch.empty_like(each) for name, each in tensors.items()}
    read_tensors(tmp_path / "checkpoint", standing, read)
    assert all(torch.equal(read[name], each) for name, each in tensors.items())


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "foreign", "old"])
def test_a_damaged_checkpoint_gives_one_sentence(tmp_path: Path, damage: str) -> None:
    where = plan(tmp_path, epochs=1)
    train(objective(), Scripted([0.1]), where, Watcher())
    for path in sorted((where.checkpoint / "1").iterdir()):
        harm(path, damage)
    if damage == "old":
        shutil.rmtree(where.checkpoint)
        torch.save({"fingerprint": "settings and data"}, where.checkpoint)
    with pytest.raises(TrainingError, match=r"cannot be read .*--restart") as caught:
        train(objective(), Scripted([]), where, Watcher())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "missing", "foreign"])
def test_damaged_tensors_give_one_sentence(tmp_path: Path, damage: str) -> None:
    where = plan(tmp_path, epochs=1)
    train(objective(), Scripted([0.1]), where, Watcher())
    (tensors,) = (where.checkpoint / "1").glob("*.safetensors")
    harm(tensors, damage)
    with pytest.raises(TrainingError, match=r"cannot be read .*--restart") as caught:
        train(objective(), Scripted([]), where, Watcher())
    assert "\n" not in str(caught.value)


def harm(path: Path, damage: str) -> None:
    """Damage a file of a checkpoint."""
    whole = path.read_bytes()
    foreign = save({"weights": torch.zeros(3)}) if path.suffix == ".safetensors" else b"[]"
    content = {
        "cut": whole[: len(whole) // 2], "noise": b"\x00\xff" * 500, "empty": b"",
        "foreign": foreign, "old": whole,
    }  # fmt: skip
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[damage])


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = plan(tmp_path, epochs=2)
    rename, renamed = Path.rename, []

    def dies_at_the_second(path: Path, target: Path) -> Path:
        renamed.append(path)
        if len(renamed) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        train(objective(), Scripted([0.1, 0.2]), where, Watcher())
    assert [path.name for path in renamed] == [".1.tmp", ".2.tmp"]
    standing = read_standing(where.checkpoint)
    assert standing is not None
    assert standing.progress["epoch"] == 1
    monkeypatch.undo()
    progress = train(
        objective(), Scripted([0.2]), where, Watcher()
    )  # what was left is no hindrance
    assert progress.epoch == 2


def test_a_full_disk_gives_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save", full)
    with pytest.raises(TrainingError, match=r"cannot be written \(OSError: .*No space left") as no:
        train(objective(), Scripted([0.1]), plan(tmp_path, epochs=1), Watcher())
    assert "\n" not in str(no.value)


def test_an_interrupt_while_tensors_are_written_is_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(objective(), Scripted([0.1]), plan(tmp_path, epochs=1), Watcher())


def test_a_tensor_in_pieces_is_kept_and_read_back(tmp_path: Path) -> None:
    in_pieces = torch.arange(6.0).view(2, 3).T
    standing = Standing("settings and data", "run", {"epoch": 1}, False, {})
    write_checkpoint(tmp_path / "checkpoint", standing, {"weight": in_pieces})
    found = {"weight": torch.zeros(3, 2).T.contiguous().T}
    read_tensors(tmp_path / "checkpoint", standing, found)
    assert found["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
