"""Who may ask what: keys, hosts, and the headers of every answer."""

import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.keys import read_keys
from app.main import create_app
from app.settings import Settings, read_settings
from cove.errors import SettingsError
from tests.app.test_errors import check_problem

READ, ADMIN = "key-of-readers", "key-of-the-admin"
LIST = {"items": [1]}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def guarded(artifacts: Path):
    """A server that asks for a key."""
    settings = Settings(artifacts=artifacts, api_key=READ, admin_key=ADMIN)
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("path", ["/codes", "/items/1", "/models", "/runs", "/nowhere"])
def test_without_its_key_a_server_answers_nothing(guarded: TestClient, path: str) -> None:
    response = guarded.get(path)
    check_problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    check_problem(guarded.get(path, headers=bearer("wrong")), 401)
    check_problem(guarded.get(path, headers={"Authorization": f"Basic {READ}"}), 401)
    check_problem(guarded.post("/complete-list", json=LIST), 401)


@pytest.mark.parametrize(
    "headers",
    [bearer(READ), bearer(ADMIN), {"X-API-Key": READ}, {"authorization": f"bearer {READ}"}],
)
def test_with_a_key_it_answers(guarded: TestClient, headers: dict[str, str]) -> None:
    assert guarded.get("/codes", headers=headers).status_code == 200
    assert guarded.post("/complete-list", json=LIST, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/livez", "/readyz", "/openapi.json", "/web/app.js"]
)
def test_health_and_pages_need_no_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/models/rollback", "/models/any/activate"])
def test_only_the_admin_key_may_change_anything(
    guarded: TestClient, client: TestClient, path: str
) -> None:
    assert "admin key" in check_problem(guarded.post(path, headers=bearer(READ)), 403)["detail"]
    assert "no admin key" in check_problem(client.post(path), 403)["detail"]
    assert "no admin key" in check_problem(client.post(path, headers=bearer("")), 403)["detail"]
    assert guarded.post(path, headers=bearer(ADMIN)).status_code in {404, 409}


@pytest.mark.parametrize("key", ["", " ", "\x00", "ü".encode().decode("latin-1"), "x" * 10_000])
def test_a_strange_key_is_only_a_wrong_one(guarded: TestClient, key: str) -> None:
    headers = {b"authorization": b"Bearer " + key.encode("latin-1")}
    check_problem(guarded.get("/codes", headers=headers), 401)


def test_keys_come_from_files_too(artifacts: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{READ}\n")
    settings = Settings(artifacts=artifacts, api_key_file=tmp_path / "key")
    with TestClient(create_app(settings)) as client:
        check_problem(client.get("/codes"), 401)
        assert client.get("/codes", headers=bearer(READ)).status_code == 200


def test_a_key_that_cannot_be_read_stops_the_server_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for given, sentence in (
        (
            {"api_key": READ, "api_key_file": tmp_path / "empty"},
            "COVE_API_KEY or COVE_API_KEY_FILE",
        ),
        ({"admin_key_file": tmp_path / "nothing"}, "COVE_ADMIN_KEY_FILE: .* cannot be read"),
        ({"admin_key_file": tmp_path / "empty"}, "COVE_ADMIN_KEY_FILE: a key is printable"),
        ({"api_key": "zwölf"}, "COVE_API_KEY: a key is printable ASCII"),
    ):
        with pytest.raises(SettingsError, match=sentence) as refusal:
            read_keys(Settings(**given))
        assert READ not in str(refusal.value)


def test_an_empty_key_variable_is_none(monkeypatch) -> None:
    monkeypatch.setenv("COVE_API_KEY", "")
    monkeypatch.setenv("COVE_ADMIN_KEY_FILE", "")
    keys = read_keys(read_settings())
    assert (keys.api, keys.admin) == (None, None)
    assert keys.may_read(None)
    assert not keys.may_change("")


def test_no_key_is_ever_logged_or_shown(guarded: TestClient, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    for key in (READ, ADMIN, "a-wrong-guess"):
        answers = [guarded.get("/codes", headers=bearer(key)),
                   guarded.post("/models/any/activate", headers=bearer(key))]  # fmt: skip
        assert not any(key in answer.text + str(answer.headers) for answer in answers)
        assert key not in caplog.text
    settings = guarded.app.state.serving.settings
    assert READ not in repr(settings) + str(settings.model_dump())
    assert READ not in repr(guarded.app.state.keys)


@pytest.mark.parametrize(
    ("bound", "allowed", "host", "status"),
    [
        ("127.0.0.1", "", "localhost:8000", 200), ("127.0.0.1", "", "127.0.0.1", 200),
        ("127.0.0.1", "", "localhost.:8000", 200),
        ("127.0.0.1", "", "[::1]:8000", 200), ("localhost", "", "app", 200),
        ("127.0.0.1", "", "evil.example", 400), ("::1", "", "127.0.0.1.nip.io:8000", 400),
        ("0.0.0.0", "", "shop.example", 200), ("127.0.0.1", "*", "shop.example", 200),
        ("0.0.0.0", "shop.example, other", "shop.example:80", 200),
        ("0.0.0.0", "shop.example", "evil.example", 400), ("0.0.0.0", "shop.example", "", 400),
    ],
)  # fmt: skip
def test_the_server_answers_to_its_names_alone(
    artifacts: Path, monkeypatch, bound: str, allowed: str, host: str, status: int
) -> None:
    monkeypatch.setenv("COVE_ALLOWED_HOSTS", allowed)
    client = TestClient(create_app(Settings(artifacts=artifacts, host=bound)))
    response = client.get("/livez", headers={"host": host})
    assert response.status_code == status
    if status == 400:
        check_problem(response, 400)


def test_every_answer_has_the_security_headers_and_none_opens_the_server_to_other_sites(
    guarded: TestClient,
) -> None:
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (
        guarded.get("/livez", headers=origin), guarded.get("/codes", headers=origin),
        guarded.get("/", headers=origin), guarded.get("/web/app.js", headers=origin),
        guarded.options("/complete-list", headers=origin),
    ):  # fmt: skip
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_the_description_says_which_calls_need_which_key(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    security = {
        path: next(iter(each.values())).get("security") for path, each in schema["paths"].items()
    }
    assert security["/livez"] is None
    assert security["/codes"] == [{"key": []}, {}]
    assert security["/models/rollback"] == [{"key": []}]
