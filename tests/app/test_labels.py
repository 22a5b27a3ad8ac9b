"""PUT /codes/{level}/{code}/label, and where the labels then stand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_artifact, make_click_artifact
from tests.app.servers import wait_for
from tests.app.test_errors import check_problem

ADMIN = {"Authorization": "Bearer the-admin"}


def serve(folder: Path) -> TestClient:
    settings = Settings(artifacts=folder, admin_key="the-admin", poll_seconds=0.05)
    return TestClient(create_app(settings))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A server with a model for lists and one for clicks, whose labels may be changed."""
    make_artifact(tmp_path / "lists")
    make_click_artifact(tmp_path / "clicks")
    with serve(tmp_path) as client:
        yield client


def put(client: TestClient, path: str, label: object = "Horror"):
    return client.put(f"/codes/{path}", json={"label": label}, headers=ADMIN)


def get(client: TestClient, path: str) -> dict:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_label_stands_wherever_its_code_is_described(client: TestClient) -> None:
    code = get(client, "/items/1")["codes"][0]
    answer = put(client, f"1/{code}/label", "  Slow \n burners ")
    assert (answer.status_code, answer.json()["label"]) == (200, "Slow burners")
    assert get(client, f"/codes/1/{code}")["label"] == "Slow burners"
    row = next(each for each in get(client, "/codes/1")["codes"] if each["code"] == code)
    assert row["label"] == "Slow burners"
    parent = get(client, f"/codes/2/{row['parent']}")
    assert parent["label"] is None
    assert {each["code"]: each["label"] for each in parent["children"]}[code] == "Slow burners"
    assert get(client, "/items/1")["labels"] == ["Slow burners", None]
    assert [level["labelled"] for level in get(client, "/codes")["levels"]] == [1, 0]
    assert get(client, "/codes/labels")["labels"] == [
        {"level": 1, "code": code, "label": "Slow burners"}
    ]


def test_an_empty_label_takes_the_name_away(client: TestClient) -> None:
    put(client, "1/3/label")
    assert put(client, "1/3/label", "Thrillers").json()["label"] == "Thrillers"
    assert put(client, "1/3/label", "").json()["label"] is None
    assert get(client, "/codes/labels")["labels"] == []
    assert get(client, "/codes/1/3")["label"] is None


def test_users_and_other_models_have_labels_of_their_own(client: TestClient) -> None:
    clicks = client.get("/readyz").json()["models"]["click_through"]
    where = f"?entity=user&model={clicks}"
    assert put(client, f"1/3/label{where}", "Night owls").json()["entity"] == "user"
    assert get(client, "/codes/1/3")["label"] is None
    assert get(client, f"/codes/1/3?model={clicks}")["label"] is None
    assert get(client, f"/codes/1/3{where}")["label"] == "Night owls"
    code = get(client, f"/codes/1/3/items{where}")["items"][0]["user"]
    assert get(client, f"/users/{code}?model={clicks}")["labels"][0] == "Night owls"


@pytest.mark.parametrize("label", ["a\x00b", "a\x1bb", "x" * 201, 3, None, ["a"]])
def test_what_is_no_label_is_refused(client: TestClient, label: object) -> None:
    check_problem(put(client, "1/3/label", label), 422, "label")
    assert get(client, "/codes/labels")["labels"] == []


def test_only_codes_that_exist_are_named_and_only_with_the_admin_key(client: TestClient) -> None:
    check_problem(put(client, "1/99/label"), 404)
    check_problem(put(client, "9/1/label"), 404)
    check_problem(put(client, "1/x/label"), 422, "code")
    check_problem(client.put("/codes/1/3/label", json={"label": "Horror"}), 403)
    check_problem(client.put("/codes/1/3/label", json={"name": "Horror"}, headers=ADMIN), 422)


def test_another_worker_and_a_restart_find_the_label(client: TestClient, tmp_path: Path) -> None:
    with serve(tmp_path) as other:
        put(client, "1/3/label")
        wait_for(lambda: get(other, "/codes/1/3")["label"] == "Horror", 20)
    with serve(tmp_path) as restarted:
        assert get(restarted, "/codes/1/3")["label"] == "Horror"


def test_without_its_registry_a_server_goes_on_browsing(tmp_path: Path) -> None:
    make_artifact(tmp_path / "lists")
    (tmp_path / "registry.sqlite3").write_bytes(b"no database" * 100)
    with serve(tmp_path) as client:
        assert get(client, "/codes/1/3")["label"] is None
        assert get(client, "/codes/labels")["labels"] == []
        assert get(client, "/items/1")["labels"] == [None, None]
        assert "registry" in check_problem(put(client, "1/3/label"), 503)["detail"]


def test_labels_that_were_read_stay_when_the_registry_goes(
    client: TestClient, tmp_path: Path
) -> None:
    put(client, "1/3/label")
    with closing(sqlite3.connect(tmp_path / "registry.sqlite3", timeout=10)) as registry:
        for table in ("activations", "code_labels"):
            registry.execute(f"ALTER TABLE {table} RENAME TO lost_{table}")
    wait_for(lambda: "registry" in client.get("/readyz").json().get("problems", {}), 20)
    assert get(client, "/codes/1/3")["label"] == "Horror"
