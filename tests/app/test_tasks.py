"""One server with a model for each task: who answers what, and how they change."""

import time
from pathlib import Path

from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_artifact, make_click_artifact
from tests.app.test_errors import check_problem
from training.registry.database import registry_url
from training.registry.queries import Registry

LIST = {"items": [1]}
PAIRS = {"user": 101, "items": [1]}


def models(client: TestClient) -> dict[str, str]:
    return client.get("/readyz").json().get("models", {})


def wait_for(client: TestClient, task: str, model: str) -> None:
    end = time.monotonic() + 5
    while models(client).get(task) != model:
        assert time.monotonic() < end, "the server did not follow"
        time.sleep(0.02)


def test_each_call_is_answered_by_the_model_of_its_task(both_client: TestClient) -> None:
    served = models(both_client)
    lists, clicks = served["list_completion"], served["click_through"]
    ready = both_client.get("/readyz").json()
    assert ready == {"status": "ready", "model": lists, "models": served}
    assert both_client.post("/complete-list", json=LIST).json()["model"] == lists
    assert both_client.post("/score-clicks", json=PAIRS).json()["model"] == clicks
    for path, model in (
        ("/codes", lists), ("/items", lists), ("/items/1", lists), ("/codes/1", lists),
        ("/codes?entity=user", clicks), ("/users", clicks), ("/users/101", clicks),
        (f"/items/1?model={clicks}", clicks), (f"/codes?model={clicks}", clicks),
    ):  # fmt: skip
        assert both_client.get(path).json()["model"] == model
    active = {each["id"]: each["active"] for each in both_client.get("/models").json()["models"]}
    assert active == {lists: True, clicks: True}
    assert both_client.get(f"/models/{clicks}").json()["active"]


def test_a_model_of_another_task_is_refused_with_the_call_that_serves_it(
    both_client: TestClient,
) -> None:
    served = models(both_client)
    for path, body, model, call in (
        ("/complete-list", LIST, served["click_through"], "POST /score-clicks"),
        ("/score-clicks", PAIRS, served["list_completion"], "POST /complete-list"),
    ):
        response = both_client.post(path, json={**body, "model": model})
        detail = check_problem(response, 422, "model")["detail"]
        assert f"which {call} serves" in detail
        response = both_client.post(path, json={**body, "model": "nobody"})
        check_problem(response, 404)


def test_a_server_without_a_model_of_a_task_names_the_command(
    client: TestClient, click_client: TestClient, empty_client: TestClient
) -> None:
    for server in (client, empty_client):
        problem = check_problem(server.post("/score-clicks", json=PAIRS), 503)
        assert "cove train deepfm --data ml100k --from DIR --user-cove 100" in problem["detail"]
        assert problem["detail"].endswith("/clicks")
    for server in (click_client, empty_client):
        problem = check_problem(server.post("/complete-list", json=LIST), 503)
        assert "cove train fans" in problem["detail"]
    assert models(click_client).keys() == {"click_through"}
    assert click_client.get("/readyz").json()["model"] == models(click_client)["click_through"]
    assert click_client.get("/codes").json()["model"] == models(click_client)["click_through"]


def test_a_list_model_has_no_users(client: TestClient) -> None:
    model = client.get("/readyz").json()["model"]
    for path in ("/codes", "/codes/1", "/codes/1/0", "/codes/1/0/items"):
        detail = check_problem(client.get(f"{path}?entity=user"), 422, "entity")["detail"]
        assert detail == f"entity: the model {model}, for list_completion, has no users"
    for path in ("/users", "/users/101", f"/users?model={model}"):
        assert "has no users" in check_problem(client.get(path), 404)["detail"]


def test_activation_switches_one_task_and_leaves_the_other(
    empty_client: TestClient, tmp_path: Path
) -> None:
    root = tmp_path / "none"
    registry = Registry(registry_url(root))
    lists, first = make_artifact(root / "lists"), make_click_artifact(root / "first", seed=1)
    registry.sync_artifacts(root)
    wait_for(empty_client, "click_through", first)
    second = make_click_artifact(root / "second", seed=2)
    registry.sync_artifacts(root)
    registry.activate(second)
    wait_for(empty_client, "click_through", second)
    assert models(empty_client)["list_completion"] == lists
    found = [empty_client.post("/score-clicks", json=PAIRS | {"model": m}).json()
             for m in (first, second)]  # fmt: skip
    assert [each["model"] for each in found] == [first, second]
    assert found[0]["items"][0]["probability"] != found[1]["items"][0]["probability"]
    active = {each["id"]: each["active"] for each in empty_client.get("/models").json()["models"]}
    assert active == {lists: True, first: False, second: True}
    registry.rollback("click_through")
    wait_for(empty_client, "click_through", first)
    assert models(empty_client)["list_completion"] == lists
    registry.close()


def test_a_damaged_model_of_one_task_leaves_the_other_served(tmp_path: Path) -> None:
    make_artifact(tmp_path / "lists")
    model = make_click_artifact(tmp_path / "clicks")
    users = tmp_path / "clicks" / "user_codes.safetensors"
    users.write_bytes(users.read_bytes()[:-1])
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        assert client.post("/complete-list", json=LIST).status_code == 200
        problems = client.get("/readyz").json()["problems"]
        assert problems.keys() == {"click_through"}
        for response in (
            client.post("/score-clicks", json=PAIRS),
            client.post("/score-clicks", json=PAIRS | {"model": model}),
            client.get("/users/101"),
            client.get("/codes?entity=user"),
        ):
            assert "user_codes.safetensors" in check_problem(response, 503)["detail"]
