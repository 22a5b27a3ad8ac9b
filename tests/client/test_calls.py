"""Every call of the client against the server itself."""

import asyncio
import inspect

import httpx
import pytest
from cove_client import (
    AsyncClient,
    Client,
    ClientError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
    calls,
)
from cove_client.errors import FieldError

from tests.servers import ADMIN_KEY


def test_a_list_is_completed_with_its_reasons(cove: Client) -> None:
    answer = cove.complete_list([1, "2", "nobody"], k=3, explain=True, exclude=[4])
    assert answer.source == "model"
    assert answer.unknown_items == ["nobody"]
    assert len(answer.items) == 3
    assert not {1, 2, 4} & {item.item for item in answer.items}
    assert all(item.shared_codes is not None for item in answer.items)
    assert answer.items[0].score >= answer.items[1].score
    assert {item.item for item in cove.complete_list([1], allow=[7, 9]).items} == {7, 9}


def test_many_lists_are_completed_in_their_order(cove: Client) -> None:
    answer = cove.complete_lists([[1], [2, 3]], k=2)
    for items, result in zip(([1], [2, 3]), answer.results, strict=True):
        assert result.items == cove.complete_list(items, k=2).items


def test_clicks_are_scored_and_items_recommended(cove: Client) -> None:
    scores = cove.score_clicks(101, [1, "new"], explain=True)
    assert [item.known for item in scores.items] == [True, False]
    assert scores.known_user
    found = cove.recommend_items(103, k=2, explain=True)
    assert (found.known_user, found.source, len(found.items)) == (True, "model", 2)
    assert found.items[0].nearest_seen


def test_codes_are_browsed_down_to_their_items_page_by_page(cove: Client) -> None:
    level = cove.levels().levels[0]
    codes = cove.codes(level.level, sort="size", limit=1, examples=1)
    assert (codes.total, len(codes.codes), codes.next) == (level.size, 1, 1)
    largest = codes.codes[0]
    detail = cove.code(1, largest.code)
    assert (detail.size, detail.parent) == (largest.size, largest.parent)
    page = cove.code_items(1, largest.code, limit=1)
    found = [page.items[0].item]
    while page.next:
        page = cove.code_items(1, largest.code, limit=1, cursor=page.next)
        found.append(page.items[0].item)
    assert len(set(found)) == largest.size
    assert all(cove.item(each or "").codes[0] == largest.code for each in found)
    users = cove.code_items(1, cove.user(101).codes[0], entity="user")
    assert any(each.user == 101 for each in users.items)


@pytest.mark.parametrize("name", ["a/b", "ünï", "<b>", "007"])
def test_odd_ids_are_found_as_they_are(cove: Client, name: str) -> None:
    assert cove.item(name).item == name
    assert any(each.item == name for each in cove.search_items(name).items)


def test_users_models_and_runs_are_told(cove: Client) -> None:
    assert [each.user for each in cove.search_users("u/1").users] == ["u/1"]
    health = cove.ready()
    assert health.models
    models = cove.models().models
    assert {each.id for each in models if each.active} == set(health.models.values())
    assert cove.model(models[0].id).manifest["id"] == models[0].id
    assert cove.runs(state="failed").runs == []
    for call in (cove.run, cove.run_metrics):
        with pytest.raises(ProblemError, match="404 Not Found: there is no run"):
            call("nobody")


def test_models_are_compared_and_switched_with_the_admin_key_alone(
    cove: Client, address: str
) -> None:
    lists = [each for each in cove.models().models if each.task == "list_completion"]
    (active,) = (each.id for each in lists if each.active)
    (other,) = (each.id for each in lists if not each.active)
    cove.complete_list([1])
    for call in (cove.compare, cove.activate):
        with pytest.raises(ProblemError, match="403 Forbidden"):
            call(other)
    with Client(address, key=ADMIN_KEY) as admin:
        assert admin.compare(other, k=3).calls
        assert cove.diff(active, other, moves=1).levels[0].sizes == [12, 12]
        assert admin.activate(other).active
        assert cove.complete_list([1]).model == other
        with pytest.raises(ProblemError, match=r"422 .*: task: say which has to go back"):
            admin.rollback()
        assert admin.rollback("list_completion").id == active
        with pytest.raises(ProblemError, match="409 Conflict: no model was active before"):
            admin.rollback("list_completion")


