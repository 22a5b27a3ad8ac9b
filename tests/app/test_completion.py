"""POST /complete-list."""

from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.services.completion import CompletionOptions, complete_lists
from app.services.served_model import ServedModel
from app.settings import Settings
from cove.artifact import read_artifact
from cove.batches import ListBatch
from cove.recommenders import LISTS, recommenders_for
from tests.app.conftest import IDS, NUM_ITEMS, ODD_IDS, TITLES, make_artifact


def complete(client: TestClient, **body: object) -> dict:
    response = client.post("/complete-list", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: dict) -> list:
    return [each["item"] for each in answer["items"]]


def test_a_list_is_completed_by_items_it_does_not_hold(client: TestClient) -> None:
    answer = complete(client, items=[1, 2, 3], k=20)
    assert len(ids(answer)) == len(set(ids(answer))) == 20
    assert not {1, 2, 3} & set(ids(answer))
    assert answer["source"] == "model"
    assert answer["unknown_items"] == []
    assert answer["items"][0]["title"] == TITLES[IDS.index(answer["items"][0]["item"])]
    assert "codes" not in answer["items"][0]


@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_every_recommender_is_served_and_pays_nothing_for_cove(tmp_path: Path, name: str) -> None:
    plain = make_artifact(tmp_path / "plain", (), recommender_name=name)
    aware = make_artifact(tmp_path / "aware", (12, 4), recommender_name=name)
    served = [read_artifact(tmp_path / each).load_recommender() for each in ("plain", "aware")]
    assert [recommender.items.quantizer for recommender in served] == [None, None]
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in served]
    assert shapes[0] == shapes[1]
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        for model in (plain, aware):
            answer = complete(client, items=[5, 9, 9, "007"], k=7, model=model, explain=True)
            assert len(set(ids(answer)) - {5, 9, "007"}) == 7
            assert (answer["source"], answer["model"]) == ("model", model)


def test_the_answer_is_the_recommenders_own(client: TestClient, artifacts) -> None:
    artifact = read_artifact(artifacts / "toy")
    given = torch.tensor([[artifact.items.vocabulary.index_of(item) for item in (5, 9)]])
    indices, scores = artifact.load_recommender().complete(
        ListBatch(given, torch.zeros((1, 0), dtype=torch.int64)), 5
    )
    answer = complete(client, items=[5, 9], k=5)
    assert ids(answer) == [artifact.items.vocabulary.decode(i) for i in indices[0].tolist()]
    found = torch.tensor([each["score"] for each in answer["items"]])
    torch.testing.assert_close(found, scores[0])


def test_ids_come_back_as_in_the_data_whichever_way_they_are_sent(client: TestClient) -> None:
    assert complete(client, items=["1", "2"]) == complete(client, items=[1, 2])
    everything = complete(client, items=[1], k=NUM_ITEMS)
    assert {(type(each), each) for each in ids(everything)} == {(type(i), i) for i in IDS[1:]}


def test_more_than_there_is_gives_what_there_is(client: TestClient) -> None:
    assert len(ids(complete(client, items=[1], k=1000))) == NUM_ITEMS - 1
    assert ids(complete(client, items=IDS, k=5)) == []


def test_excluded_items_stay_away_and_only_allowed_ones_come(client: TestClient) -> None:
    first = ids(complete(client, items=[1], k=3))
    assert not set(first) & set(ids(complete(client, items=[1], k=30, exclude=first)))
    allowed = complete(client, items=[1], k=30, allow=[1, 7, "8", "nowhere"], exclude=["nobody"])
    assert set(ids(allowed)) == {7, 8}
    assert ids(complete(client, items=[1], allow=[])) == []
    assert ids(complete(client, items=[1], allow=["nowhere"])) == []


def test_unknown_items_are_named_and_ignored(client: TestClient) -> None:
    answer = complete(client, items=[1, "nobody", 999], k=4)
    assert answer["unknown_items"] == ["nobody", 999]
    assert ids(answer) == ids(complete(client, items=[1], k=4))


def test_unknown_items_are_refused_on_request(client: TestClient) -> None:
    response = client.post("/complete-list", json={"items": [1, "nobody"], "unknown": "error"})
    assert response.status_code == 404
    assert "'nobody'" in response.json()["detail"]


def test_an_unknown_or_empty_list_gets_the_most_popular(client: TestClient) -> None:
    for items in ([], ["nobody"]):
        answer = complete(client, items=items, k=3, exclude=[2])
        assert answer["source"] == "popularity"
        assert ids(answer) == [1, 3, 4]
        assert [each["score"] for each in answer["items"]] == [60, 58, 57]
        assert answer["unknown_items"] == items


def test_explain_counts_the_given_items_that_share_each_code(client: TestClient) -> None:
    given = [3, 4, "a/b", 4]
    answer = complete(client, items=given, explain=True)
    codes = {item: client.get(f"/items/{item}").json()["codes"] for item in (3, 4, "a/b")}
    for each in answer["items"]:
        for level in (1, 2):
            share = sum(own[level - 1] == each["codes"][level - 1] for own in codes.values())
            assert each["shared_codes"][str(level)] == share
    fallback = complete(client, items=[], explain=True, k=1)["items"][0]
    assert fallback["shared_codes"] == {"1": 0, "2": 0}


def test_many_lists_are_completed_in_one_call_as_each_alone(
    client: TestClient, monkeypatch
) -> None:
    model = client.app.state.serving.store.active(LISTS)
    calls = []
    whole = model.recommender.complete
    monkeypatch.setattr(
        model.recommender,
        "complete",
        lambda *args: (calls.append(len(args[0].inputs)), whole(*args))[1],
    )
    lists = [[1, 2, 3, 4], [], ["nobody", 9], ODD_IDS]
    answer = complete(client, lists=lists, k=5, explain=True)
    assert calls == [3]
    assert [one["source"] for one in answer["results"]] == [
        "model", "popularity", "model", "model",
    ]  # fmt: skip
    for one, items in zip(answer["results"], lists, strict=True):
        alone = complete(client, items=items, k=5, explain=True)
        assert ids(one) == ids(alone)
    assert complete(client, lists=[])["results"] == []


def test_max_per_code_spreads_a_completion_over_codes(client: TestClient) -> None:
    answer = complete(client, items=[1], k=8, max_per_code=1, explain=True)
    codes = [each["codes"][0] for each in answer["items"]]
    assert len(codes) == len(set(codes)) > 1
    fallback = complete(client, items=[], k=1000, max_per_code=2, explain=True)
    codes = [each["codes"][0] for each in fallback["items"]]
    assert max(codes.count(code) for code in codes) == 2
    plain = complete(client, items=[1], k=1000)
    assert ids(complete(client, items=[1], k=1000, max_per_code=NUM_ITEMS)) == ids(plain)


def test_a_list_longer_than_the_recommender_reads_is_completed(client: TestClient) -> None:
    answer = complete(client, items=[*IDS[:50], *["nobody"] * 500], k=3)
    assert len(ids(answer)) == 3
    assert not set(ids(answer)) & set(IDS[:50])


def test_the_service_needs_no_server(artifacts) -> None:
    model = ServedModel(read_artifact(artifacts / "toy"))
    (answer,) = complete_lists(model, [[1, 2]], CompletionOptions(k=2))
    assert len(answer.items) == 2
