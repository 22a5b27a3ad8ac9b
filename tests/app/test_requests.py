"""Requests made up by hypothesis: every answer is right, or a problem that names what is wrong."""

import string
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.conftest import IDS, USER_IDS

ids = st.sampled_from(IDS) | st.integers(1 - 2**63, 2**63 - 1) | st.text(max_size=20)
lists = st.lists(ids, max_size=30)
bounds = {
    "k": st.integers(1, 70),
    "exclude": lists,
    "allow": st.none() | lists,
    "max_per_code": st.none() | st.integers(1, 5),
    "explain": st.booleans(),
}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)
paths = st.text(string.printable + "ü\x00\u202e", max_size=30)
by_chance = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def check_items(items: list[dict], body: dict, given: list) -> None:
    """What is given is known, allowed, not barred, in order, and no more than was asked for."""
    found = [each["item"] for each in items]
    assert len(found) == len(set(map(str, found))) <= body["k"]
    assert set(found) <= set(IDS)
    assert not set(map(str, found)) & set(map(str, [*given, *body["exclude"]]))
    if body["allow"] is not None:
        assert set(map(str, found)) <= set(map(str, body["allow"]))
    scores = [each["score"] for each in items]
    assert scores == sorted(scores, reverse=True)
    if body["max_per_code"] is not None and body["explain"]:
        codes = [each["codes"][0] for each in items]
        assert all(codes.count(code) <= body["max_per_code"] for code in codes)


@by_chance
@given(body=st.fixed_dictionaries({"items": lists, **bounds}))
def test_a_sound_completion_keeps_within_its_bounds(client: TestClient, body: dict) -> None:
    response = client.post("/complete-list", json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    known = {str(each) for each in IDS} & {str(each) for each in body["items"]}
    assert answer["source"] == ("model" if known else "popularity")
    check_items(answer["items"], body, body["items"])
    unknown = list(dict.fromkeys(each for each in body["items"] if str(each) not in known))
    assert list(dict.fromkeys(answer["unknown_items"])) == unknown


@by_chance
@given(each=st.lists(lists, min_size=1, max_size=6), k=st.integers(1, 20))
def test_many_lists_are_completed_as_each_alone(
    client: TestClient, each: list[list], k: int
) -> None:
    together = client.post("/complete-list", json={"lists": each, "k": k}).json()["results"]
    alone = [client.post("/complete-list", json={"items": one, "k": k}).json() for one in each]
    for one, other in zip(together, alone, strict=True):
        assert [i["item"] for i in one["items"]] == [i["item"] for i in other["items"]]
        expected = pytest.approx([i["score"] for i in other["items"]], rel=1e-4, abs=1e-4)
        assert [i["score"] for i in one["items"]] == expected


@by_chance
@given(
    body=st.fixed_dictionaries({"user": st.sampled_from(USER_IDS) | ids, "items": lists, **bounds})
)
def test_a_sound_recommendation_keeps_within_its_bounds(
    preference_client: TestClient, body: dict
) -> None:
    response = preference_client.post("/recommend-items", json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["known_user"] == (str(body["user"]) in {str(each) for each in USER_IDS})
    check_items(answer["items"], body, body["items"])


@by_chance
@given(
    body=anything | st.dictionaries(
        st.sampled_from(["items", "lists", "user", "k", "exclude", "allow", "model"]), anything
    ),
    path=st.sampled_from(["/complete-list", "/score-clicks", "/recommend-items"]),
)  # fmt: skip
def test_any_json_gets_an_answer_or_a_problem(
    all_client: TestClient, body: object, path: str
) -> None:
    response = all_client.post(path, json=body)
    assert response.status_code in {200, 404, 422}
    if response.status_code != 200:
        assert response.json()["detail"]


@by_chance
@given(path=paths, cursor=paths, level=st.integers(), code=st.integers())
def test_any_path_and_cursor_get_an_answer_or_a_problem(
    client: TestClient, path: str, cursor: str, level: int, code: int
) -> None:
    places = [
        f"/items/{path}", f"/models/{path}/card", f"/runs/{path}", f"/codes/{path}",
        f"/codes/{level}/{code}", f"/web/{path}",
    ]  # fmt: skip
    for place in places:
        assert client.get(quote(place)).status_code in {200, 404, 422}, place
    response = client.get("/codes/1/0/items", params={"cursor": cursor})
    assert response.status_code in {200, 422}
    if cursor:
        assert response.json()["errors"][0]["field"] == "cursor"
