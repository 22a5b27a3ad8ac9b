"""POST /score-clicks."""

from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.services.scoring import score_clicks
from app.services.served_model import ServedModel
from app.settings import Settings
from cove.artifact import Artifact, read_artifact
from cove.recommenders import CLICKS, recommenders_for
from cove.vocabulary import PAD
from tests.app.conftest import IDS, TITLES, USER_IDS, make_click_artifact
from tests.app.test_errors import JSON, check_problem


@pytest.fixture(scope="module")
def artifact(click_artifacts: Path) -> Artifact:
    return read_artifact(click_artifacts / "clicks")


def score(client: TestClient, **body: object) -> dict:
    response = client.post("/score-clicks", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def probabilities(answer: dict) -> list[float]:
    return [each["probability"] for each in answer["items"]]


def expected(artifact: Artifact, user: object, items: list) -> list[float]:
    """The sigmoids of the recommender's own logits, pair by pair; PAD for the unknown."""
    assert artifact.users is not None
    user_index = artifact.users.vocabulary.index_of(user) or PAD
    indices = [artifact.items.vocabulary.index_of(item) or PAD for item in items]
    recommender = artifact.load_recommender()
    with torch.no_grad():
        return [
            float(recommender(torch.tensor([user_index]), torch.tensor([index])).sigmoid())
            for index in indices
        ]


def test_probabilities_are_those_of_the_recommender_in_the_order_given(
    click_client: TestClient, artifact: Artifact
) -> None:
    items = [7, "a/b", 3, 7, "nowhere", 54]
    answer = score(click_client, user=103, items=items)
    assert [each["item"] for each in answer["items"]] == items
    assert probabilities(answer) == pytest.approx(expected(artifact, 103, items), abs=1e-6)
    assert len(set(probabilities(answer))) == 5, "a repeat has the same probability, no other"
    assert [each["known"] for each in answer["items"]] == [True] * 4 + [False, True]
    assert answer["user"] == 103
    assert answer["known_user"]
    assert (answer["source"], answer["model"]) == ("model", artifact.manifest.id)
    assert answer["items"][0]["title"] == TITLES[6]
    assert "codes" not in answer["items"][0]
    assert "user_codes" not in answer


@pytest.mark.parametrize("name", recommenders_for(CLICKS))
def test_every_click_recommender_is_served(tmp_path: Path, name: str) -> None:
    sizes = () if name == "logistic_regression" else (6, 2)
    make_click_artifact(tmp_path / "clicks", 3, name, sizes, sizes)
    artifact = read_artifact(tmp_path / "clicks")
    items = [*IDS[:20], "nowhere"]
    for user in (USER_IDS[2], "nobody"):
        answer = score_clicks(ServedModel(artifact), user, items)
        found = [each.probability for each in answer.items]
        assert found == pytest.approx(expected(artifact, user, items), abs=1e-6)


def test_all_items_go_through_the_network_at_once(click_client: TestClient, monkeypatch) -> None:
    recommender = click_client.app.state.serving.store.active(CLICKS).recommender
    calls = []
    whole = recommender.forward
    monkeypatch.setattr(
        recommender, "forward", lambda *pair: (calls.append(len(pair[1])), whole(*pair))[1]
    )
    score(click_client, user=101, items=[IDS[place % 60] for place in range(1000)])
    assert calls == [1000]


def test_the_unknown_are_scored_as_the_average_and_marked(
    click_client: TestClient, artifact: Artifact
) -> None:
    answer = score(click_client, user="nobody", items=[5, "nowhere"], explain=True)
    assert not answer["known_user"]
    assert answer["user"] == "nobody"
    assert answer["source"] == "model"
    assert answer["items"][1].keys() == {"item", "probability", "known"}
    assert probabilities(answer) == pytest.approx(
        expected(artifact, "nobody", [5, "nowhere"]), abs=1e-6
    )
    # PAD is the mean of what is known, not the zeros or the noise of before
    weights = artifact.load_recommender().state_dict()
    for entity in ("users", "items"):
        table = weights[f"{entity}.weight"]
        torch.testing.assert_close(table[PAD], table[4:].mean(dim=0))


def test_where_nothing_is_known_the_source_is_the_average(click_client: TestClient) -> None:
    answer = score(click_client, user="nobody", items=["nowhere", 10**18, ""])
    assert answer["source"] == "average"
    assert len(set(probabilities(answer))) == 1
    assert 0 < probabilities(answer)[0] < 1
    assert [each["item"] for each in answer["items"]] == ["nowhere", 10**18, ""]
    assert not any(each["known"] for each in answer["items"])


def test_special_ids_never_leak(click_client: TestClient) -> None:
    """PAD's row would decode to an id at the end of the vocabulary; indices are no ids either."""
    answer = score(click_client, user=0, items=[0, "0", -4, "PAD"], explain=True)
    assert answer["user"] == 0
    assert not answer["known_user"]
    assert [each["item"] for each in answer["items"]] == [0, "0", -4, "PAD"]
    assert all(each.keys() == {"item", "probability", "known"} for each in answer["items"])
    assert "user_codes" not in answer


def test_ids_are_one_as_text_and_as_numbers_and_come_back_as_in_the_data(
    click_client: TestClient,
) -> None:
    answer = score(click_client, user="104", items=["9", 9, "007", "ünï"])
    assert answer == score(click_client, user=104, items=[9, "9", "007", "ünï"])
    assert answer["user"] == 104
    assert [each["item"] for each in answer["items"]] == [9, 9, "007", "ünï"]


def test_explain_gives_the_codes_of_user_and_items(
    click_client: TestClient, artifact: Artifact
) -> None:
    assert artifact.users is not None
    answer = score(click_client, user="u/1", items=[3, "a/b"], explain=True)
    assert answer["user_codes"] == artifact.users.codes[USER_IDS.index("u/1")].tolist()
    for each in answer["items"]:
        assert each["codes"] == artifact.items.codes[IDS.index(each["item"])].tolist()


def test_a_model_without_codes_explains_with_none(tmp_path: Path) -> None:
    make_click_artifact(tmp_path / "plain", item_sizes=(), user_sizes=())
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        answer = score(client, user=101, items=[1], explain=True)
        assert answer["user_codes"] == answer["items"][0]["codes"] == []
        assert client.get("/codes?entity=user").json()["levels"] == []
        check_problem(client.get("/codes/1?entity=user"), 404)
        assert len(client.get("/users/101").json()["similar"]) == 10


def test_no_items_get_no_scores(click_client: TestClient) -> None:
    assert score(click_client, user=101, items=[])["items"] == []
    assert score(click_client, user="nobody", items=[])["source"] == "average"


def test_too_many_items_are_a_422(click_artifacts: Path, click_client: TestClient) -> None:
    body = {"user": 101, "items": [1] * 1001}
    detail = check_problem(click_client.post("/score-clicks", json=body), 422, "items")["detail"]
    assert detail == "items: at most 1000 items in a call: got 1001"
    settings = Settings(artifacts=click_artifacts, max_items_scored=2)
    with TestClient(create_app(settings)) as client:
        assert len(score(client, user=1, items=[1, 2])["items"]) == 2
        over = {"user": 1, "items": [1, 2, 3]}
        check_problem(client.post("/score-clicks", json=over), 422, "items")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": [1]}, "user"),
        ({"user": 1}, "items"),
        ({"user": None, "items": [1]}, "user"),
        ({"user": True, "items": [1]}, "user"),
        ({"user": 1.5, "items": [1]}, "user"),
        ({"user": [1], "items": [1]}, "user"),
        ({"user": "x" * 2000, "items": [1]}, "user"),
        ({"user": 10**30, "items": [1]}, "user"),
        ({"user": 1, "items": 1}, "items"),
        ({"user": 1, "items": None}, "items"),
        ({"user": 1, "items": "12"}, "items"),
        ({"user": 1, "items": {"1": 1}}, "items"),
        ({"user": 1, "items": [1, False]}, "items[1]"),
        ({"user": 1, "items": [[1]]}, "items[0]"),
        ({"user": 1, "items": [1], "explain": "yes"}, "explain"),
        ({"user": 1, "items": [1], "model": 3}, "model"),
        ({"user": 1, "items": [1], "k": 3}, "k"),
        ([], "body"),
    ],
)
def test_a_body_that_breaks_a_rule_gets_a_422_that_names_the_field(
    click_client: TestClient, body: object, field: str
) -> None:
    check_problem(click_client.post("/score-clicks", json=body), 422, field)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b'{"user": "\\ud800", "items": [1]}', b'{"user": NaN, "items": [1]}',
        b'{"user": 1, "items": ["\\ud800"]}', b'{"user": 1, "items": [1], "model": "../.."}',
        b'{"user": ' + b"[" * 100_000 + b'], "items": [1]}',
    ],
)  # fmt: skip
def test_a_hostile_body_gets_a_problem_below_500(click_client: TestClient, content: bytes) -> None:
    response = click_client.post("/score-clicks", content=content, headers=JSON)
    assert response.status_code in {400, 404, 422}
    check_problem(response, response.status_code)


def test_a_model_that_gives_no_numbers_is_a_503(tmp_path: Path) -> None:
    make_click_artifact(tmp_path / "clicks")
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        with torch.no_grad():
            client.app.state.serving.store.active(CLICKS).recommender.bias.fill_(torch.nan)
        response = client.post("/score-clicks", json={"user": 101, "items": [1]})
        assert "no number" in check_problem(response, 503)["detail"]
