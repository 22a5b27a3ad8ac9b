"""A model that is served with an index over its items, and one whose server lacks faiss."""

import logging
from pathlib import Path

import pytest
import torch

from app.services.completion import CompletionOptions, complete_lists
from app.services.served_model import ServedModel
from cove.artifact import Manifest, read_artifact, write_artifact
from cove.batches import ListBatch
from cove.entity_tables import EntityTables
from cove.item_index import build_index
from cove.recommenders import build_recommender
from cove.vocabulary import NUM_SPECIAL, Vocabulary

NUM_ITEMS, SETTINGS = 600, {"dimensions": 8}
OPTIONS = {
    "plain": CompletionOptions(k=7),
    "exclude": CompletionOptions(k=7, exclude=list(range(0, 600, 2))),
    "allow": CompletionOptions(k=7, allow=[1, 5, 300, 598, "unknown"]),
    "allow and exclude": CompletionOptions(k=3, allow=list(range(20)), exclude=[3, 4]),
    "max_per_code": CompletionOptions(k=9, max_per_code=1),
    "max_per_code that runs out": CompletionOptions(k=40, max_per_code=1),
    "all": CompletionOptions(k=NUM_ITEMS),
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of a catalogue in 30 clusters, each a code, with an index over it."""
    torch.manual_seed(0)
    recommender = build_recommender("bag", SETTINGS, NUM_ITEMS).eval()
    codes = torch.arange(NUM_ITEMS)[:, None] % 30
    centres = torch.randn(30, 8)
    table = torch.zeros(NUM_SPECIAL + NUM_ITEMS, 8)
    table[NUM_SPECIAL:] = centres[codes[:, 0]] + 0.1 * torch.randn(NUM_ITEMS, 8)
    recommender.items.weight.data = table
    items = EntityTables(
        Vocabulary(range(NUM_ITEMS)), table, codes, [], [centres], torch.arange(NUM_ITEMS)
    )
    index = build_index(table, recommender.head.bias.detach(), centres, wanted_recall=0.0)
    manifest = Manifest(
        task="list_completion", recommender="bag", settings=SETTINGS, quantizers={}, training={},
        num_items=NUM_ITEMS, counts={}, data_name="toy", data_sha256="0", seed=0, epochs=1,
        metrics={}, code_use={}, code_version="",
    )  # fmt: skip
    directory = tmp_path_factory.mktemp("indexed") / "made"
    write_artifact(directory, manifest, recommender, {"item": items}, index=index)
    return directory


@pytest.mark.parametrize("name", OPTIONS)
def test_an_index_changes_no_bound_of_an_answer(artifact: Path, name: str) -> None:
    with_index, without = ServedModel(read_artifact(artifact)), ServedModel(read_artifact(artifact))
    assert with_index.recommender.head.index is not None
    without.recommender.head.index = None
    lists = [[30, 60, 90], [1, 2, 3], [17, "unknown"], list(range(100, 160))]
    found = complete_lists(with_index, lists, OPTIONS[name])
    expected = complete_lists(without, lists, OPTIONS[name])
    for one, other in zip(found, expected, strict=True):
        # 200 candidates of 600 items hold the ten best of a cluster of 20 at any number of probes
        assert [each.item for each in one.items] == [each.item for each in other.items]
        assert [each.score for each in one.items] == pytest.approx(
            [each.score for each in other.items], abs=1e-5
        )


def test_a_server_without_faiss_scores_every_item_and_says_so(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.services.served_model.faiss_is_here", lambda: False)
    with caplog.at_level(logging.WARNING):
        model = ServedModel(read_artifact(artifact))
    assert model.recommender.head.index is None
    assert "faiss is not installed" in caplog.text
    assert "over its 600 items" in caplog.text
    assert len(complete_lists(model, [[1, 2]], CompletionOptions())[0].items) == 10


def test_more_of_a_catalogue_is_looked_through_for_those_that_are_short_alone(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = ServedModel(read_artifact(artifact)), []
    complete = model.recommender.complete

    def recorded(batch: ListBatch, k: int, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        asked.append((batch.inputs[:, 0].tolist(), k))
        return complete(batch, k, *rest)

    monkeypatch.setattr(model.recommender, "complete", recorded)
    # an item's best 20 share its code: the best 36 of both have less than nine codes
    nine = complete_lists(model, [[30], [1]], CompletionOptions(k=9, max_per_code=1))
    assert [len(one.items) for one in nine] == [9, 9]
    both, *alone = asked
    assert both == ([34, 5], 36)
    assert alone == [([34], 144), ([5], 144), ([5], 576)]

    asked.clear()  # there are 30 codes: 31 items of different codes are not to be had
    (most,) = complete_lists(model, [[30]], CompletionOptions(k=31, max_per_code=1))
    assert len(most.items) == 30
    assert asked[-1][1] == NUM_ITEMS

    asked.clear()
    monkeypatch.setattr("app.services.candidates.DEEPEST", 100)
    (fewer,) = complete_lists(model, [[30]], CompletionOptions(k=9, max_per_code=1))
    assert asked == [([34], 36), ([34], 100)]
    assert 1 < len(fewer.items) < 9
    assert fewer.items == nine[0].items[: len(fewer.items)]
