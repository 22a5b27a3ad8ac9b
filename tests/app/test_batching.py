"""Calls that wait for a model are computed together, and answered as if each were alone."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.services import batching
from app.services.batching import Batcher, stop_if_given_up
from app.services.completion import CompletionOptions, ListsQuestion, complete_lists
from app.services.errors import BusyError, NotFoundError
from app.services.recommending import RecommendationOptions, UserQuestion, recommend_items
from app.services.scoring import PairsQuestion, score_clicks
from app.services.served_model import ServedModel
from app.settings import Settings
from cove.artifact import read_artifact
from cove.recommenders import CLICKS, LISTS, PREFERENCES, recommenders_for
from tests.app.conftest import (
    IDS,
    USER_IDS,
    make_artifact,
    make_click_artifact,
    make_preference_artifact,
)
from tests.app.test_errors import check_problem

LISTS_GIVEN: list[list[str | int]] = [[1, 2, 3], [], ["nobody"], IDS[3:40], [9, "a/b", 9], [5]]


def without_scores(answer: Any) -> Any:
    """An answer as plain values, its scores set apart: sums in another order differ in the last
    digits."""
    if isinstance(answer, list):
        return [without_scores(each) for each in answer]
    if isinstance(answer, dict):
        kept = {k: without_scores(v) for k, v in answer.items()}
        scores = {"score", "probability", "similarity"}
        return {k: pytest.approx(v, abs=1e-5) if k in scores else v for k, v in kept.items()}
    return answer


def same(together: Sequence[Any], alone: Sequence[Any]) -> None:
    for one, other in zip(together, alone, strict=True):
        if isinstance(one, list):
            same(one, other)
        else:
            assert one.model_dump() == without_scores(other.model_dump())


@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_lists_completed_together_are_those_completed_alone(tmp_path: Path, name: str) -> None:
    make_artifact(tmp_path / name, recommender_name=name)
    model = ServedModel(read_artifact(tmp_path / name))
    options = [
        CompletionOptions(k=6, exclude=excluded, explain=place % 2 == 0)
        for place, excluded in enumerate([(), [4], IDS[:20], ["nobody"], (), [5, 6]])
    ]
    questions = [
        ListsQuestion(model, [one], each) for one, each in zip(LISTS_GIVEN, options, strict=True)
    ]
    together = ListsQuestion.answer(questions)
    alone = [complete_lists(model, each.lists, each.options) for each in questions]
    same(together, alone)


def test_what_one_question_gets_wrong_is_told_to_it_alone(artifacts: Path) -> None:
    model = ServedModel(read_artifact(artifacts / "toy"))
    strict = CompletionOptions(unknown="error")
    answers = ListsQuestion.answer(
        [ListsQuestion(model, [[1], ["nobody"]], strict), ListsQuestion(model, [[1]], strict)]
    )
    assert isinstance(answers[0], NotFoundError)
    same([answers[1]], [complete_lists(model, [[1]], strict)])


@pytest.mark.parametrize("name", recommenders_for(CLICKS))
def test_pairs_scored_together_are_those_scored_alone(tmp_path: Path, name: str) -> None:
    sizes = {} if name != "logistic_regression" else {"item_sizes": (), "user_sizes": ()}
    make_click_artifact(tmp_path / name, recommender_name=name, **sizes)
    model = ServedModel(read_artifact(tmp_path / name))
    asked = [(101, [1, 2, "nobody"]), ("nobody", [3]), ("ünï", []), (102, IDS)]
    together = PairsQuestion.answer([PairsQuestion(model, *each, explain=True) for each in asked])
    same(together, [score_clicks(model, *each, explain=True) for each in asked])


@pytest.mark.parametrize("name", recommenders_for(PREFERENCES))
def test_users_recommended_to_together_get_what_each_gets_alone(tmp_path: Path, name: str) -> None:
    make_preference_artifact(tmp_path / name, recommender_name=name)
    make_artifact(tmp_path / "lists")
    model, completer = (ServedModel(read_artifact(tmp_path / each)) for each in (name, "lists"))
    asked = [(user, [1, 2] if user == 103 else []) for user in (*USER_IDS[:8], "nobody")]
    for changes in ({}, {"include_seen": True}, {"exclude": [3, 4]}, {"explain": True}):
        options = RecommendationOptions(k=7, **changes)
        questions = [UserQuestion(model, *each, options, completer) for each in asked]
        alone = [recommend_items(model, *each, options, completer) for each in asked]
        same(UserQuestion.answer(questions), alone)


@dataclass
class Asked:
    """A question that records with which others it was answered."""

    name: str
    alike: object = "same"
    size: int = 1
    model: Any = field(default_factory=lambda: SimpleNamespace(id="m", task="t"))
    batches: list[list[str]] = field(default_factory=list)
    gate: threading.Event | None = None
    fail: Callable[[list[str]], bool] = lambda names: False

    @classmethod
    def answer(cls, questions: Sequence["Asked"]) -> list[str]:
        names = [each.name for each in questions]
        questions[0].batches.append(names)
        if questions[0].gate is not None:
            assert questions[0].gate.wait(5)
        if any(each.fail(names) for each in questions):
            raise RuntimeError(f"not {names}")
        return [name.upper() for name in names]


def answers(*questions: Asked, max_batch: int = 4, max_queue: int = 10) -> list[Any]:
    """What a batcher answers to questions asked at the same time."""

    async def ask() -> list[Any]:
        batcher = Batcher(max_batch, max_queue)
        try:
            return await asyncio.gather(*map(batcher.ask, questions), return_exceptions=True)
        finally:
            batcher.close()

    return asyncio.run(ask())


def test_questions_that_are_alike_are_answered_together_in_their_order() -> None:
    batches: list[list[str]] = []
    sizes = {"a": 1, "b": 1, "x": 9, "c": 2, "d": 1, "e": 3}
    questions = [Asked(name, "own" if name == "d" else "same", size, batches=batches)
                 for name, size in sizes.items()]  # fmt: skip
    assert answers(*questions) == ["A", "B", "X", "C", "D", "E"]
    assert batches == [["a", "b", "c"], ["x"], ["d"], ["e"]]


def test_a_question_that_fails_takes_no_other_with_it() -> None:
    batches: list[list[str]] = []
    questions = [Asked(name, batches=batches, fail=lambda names: "b" in names) for name in "abc"]
    first, second, third = answers(*questions)
    assert (first, third) == ("A", "C")
    assert isinstance(second, RuntimeError)
    assert batches == [["a", "b", "c"], ["a"], ["b"], ["c"]]


def test_more_than_may_wait_are_refused_and_who_gave_up_is_not_computed() -> None:
    async def ask() -> None:
        batcher, gate, batches = Batcher(4, 2), threading.Event(), []
        running = asyncio.create_task(batcher.ask(Asked("a", gate=gate, batches=batches)))
        while not batches:
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(batcher.ask(Asked(n, batches=batches))) for n in "bc"]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="2 calls wait already"):
            await batcher.ask(Asked("d"))
        waiting[0].cancel()
        await asyncio.sleep(0)
        gate.set()
        assert (await running, await waiting[1]) == ("A", "C")
        assert batches == [["a"], ["c"]]
        batcher.close()

    asyncio.run(ask())


def test_what_nobody_waits_for_any_more_is_not_computed_to_the_end() -> None:
    @dataclass
    class Endless(Asked):
        @classmethod
        def answer(cls, questions: Sequence[Asked]) -> list[str]:
            questions[0].batches.append([each.name for each in questions])
            while True:
                stop_if_given_up()
                time.sleep(0.001)

    async def ask() -> None:
        batcher, batches = Batcher(4, 10), []
        first, second = (
            asyncio.create_task(batcher.ask(Endless(name, batches=batches))) for name in "ab"
        )
        while not batches:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.sleep(0.01)
        after = asyncio.create_task(batcher.ask(Asked("c", batches=batches)))
        await asyncio.sleep(0.01)
        assert not after.done()  # one of the two still waits
        second.cancel()
        assert await after == "C"
        assert batches == [["a", "b"], ["c"]]
        batcher.close()

    stop_if_given_up()  # where no call is computed, nobody gave up
    asyncio.run(asyncio.wait_for(ask(), 30))


def test_answers_go_out_first_where_few_wait_and_what_is_asked_next_joins_them() -> None:
    async def ask() -> list[list[str]]:
        batcher, gate, batches = Batcher(8, 10), threading.Event(), []

        async def twice(name: str) -> None:
            await batcher.ask(Asked(name, gate=gate, batches=batches))
            await batcher.ask(Asked(name.upper(), gate=gate, batches=batches))

        running = [asyncio.create_task(twice(name)) for name in "abcd"]
        while not batches:
            await asyncio.sleep(0.001)
        running.append(asyncio.create_task(twice("e")))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*running)
        batcher.close()
        return batches

    assert asyncio.run(ask()) == [["a", "b", "c", "d"], ["e", "A", "B", "C", "D"], ["E"]]


def test_the_event_loop_holds_still_for_what_is_soon_computed_alone(monkeypatch) -> None:
    async def turns_meanwhile(held: float) -> int:
        monkeypatch.setattr(batching, "_HELD_SECONDS", held)
        batcher, gate, turns = Batcher(1, 1), threading.Event(), 0
        asked = asyncio.create_task(batcher.ask(Asked("a", gate=gate)))
        threading.Timer(0.2, gate.set).start()
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        batcher.close()
        return turns

    assert asyncio.run(turns_meanwhile(held=5)) <= 2
    assert asyncio.run(turns_meanwhile(held=0.01)) > 2


def test_a_full_queue_is_a_429_and_a_slow_answer_a_503(artifacts: Path, monkeypatch) -> None:
    gate = threading.Event()
    settings = Settings(artifacts=artifacts, max_queue=1, request_timeout_seconds=0.5)
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(8) as clients:
        recommender = client.app.state.serving.store.active(LISTS).recommender
        whole = recommender.complete
        monkeypatch.setattr(recommender, "complete", lambda *args: (gate.wait(5), whole(*args))[1])
        asked = [clients.submit(client.post, "/complete-list", json={"items": [1]})
                 for _ in range(8)]  # fmt: skip
        found = [each.result() for each in asked]
        for response in found:
            check_problem(response, 429 if response.status_code == 429 else 503)
            assert response.headers["retry-after"]
        assert {response.status_code for response in found} == {429, 503}
        gate.set()
        assert client.post("/complete-list", json={"items": [1]}).status_code == 200
