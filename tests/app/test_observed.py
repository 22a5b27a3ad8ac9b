"""Every request has an id and a line in the log; metrics say how the server does."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.logs import JsonLines


@contextmanager
def logged() -> Iterator[list[dict]]:
    """What is logged meanwhile, read as JSON."""
    lines: list[dict] = []
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    handler.setFormatter(JsonLines())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        lines += map(json.loads, stream.getvalue().splitlines())


def values(client: TestClient) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample of /metrics, by its name and the values of its labels."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(response.text)
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_sound_request_id_is_kept_and_every_other_request_gets_one(client: TestClient) -> None:
    given = client.get("/livez", headers={"X-Request-ID": "shop-42.a_b"})
    assert given.headers["x-request-id"] == "shop-42.a_b"
    made = {client.get("/livez", headers={"X-Request-ID": each}).headers["x-request-id"]
            for each in ("", "two words", "x" * 101, '"}{"')}  # fmt: skip
    assert len(made) == 4
    assert all(len(each) == 32 for each in made)
    assert client.get("/nowhere").headers["x-request-id"]


def test_a_request_is_one_line_that_holds_neither_query_nor_key(client: TestClient) -> None:
    headers = {"X-Request-ID": "r1", "Authorization": "Bearer a-secret"}
    with logged() as lines:
        client.get("/items/1?search=something", headers=headers)
        client.get("/items/%0a%22injected", headers=headers)
    found = [line for line in lines if line["logger"] == "cove.access"]
    assert [(line["path"], line["status"], line["method"]) for line in found] == [
        ("/items/1", 200, "GET"), ('/items/\n"injected', 404, "GET"),
    ]  # fmt: skip
    assert all(line["request"] == "r1" and line["milliseconds"] >= 0 for line in found)
    assert "something" not in str(found)
    assert "a-secret" not in str(lines)


def test_an_exception_is_logged_on_one_line() -> None:
    try:
        raise ValueError("wrong\nagain")
    except ValueError:
        record = logging.getLogger("any").makeRecord(
            "any", logging.ERROR, "", 0, "it failed", (), sys.exc_info()
        )
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError: wrong" in json.loads(line)["exception"]


def test_metrics_count_requests_batches_unknown_ids_and_fallbacks(client: TestClient) -> None:
    before = values(client)
    client.post("/complete-list", json={"lists": [[1], ["nobody"], [2, "else"]]})
    client.post("/complete-list", json={"items": [1], "k": 0})
    client.get("/nowhere/at/all")
    after = values(client)

    def grown(name: str, *labels: str) -> float:
        key = (name, frozenset(labels))
        return after[key] - before.get(key, 0)

    assert grown("cove_http_requests_total", "POST", "/complete-list", "200") == 1
    assert grown("cove_http_requests_total", "POST", "/complete-list", "422") == 1
    assert grown("cove_http_requests_total", "GET", "other", "404") == 1
    assert grown("cove_http_request_duration_seconds_count", "/complete-list") == 2
    assert grown("cove_inference_duration_seconds_count", "list_completion") == 1
    assert grown("cove_batch_size_sum", "list_completion") == 3
    assert grown("cove_unknown_ids_total", "list_completion") == 2
    assert grown("cove_fallback_total", "popularity") == 1
    assert after["cove_queue_size", frozenset()] == 0


def test_metrics_name_the_served_models_and_how_their_codes_are_used(
    all_client: TestClient,
) -> None:
    found = values(all_client)
    models = all_client.get("/readyz").json()["models"]
    for task, model in models.items():
        recommender = model.split("-")[0]
        assert found["cove_model_info", frozenset({task, model, recommender, "toy"})] == 1
    levels = all_client.get("/codes").json()["levels"]
    for level in levels:
        name = frozenset({models["list_completion"], "item", str(level["level"])})
        assert found["cove_codebook_used_ratio", name] == level["used"] / level["size"]
        assert found["cove_codebook_perplexity", name] == pytest.approx(level["perplexity"])
