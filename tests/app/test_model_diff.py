"""GET /models/{a}/diff/{b}: how items moved between codes, and what both models answer."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.services.model_diff import _matched
from app.settings import Settings
from cove.artifact import read_artifact
from tests.app.conftest import (
    NUM_ITEMS,
    NUM_USERS,
    make_artifact,
    make_click_artifact,
    make_preference_artifact,
)
from tests.app.test_errors import check_problem


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models for lists, two for clicks, one for recommendations, and one without codes."""
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        make_artifact(folder / f"lists{seed}", seed=seed)
        make_click_artifact(folder / f"clicks{seed}", seed=seed)
        make_preference_artifact(folder / f"recommend{seed}", seed=seed)
    make_artifact(folder / "plain", code_sizes=(), seed=2)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """A server of them."""
    with TestClient(create_app(Settings(artifacts=folder))) as client:
        yield client


def id_of(folder: Path, name: str) -> str:
    return read_artifact(folder / name).manifest.id


def diff(client: TestClient, folder: Path, one: str, other: str, query: str = "") -> dict:
    response = client.get(f"/models/{id_of(folder, one)}/diff/{id_of(folder, other)}{query}")
    assert response.status_code == 200, response.text
    return response.json()


def test_codes_are_matched_one_to_one_the_largest_overlaps_first() -> None:
    cells = [(0, 5, 9), (1, 5, 8), (1, 6, 3), (2, 6, 2), (0, 6, 1)]
    assert _matched(cells) == {0: 5, 1: 6}


def test_moves_and_stays_are_all_items_of_both_models(client: TestClient, folder: Path) -> None:
    answer = diff(client, folder, "lists0", "lists1", "?moves=1000")
    counts = (answer["in_both"], answer["only_in_model"], answer["only_in_other"])
    assert counts == (NUM_ITEMS, 0, 0)
    codes = [read_artifact(folder / name).items.codes for name in ("lists0", "lists1")]
    for level, size in zip(answer["levels"], (12, 4), strict=True):
        column = level["level"] - 1
        pairs = Counter(zip(*(each[:, column].tolist() for each in codes), strict=True))
        found = {(move["code"], move["other_code"]): move["entities"] for move in level["moves"]}
        assert all(pairs[pair] == count for pair, count in found.items())
        assert level["stayed"] == pytest.approx(1 - sum(found.values()) / NUM_ITEMS)
        assert level["sizes"] == [size, size]
        sizes = [move["entities"] for move in level["moves"]]
        assert sizes == sorted(sizes, reverse=True)
        matches = {move["code"]: move["matched_code"] for move in level["moves"]}
        assert all(code != other or matches[code] != other for code, other in found)
    few = diff(client, folder, "lists0", "lists1", "?moves=2")["levels"][0]["moves"]
    assert few == answer["levels"][0]["moves"][:2]


@pytest.mark.parametrize("task", ["lists", "clicks", "recommend"])
def test_both_models_are_asked_alike_whatever_their_task(
    client: TestClient, folder: Path, task: str
) -> None:
    answers = diff(client, folder, f"{task}0", f"{task}1", "?k=5")["answers"]
    assert answers["failed"] == 0
    assert answers["calls"] == (50 if task == "lists" else NUM_USERS)
    assert 0 <= answers["overlap"] <= 1
    back = diff(client, folder, f"{task}1", f"{task}0", "?k=5")["answers"]
    assert back["overlap"] == pytest.approx(answers["overlap"])


def test_users_codes_are_compared_too(client: TestClient, folder: Path) -> None:
    answer = diff(client, folder, "clicks0", "recommend0", "?entity=user")
    assert (answer["in_both"], answer["entity"], answer["answers"]) == (NUM_USERS, "user", None)
    assert [level["sizes"] for level in answer["levels"]] == [[6, 6], [2, 2]]


def test_a_model_without_codes_has_no_levels_to_compare(client: TestClient, folder: Path) -> None:
    answer = diff(client, folder, "lists0", "plain")
    assert answer["levels"] == []
    assert answer["answers"]["calls"] == 50


def test_what_cannot_be_compared_is_refused(client: TestClient, folder: Path) -> None:
    one, two = id_of(folder, "lists0"), id_of(folder, "lists1")
    check_problem(client.get(f"/models/{one}/diff/nobody"), 404)
    check_problem(client.get(f"/models/{one}/diff/{one}"), 409)
    check_problem(client.get(f"/models/{one}/diff/{two}?entity=user"), 422, "entity")
    check_problem(client.get(f"/models/{one}/diff/{two}?k=0"), 422, "k")
