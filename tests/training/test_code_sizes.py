"""How many codes there are, asked for or not."""

import pytest

from cove.recommenders import CLICKS, LISTS, PREFERENCES
from training.code_sizes import fitting_sizes, suggested_sizes


@pytest.mark.parametrize(
    ("entities", "task", "expected"),
    [
        (6264, LISTS, (1044, 104, 10)),
        (1641, CLICKS, (136, 13)),
        (1_000_000, PREFERENCES, (8192, 819, 81, 8)),
        (5, LISTS, (1,)),
    ],
)
def test_there_are_as_many_codes_as_a_task_prefers_and_ever_fewer(
    entities: int, task: str, expected: tuple[int, ...]
) -> None:
    assert suggested_sizes(entities, task) == expected


@pytest.mark.parametrize(
    ("sizes", "entities", "expected"),
    [
        ((8000,), 11876, (7917,)),
        ((500, 10), 6000, (500, 10)),
        ((500, 400, 10), 300, (200, 10)),
        ((5,), 1, (1,)),
    ],
)
def test_there_are_at_most_two_thirds_as_many_codes_as_entities(
    sizes: tuple[int, ...], entities: int, expected: tuple[int, ...]
) -> None:
    assert fitting_sizes(sizes, entities) == expected
