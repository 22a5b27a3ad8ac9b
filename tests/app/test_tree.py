"""GET /codes/tree, the order of a level's codes, their true categories, what users had."""

import pytest
import torch
from fastapi.testclient import TestClient

from app.services.true_categories import TrueCategories
from cove.artifact import read_artifact
from tests.app.conftest import IDS, TITLES
from tests.app.test_browsing import get
from tests.app.test_errors import check_problem


def test_the_tree_holds_what_the_levels_hold_one_by_one(client: TestClient) -> None:
    tree = get(client, "/codes/tree")["levels"]
    assert [level["level"] for level in tree] == [1, 2]
    for level in tree:
        codes = get(client, f"/codes/{level['level']}?examples=1")["codes"]
        assert level["sizes"] == [each["size"] for each in codes]
        named = [
            example["title"] or str(example["item"])
            for each in codes
            for example in each["examples"]
        ]
        assert [example for example in level["examples"] if example is not None] == named
        assert [e is None for e in level["examples"]] == [size == 0 for size in level["sizes"]]
    parents = [each["parent"] for each in get(client, "/codes/1")["codes"]]
    assert tree[0]["parents"] == parents
    assert tree[1]["parents"] is None


def test_the_closeness_of_a_code_is_the_mean_distance_of_its_items(client: TestClient) -> None:
    for each in get(client, "/codes/1")["codes"]:
        items = get(client, f"/codes/1/{each['code']}/items?sort=closeness&limit=100")["items"]
        distances = [item["distance"] for item in items]
        mean = sum(distances) / len(distances) if distances else None
        assert each["closeness"] == (None if mean is None else pytest.approx(mean, abs=1e-5))


@pytest.mark.parametrize("sort", ["code", "size", "popularity", "closeness"])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_level_comes_in_either_order_with_empty_codes_last_by_closeness(
    client: TestClient, sort: str, order: str
) -> None:
    codes = get(client, f"/codes/1?sort={sort}&order={order}")["codes"]
    values = [each[sort] for each in codes if each[sort] is not None]
    assert values == sorted(values, reverse=order == "descending")
    assert all(each[sort] is None for each in codes[len(values) :])


def test_an_order_that_there_is_not_names_the_field(client: TestClient) -> None:
    check_problem(client.get("/codes/1?order=sideways"), 422, "order")


def test_the_shares_of_true_categories_are_those_of_a_code_s_items() -> None:
    """Items 0 to 3 with codes 0, 0, 1, 1: code 0 is all Drama and half War, code 1 half War."""
    categories = TrueCategories([["Drama"], ["War", "Drama"], ["War"], []])

    class Level:
        number, size = 1, 3
        codes, sizes = torch.tensor([0, 0, 1, 1]), torch.tensor([2, 2, 0])

    def shares(code: int, limit: int | None = None) -> list[tuple[str, float]]:
        return [(each.category, each.share) for each in categories.shares(Level, code, limit)]

    assert categories.names == ["Drama", "War"]
    assert shares(0) == [("Drama", 1.0), ("War", 0.5)]
    assert shares(0, limit=1) == [("Drama", 1.0)]
    assert shares(1) == [("War", 0.5)]
    assert shares(2) == []


def test_a_code_tells_its_true_categories_where_the_data_have_some(
    client: TestClient, click_client: TestClient
) -> None:
    assert get(client, "/codes")["categories"] == ["Drama"]
    code = get(client, "/codes/1?sort=size")["codes"][0]
    assert code["categories"] == [{"category": "Drama", "share": 1.0}]
    assert get(client, f"/codes/1/{code['code']}")["categories"] == code["categories"]
    assert "categories" not in get(click_client, "/codes")
    assert get(click_client, "/codes/1/0")["categories"] is None


def test_a_user_s_history_is_what_training_had_the_most_popular_first(
    preference_client: TestClient, preference_artifacts, click_client: TestClient
) -> None:
    artifact = read_artifact(preference_artifacts / "recommend")
    assert artifact.users is not None
    assert artifact.users.seen is not None
    rows = sorted(artifact.users.seen.of(16).tolist())  # the toy's popularity falls with the rows
    history = get(preference_client, "/users/u/1")["history"]
    assert [each["item"] for each in history] == [IDS[row] for row in rows]
    assert [each["title"] or "" for each in history] == [TITLES[row] for row in rows]
    assert get(click_client, "/users/u/1")["history"] is None
