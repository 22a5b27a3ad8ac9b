"""A call that is asked again, word by word, is answered from memory where that is wanted."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

from fastapi.testclient import TestClient

from app.main import create_app
from app.services.answer_cache import Answer, AnswerCache
from app.settings import Settings
from cove.recommenders import LISTS
from tests.app.conftest import make_artifact
from tests.app.test_observed import values

ADMIN = {"Authorization": "Bearer the-admin"}


def test_the_answers_used_last_are_kept_up_to_a_size() -> None:
    made: list[str] = []

    async def ask() -> None:
        cache = AnswerCache(2_100)  # two answers of 500 bytes, and what Python has around them

        async def answer(key: str, size: int = 500) -> bytes:
            async def make() -> Answer:
                made.append(key)
                return Answer(key[:1].encode() * size)

            return (await cache.get(lambda: key, make)).content

        for key in "abacab":  # b is the one used longest ago when c comes
            assert await answer(key) == key.encode() * 500
        assert made == ["a", "b", "c", "b"]
        assert len(await answer("z", 2_000)) == 2_000
        await answer("z", 2_000)
        assert made[4:] == ["z", "z"], "what is larger than all of it is not kept"
        await answer("b")
        assert len(made) == 6

    asyncio.run(ask())


def test_long_questions_with_short_answers_take_little_memory() -> None:
    async def ask() -> int:
        cache = AnswerCache(50_000)

        async def make() -> Answer:
            return Answer(b"{}")

        tracemalloc.start()
        for number in range(400):
            await cache.get(lambda number=number: f"{number}" * 100_000, make)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return used

    assert asyncio.run(ask()) < 100_000


def test_a_cache_that_is_off_does_not_ask_what_an_answer_is_kept_by() -> None:
    async def ask() -> bytes:
        async def make() -> Answer:
            return Answer(b"made")

        def name() -> str:
            raise AssertionError("the name of an answer costs as much as reading the request")

        return (await AnswerCache(0).get(name, make)).content

    assert asyncio.run(ask()) == b"made"


def test_an_answer_from_memory_is_counted_and_compared_on_like_a_new_one(tmp_path: Path) -> None:
    model = make_artifact(tmp_path / "one")
    settings = Settings(artifacts=tmp_path, cache_bytes=10_000)
    with TestClient(create_app(settings)) as client:
        counts = []
        for _ in range(3):
            assert client.post("/complete-list", json={"items": ["nobody", "none"]}).is_success
            found = values(client)
            counts.append(
                (found["cove_unknown_ids_total", frozenset({LISTS})],
                 found["cove_fallback_total", frozenset({"popularity"})])
            )  # fmt: skip
        first, second, third = counts
        assert [b - a for a, b in zip(first, second, strict=True)] == [2, 1]
        assert [b - a for a, b in zip(second, third, strict=True)] == [2, 1]
        served = client.app.state.serving.store.active(LISTS)
        assert served.id == model
        assert len(client.app.state.serving.recent.of(served)) == 3


def test_a_cache_is_off_by_default_and_never_gives_another_models_answer(tmp_path: Path) -> None:
    for seed in (1, 2):
        make_artifact(tmp_path / str(seed), seed=seed)
    for size, computed in ((0, 2), (10_000, 1)):
        settings = Settings(artifacts=tmp_path, admin_key="the-admin", cache_bytes=size)
        with TestClient(create_app(settings)) as client:
            body = {"items": [1, 2], "k": 3}
            model = client.app.state.serving.store.active(LISTS)
            calls, whole = [], model.recommender.complete
            model.recommender.complete = lambda *a, c=calls, w=whole: (c.append(1), w(*a))[1]
            first, second = (client.post("/complete-list", json=body).json() for _ in range(2))
            assert first == second
            assert len(calls) == computed
            (other,) = {m["id"] for m in client.get("/models").json()["models"]} - {model.id}
            assert client.post(f"/models/{other}/activate", headers=ADMIN).status_code == 200
            assert client.post("/complete-list", json=body).json()["model"] == other