def test_a_model_is_seen_as_a_whole(cove: Client) -> None:
    found = cove.quality()
    assert found.quality is not None
    assert found.quality.levels[0].sets[0].codes == "learned"
    assert cove.quality(entity="user").quality is None
    points = cove.entity_map(limit=5)
    assert points.total > len(points.ids) == len(points.x) == len(points.codes[0]) == 5


def test_a_code_is_named_with_the_admin_key_alone(cove: Client, address: str) -> None:
    with pytest.raises(ProblemError, match="403 Forbidden"):
        cove.label_code(1, 2, "Noir")
    with Client(address, key=ADMIN_KEY) as admin:
        assert admin.label_code(1, 2, "Noir").label == "Noir"
        (named,) = cove.labels().labels
        assert (named.level, named.code, named.label) == (1, 2, "Noir")
        assert cove.levels().levels[0].labelled == 1
        assert admin.label_code(1, 2, "").label is None
    assert cove.labels().labels == []


def test_a_refused_call_raises_the_problem_with_its_fields(cove: Client) -> None:
    with pytest.raises(ProblemError) as raised:
        cove.complete_list([1], k=0)
    assert raised.value.status == 422
    assert raised.value.errors == (FieldError("k", "Input should be greater than or equal to 1"),)
    assert str(raised.value) == f"422 {raised.value.title}: {raised.value.detail}"


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with (
        Client("http://127.0.0.1:9") as cove,
        pytest.raises(UnreachableError, match=r"no answer from http://127\.0\.0\.1:9: .*refused"),
    ):
        cove.ready()


def test_an_answer_that_is_not_the_servers_own_says_so() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with (
        Client("http://proxy", transport=page) as cove,
        pytest.raises(UnexpectedAnswerError, match=r"^http://proxy/readyz gave an answer"),
    ):
        cove.ready()
    problem = {"title": "Bad Gateway", "detail": "no upstream", "errors": None}
    kind = {"content-type": "application/problem+json"}
    failing = httpx.MockTransport(lambda _: httpx.Response(502, json=problem, headers=kind))
    with (
        Client("http://proxy", transport=failing) as cove,
        pytest.raises(ProblemError, match="502 Bad Gateway: no upstream"),
    ):
        cove.ready()


def test_a_key_is_sent_without_its_line_end_and_one_that_cannot_be_sent_is_not_shown() -> None:
    sent: list[str] = []
    echo = httpx.MockTransport(
        lambda request: sent.append(request.headers["authorization"]) or httpx.Response(503)
    )
    with (
        Client("http://here", key="secret\n", transport=echo) as cove,
        pytest.raises(ProblemError),
    ):
        cove.ready()
    assert sent == ["Bearer secret"]
    for key in ("sécret", "sec\nret"):
        with pytest.raises(ClientError) as raised:
            Client("http://here", key=key)
        assert "ret" not in str(raised.value)


def test_the_async_client_gives_the_same_answers_and_errors(cove: Client, address: str) -> None:
    async def ask() -> None:
        async with AsyncClient(address) as awaited:
            first, second = await asyncio.gather(
                awaited.complete_list([1], k=2), awaited.item("a/b")
            )
            assert first == cove.complete_list([1], k=2)
            assert second == cove.item("a/b")
            with pytest.raises(ProblemError, match="404"):
                await awaited.item("nobody")
        async with AsyncClient("http://127.0.0.1:9") as nowhere:
            with pytest.raises(UnreachableError):
                await nowhere.ready()

    asyncio.run(ask())


def test_both_clients_have_every_call_with_its_parameters_and_words() -> None:
    made = {
        name: value
        for name, value in vars(calls).items()
        if inspect.isfunction(value) and value.__module__ == calls.__name__ and name[0] != "_"
    }
    for client in (Client, AsyncClient):
        for name, call in made.items():
            method = getattr(client, name)
            assert method.__doc__ == call.__doc__
            assert inspect.signature(method) == inspect.signature(call)
