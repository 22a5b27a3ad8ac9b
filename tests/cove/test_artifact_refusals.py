"""Damaged, altered and foreign artifacts are refused, and a failed write leaves nothing."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import cove.artifact
from cove.artifact import MANIFEST, Manifest, manifest_hash, read_artifact, read_manifest
from cove.errors import ArtifactError
from cove.quantization import QuantizerSettings
from tests.cove.artifacts import FILES, IDS, NUM_ITEMS, recommender_with, write
from tests.cove.worlds import build

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "one bit altered": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "longer": lambda content: content + b"\0",
    "foreign": lambda content: b"something else altogether",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_it(place, name, damage):
    path = place / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(ArtifactError) as refusal:
        read_artifact(place)
    assert str(refusal.value) == f"{path} is damaged: its sha256 is not the one in the manifest"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(place, name):
    (place / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing: the artifact is incomplete"):
        read_artifact(place)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_artifact_is_refused(place, tmp_path, name):
    changes = {"seed": 1, "data_name": "other"}
    other = build("bert4rec", NUM_ITEMS, QuantizerSettings(code_sizes=(6, 2)))
    other.items.start_codes(9)
    write(tmp_path / "other", other, "bert4rec", ids=IDS[::-1], **changes)
    (place / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ArtifactError, match=f"{name} is damaged"):
        read_artifact(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"schema_version": 2}'],
    ids=["empty", "cut off", "a list", "null", "no fields", "no text", "another schema"],
)
def test_a_manifest_that_is_none_is_refused_by_name(place, content):
    (place / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{MANIFEST} is no manifest of schema 1"):
        read_artifact(place)


def test_a_missing_manifest_is_refused(place):
    (place / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match=f"is no artifact: it has no readable {MANIFEST}"):
        read_artifact(place)


@pytest.mark.parametrize("directory", ["missing", "file"])
def test_a_place_that_is_no_directory_is_refused(tmp_path, directory):
    (tmp_path / "file").write_text("text")
    with pytest.raises(ArtifactError, match="is no artifact"):
        read_artifact(tmp_path / directory)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 7), ("num_items", 5), ("metrics", {"test": {"ndcg_at_10": 0.99}}), ("files", {})],
)
def test_an_altered_manifest_is_refused(place, field, value):
    content = json.loads((place / MANIFEST).read_bytes())
    (place / MANIFEST).write_text(json.dumps(content | {field: value}))
    with pytest.raises(ArtifactError, match=f"{MANIFEST} was altered"):
        read_manifest(place)


def test_a_manifest_with_a_field_of_its_own_is_refused(place):
    content = json.loads((place / MANIFEST).read_bytes())
    (place / MANIFEST).write_text(json.dumps(content | {"pickle": "model.pt"}))
    with pytest.raises(ArtifactError, match=r"is no manifest of schema 1: .*\(pickle\)"):
        read_manifest(place)


def forge(place: Path, **changes: object) -> None:
    """Alter a manifest and give it the hash that the altered one should have."""
    content = json.loads((place / MANIFEST).read_bytes()) | changes
    manifest = Manifest.model_validate(content)
    content["hash"] = manifest_hash(manifest)
    (place / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "deeper/file"])
def test_a_manifest_that_names_a_file_outside_is_refused(place, name):
    forge(place, files={name: "0" * 64})
    with pytest.raises(ArtifactError, match="names a file outside the artifact"):
        read_artifact(place)


def test_a_manifest_that_lists_too_few_files_is_refused(place):
    forge(place, files={})
    with pytest.raises(ArtifactError, match="is not an artifact this version reads"):
        read_artifact(place)


@pytest.mark.parametrize(
    "change", [{"recommender": "bert4rec"}, {"recommender": "unheard of"}, {"num_items": 7}]
)
def test_weights_that_do_not_fit_the_manifest_are_refused(place, change):
    settings = {"dimensions": 16, "layers": 1, "heads": 2, "max_length": 12}
    forge(place, settings=settings, **change)
    artifact = read_artifact(place)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors does not fit the manifest"):
        artifact.load_recommender()


@pytest.mark.parametrize("file", [*FILES, MANIFEST])
def test_a_crash_while_writing_leaves_nothing(tmp_path, monkeypatch, file):
    real = cove.artifact._write

    def full_disk(path: Path, content: bytes) -> None:
        if path.name == file:
            real(path, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(cove.artifact, "_write", full_disk)
    with pytest.raises(ArtifactError, match=r"cannot write the artifact .*: .*No space left"):
        write(tmp_path / "made", recommender_with("plain"), "fans")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_replacing_leaves_the_old_artifact(place, tmp_path, monkeypatch):
    before = read_artifact(place).manifest

    def full_disk(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cove.artifact, "_write", full_disk)
    with pytest.raises(ArtifactError):
        write(place, recommender_with("plain"), "fans")
    assert read_artifact(place).manifest.id == before.id
    assert list(tmp_path.iterdir()) == [place]


def test_an_artifact_is_replaced_whole(place, tmp_path):
    manifest = write(place, recommender_with("plain"), "fans")
    assert read_artifact(place).manifest.id == manifest.id
    assert list(tmp_path.iterdir()) == [place]


def test_a_directory_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match=r"holds other files and no manifest\.json"):
        write(tmp_path / "made", recommender_with("plain"), "fans")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_refused_and_left_alone(tmp_path):
    (tmp_path / "made").write_text("years of work")
    with pytest.raises(ArtifactError, match="is no directory: an artifact is one"):
        write(tmp_path / "made", recommender_with("plain"), "fans")
    assert (tmp_path / "made").read_text() == "years of work"


def test_a_pipe_or_a_device_in_the_way_is_refused_and_left_alone(tmp_path):
    os.mkfifo(tmp_path / "made")
    with pytest.raises(ArtifactError, match="is no directory: an artifact is one"):
        write(tmp_path / "made", recommender_with("plain"), "fans")
    assert (tmp_path / "made").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_an_empty_directory_and_missing_parents_are_fine(tmp_path):
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "empty", tmp_path / "a" / "b"):
        write(directory, recommender_with("plain"), "fans")
        assert read_artifact(directory).manifest.num_items == NUM_ITEMS


def test_an_artifact_cut_off_anywhere_is_refused_by_the_name_of_the_file(place):
    chance = random.Random(0)
    sizes = {path: path.stat().st_size for path in sorted(place.iterdir())}
    for _ in range(200):
        path = chance.choices(list(sizes), weights=list(sizes.values()))[0]
        whole = path.read_bytes()
        path.write_bytes(whole[: chance.randrange(len(whole))])
        with pytest.raises(ArtifactError, match=path.name):
            read_artifact(place)
        path.write_bytes(whole)
    assert read_artifact(place).manifest.num_items == NUM_ITEMS
