"""A faiss index over a catalogue: what is given is right, with it or without."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cove.artifact import INDEX, MANIFEST, read_artifact, write_artifact
from cove.batches import ListBatch, pad_lists
from cove.entity_tables import entity_tables
from cove.errors import ArtifactError
from cove.item_index import IndexFacts, ItemIndex, build_index, exact_top, read_index
from cove.recommenders.catalogue import CatalogueHead
from cove.retrieval import Barred, top_items
from cove.vocabulary import NUM_SPECIAL, PAD, Vocabulary
from tests.cove.artifacts import NUM_ITEMS, recommender_with, write
from tests.cove.worlds import build


class Proposing(ItemIndex):
    """In the place of an index: proposes the same indices of items to all."""

    def __init__(self, *indices: int) -> None:
        self.indices, self.asked = indices, []

    def candidates_for(self, k: int) -> int:
        return k

    def propose(self, states: Tensor, count: int) -> Tensor:
        self.asked.append(count)
        return torch.tensor(self.indices, dtype=torch.int64).expand(len(states), -1)


def head_and_table(num_items: int = 50) -> tuple[CatalogueHead, Tensor]:
    torch.manual_seed(0)
    head = CatalogueHead(num_items).requires_grad_(False)
    head.bias.normal_()
    return head, torch.randn(NUM_SPECIAL + num_items, 4)


@torch.no_grad()
@pytest.mark.parametrize("excluded", [[[PAD]], [[9, 20, PAD], [6, 6, 53]]])
def test_the_best_of_what_is_proposed_is_given_with_its_true_score(excluded: list) -> None:
    head, table = head_and_table()
    states = torch.randn(len(excluded), 4)
    barred = Barred(torch.tensor(excluded))
    expected = head.top(states, table, 3, barred)
    head.index = Proposing(*range(NUM_SPECIAL, NUM_SPECIAL + 50), PAD)
    indices, values = head.top(states, table, 3, barred)
    assert torch.equal(indices, expected[0])
    torch.testing.assert_close(values, expected[1])
    head.index = Proposing(8, 9, 10, 11)
    given = head.top(states, table, 3, Barred(torch.tensor([[9]] * len(states))))[0]
    assert all(set(row) == {8, 10, 11} for row in given.tolist())


@torch.no_grad()
def test_where_too_few_of_the_proposed_may_be_given_every_item_is_scored() -> None:
    head, table = head_and_table()
    states = torch.randn(2, 4)
    barred = Barred(torch.tensor([[8, 9], [PAD, PAD]]))
    exact = head.top(states, table, 2, barred)
    head.index = Proposing(8, 9, 10)
    indices, values = head.top(states, table, 2, barred)
    assert torch.equal(indices[0], exact[0][0])
    torch.testing.assert_close(values[0], exact[1][0])
    assert set(indices[1].tolist()) < {8, 9, 10}
    assert head.index.asked == [4], "as many as are wanted and as are barred"


@torch.no_grad()
def test_of_an_allowed_few_all_are_scored_and_of_many_the_whole_catalogue() -> None:
    head, table = head_and_table()
    states = torch.randn(3, 4)
    for allowed in ([7, 9, 30], list(range(NUM_SPECIAL, NUM_SPECIAL + 50))):
        mask = torch.ones((1, NUM_SPECIAL + 50), dtype=torch.bool)
        mask[0, allowed] = False
        barred = Barred(torch.tensor([[9], [PAD], [PAD]]), mask)
        head.index = None
        expected = head.top(states, table, 5, barred)
        head.index = Proposing()
        indices, values = head.top(states, table, 5, barred)
        torch.testing.assert_close(values, expected[1])
        real = values > -torch.inf
        assert torch.equal(indices[real], expected[0][real])
        assert head.index.asked == []


def test_more_than_an_index_is_quick_for_is_read_off_all_scores() -> None:
    head, table = head_and_table()
    head.index = Proposing(8)
    with torch.no_grad():
        indices, _ = head.top(torch.randn(1, 4), table, 49, Barred(torch.tensor([[8, 9]])))
    assert head.index.asked == []
    assert len(set(indices[0].tolist()) - {8, 9}) >= 48


def test_the_exact_best_are_found_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cove.item_index._ROWS_AT_ONCE", 16)
    head, table = head_and_table()
    states = torch.randn(5, 4)
    with torch.no_grad():
        wanted = top_items(head(states, table), 10)[0] - NUM_SPECIAL
        assert torch.equal(exact_top(states, table, head.bias), wanted)


def clusters(num_items: int = 6000, width: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """A table in 40 clusters, biases of which some are high, states that lie in clusters."""
    generator = torch.Generator().manual_seed(3)
    centres = torch.nn.functional.normalize(torch.randn(40, width, generator=generator), dim=1)
    table = torch.zeros(NUM_SPECIAL + num_items, width)
    noise = torch.randn(num_items, width, generator=generator) * 0.05
    table[NUM_SPECIAL:] = centres[torch.arange(num_items) % 40] + noise
    bias = torch.rand(num_items, generator=generator).clamp(1e-3).rsqrt().log() / 2
    return table, bias, 6 * centres


def test_an_index_says_how_many_of_the_best_it_finds_and_reads_few_lists(tmp_path: Path) -> None:
    table, bias, states = clusters()
    index = build_index(table, bias, states)
    assert index is not None
    assert index.facts.recall_at_10 >= 0.99
    assert index.facts.queries == 40
    assert index.facts.kind == "IVF64,PQ5"  # 2^round(log2(6000) / 2); (16 + 1) / 4, up
    assert index.facts.probes <= 16
    index.write(tmp_path / "index")
    read = read_index(tmp_path / "index", index.facts)
    assert torch.equal(read.propose(states, 200), index.propose(states, 200))
    found = read.propose(states, 200) - NUM_SPECIAL
    best = exact_top(states, table, bias)
    hits = (best[:, :, None] == found[:, None, :]).any(dim=2)
    assert float(hits.float().mean()) >= index.facts.recall_at_10


def test_the_same_catalogue_and_seed_give_the_same_index(tmp_path: Path) -> None:
    for name in ("a", "b"):
        index = build_index(*clusters())
        assert index is not None
        index.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_where_no_index_finds_enough_there_is_none() -> None:
    table, bias, states = clusters()
    assert build_index(table, bias, states, wanted_recall=1.1) is None


def test_a_file_that_holds_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"nothing of the kind")
    facts = IndexFacts(kind="", probes=1, recall_at_10=1.0, queries=1)
    with pytest.raises(ValueError, match="holds no index"):
        read_index(tmp_path / "index", facts)


@pytest.mark.parametrize("name", ["bag", "sasrec", "fans", "gru4rec", "caser", "car", "bert4rec"])
def test_every_recommender_whose_scores_are_products_completes_alike_with_an_index(
    name: str,
) -> None:
    recommender = build(name, 300, None)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in recommender.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    inputs = pad_lists([[4, 5, 6], [90], list(range(30, 44))])
    batch = ListBatch(inputs, inputs.new_zeros((3, 0)))
    expected = recommender.complete(batch, 6)
    states = recommender.query_states(inputs)
    assert states is not None
    assert states.shape[1] == recommender.items.dimensions
    recommender.head.index = Proposing(*range(NUM_SPECIAL, NUM_SPECIAL + 300))
    indices, values = recommender.complete(batch, 6)
    assert recommender.head.index.asked
    assert torch.equal(indices, expected[0])
    torch.testing.assert_close(values, expected[1])


@pytest.mark.parametrize("name", ["fans_two_stage"])
def test_a_recommender_whose_scores_are_no_products_has_no_states(name: str) -> None:
    assert build(name, NUM_ITEMS, None).query_states(pad_lists([[4, 5]])) is None


def indexed(directory: Path) -> None:
    """Write an artifact with an index, in the place of one without."""
    num_items = 300
    recommender = build("bag", num_items, None)
    manifest = write(directory, recommender_with("plain", "bag"), "bag")
    manifest = manifest.model_copy(update={"num_items": num_items})
    ids = Vocabulary(range(num_items))
    items = entity_tables(recommender.items, ids, torch.arange(num_items))
    index = build_index(items.table, recommender.head.bias.detach(), torch.randn(8, 16), 0.0)
    assert index is not None
    write_artifact(directory, manifest, recommender, {"item": items}, index=index)


def test_an_artifact_holds_its_index_and_refuses_another(tmp_path: Path) -> None:
    indexed(tmp_path / "made")
    artifact = read_artifact(tmp_path / "made")
    facts = artifact.manifest.index
    assert facts is not None
    assert INDEX in artifact.manifest.files
    index = artifact.read_index()
    assert index is not None
    assert index.propose(torch.randn(2, 16), 5).shape == (2, 5)
    without = artifact.manifest.model_copy(update={"index": None})
    assert replace(artifact, manifest=without).read_index() is None
    path = tmp_path / "made" / INDEX
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactError, match=f"{INDEX} is damaged"):
        read_artifact(tmp_path / "made")


def test_a_manifest_from_before_there_were_indices_keeps_its_hash(
    tmp_path: Path, place: Path
) -> None:
    content = (place / MANIFEST).read_text()
    assert '"index": null' in content
    without = "\n".join(line for line in content.splitlines() if '"index"' not in line)
    (place / MANIFEST).write_text(without)
    assert read_artifact(place).manifest.index is None
