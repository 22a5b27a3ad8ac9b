"""The artifact: what is written is what is read, and equal contents have equal ids."""

import json
import os
import stat
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from cove.artifact import EVALUATION, MANIFEST, Artifact, Manifest, read_artifact
from cove.batches import ListBatch, pad_lists
from cove.embedding import EntityEmbedding
from cove.entity_tables import SeenItems, entity_tables, read_tables, table_files
from cove.quantization import QuantizerSettings, code_use
from cove.recommenders import LISTS, recommenders_for
from cove.vocabulary import NUM_SPECIAL, Vocabulary
from tests.cove.artifacts import FILES, IDS, NUM_ITEMS, recommender_with, write
from tests.cove.worlds import VARIANTS, build


def as_json(manifest: Manifest) -> object:
    """A manifest to be compared: here NaN equals NaN, and no order counts."""
    return json.loads(manifest.model_dump_json())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_a_reloaded_recommender_gives_the_very_same_scores(tmp_path, name, variant):
    recommender = recommender_with(variant, name)
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in recommender.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    write(tmp_path / "made", recommender, name)
    loaded = read_artifact(tmp_path / "made").load_recommender()
    assert not loaded.training
    assert loaded.items.quantizer is None
    inputs = pad_lists([[4, 5, 6], [9], [], list(range(4, 18))])
    batch = ListBatch(inputs, inputs.new_zeros((4, 0)))
    for before, after in zip(
        recommender.complete(batch, 6), loaded.complete(batch, 6), strict=True
    ):
        assert torch.equal(before, after)


def test_what_was_written_is_what_is_read(tmp_path):
    recommender = recommender_with("nearest, direct")
    manifest = write(tmp_path / "made", recommender, "fans")
    artifact = read_artifact(tmp_path / "made")
    assert isinstance(artifact, Artifact)
    assert as_json(artifact.manifest) == as_json(manifest)
    assert artifact.directory == tmp_path / "made"
    items, quantizer = artifact.items, recommender.items.quantizer
    assert list(items.vocabulary.ids) == IDS
    assert items.titles[12] == "Title of "
    assert list(items.categories) == [["Drama", "War"]] * NUM_ITEMS
    assert torch.equal(items.embeddings, recommender.items.all()[NUM_SPECIAL:])
    assert torch.equal(items.codes, recommender.items.codes())
    assert torch.equal(items.popularity, torch.arange(NUM_ITEMS))
    assert len(items.codebooks) == 2
    assert len(items.parents) == 1
    for kept, book in zip(items.codebooks, quantizer.codebooks, strict=True):
        assert torch.equal(kept, book)
    assert torch.equal(items.parents[0], quantizer.parents()[0])
    assert torch.equal(items.codes[:, 1], items.parents[0][items.codes[:, 0]])


def test_without_cove_there_are_no_codes(tmp_path):
    write(tmp_path / "made", recommender_with("plain"), "fans")
    artifact = read_artifact(tmp_path / "made")
    assert artifact.items.codes.shape == (NUM_ITEMS, 0)
    assert (artifact.items.parents, artifact.items.codebooks) == ([], [])
    assert artifact.manifest.code_use == {}


def read_back(directory, tables):
    """The tables of users, written and read."""
    files = {name: directory / name for name in table_files("user", tables)}
    for name, content in table_files("user", tables).items():
        files[name].write_bytes(content)
    return read_tables("user", files)


def test_what_users_have_seen_is_kept_and_left_out_where_it_is_not_known(tmp_path):
    users = entity_tables(EntityEmbedding(3, 2), Vocabulary(["a", "b", "c"]), torch.ones(3))
    seen = SeenItems(torch.tensor([0, 2, 2, 3]), torch.tensor([1, 4, 0]))
    read = read_back(tmp_path, replace(users, seen=seen)).seen
    assert [read.of(user).tolist() for user in range(3)] == [[1, 4], [], [0]]
    assert [part.tolist() for part in read.between(0, 3)] == [[0, 0, 2], [1, 4, 0]]
    assert [part.tolist() for part in read.between(1, 3)] == [[1], [0]]
    assert [part.tolist() for part in read.between(1, 2)] == [[], []]
    assert read_back(tmp_path, users).seen is None


