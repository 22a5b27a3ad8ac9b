"""POST /recommend-items."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.services import recommending
from app.services.recommending import RecommendationOptions, recommend_items
from app.services.served_model import ServedModel
from app.settings import Settings
from cove.artifact import Artifact, read_artifact
from cove.entity_tables import EntityTables, SeenItems
from cove.item_index import build_index
from cove.recommenders import PREFERENCES, build_recommender, recommenders_for
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import NUM_SPECIAL, Vocabulary
from tests.app.conftest import (
    IDS,
    NUM_ITEMS,
    TITLES,
    USER_IDS,
    make_artifact,
    make_preference_artifact,
    write_preferences,
)
from tests.app.test_errors import JSON, check_problem

POINTS = [[1, 0], [0.6, 0.8], [0, 1], [-1, 0], [0.8, 0.6], [-0.6, -0.8]]
"""z_c of the items a to f. The user u is (1, 0) and has a and b, v is (0, 1) and has nothing."""
CODES = [[0, 0], [0, 0], [1, 0], [2, 1], [0, 0], [2, 1]]


def with_special(embeddings: torch.Tensor) -> torch.Tensor:
    """A whole table, the special ids' rows zero."""
    return torch.nn.functional.pad(embeddings, (0, 0, NUM_SPECIAL, 0))


