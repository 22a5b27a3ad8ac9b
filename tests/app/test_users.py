"""GET /codes?entity=user and GET /users."""

from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from cove.artifact import read_artifact
from cove.entity_tables import EntityTables
from tests.app.conftest import NUM_USERS, USER_IDS
from tests.app.test_browsing import get
from tests.app.test_errors import check_problem


@pytest.fixture(scope="module")
def users(click_artifacts: Path) -> EntityTables:
    tables = read_artifact(click_artifacts / "clicks").users
    assert tables is not None
    return tables


def largest(client: TestClient, entity: str, level: int) -> int:
    codes = get(client, f"/codes/{level}?sort=size&entity={entity}")["codes"]
    return codes[0]["code"]


def test_the_levels_of_users_are_their_own(click_client: TestClient) -> None:
    answer = get(click_client, "/codes?entity=user")
    manifest = get(click_client, f"/models/{answer['model']}")["manifest"]
    for found, use in zip(answer["levels"], manifest["code_use"]["user"], strict=True):
        assert found == {**use, "users": NUM_USERS, "labelled": 0}
    assert answer["entity"] == "user"
    items = get(click_client, "/codes")
    assert items["entity"] == "item"
    assert [each["size"] for each in items["levels"]] == [12, 4]
    assert [each["size"] for each in answer["levels"]] == [6, 2]


def test_the_codes_of_users_hold_every_user_once(
    click_client: TestClient, users: EntityTables
) -> None:
    for level, size in ((1, 6), (2, 2)):
        answer = get(click_client, f"/codes/{level}?entity=user")
        counts = torch.bincount(users.codes[:, level - 1], minlength=size).tolist()
        assert [each["size"] for each in answer["codes"]] == counts
        assert answer["entity"] == "user"
        for each in answer["codes"]:
            assert {example["user"] for example in each["examples"]} <= set(USER_IDS)
    check_problem(click_client.get("/codes/3?entity=user"), 404)
    check_problem(click_client.get("/codes/1/6?entity=user"), 404)
    assert click_client.get("/codes/1/6").status_code == 200


def test_a_code_of_users_has_its_place_in_the_tree_and_its_closest_users(
    click_client: TestClient, users: EntityTables
) -> None:
    code = largest(click_client, "user", 1)
    detail = get(click_client, f"/codes/1/{code}?entity=user")
    assert detail["parent"] == int(users.parents[0][code])
    members = {USER_IDS[row] for row in (users.codes[:, 0] == code).nonzero().flatten().tolist()}
    found = [each["user"] for each in detail["representatives"]]
    assert set(found) == members if len(members) <= 10 else set(found) < members
    distances = [each["distance"] for each in detail["representatives"]]
    assert distances == sorted(distances)


@pytest.mark.parametrize("sort", ["popularity", "closeness"])
def test_a_cursor_walks_through_all_users_of_a_code(click_client: TestClient, sort: str) -> None:
    code = largest(click_client, "user", 2)
    path = f"/codes/2/{code}/items?sort={sort}&limit=3&entity=user"
    found = []
    page = get(click_client, path)
    while True:
        found += page["items"]
        if page["next"] is None:
            break
        page = get(click_client, f"{path}&cursor={page['next']}")
    assert len({each["user"] for each in found}) == page["total"] == len(found) > 3
    assert all(each.keys() == {"user", "popularity", "distance"} for each in found)


def test_a_cursor_of_one_entity_is_refused_for_the_other(click_client: TestClient) -> None:
    for entity, other in (("item", "user"), ("user", "item")):
        path = f"/codes/2/{largest(click_client, entity, 2)}/items?limit=1"
        cursor = get(click_client, f"{path}&entity={entity}")["next"]
        path = f"/codes/2/{largest(click_client, entity, 2) % 2}/items?limit=1"
        response = click_client.get(f"{path}&entity={other}&cursor={cursor}")
        check_problem(response, 422, "cursor")


@pytest.mark.parametrize("user", ["101", "u/1", "%C3%BCn%C3%AF", "%3Cb%3E", "007"])
def test_a_user_is_found_by_id(click_client: TestClient, users: EntityTables, user: str) -> None:
    answer = get(click_client, f"/users/{user}")
    row = USER_IDS.index(answer["user"])
    assert answer["codes"] == users.codes[row].tolist()
    assert answer["popularity"] == NUM_USERS - row
    assert answer.keys() == {
        "model", "user", "popularity", "codes", "labels", "similar", "history",
    }  # fmt: skip


def test_similar_users_are_those_of_the_largest_cosine(
    click_client: TestClient, users: EntityTables
) -> None:
    cosine = torch.nn.functional.cosine_similarity(users.embeddings, users.embeddings[4:5])
    cosine[4] = -2
    similar = get(click_client, "/users/105?similar=5")["similar"]
    order = cosine.argsort(descending=True)[:5].tolist()
    assert [each["user"] for each in similar] == [USER_IDS[row] for row in order]
    assert similar[0]["similarity"] == pytest.approx(float(cosine.max()), abs=1e-5)
    assert len(get(click_client, "/users/105?similar=200")["similar"]) == NUM_USERS - 1


def test_a_search_finds_users_the_exact_id_first(click_client: TestClient) -> None:
    def found(text: str, limit: int = 200) -> list:
        answer = click_client.get("/users", params={"search": text, "limit": limit}).json()
        return [each["user"] for each in answer["users"]]

    assert found("", 2) == [101, 102]
    assert found("110") == [110]
    assert found("U/") == ["u/1"]
    assert found("nobody") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users/nobody", 404), ("/users/%00", 404), ("/users/%ff", 404), ("/users/", 404),
        ("/users/1", 404), ("/users/../../etc/passwd", 404), ("/users?limit=x", 422),
        ("/users/101?similar=-1", 422), ("/users?model=nobody", 404),
        ("/codes?entity=cat", 422), ("/codes/1?entity=", 422), ("/codes/1/99?entity=user", 404),
        ("/codes/1/0/items?entity=user&cursor=W10", 422),
    ],
)  # fmt: skip
def test_a_path_that_names_nothing_gets_a_problem(
    click_client: TestClient, path: str, status: int
) -> None:
    check_problem(click_client.get(path), status)
