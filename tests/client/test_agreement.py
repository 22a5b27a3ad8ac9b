"""The client's types against the server's description of itself."""

import re
from typing import Any

import httpx
import pytest
from cove_client import browsing, calls, recommending, records
from cove_client.base import Answer

STANDS_FOR = {
    "EntitySummary": [
        "ItemSummary", "UserSummary", "SimilarItem", "SimilarUser", "FoundItem", "FoundUser",
    ],
}  # fmt: skip
"""A client's type that stands for several of the server's."""
NOT_CALLED = {"/livez", "/metrics", "/models/{model_id}/card"}
"""What is for the machines around a server, and a page for people."""
TYPES = {
    name: found
    for module in (recommending, browsing, records)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, Answer) and found is not Answer
}


@pytest.fixture(scope="module")
def schemas(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/openapi.json").json()["components"]["schemas"]
    return found


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_the_servers_fields_and_asks_for_none_that_may_be_missing(
    name: str, schemas: dict[str, Any]
) -> None:
    theirs = [schemas[other] for other in STANDS_FOR.get(name, [name])]
    ours = TYPES[name].model_json_schema(mode="validation")
    assert set(ours["properties"]) == set().union(*(each["properties"] for each in theirs))
    for each in theirs:
        assert set(ours.get("required", [])) <= set(each.get("required", []))


def test_every_call_of_the_server_is_a_call_of_the_client(address: str) -> None:
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    patterns = {path: re.compile(re.sub(r"{\w+}", "[^/]+", path)) for path in paths}
    made = [
        calls.complete_list([1]), calls.score_clicks(1, [1]), calls.recommend_items(1),
        calls.levels(), calls.labels(), calls.tree(), calls.codes(1), calls.code(1, 2),
        calls.code_items(1, 2), calls.label_code(1, 2, "name"), calls.quality(),
        calls.entity_map(),
        calls.item(1), calls.search_items(), calls.user(1), calls.search_users(),
        calls.runs(), calls.run("a"), calls.run_metrics("a"), calls.models(), calls.model("a"),
        calls.diff("a", "b"), calls.compare("a"), calls.activate("a"), calls.rollback(),
        calls.ready(),
    ]  # fmt: skip
    called = {
        path
        for path, pattern in patterns.items()
        if any(call.method.lower() in paths[path] and pattern.fullmatch(call.path) for call in made)
    }
    assert set(paths) - called == NOT_CALLED