def write_by_hand(directory: Path, seen: SeenItems | None) -> str:
    recommender = build_recommender("bprmf", {"dimensions": 2}, 6, num_users=2)
    assert isinstance(recommender, PreferenceModel)
    items = EntityTables(
        Vocabulary(list("abcdef")), with_special(torch.tensor(POINTS)), torch.tensor(CODES),
        [torch.tensor([0, 0, 1])], [torch.zeros(3, 2), torch.zeros(2, 2)],
        torch.tensor([1, 5, 2, 6, 3, 4]), ["A", "B", "", "D", "E", "F"],
    )  # fmt: skip
    users = EntityTables(
        Vocabulary(["u", "v"]), with_special(torch.eye(2)), torch.tensor([[1], [0]]), [],
        [torch.zeros(2, 2)], torch.tensor([2, 0]), seen=seen,
    )  # fmt: skip
    return write_preferences(directory, "bprmf", recommender, items, users)


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with the model made by hand, and one for lists that knows other items."""
    root = tmp_path_factory.mktemp("hand")
    write_by_hand(root / "recommend", SeenItems(torch.tensor([0, 2, 2]), torch.tensor([0, 1])))
    make_artifact(root / "lists")
    with TestClient(create_app(Settings(artifacts=root))) as client:
        yield client


@pytest.fixture(scope="module")
def artifact(preference_artifacts: Path) -> Artifact:
    return read_artifact(preference_artifacts / "recommend")


def recommend(client: TestClient, **body: object) -> dict:
    response = client.post("/recommend-items", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def given(answer: dict) -> list:
    return [each["item"] for each in answer["items"]]


def scores(answer: dict) -> list[float]:
    return [each["score"] for each in answer["items"]]


def test_a_known_user_gets_the_best_unseen_items(hand: TestClient) -> None:
    answer = recommend(hand, user="u")
    assert given(answer) == ["e", "c", "f", "d"]
    assert scores(answer) == pytest.approx([0.8, 0, -0.6, -1])
    assert (answer["user"], answer["known_user"]) == ("u", True)
    assert (answer["source"], answer["seen"]) == ("model", "left_out")
    assert answer["model"] == hand.get("/readyz").json()["models"][PREFERENCES]
    assert answer["items"][0] == {"item": "e", "score": pytest.approx(0.8), "title": "E"}
    assert answer["items"][1].keys() == {"item", "score"}, "an empty title is none"
    assert not answer.keys() & {"user_codes", "unknown_items"}
    assert given(recommend(hand, user="v", k=2)) == ["c", "b"], "who has nothing misses nothing"


def test_seen_items_come_where_they_are_asked_for(hand: TestClient) -> None:
    answer = recommend(hand, user="u", include_seen=True, k=4)
    assert given(answer) == ["a", "e", "b", "c"]
    assert answer["seen"] == "included"


def test_bounds_hold_for_a_known_user(hand: TestClient) -> None:
    assert given(recommend(hand, user="u", exclude=["e", "nowhere"], k=2)) == ["c", "f"]
    assert given(recommend(hand, user="u", allow=["d", "f", "a", "nowhere"])) == ["f", "d"]
    assert given(recommend(hand, user="u", allow=["d", "f"], exclude=["d"])) == ["f"]
    assert given(recommend(hand, user="u", allow=[])) == []
    assert given(recommend(hand, user="u", max_per_code=1)) == ["e", "c", "f"]
    assert given(recommend(hand, user="u", max_per_code=1, include_seen=True)) == ["a", "c", "f"]


def test_what_a_user_has_beside_training_is_never_given_and_counts(hand: TestClient) -> None:
    answer = recommend(hand, user="u", items=["e", "nowhere"], explain=True)
    assert given(answer) == ["c", "f", "d"]
    assert answer["source"] == "model"
    assert answer["unknown_items"] == ["nowhere"]
    nearest = answer["items"][0]["nearest_seen"]
    assert [each["item"] for each in nearest] == ["b", "e", "a"]
    answer = recommend(hand, user="u", items=["e"], include_seen=True)
    assert given(answer) == ["a", "b", "c", "f", "d"]


def test_explain_counts_shared_codes_and_names_the_nearest_seen_items(hand: TestClient) -> None:
    answer = recommend(hand, user="u", explain=True)
    assert answer["user_codes"] == [1]
    items = {each["item"]: each for each in answer["items"]}
    assert {item: each["codes"] for item, each in items.items()} == {
        "e": [0, 0], "c": [1, 0], "f": [2, 1], "d": [2, 1],
    }  # fmt: skip
    assert {item: each["shared_codes"] for item, each in items.items()} == {
        "e": {"1": 2, "2": 2}, "c": {"1": 0, "2": 2}, "f": {"1": 0, "2": 0},
        "d": {"1": 0, "2": 0},
    }  # fmt: skip
    assert items["e"]["nearest_seen"] == [
        {"item": "b", "title": "B", "similarity": pytest.approx(0.96)},
        {"item": "a", "title": "A", "similarity": pytest.approx(0.8)},
    ]
    assert [each["similarity"] for each in items["c"]["nearest_seen"]] == pytest.approx([0.8, 0])
    own = recommend(hand, user="u", explain=True, include_seen=True)["items"][0]
    assert own["item"] == "a"
    assert own["shared_codes"] == {"1": 1, "2": 1}, "an item shares nothing with itself"
    assert [each["item"] for each in own["nearest_seen"]] == ["b"]
    alone = recommend(hand, user="v", explain=True)["items"][0]
    assert (alone["nearest_seen"], alone["shared_codes"]) == ([], {"1": 0, "2": 0})


def test_at_most_three_seen_items_are_named_however_the_work_is_cut(
    preference_client: TestClient, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert artifact.users is not None
    user = USER_IDS[5]  # of five items
    whole = recommend(preference_client, user=user, k=60, explain=True)
    assert len(whole["items"]) == NUM_ITEMS - 5
    embeddings = torch.nn.functional.normalize(artifact.items.embeddings, dim=1)
    assert artifact.users.seen is not None
    own = artifact.users.seen.of(5)
    for each in whole["items"]:
        cosines = embeddings[own] @ embeddings[IDS.index(each["item"])]
        found = [near["similarity"] for near in each["nearest_seen"]]
        assert found == pytest.approx(sorted(cosines.tolist(), reverse=True)[:3], abs=1e-6)
    monkeypatch.setattr(recommending, "_COSINES_AT_ONCE", 20)
    parts = recommend(preference_client, user=user, k=60, explain=True)
    for one, other in zip(whole["items"], parts["items"], strict=True):
        assert given({"items": one["nearest_seen"]}) == given({"items": other["nearest_seen"]})


@pytest.mark.parametrize("name", recommenders_for(PREFERENCES))
def test_every_preference_model_is_served_by_its_own_scores(tmp_path: Path, name: str) -> None:
    make_preference_artifact(tmp_path / "made", 3, name)
    artifact = read_artifact(tmp_path / "made")
    recommender = artifact.load_recommender()
    assert isinstance(recommender, PreferenceModel)
    assert artifact.users is not None
    assert artifact.users.seen is not None
    for row in (4, 6):
        expected = recommender.score_all(torch.tensor([row + 4]))[0]
        expected[artifact.users.seen.of(row)] = -torch.inf
        best = expected.topk(7)
        answer = recommend_items(
            ServedModel(artifact), str(USER_IDS[row]), [], RecommendationOptions(k=7)
        )
        assert [each.item for each in answer.items] == [IDS[row] for row in best.indices]
        assert [each.score for each in answer.items] == pytest.approx(best.values.tolist())


def test_an_unknown_user_gets_what_the_model_for_lists_says(hand: TestClient) -> None:
    body = {"items": [5, "a", "7"], "k": 4, "exclude": [9], "max_per_code": 2}
    completion = hand.post("/complete-list", json=body).json()
    answer = recommend(hand, user="nobody", explain=True, **body)
    assert (answer["source"], answer["known_user"]) == ("completion", False)
    assert answer["model"] == completion["model"]
    assert (given(answer), scores(answer)) == (given(completion), scores(completion))
    assert answer["unknown_items"] == ["a"]
    assert not answer.keys() & {"seen", "user_codes"}
    near = {each["item"] for one in answer["items"] for each in one["nearest_seen"]}
    assert near == {5, 7}
    assert answer["items"][0]["title"] == TITLES[IDS.index(answer["items"][0]["item"])]


def test_where_the_model_for_lists_knows_none_the_nearest_items_answer(hand: TestClient) -> None:
    # The mean of c and e is (0.4, 0.8), of length 0.8944.
    answer = recommend(hand, user="nobody", items=["c", "e", "nowhere"], explain=True)
    assert answer["source"] == "nearest_items"
    assert answer["model"] == hand.get("/readyz").json()["models"][PREFERENCES]
    assert given(answer) == ["b", "a", "d", "f"]
    assert scores(answer) == pytest.approx([0.98387, 0.44721, -0.44721, -0.98387], abs=1e-5)
    assert answer["unknown_items"] == ["nowhere"]
    assert answer["items"][0]["shared_codes"] == {"1": 1, "2": 2}
    bounded = recommend(
        hand, user="nobody", items=["c", "c"], exclude=["b"], allow=["a", "b", "c", "d"]
    )
    assert given(bounded) == ["a", "d"]


@pytest.mark.parametrize("items", [None, [], ["nowhere"]])
def test_an_unknown_user_without_known_items_gets_the_most_popular(
    hand: TestClient, items: list | None
) -> None:
    answer = recommend(hand, user="nobody", items=items, k=3, explain=True)
    assert (answer["source"], answer["known_user"]) == ("popularity", False)
    assert (given(answer), scores(answer)) == (["d", "b", "f"], [6, 5, 4])
    assert answer.get("unknown_items") == (items or None)
    assert answer["items"][0]["nearest_seen"] == []
    bounded = recommend(hand, user="nobody", exclude=["d"], max_per_code=1)
    assert given(bounded) == ["b", "f", "c"]


def test_an_artifact_that_keeps_nothing_seen_leaves_nothing_out_and_says_so(
    tmp_path: Path,
) -> None:
    write_by_hand(tmp_path / "recommend", None)
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        answer = recommend(client, user="u", k=3, explain=True)
        assert (given(answer), answer["seen"]) == (["a", "e", "b"], "not_kept")
        assert answer["items"][0]["nearest_seen"] == []
        assert recommend(client, user="u", items=["a"], k=1)["items"][0]["item"] == "e"


def test_a_model_without_codes_explains_with_none(tmp_path: Path) -> None:
    make_preference_artifact(tmp_path / "plain", item_sizes=(), user_sizes=())
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        answer = recommend(client, user=103, explain=True, max_per_code=1)
        assert len(answer["items"]) == 10
        assert answer["user_codes"] == answer["items"][0]["codes"] == []
        assert answer["items"][0]["shared_codes"] == {}
        assert len(answer["items"][0]["nearest_seen"]) == 2


def test_ids_are_one_as_text_and_as_numbers_and_special_ones_never_leak(
    preference_client: TestClient,
) -> None:
    answer = recommend(preference_client, user="104", items=["9"], k=60)
    assert answer == recommend(preference_client, user=104, items=[9], k=60)
    assert answer["user"] == 104
    assert len(given(answer)) == NUM_ITEMS - 3 - 1, "three seen, one given"
    assert set(map(str, given(answer))) < set(map(str, IDS))
    for user in (0, "0", -4, "PAD"):
        assert recommend(preference_client, user=user)["source"] == "popularity"


def test_users_and_items_of_the_model_are_browsed(
    preference_client: TestClient, artifact: Artifact
) -> None:
    model = artifact.manifest.id
    ready = preference_client.get("/readyz").json()
    assert ready == {"status": "ready", "model": model, "models": {PREFERENCES: model}}
    for path in ("/codes", "/codes?entity=user", "/users", "/users/103", "/items/1", "/codes/1/0"):
        assert preference_client.get(path).json()["model"] == model
    assert preference_client.get("/users/103").json()["popularity"] == 2
    (listed,) = preference_client.get("/models").json()["models"]
    assert (listed["id"], listed["task"], listed["active"]) == (model, PREFERENCES, True)


def test_a_model_of_another_task_is_refused_with_the_call_that_serves_it(
    all_client: TestClient,
) -> None:
    served = all_client.get("/readyz").json()["models"]
    for task, call in (
        ("list_completion", "POST /complete-list"), ("click_through", "POST /score-clicks"),
    ):  # fmt: skip
        body = {"user": 103, "model": served[task]}
        response = all_client.post("/recommend-items", json=body)
        assert f"which {call} serves" in check_problem(response, 422, "model")["detail"]
    body = {"items": [1], "model": served[PREFERENCES]}
    problem = check_problem(all_client.post("/complete-list", json=body), 422, "model")
    assert "which POST /recommend-items serves" in problem["detail"]
    response = all_client.post("/recommend-items", json={"user": 103, "model": "nobody"})
    check_problem(response, 404)
    assert recommend(all_client, user=103, model=served[PREFERENCES][:10])["source"] == "model"


def test_a_server_without_such_a_model_names_the_command(client: TestClient) -> None:
    problem = check_problem(client.post("/recommend-items", json={"user": 1}), 503)
    assert "cove train bprmf --data ml100k --from DIR --user-cove 50" in problem["detail"]
    assert problem["detail"].endswith("/recommend")


def test_limits_are_those_of_completions(
    preference_artifacts: Path, preference_client: TestClient
) -> None:
    for field in ("items", "exclude", "allow"):
        response = preference_client.post("/recommend-items", json={"user": 1, field: [1] * 1001})
        detail = check_problem(response, 422, field)["detail"]
        assert detail == f"{field}: at most 1000 items in a list: got 1001"
    response = preference_client.post("/recommend-items", json={"user": 1, "k": 1001})
    assert check_problem(response, 422, "k")["detail"] == "k: must be at most 1000: got 1001"
    settings = Settings(artifacts=preference_artifacts, max_k=2)
    with TestClient(create_app(settings)) as client:
        assert len(recommend(client, user=101, k=2)["items"]) == 2
        check_problem(client.post("/recommend-items", json={"user": 101, "k": 3}), 422, "k")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user"),
        ({"user": None}, "user"),
        ({"user": True}, "user"),
        ({"user": [1]}, "user"),
        ({"user": 10**30}, "user"),
        ({"user": 1, "items": "12"}, "items"),
        ({"user": 1, "items": [1, False]}, "items[1]"),
        ({"user": 1, "k": 0}, "k"),
        ({"user": 1, "k": "3"}, "k"),
        ({"user": 1, "exclude": None}, "exclude"),
        ({"user": 1, "allow": [[1]]}, "allow[0]"),
        ({"user": 1, "include_seen": 1}, "include_seen"),
        ({"user": 1, "max_per_code": 0}, "max_per_code"),
        ({"user": 1, "explain": "yes"}, "explain"),
        ({"user": 1, "model": 3}, "model"),
        ({"user": 1, "unknown": "error"}, "unknown"),
        ([], "body"),
    ],
)
def test_a_body_that_breaks_a_rule_gets_a_422_that_names_the_field(
    preference_client: TestClient, body: object, field: str
) -> None:
    check_problem(preference_client.post("/recommend-items", json=body), 422, field)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"user": "\\ud800"}', b'{"user": NaN}', b'{"user": 1, "model": "../.."}'],
)
def test_a_hostile_body_gets_a_problem_below_500(
    preference_client: TestClient, content: bytes
) -> None:
    response = preference_client.post("/recommend-items", content=content, headers=JSON)
    assert response.status_code in {400, 404, 422}
    check_problem(response, response.status_code)


def test_a_model_that_gives_no_numbers_is_a_503(tmp_path: Path) -> None:
    make_preference_artifact(tmp_path / "recommend")
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        with torch.no_grad():
            recommender = client.app.state.serving.store.active(PREFERENCES).recommender
            recommender.users.weight.fill_(torch.nan)
            recommender.items.weight[4 + 6] = torch.nan
        for body in ({"user": 101}, {"user": "nobody", "items": [7]}):
            response = client.post("/recommend-items", json=body)
            assert "no number" in check_problem(response, 503)["detail"]


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_an_index_changes_no_bound_of_a_recommendation(tmp_path: Path, loss: str) -> None:
    torch.manual_seed(0)
    settings = {"dimensions": 8, "loss": loss}
    recommender = build_recommender("bprmf", settings, 600, num_users=3).eval()
    assert isinstance(recommender, PreferenceModel)
    codes, centres = torch.arange(600)[:, None] % 30, torch.randn(30, 8)
    around = torch.nn.functional.normalize(centres[codes[:, 0]] + torch.randn(600, 8) / 10, dim=1)
    recommender.items.weight.data[NUM_SPECIAL:] = around
    recommender.users.weight.data[NUM_SPECIAL:] = centres[:3]
    items = EntityTables(
        Vocabulary(range(600)), recommender.items.weight.data, codes, [], [centres],
        torch.arange(600),
    )  # fmt: skip
    users = EntityTables(
        Vocabulary(range(3)), recommender.users.weight.data, torch.zeros((3, 0)), [], [],
        torch.ones(3), seen=SeenItems(torch.tensor([0, 3, 3, 4]), torch.tensor([0, 30, 60, 7])),
    )  # fmt: skip
    products = recommender.products(torch.arange(3) + NUM_SPECIAL)
    assert products is not None
    index = build_index(products.table, products.bias, products.states, wanted_recall=0.0)
    write_preferences(tmp_path / "m", "bprmf", recommender, items, users, index)
    model, whole = (ServedModel(read_artifact(tmp_path / "m")) for _ in range(2))
    assert isinstance(model.recommender, PreferenceModel)
    assert isinstance(whole.recommender, PreferenceModel)
    assert model.recommender.index is not None
    whole.recommender.index = None
    for options in (
        RecommendationOptions(k=7),
        RecommendationOptions(k=7, include_seen=True),
        RecommendationOptions(k=5, exclude=list(range(0, 600, 2))),
        RecommendationOptions(k=3, allow=[0, 5, 30, 599]),
        RecommendationOptions(k=9, max_per_code=1),
    ):
        for user in range(3):
            one, other = (recommend_items(each, user, [90], options) for each in (model, whole))
            # 200 candidates of 600 items hold the best of a cluster of 20 however few are probed
            assert [each.item for each in one.items] == [each.item for each in other.items]
            assert [each.score for each in one.items] == pytest.approx(
                [each.score for each in other.items], abs=1e-5
            )
