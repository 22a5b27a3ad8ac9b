"""Every error is a problem document, and nothing that a client sends gives a 500."""

import gzip
import json

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings

JSON = {"content-type": "application/json"}


def check_problem(response, status: int, field: str | None = None) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    if field is not None:
        assert field in [each["field"] for each in body["errors"]]
    return body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": [1], "lists": [[1]]}, "items"),
        ({}, "items"),
        ({"items": [1], "k": 0}, "k"),
        ({"items": [1], "k": 10**30}, "k"),
        ({"items": [1], "k": "3"}, "k"),
        ({"items": [1], "k": 2.5}, "k"),
        ({"items": [True]}, "items[0]"),
        ({"items": [1.5]}, "items[0]"),
        ({"items": [None]}, "items[0]"),
        ({"items": [[1]]}, "items[0]"),
        ({"items": [10**30]}, "items[0]"),
        ({"items": ["x" * 2000]}, "items[0]"),
        ({"items": "1"}, "items"),
        ({"lists": [[1], [{}]]}, "lists[1][0]"),
        ({"items": [1], "unknown": "maybe"}, "unknown"),
        ({"items": [1], "explain": 1}, "explain"),
        ({"items": [1], "max_per_code": 0}, "max_per_code"),
        ({"items": [1], "exclude": [None]}, "exclude[0]"),
        ({"items": [1], "recommend": 3}, "recommend"),
        ([], "body"),
        (None, "body"),
        ("text", "body"),
    ],
)
def test_a_body_that_breaks_a_rule_gets_a_422_that_names_the_field(
    client: TestClient, body: object, field: str
) -> None:
    check_problem(client.post("/complete-list", json=body), 422, field)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b'{"items": [NaN]}', b'{"items": [Infinity], "k": -Infinity}',
        b'{"items": ["\\ud800"]}', b'{"\\ud800": 1, "items": [1]}', b'{"items": [1], "k": 1e999}',
        b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"items": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"items": [' + b"9" * 10_000 + b"]}",
        b'{"items": [1], "model": "\\u0000"}', b'{"items": [1], "model": "../../etc"}',
        b'{"items": [1], "model": "\\ud800"}',
    ],
)  # fmt: skip
def test_a_hostile_body_gets_a_problem_below_500(client: TestClient, content: bytes) -> None:
    response = client.post("/complete-list", content=content, headers=JSON)
    assert response.status_code in {400, 404, 422}
    check_problem(response, response.status_code)


@pytest.mark.parametrize("name", ["items", "lists", "exclude", "allow"])
def test_of_many_wrong_ids_the_first_is_named(client: TestClient, name: str) -> None:
    response = client.post("/complete-list", json={"items": [1]} | {name: [None] * 1000})
    problem = check_problem(response, 422, f"{name}[0]")
    assert [each["field"] for each in problem["errors"]] == [f"{name}[0]"]


@pytest.mark.parametrize("content", [b'{"items": ["caf\xe9"]}', gzip.compress(b'{"items": [1]}')])
def test_a_body_in_another_encoding_is_told_so(client: TestClient, content: bytes) -> None:
    response = client.post("/complete-list", content=content, headers=JSON)
    assert "compressed, not UTF-8" in check_problem(response, 400)["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_a_body_of_another_type_gets_a_422(client: TestClient, kind: str) -> None:
    response = client.post(
        "/complete-list", content=b'{"items": [1]}', headers={"content-type": kind}
    )
    check_problem(response, 422, "body")


def test_a_null_byte_in_an_id_is_only_an_unknown_item(client: TestClient) -> None:
    answer = client.post("/complete-list", json={"items": ["\x00", "\u202e"]}).json()
    assert answer["unknown_items"] == ["\x00", "\u202e"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404), ("/codes/0", 404), ("/codes/3", 404), ("/codes/-1", 404),
        (f"/codes/{10**40}", 404), ("/codes/1/12", 404), (f"/codes/1/{10**40}", 404),
        ("/codes/1/-1", 404), ("/codes/one", 422), ("/codes/1/1.5", 422),
        ("/codes/" + "9" * 5000, 422), ("/codes/1/0/items?limit=0", 422),
        (f"/codes/1/0/items?limit={10**40}", 422), ("/codes/1/0/items?sort=size", 422),
        (f"/codes/1?offset={10**40}", 422), ("/codes?entity=user", 422),
        ("/codes?model=nobody", 404), ("/codes?model=%00", 404), ("/codes?model=../..", 404),
        ("/items/nobody", 404), ("/items/%00", 404), ("/items/%ff", 404), ("/items/", 404),
        ("/items/../../etc/passwd", 404), ("/items?limit=x", 422), ("/web/nothing.js", 404),
        ("/web/..%2fmain.py", 404), ("/models/nobody", 404), ("/models/%00/card", 404),
        ("/models/..%2f..", 404), ("/runs/nobody", 404), ("/runs/%00/metrics", 404),
        (f"/runs?limit={10**40}", 422), (f"/runs?offset={10**40}", 422), ("/runs?state=lost", 422),
    ],
)  # fmt: skip
def test_a_path_that_names_nothing_gets_a_problem(
    client: TestClient, path: str, status: int
) -> None:
    check_problem(client.get(path), status)


def test_other_methods_get_a_405_that_names_the_right_ones(client: TestClient) -> None:
    response = client.get("/complete-list")
    check_problem(response, 405)
    assert response.headers["allow"] == "POST"
    check_problem(client.delete("/codes"), 405)


def test_too_many_ids_get_a_422_and_too_long_a_body_a_413(artifacts) -> None:
    settings = Settings(
        artifacts=artifacts, max_list_length=3, max_lists=2, max_k=10, max_body_bytes=500
    )
    with TestClient(create_app(settings)) as client:

        def post(**body: object):
            return client.post("/complete-list", json=body)

        assert post(items=[1, 2, 3], k=5).status_code == 200
        check_problem(post(items=[1, 2, 3, 4]), 422, "items")
        check_problem(post(lists=[[1], [2], [3]]), 422, "lists")
        check_problem(post(lists=[[1, 2, 3, 4]]), 422, "lists")
        check_problem(post(items=[1], exclude=[1, 2, 3, 4]), 422, "exclude")
        check_problem(post(items=[1], allow=[1, 2, 3, 4]), 422, "allow")
        check_problem(post(items=[1], k=11), 422, "k")
        check_problem(post(items=["x" * 600]), 413)
        stream = client.post("/complete-list", content=iter([b" " * 300] * 3), headers=JSON)
        check_problem(stream, 413)


def test_what_nobody_foresaw_is_a_500_that_tells_no_secrets(artifacts, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("app.services.browsing.levels", broken)
    with TestClient(
        create_app(Settings(artifacts=artifacts)), raise_server_exceptions=False
    ) as client:
        body = check_problem(client.get("/codes"), 500)
    assert "secret" not in json.dumps(body)