def test_ten_levels_keep_their_order(tmp_path):
    made = build(
        "fans",
        NUM_ITEMS,
        QuantizerSettings(code_sizes=tuple(range(12, 1, -1)), initialization="sample"),
    )
    write(tmp_path / "made", made, "fans")
    read = read_artifact(tmp_path / "made").items
    assert [len(book) for book in read.codebooks] == list(range(12, 1, -1))
    assert [len(parent) for parent in read.parents] == list(range(12, 2, -1))


def test_equal_contents_have_an_equal_id_whenever_and_by_whichever_run(tmp_path):
    first = write(tmp_path / "a", recommender_with("plain"), "fans")
    second = write(tmp_path / "b", recommender_with("plain"), "fans", run_id="4567")
    assert (first.hash, first.id, first.files) == (second.hash, second.id, second.files)
    assert first.id == f"fans-{first.hash[:12]}"
    assert sorted(first.files) == FILES


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"data_sha256": "1" * 64}, {"epochs": 4}, {"metrics": {}}],
    ids=["seed", "data", "epochs", "metrics"],
)
def test_anything_else_that_differs_gives_another_id(tmp_path, change):
    first = write(tmp_path / "a", recommender_with("plain"), "fans")
    second = write(tmp_path / "b", recommender_with("plain"), "fans", **change)
    assert first.hash != second.hash
    assert first.id != second.id


def test_another_weight_gives_another_id(tmp_path):
    recommender = recommender_with("plain")
    first = write(tmp_path / "a", recommender, "fans")
    with torch.no_grad():
        recommender.items.weight[5, 0] += 1e-6
    assert write(tmp_path / "b", recommender, "fans").id != first.id


def test_the_card_has_the_data_the_metrics_and_the_use_of_the_codes(place):
    card = read_artifact(place).card
    assert card == (place / "README.md").read_text(encoding="utf-8")
    for part in ("fans with COVE on items, code sizes 8, 4", "`toy`", "- lists: 10", "0.3333"):
        assert part in card
    assert "samples" not in card
    use = code_use(read_artifact(place).items.codes, (8, 4))[0]
    assert f"| 1 | 8 | {use.used} | {use.perplexity:.1f} |" in card


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_every_file_can_be_read_by_a_server_of_another_user(place, name):
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((place / name).stat().st_mode) == 0o666 & ~umask


def test_an_artifact_without_results_by_list_is_read_and_has_none(tmp_path):
    manifest = write(tmp_path / "made", recommender_with("plain"), "fans")
    assert EVALUATION not in manifest.files
    assert read_artifact(tmp_path / "made").evaluation == {}


def test_a_read_artifact_is_mapped_and_its_recommender_holds_no_copy(place):
    artifact = read_artifact(place)
    recommender = artifact.load_recommender()
    table = recommender.items.weight
    assert table.data_ptr() == artifact.items.table.data_ptr()
    assert torch.equal(table[:NUM_SPECIAL], artifact.weights["items.weight"][:NUM_SPECIAL])
    with open("/proc/self/maps") as maps:
        assert any(str(place / "embeddings.safetensors") in line for line in maps)


def test_an_artifact_without_the_special_rows_of_its_tables_is_read(place):
    whole = read_artifact(place)
    old = replace(whole.items, table=torch.nn.functional.pad(whole.items.embeddings, (0, 0, 4, 0)))
    table = replace(whole, items=old).load_recommender().items.weight
    assert torch.equal(table, whole.load_recommender().items.weight)


def test_texts_of_an_artifact_from_before_they_were_packed_are_read(place):
    whole = read_artifact(place)
    texts = {"ids": IDS, "titles": ["One"] * NUM_ITEMS, "categories": None}
    (place / "vocabulary.json").write_text(json.dumps(texts))
    names = ("codes.safetensors", "embeddings.safetensors", "vocabulary.json")
    old = read_tables("item", {name: place / name for name in names})
    assert (old.vocabulary.ids, old.titles, old.categories) == (IDS, ["One"] * NUM_ITEMS, None)
    assert list(old.search.rows("one")) == list(whole.items.search.rows("title"))


def test_a_table_that_is_kept_as_it_is_scored_is_written_once(tmp_path):
    write(tmp_path / "plain", recommender_with("plain"), "fans")
    write(tmp_path / "aware", recommender_with("nearest, direct"), "fans")
    kept = [load_file(tmp_path / name / "weights.safetensors") for name in ("plain", "aware")]
    assert ["items.weight" in weights for weights in kept] == [False, True]
    plain = read_artifact(tmp_path / "plain")
    assert plain.weights["items.weight"].data_ptr() == plain.items.table.data_ptr()
