"""Health, models, runs, pages, and the description of it all."""

import time
from pathlib import Path

from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_artifact
from tests.app.test_errors import check_problem
from training.registry.database import registry_url
from training.registry.errors import RegistryError
from training.registry.queries import Registry


def served(client: TestClient) -> str | None:
    return client.get("/readyz").json().get("model")


def wait_for(client: TestClient, model: str) -> None:
    end = time.monotonic() + 5
    while served(client) != model:
        assert time.monotonic() < end, "the server did not follow"
        time.sleep(0.02)


def test_a_server_with_a_model_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json()["status"] == "ready"


def test_a_server_without_a_model_says_how_to_train_one(empty_client: TestClient) -> None:
    assert empty_client.get("/livez").status_code == 200
    for response in (
        empty_client.get("/readyz"),
        empty_client.post("/complete-list", json={"items": [1]}),
        empty_client.get("/codes"),
        empty_client.get("/items/1"),
    ):
        assert "cove train fans" in check_problem(response, 503)["detail"]
    assert empty_client.get("/models").json() == {"models": []}
    assert empty_client.get("/runs").json() == {"runs": []}


def test_a_server_may_name_the_command_that_trains_a_first_model(tmp_path: Path) -> None:
    settings = Settings(artifacts=tmp_path, first_model_command="docker compose run training")
    with TestClient(create_app(settings)) as client:
        for response in (client.get("/readyz"), client.post("/complete-list", json={"items": [1]})):
            detail = check_problem(response, 503)["detail"]
            assert detail.endswith("yet; train one with: docker compose run training")
        pair = {"user": 1, "items": [1]}
        detail = check_problem(client.post("/score-clicks", json=pair), 503)["detail"]
        assert "train one with: cove train deepfm" in detail


def test_a_running_server_follows_the_registry(empty_client: TestClient, tmp_path: Path) -> None:
    root = tmp_path / "none"
    registry = Registry(registry_url(root))
    first = make_artifact(root / "first", seed=1)
    registry.sync_artifacts(root)
    wait_for(empty_client, first)
    second = make_artifact(root / "second", seed=2)
    registry.sync_artifacts(root)
    time.sleep(0.2)
    assert served(empty_client) == first, "a newer model waits until it is activated"
    registry.activate(second)
    wait_for(empty_client, second)
    for model in (first, second):
        answer = empty_client.post("/complete-list", json={"items": [1], "model": model}).json()
        assert answer["model"] == model
        assert empty_client.get(f"/codes?model={model}").json()["model"] == model
    active = {each["id"]: each["active"] for each in empty_client.get("/models").json()["models"]}
    assert active == {first: False, second: True}
    registry.close()


def test_a_damaged_model_is_not_served_and_the_reason_is_said(tmp_path: Path) -> None:
    model = make_artifact(tmp_path / "toy")
    weights = tmp_path / "toy" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        detail = check_problem(client.get("/readyz"), 503)["detail"]
        assert "weights.safetensors" in detail
        check_problem(client.post("/complete-list", json={"items": [1], "model": model}), 503)


def test_a_model_has_its_manifest_and_card(client: TestClient) -> None:
    (summary,) = client.get("/models").json()["models"]
    assert summary["active"]
    detail = client.get(f"/models/{summary['id']}").json()
    assert detail["manifest"]["id"] == summary["id"]
    assert detail["metrics"] == {"test": {"ndcg_at_10": 0.5}}
    card = client.get(f"/models/{summary['id']}/card")
    assert card.headers["content-type"].startswith("text/markdown")
    assert card.text.startswith("# fans")


def test_runs_come_with_their_metrics(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        registry = Registry(registry_url(tmp_path))
        run = registry.start_run(
            task="list_completion", recommender="fans", data_name="toy", seed=3,
            settings={"dimensions": 8}, settings_hash="abc", output=str(tmp_path / "toy"),
        )  # fmt: skip
        registry.record_metrics(run, 1, {"loss": 2.5, "ndcg_at_10": 0.1})
        (found,) = client.get("/runs?state=running").json()["runs"]
        assert found["id"] == run
        assert found["settings"] == {"dimensions": 8}
        assert client.get("/runs?state=failed").json()["runs"] == []
        registry.fail_run(run, "out of patience")
        assert client.get(f"/runs/{run}").json()["reason"] == "out of patience"
        metrics = client.get(f"/runs/{run}/metrics").json()["metrics"]
        assert {(each["epoch"], each["name"], each["value"]) for each in metrics} == {
            (1, "loss", 2.5), (1, "ndcg_at_10", 0.1),
        }  # fmt: skip
        registry.close()


def test_the_pages_ask_nothing_of_other_hosts(client: TestClient) -> None:
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["content-security-policy"]
    for file in (Path(__file__).parents[2] / "app" / "web").iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
        assert client.get(f"/web/{file.name}").status_code == 200


def test_a_script_that_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/web/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/web/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_description_documents_every_call_and_its_problems(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        "/complete-list", "/score-clicks", "/codes", "/codes/labels", "/codes/tree",
        "/codes/{level}", "/codes/{level}/{code}", "/codes/{level}/{code}/label",
        "/codes/{level}/{code}/items", "/items", "/items/{item}", "/users", "/users/{user}",
        "/runs", "/runs/{run_id}", "/runs/{run_id}/metrics", "/models", "/models/{model_id}",
        "/models/{model_id}/card", "/livez", "/readyz", "/recommend-items",
        "/models/rollback", "/models/{model_id}/activate", "/models/{model_id}/compare", "/metrics",
        "/map", "/codes/quality", "/models/{model_id}/diff/{other_id}",
    }  # fmt: skip
    assert {"Problem", "FieldError"} <= schema["components"]["schemas"].keys()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path in ("/complete-list", "/score-clicks", "/recommend-items"):
        answers = schema["paths"][path]["post"]["responses"]
        assert answers.keys() == {
            "200", "400", "401", "404", "408", "413", "422", "429", "503",
        }  # fmt: skip
        assert "application/problem+json" in answers["422"]["content"]
    for path in ("/users", "/users/{user}", "/codes/{level}/{code}/items"):
        answers = schema["paths"][path]["get"]["responses"]
        assert answers.keys() == {"200", "401", "404", "422", "503"}


def test_a_registry_that_fails_is_a_503(client: TestClient, monkeypatch) -> None:
    def broken(**_: object) -> None:
        raise RegistryError("the registry cannot be used: disk I/O error")

    monkeypatch.setattr(client.app.state.serving.store.registry, "list_runs", broken)
    assert "disk" in check_problem(client.get("/runs"), 503)["detail"]
