"""Chromium, servers of real models and real runs, and a page that may not complain."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_preference_artifact
from tests.training.worlds import (
    click_settings,
    planted_clicks,
    planted_file,
    run_at,
    small_settings,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
ADMIN_KEY = "the-admin"

Opening = Callable[..., AbstractContextManager[Page]]


@contextmanager
def serve(artifacts: Path, **settings: object) -> Iterator[str]:
    """A server on a free port, for as long as the block lasts."""
    app = create_app(Settings(artifacts=artifacts, **settings))
    config = uvicorn.Config(app, port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the server did not start"
        assert thread.is_alive(), "the server failed to start"
        time.sleep(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, one for all tests of the pages; it ends with them, for as long as it runs
    no other test can start an event loop."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models for lists and one for clicks, trained here with their runs recorded, and one for
    recommendations whose items have odd ids and titles."""
    root = tmp_path_factory.mktemp("trained")
    data = tmp_path_factory.mktemp("files")
    lists, clicks = planted_file(data), planted_clicks(data)
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    run_at(root / "lists", small_settings(lists))
    run_at(root / "better", small_settings(lists, seed=1, epochs=4))
    run_at(root / "clicks", click_settings(clicks))
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)
    make_preference_artifact(root / "recommend")
    return root


@pytest.fixture(scope="package")
def site(trained: Path) -> Iterator[str]:
    """Where a server of all the trained models listens."""
    with serve(trained, admin_key=ADMIN_KEY, poll_seconds=0.1) as address:
        yield address


@pytest.fixture(scope="package")
def lists_site(artifacts: Path) -> Iterator[str]:
    """Where a server of one model for lists listens."""
    with serve(artifacts) as address:
        yield address


@pytest.fixture(scope="package")
def all_site(all_artifacts: Path) -> Iterator[str]:
    """Where a server of a model for each task listens; all know the same odd ids and titles."""
    with serve(all_artifacts) as address:
        yield address


def settled(page: Page) -> None:
    """Wait until the page that the address asks for is there."""
    expect(page.locator("#page:not([aria-busy]) h2").first).to_be_visible()


def check_no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def opened(browser: Browser) -> Opening:
    """Open a page of a site; an error on its console and a request elsewhere fail the test."""

    @contextmanager
    def opening(
        address: str, place: str = "", size: str = "wide", scheme: str = "light",
        expected: str = "", **options: Any,
    ) -> Iterator[Page]:  # fmt: skip
        page = browser.new_page(viewport=SIZES[size], color_scheme=scheme, **options)
        complaints: list[str] = []
        foreign: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda m: (
                complaints.append(f"{m.text} {m.location['url']}") if m.type == "error" else None
            ),
        )
        page.on("request", lambda r: None if r.url.startswith(address) else foreign.append(r.url))
        try:
            page.goto(f"{address}/#/{place}")
            settled(page)
            yield page
            check_no_sideways_scroll(page)
        finally:
            page.close()
        assert [each for each in complaints if not expected or expected not in each] == []
        assert foreign == []

    return opening
