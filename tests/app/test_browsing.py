"""GET /codes and /items."""

import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from cove.artifact import Artifact, read_artifact
from tests.app.conftest import IDS, NUM_ITEMS, TITLES, make_artifact


@pytest.fixture(scope="module")
def artifact(artifacts) -> Artifact:
    return read_artifact(artifacts / "toy")


def get(client: TestClient, path: str) -> dict:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_levels_are_those_of_the_manifest(client: TestClient, artifact: Artifact) -> None:
    answer = get(client, "/codes")
    assert answer["model"] == artifact.manifest.id
    for found, use in zip(answer["levels"], artifact.manifest.code_use["item"], strict=True):
        assert found == {**use.model_dump(), "items": NUM_ITEMS, "labelled": 0}


def test_the_codes_of_a_level_hold_every_item_once(client: TestClient, artifact: Artifact) -> None:
    for level, size in ((1, 12), (2, 4)):
        answer = get(client, f"/codes/{level}")
        assert [each["code"] for each in answer["codes"]] == list(range(size))
        sizes = torch.bincount(artifact.items.codes[:, level - 1], minlength=size)
        assert [each["size"] for each in answer["codes"]] == sizes.tolist()
        assert (
            sum(each["popularity"] for each in answer["codes"]) == artifact.items.popularity.sum()
        )
    assert all(each["parent"] is None for each in answer["codes"])


def test_codes_come_by_size_and_in_parts(client: TestClient) -> None:
    whole = get(client, "/codes/1?sort=size")["codes"]
    sizes = [each["size"] for each in whole]
    assert sizes == sorted(sizes, reverse=True)
    parts = []
    offset = 0
    while offset is not None:
        page = get(client, f"/codes/1?sort=size&limit=5&offset={offset}")
        parts += page["codes"]
        offset = page["next"]
    assert parts == whole
    assert get(client, "/codes/1?offset=99")["codes"] == []


def test_parents_and_children_agree(client: TestClient) -> None:
    parents = {each["code"]: each["parent"] for each in get(client, "/codes/1")["codes"]}
    for code in range(4):
        children = get(client, f"/codes/2/{code}")["children"]
        assert {each["code"] for each in children} == {c for c, p in parents.items() if p == code}
    assert get(client, "/codes/1/0")["parent"] == parents[0]
    assert get(client, "/codes/1/0")["children"] == []


def test_representatives_are_the_items_closest_to_the_code(
    client: TestClient, artifact: Artifact
) -> None:
    own = artifact.weights["items.weight"][4:]
    for code in range(12):
        detail = get(client, f"/codes/1/{code}")
        members = (artifact.items.codes[:, 0] == code).nonzero().flatten().tolist()
        distance = {
            IDS[row]: float((own[row] - artifact.items.codebooks[0][code]).norm())
            for row in members
        }
        found = [each["item"] for each in detail["representatives"]]
        assert found == sorted(distance, key=distance.get)[:10]
        assert detail["size"] == len(members)


def test_the_nearest_codes_are_in_use_and_come_by_distance(client: TestClient) -> None:
    sizes = {each["code"]: each["size"] for each in get(client, "/codes/1")["codes"]}
    nearest = get(client, "/codes/1/3")["nearest"]
    assert [each["distance"] for each in nearest] == sorted(each["distance"] for each in nearest)
    assert all(each["code"] != 3 and sizes[each["code"]] > 0 for each in nearest)


@pytest.mark.parametrize("sort", ["popularity", "closeness"])
def test_a_cursor_walks_through_all_items_of_a_code(client: TestClient, sort: str) -> None:
    code = max(get(client, "/codes/2")["codes"], key=lambda each: each["size"])
    path = f"/codes/2/{code['code']}/items?sort={sort}&limit=2"
    items = []
    page = get(client, path)
    while True:
        items += page["items"]
        if page["next"] is None:
            break
        page = get(client, f"{path}&cursor={page['next']}")
    assert len({each["item"] for each in items}) == len(items) == page["total"] == code["size"]
    if sort == "popularity":
        values = [-each["popularity"] for each in items]
    else:
        values = [each["distance"] for each in items]
    assert values == sorted(values)


def test_a_cursor_of_another_list_is_refused(client: TestClient) -> None:
    code = max(get(client, "/codes/2")["codes"], key=lambda each: each["size"])["code"]
    cursor = get(client, f"/codes/2/{code}/items?limit=1")["next"]
    other = (code + 1) % 4
    for path in (
        f"/codes/2/{other}/items?cursor={cursor}",
        f"/codes/2/{code}/items?sort=closeness&cursor={cursor}",
        f"/codes/2/{code}/items?cursor={cursor[:-2]}",
        "/codes/1/0/items?cursor=é",
        "/codes/1/0/items?cursor=W10",
        "/codes/1/0/items?cursor=MQ",
        "/codes/1/0/items?cursor=",
    ):
        response = client.get(path)
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("item", ["1", "a/b", "%C3%BCn%C3%AF", "%3Cb%3E", "007"])
def test_an_item_is_found_by_its_id(client: TestClient, artifact: Artifact, item: str) -> None:
    answer = get(client, f"/items/{item}")
    row = IDS.index(answer["item"])
    assert answer["title"] == (TITLES[row] or None)
    assert answer["codes"] == artifact.items.codes[row].tolist()
    assert answer["categories"] == ["Drama"]
    assert answer["popularity"] == NUM_ITEMS - row


def test_similar_items_are_those_of_the_largest_cosine(
    client: TestClient, artifact: Artifact
) -> None:
    table = artifact.items.embeddings
    cosine = torch.nn.functional.cosine_similarity(table, table[6:7])
    cosine[6] = -2
    expected = [IDS[row] for row in cosine.argsort(descending=True)[:5].tolist()]
    similar = get(client, "/items/7?similar=5")["similar"]
    assert [each["item"] for each in similar] == expected
    assert similar[0]["similarity"] == pytest.approx(float(cosine.max()), abs=1e-5)
    assert len(get(client, "/items/7?similar=200")["similar"]) == NUM_ITEMS - 1


def test_a_search_finds_ids_and_titles_in_any_case(client: TestClient) -> None:
    def found(text: str, limit: int = 200) -> list:
        answer = client.get("/items", params={"search": text, "limit": limit}).json()
        return [each["item"] for each in answer["items"]]

    assert found("FILM 1", 3) == [1, 10, 11]
    assert found("ÜNÏCODE") == ["ünï"]
    assert found("bond") == ["007"]
    assert found("7")[0] == 7
    assert found("", 2) == [1, 2]
    assert found("nothing like it") == []
    assert found("%") == []
    assert set(found("a/")) == {"a/b"}


def test_a_model_without_codes_has_no_levels(tmp_path) -> None:
    make_artifact(tmp_path / "plain", code_sizes=())
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        assert get(client, "/codes")["levels"] == []
        assert client.get("/codes/1").status_code == 404
        assert get(client, "/items/1")["codes"] == []
        answer = client.post(
            "/complete-list", json={"items": [1], "explain": True, "max_per_code": 1, "k": 5}
        ).json()
        assert len(answer["items"]) == 5
        assert answer["items"][0]["shared_codes"] == {}
