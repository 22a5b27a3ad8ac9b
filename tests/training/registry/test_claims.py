"""Work is one process's at a time, until that process lets go of it, ends or falls silent."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from training.registry.claims import Claims
from training.registry.database import for_writing, open_registry, upgrade
from training.registry.models import Claim


@pytest.fixture
def two(url: str) -> Iterator[tuple[Claims, Claims]]:
    """Two holders of one registry; neither beats by itself."""
    upgrade(url)
    with ExitStack() as stack:
        one, other = (stack.enter_context(Claims(url, beat_seconds=3600)) for _ in range(2))
        yield one, other


def change(url: str, **values: object) -> None:
    """Alter every claim behind its holder's back."""
    engine = for_writing(open_registry(url))
    with engine.begin() as connection:
        connection.execute(update(Claim).values(**values))
    engine.dispose()


def test_what_one_has_taken_the_other_gets_when_it_is_released(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.take("a")
    assert not other.take("a")
    assert not one.take("a")
    assert other.take("b")
    other.release("a")  # not its own: nothing happens
    assert not other.take("a")
    one.release("a")
    assert other.take("a")


def test_who_leaves_lets_go_of_everything(url: str) -> None:
    upgrade(url)
    with Claims(url) as one:
        assert one.take("a")
        assert one.take("b")
    with Claims(url) as other:
        assert other.take("a")
        assert other.take("b")


def test_the_claim_of_a_process_that_ended_on_this_machine_is_free_at_once(
    two: tuple[Claims, Claims], url: str
) -> None:
    one, other = two
    assert one.take("a")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    change(url, pid=ended.pid)
    assert other.take("a")
    one.release("a")
    assert not one.take("a")


def test_a_holder_elsewhere_is_dead_once_it_was_silent_for_two_minutes(
    two: tuple[Claims, Claims], url: str
) -> None:
    one, other = two
    assert one.take("a")
    change(url, host="elsewhere")
    assert not other.take("a")
    change(url, heartbeat_at=datetime.now(UTC) - timedelta(seconds=110))
    assert not other.take("a")
    change(url, heartbeat_at=datetime.now(UTC) - timedelta(seconds=130))
    one.beat()
    assert not other.take("a")
    change(url, heartbeat_at=datetime.now(UTC) - timedelta(seconds=130))
    assert other.take("a")


def test_a_claim_is_renewed_while_its_holder_is_there(url: str) -> None:
    upgrade(url)
    engine = open_registry(url)
    with closing(engine.connect()) as reader, Claims(url, beat_seconds=0.01) as one:
        assert one.take("a")
        change(url, heartbeat_at=datetime(2020, 1, 1, tzinfo=UTC))
        while reader.scalar(select(Claim.heartbeat_at)).year == 2020:
            reader.rollback()
    engine.dispose()


def test_of_many_who_ask_at_once_one_gets_it(url: str) -> None:
    upgrade(url)
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        holders = [stack.enter_context(Claims(url, beat_seconds=3600)) for _ in range(4)]
        for key in ("a", "b", "c"):
            assert sum(pool.map(lambda holder, key=key: holder.take(key), holders)) == 1
        change(url, host="elsewhere", heartbeat_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert sum(pool.map(lambda holder: holder.take("b"), holders)) == 1
