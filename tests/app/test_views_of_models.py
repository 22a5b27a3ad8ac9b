"""GET /codes/quality and GET /map."""

import json
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from cove.artifact import manifest_hash, read_artifact, read_manifest
from tests.app.conftest import IDS, NUM_ITEMS, make_artifact
from tests.app.test_errors import check_problem


def get(client: TestClient, path: str) -> dict:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def drop_views(directory: Path) -> None:
    """Make of an artifact one that was written before it kept maps and figures."""
    manifest = read_manifest(directory)
    files = {
        k: v for k, v in manifest.files.items() if k not in {"map.safetensors", "quality.json"}
    }
    older = manifest.model_copy(update={"files": files})
    older = older.model_copy(update={"hash": manifest_hash(older)})
    (directory / "manifest.json").write_text(older.model_dump_json())


def test_the_quality_of_codes_is_what_the_artifact_keeps(
    client: TestClient, artifacts: Path
) -> None:
    answer = get(client, "/codes/quality")
    assert answer["quality"] == json.loads((artifacts / "toy" / "quality.json").read_text())
    assert answer["reason"] is None
    assert [level["size"] for level in answer["quality"]["levels"]] == [12, 4]


def test_without_categories_or_codes_there_is_a_reason_in_place_of_figures(
    all_client: TestClient, both_client: TestClient
) -> None:
    models = get(all_client, "/readyz")["models"]
    answer = get(all_client, f"/codes/quality?model={models['click_through']}&entity=user")
    assert (answer["quality"], answer["entity"]) == (None, "user")
    assert answer["reason"] == "The data have no true categories of users to compare with."
    bare = get(both_client, "/readyz")["models"]["click_through"]
    reason = get(both_client, f"/codes/quality?model={bare}")["reason"]
    assert reason == "The model learned no codes of items: train it with --cove."
    check_problem(both_client.get("/codes/quality?model=nobody"), 404)


def test_an_older_artifact_is_measured_and_drawn_when_it_is_asked_for(tmp_path: Path) -> None:
    make_artifact(tmp_path / "old")
    kept = read_artifact(tmp_path / "old").views["item"]
    drop_views(tmp_path / "old")
    assert read_artifact(tmp_path / "old").views["item"].points is None
    with TestClient(create_app(Settings(artifacts=tmp_path))) as client:
        answer = get(client, "/codes/quality")
        assert "the command cove codes makes them" in answer["reason"]
        for level, whole in zip(answer["quality"]["levels"], kept.quality.levels, strict=True):
            learned, random = level["sets"]
            assert learned == whole.sets[0].model_dump()
            assert random["codes"] == "random"
        assert get(client, "/map")["x"] == kept.points[:, 0].double().round(decimals=4).tolist()


def test_a_map_has_every_item_in_columns_the_most_popular_first(
    client: TestClient, artifacts: Path
) -> None:
    artifact = read_artifact(artifacts / "toy")
    answer = get(client, "/map")
    assert (answer["total"], answer["ids"]) == (NUM_ITEMS, IDS)
    points = torch.tensor([answer["x"], answer["y"]]).T
    assert torch.allclose(points, artifact.views["item"].points, atol=1e-4)
    assert answer["codes"] == artifact.items.codes.T.tolist()
    assert (answer["category_names"], answer["categories"]) == (["Drama"], [[0]] * NUM_ITEMS)
    few = get(client, "/map?limit=3")
    assert (few["total"], few["ids"], few["x"]) == (NUM_ITEMS, IDS[:3], answer["x"][:3])


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("identity", None),
        ("gzip; q=0, identity", None), ("x-notgzip", None),
    ],
)  # fmt: skip
def test_a_map_is_compressed_for_whoever_takes_it(
    client: TestClient, accepted: str, coding: str | None
) -> None:
    response = client.get("/map", headers={"accept-encoding": accepted})
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert len(response.json()["ids"]) == NUM_ITEMS


def test_users_have_a_map_where_the_model_knows_them(
    client: TestClient, click_client: TestClient
) -> None:
    answer = get(click_client, "/map?entity=user")
    assert (answer["entity"], answer["categories"]) == ("user", [])
    assert len(answer["codes"]) == 2
    check_problem(client.get("/map?entity=user"), 422, "entity")
    check_problem(client.get("/map?limit=0"), 422, "limit")
