"""A model is compared with the one that is served, on the last calls, before it is activated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_artifact, make_click_artifact, make_preference_artifact
from tests.app.test_errors import check_problem

ADMIN = {"Authorization": "Bearer the-admin"}
LISTS, CLICKS, USERS = "list_completion", "click_through", "collaborative_filtering"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[TestClient]:
    """A server with two models for each task, which keeps three calls."""
    for make in (make_artifact, make_click_artifact, make_preference_artifact):
        for seed in (1, 2):
            make(tmp_path / f"{make.__name__}-{seed}", seed=seed)
    settings = Settings(artifacts=tmp_path, admin_key="the-admin", poll_seconds=60, recent_calls=3)
    with TestClient(create_app(settings)) as client:
        yield client


def models(client: TestClient, task: str) -> tuple[str, str]:
    """The model that is served for a task, and the other one."""
    found = [each for each in client.get("/models").json()["models"] if each["task"] == task]
    active, other = sorted(found, key=lambda model: not model["active"])
    return active["id"], other["id"]


def compare(client: TestClient, model: str, k: int = 10):
    return client.post(f"/models/{model}/compare?k={k}", headers=ADMIN)


def test_overlap_is_the_share_of_first_items_that_both_models_give(asked: TestClient) -> None:
    active, other = models(asked, LISTS)
    shares, first = [], []
    for body in ({"items": [1, 2]}, {"lists": [[3], [4, 5]]}, {"items": ["nobody"]}):
        answers = [
            asked.post("/complete-list", json=body | {"k": 6, "model": model}).json()
            for model in (active, other)
        ]
        asked.post("/complete-list", json=body | {"k": 6})
        if body == {"items": ["nobody"]}:  # the most popular items, whichever model is asked
            continue
        for pair in zip(*(each.get("results", [each]) for each in answers), strict=True):
            mine, theirs = ([item["item"] for item in each["items"][:4]] for each in pair)
            shares.append(len({*map(str, mine)} & {*map(str, theirs)}) / 4)
            first.append(mine[0] == theirs[0])
    found = compare(asked, other, k=4).json()
    assert (found["active"], found["task"]) == (active, LISTS)
    assert (found["calls"], found["failed"]) == (3, 0)
    assert found["overlap"] == pytest.approx(sum(shares) / 3)
    assert found["same_first"] == pytest.approx(sum(first) / 3)
    assert min(found["milliseconds"], found["active_milliseconds"]) > 0
    assert models(asked, LISTS) == (active, other), "a comparison changes nothing"


@pytest.mark.parametrize(
    ("task", "path", "body"),
    [
        (CLICKS, "/score-clicks", {"user": 101, "items": [1, 2, 3, 4, 5]}),
        (USERS, "/recommend-items", {"user": 101, "k": 5}),
    ],
)
def test_scored_and_recommended_items_are_compared_by_rank(
    asked: TestClient, task: str, path: str, body: dict
) -> None:
    active, other = models(asked, task)
    answers = [asked.post(path, json=body | {"model": model}).json() for model in (active, other)]
    value = "probability" if task == CLICKS else "score"
    ranked = [sorted(each["items"], key=lambda item: -item[value]) for each in answers]
    mine, theirs = ({str(item["item"]) for item in each[:2]} for each in ranked)
    asked.post(path, json=body)
    found = compare(asked, other, k=2).json()
    assert (found["active"], found["calls"], found["failed"]) == (active, 1, 0)
    assert found["overlap"] == len(mine & theirs) / 2


def test_calls_that_a_model_cannot_answer_are_counted(
    asked: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    active, other = models(asked, LISTS)
    for item in (1, 2, 3, 4):
        asked.post("/complete-list", json={"items": [item], "unknown": "error"})
    state = asked.app.state
    kept = [call.lists for call in state.serving.recent.of(state.serving.store.candidate(active))]
    assert kept == [[[2]], [[3]], [[4]]], "the oldest is let go"
    vocabulary = state.serving.store.candidate(other).items.vocabulary
    index_of = vocabulary.index_of
    monkeypatch.setattr(vocabulary, "index_of", lambda item: None if item == 3 else index_of(item))
    found = compare(asked, other).json()
    assert (found["calls"], found["failed"]) == (3, 1)


def test_calls_with_long_or_many_ids_are_not_kept(asked: TestClient) -> None:
    bodies = [{"items": ["x" * 990] * 60}, {"items": [1], "exclude": ["x" * 990] * 60},
              {"items": [1], "exclude": list(range(1000))}]  # fmt: skip
    for body in bodies:
        assert asked.post("/complete-list", json=body).is_success
    user = {"user": "x" * 990, "items": ["y" * 990] * 60}
    for path in ("/score-clicks", "/recommend-items"):
        assert asked.post(path, json=user).is_success
    state = asked.app.state
    for model in state.serving.store.served().values():
        assert state.serving.recent.of(model) == []


def test_there_must_be_calls_another_model_and_the_admin_key(asked: TestClient) -> None:
    active, other = models(asked, LISTS)
    asked.post("/complete-list", json={"items": [1], "model": active})
    asked.post("/complete-list", json={"lists": [[1] * 600] * 2})
    detail = check_problem(compare(asked, other), 409)["detail"]
    assert "nothing has been asked" in detail, "no call that names its model, no large one"
    asked.post("/complete-list", json={"items": [1]})
    assert compare(asked, other).status_code == 200
    assert "served already" in check_problem(compare(asked, active), 409)["detail"]
    check_problem(compare(asked, "nobody"), 404)
    check_problem(asked.post(f"/models/{other}/compare"), 403)
    asked.post(f"/models/{other}/activate", headers=ADMIN)
    check_problem(compare(asked, active), 409)


def test_a_model_that_came_later_is_found_and_one_that_is_broken_refused(
    asked: TestClient, tmp_path: Path
) -> None:
    later = make_artifact(tmp_path / "later", seed=3)
    asked.post("/complete-list", json={"items": [1]})
    assert compare(asked, later).json()["model"] == later
    broken = make_artifact(tmp_path / "broken", seed=4)
    (tmp_path / "broken" / "weights.safetensors").write_bytes(b"")
    assert "is damaged" in check_problem(compare(asked, broken), 409)["detail"]
