"""The page, in a real browser: keyboard, small screens, hostile titles, no model."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.main import create_app
from app.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(artifacts: Path) -> Iterator[str]:
    with serve(artifacts) as address:
        yield address


@pytest.fixture(scope="module")
def click_address(click_artifacts: Path) -> Iterator[str]:
    with serve(click_artifacts) as address:
        yield address


@pytest.fixture(scope="module")
def both_address(both_artifacts: Path) -> Iterator[str]:
    with serve(both_artifacts) as address:
        yield address


@pytest.fixture(scope="module")
def preference_address(preference_artifacts: Path) -> Iterator[str]:
    with serve(preference_artifacts) as address:
        yield address


@pytest.fixture(scope="module")
def all_address(all_artifacts: Path) -> Iterator[str]:
    with serve(all_artifacts) as address:
        yield address


@contextmanager
def opened(browser: Browser, address: str, size: str) -> Iterator[Page]:
    """The page at one size; what it writes to the console as an error fails the test."""
    page = browser.new_page(viewport=SIZES[size])
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    foreign: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(address) else foreign.append(r.url))
    page.goto(address)
    expect(page.locator("#content")).to_be_visible()
    yield page
    assert complaints == []
    assert foreign == []
    page.close()


@pytest.fixture(params=SIZES)
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page of a server with a list model alone."""
    with opened(browser, address, request.param) as page:
        yield page


@pytest.fixture(params=SIZES)
def click_page(
    browser: Browser, click_address: str, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The page of a server with a click model alone."""
    with opened(browser, click_address, request.param) as page:
        yield page


@pytest.fixture
def both_page(browser: Browser, both_address: str) -> Iterator[Page]:
    """The page of a server with a model for each task, where it is narrow."""
    with opened(browser, both_address, "narrow") as page:
        yield page


@pytest.fixture(params=SIZES)
def preference_page(
    browser: Browser, preference_address: str, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The page of a server with a preference model alone."""
    with opened(browser, preference_address, request.param) as page:
        yield page


@pytest.fixture
def all_page(browser: Browser, all_address: str) -> Iterator[Page]:
    """The page of a server with a model for each of the three tasks, where it is narrow."""
    with opened(browser, all_address, "narrow") as page:
        yield page


def check_no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_walks_from_the_levels_to_an_item(page: Page) -> None:
    view = page.locator("#view")
    expect(view).to_contain_text("of 12 codes used")
    expect(page.locator("#scopes")).to_be_hidden()
    expect(page.locator("#scoring")).to_be_hidden()
    view.get_by_role("link", name="Level 2").click()
    expect(view.get_by_role("heading", name="Level 2")).to_be_focused()
    view.get_by_role("link", name="Code ").first.click()
    expect(view).to_contain_text("Its codes of level 1")
    check_no_sideways_scroll(page)
    view.locator("a[href^='#/item/']").first.click()
    expect(view).to_contain_text("Most similar items")
    expect(view).to_contain_text("true categories: Drama")
    check_no_sideways_scroll(page)
    view.locator("a.code").first.click()
    expect(view).to_contain_text("Belongs to level 2")
    page.go_back()
    expect(view).to_contain_text("Most similar items")


def test_a_list_is_built_and_completed_by_keyboard_alone(page: Page) -> None:
    box = page.get_by_label("Add an item")
    box.focus()
    page.keyboard.type("film 12")
    expect(page.get_by_role("option", name="Film 12")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("film")
    expect(page.get_by_role("option", name="Film 1 (1951)")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen li")).to_have_count(2)
    page.get_by_label("How many").fill("5")
    page.keyboard.press("Enter")
    result = page.locator("#result")
    expect(result.locator("ol > li")).to_have_count(5)
    expect(result).to_contain_text("Chosen by the model fans-")
    expect(result.locator(".shared").first).to_contain_text("of 2")
    check_no_sideways_scroll(page)
    page.locator("#chosen button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#chosen li")).to_have_count(1)


def test_an_empty_list_shows_the_most_popular_and_says_so(page: Page) -> None:
    page.get_by_role("button", name="Complete").click()
    expect(page.locator("#result")).to_contain_text("The most popular items")


def test_a_title_is_never_markup(page: Page) -> None:
    page.get_by_label("Find an item").fill("onerror")
    page.get_by_role("option").first.click()
    expect(page.locator("#view h3")).to_have_text("<img src=x onerror=document.title='broken'>")
    assert page.locator("main img").count() == 0
    assert page.title() == "COVE: learned categories"


def test_a_search_that_finds_nothing_says_so(page: Page) -> None:
    page.get_by_label("Find an item").fill("nothing like it")
    expect(page.locator("#find-options")).to_contain_text("Nothing holds")


def test_the_api_page_lists_the_calls(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/docs")
    page.get_by_text("/complete-list").click()
    expect(page.locator("details[open]")).to_contain_text("max_per_code")
    page.close()


def test_an_unknown_address_shows_the_reason(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/#/code/1/999")
    expect(page.get_by_role("alert")).to_contain_text("there is no code 999")
    page.goto(f"{address}/#/item/%E0%A4%A")
    expect(page.locator("#view")).to_contain_text("Level 1")
    page.close()


def test_without_a_model_the_page_names_the_command(browser: Browser, tmp_path: Path) -> None:
    with serve(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#empty")).to_contain_text("cove train fans --data ml100k")
        expect(page.locator("#content")).to_be_hidden()
        page.close()


def test_a_click_model_alone_shows_codes_of_users_and_no_list_to_complete(
    click_page: Page,
) -> None:
    expect(click_page.locator("#completing")).to_be_hidden()
    view = click_page.locator("#view")
    expect(view).to_contain_text("of 12 codes used")
    click_page.get_by_role("link", name="Users").click()
    expect(view).to_contain_text("of 6 codes used")
    view.get_by_role("link", name="Level 2").click()
    view.get_by_role("link", name="Code ").first.click()
    expect(view.get_by_role("heading", name="Users")).to_be_visible()
    check_no_sideways_scroll(click_page)
    view.locator("a[href^='#/users/user/']").first.click()
    expect(view).to_contain_text("Most similar users")
    check_no_sideways_scroll(click_page)
    view.locator("a.code").first.click()
    expect(view).to_contain_text("Belongs to level 2")


def test_clicks_of_a_user_are_scored_from_what_is_shown_and_what_is_searched(
    click_page: Page,
) -> None:
    click_page.get_by_role("link", name="Users").click()
    expect(click_page.locator("#view")).to_contain_text("of 6 codes used")
    click_page.get_by_label("Find a user").fill("u/1")
    click_page.get_by_role("option", name="User u/1").click()
    click_page.get_by_role("button", name="Score clicks of this user").click()
    expect(click_page.get_by_label("User", exact=True)).to_have_value("u/1")
    click_page.get_by_role("button", name="Score", exact=True).click()
    expect(click_page.get_by_role("alert")).to_contain_text("Add an item")
    box = click_page.get_by_label("Item to score")
    for text in ("film 12", "onerror"):
        box.fill(text)
        expect(click_page.get_by_role("option").first).to_be_visible()
        box.press("Enter")
    expect(click_page.locator("#candidates li")).to_have_count(2)
    click_page.get_by_role("button", name="Score", exact=True).click()
    scores = click_page.locator("#scores")
    expect(scores.locator("ol > li")).to_have_count(2)
    expect(scores).to_contain_text("By the model deepfm-")
    shares = [float(text.rstrip(" %")) for text in scores.get_by_text(" %").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert click_page.locator("main img").count() == 0
    check_no_sideways_scroll(click_page)


def test_an_unknown_user_is_scored_as_the_average_and_the_page_says_so(click_page: Page) -> None:
    click_page.get_by_label("User", exact=True).fill("nobody")
    box = click_page.get_by_label("Item to score")
    box.fill("film 12")
    expect(click_page.get_by_role("option", name="Film 12")).to_be_visible()
    box.press("Enter")
    click_page.get_by_role("button", name="Score", exact=True).click()
    expect(click_page.locator("#scores")).to_contain_text("scored as the average user")


def test_two_models_are_browsed_and_asked_side_by_side(both_page: Page) -> None:
    expect(both_page.locator("#model")).to_contain_text("Models fans-")
    expect(both_page.locator("#completing")).to_be_visible()
    expect(both_page.locator("#scoring")).to_be_visible()
    view = both_page.locator("#view")
    expect(view).to_contain_text("of 12 codes used")
    both_page.get_by_role("link", name="Items of clicks").click()
    expect(view).to_contain_text("learned no categories of items")
    both_page.get_by_label("Find an item").fill("film 12")
    both_page.get_by_role("option", name="Film 12").click()
    expect(view).to_contain_text("clicks in training")
    both_page.get_by_role("button", name="Add to the items to score").click()
    expect(both_page.locator("#candidates li")).to_have_count(1)
    both_page.locator("#candidates a").click()
    expect(both_page.locator("#scopes [aria-current]")).to_have_text("Items of clicks")
    both_page.goto(both_page.url.split("#")[0] + "#/item/12")
    expect(view).to_contain_text("times in training")
    both_page.get_by_role("button", name="Add to the list").click()
    expect(both_page.locator("#chosen li")).to_have_count(1)
    check_no_sideways_scroll(both_page)


def test_a_user_is_found_and_recommended_to(preference_page: Page) -> None:
    page = preference_page
    expect(page.locator("#completing")).to_be_hidden()
    expect(page.locator("#scoring")).to_be_hidden()
    page.get_by_role("link", name="Users").click()
    expect(page.locator("#view")).to_contain_text("of 6 codes used")
    page.get_by_label("Find a user").fill("u/1")
    page.get_by_role("option", name="User u/1").click()
    expect(page.locator("#view")).to_contain_text("4 interactions in training")
    page.get_by_role("button", name="Recommend to this user").click()
    expect(page.get_by_label("Whom to recommend to")).to_have_value("u/1")
    page.get_by_label("Number of items").fill("56")
    page.get_by_role("button", name="Recommend", exact=True).click()
    recommended = page.locator("#recommended")
    expect(recommended.locator("ol > li")).to_have_count(56)  # of 60 items the user has four
    expect(recommended).to_contain_text("Chosen by the model bprmf-")
    expect(recommended.locator("ol > li").first).to_contain_text("close to")
    expect(recommended.locator(".shared").first).to_contain_text("shared")
    assert page.locator("main img").count() == 0
    check_no_sideways_scroll(page)
    recommended.locator(".row-head a").first.click()
    expect(page.locator("#view")).to_contain_text("Most similar items")


def test_an_unknown_user_is_shown_the_most_popular_and_the_page_says_so(
    preference_page: Page,
) -> None:
    preference_page.get_by_label("Whom to recommend to").fill("nobody")
    preference_page.keyboard.press("Tab")  # what the search found lay over the button
    preference_page.get_by_role("button", name="Recommend", exact=True).click()
    recommended = preference_page.locator("#recommended")
    expect(recommended).to_contain_text("does not know the user nobody: the most popular items")
    expect(recommended).to_contain_text("60 interactions")


def test_three_models_are_browsed_and_asked_side_by_side(all_page: Page) -> None:
    view, scopes = all_page.locator("#view"), all_page.locator("#scopes")
    expect(scopes.get_by_role("link")).to_have_text([
        "Items of lists", "Items of clicks", "Items of recommendations", "Users of clicks",
        "Users of recommendations",
    ])  # fmt: skip
    for panel in ("completing", "scoring", "recommending"):
        expect(all_page.locator(f"#{panel}")).to_be_visible()
    scopes.get_by_role("link", name="Items of recommendations").click()
    all_page.get_by_label("Find an item").fill("film 12")
    all_page.get_by_role("option", name="Film 12").click()
    expect(view).to_contain_text("interactions in training")
    expect(view.get_by_role("button")).to_have_count(0)
    scopes.get_by_role("link", name="Users of recommendations").click()
    all_page.get_by_label("Find a user").fill("103")
    all_page.get_by_role("option", name="User 103").click()
    view.get_by_role("button", name="Recommend to this user").click()
    all_page.get_by_role("button", name="Recommend", exact=True).click()
    expect(all_page.locator("#recommended ol > li")).to_have_count(10)
    check_no_sideways_scroll(all_page)
    scopes.get_by_role("link", name="Users of clicks").click()
    all_page.get_by_label("Find a user").fill("103")
    all_page.get_by_role("option", name="User 103").click()
    expect(view.get_by_role("button", name="Score clicks of this user")).to_be_visible()


def test_whoever_types_before_the_view_is_there_keeps_the_focus(click_page: Page) -> None:
    click_page.evaluate("""() => {
        document.querySelector("#scopes a[href='#/users']").click();
        const find = document.getElementById("find");
        find.focus();
        find.value = "u/1";
        find.dispatchEvent(new Event("input"));
    }""")
    expect(click_page.locator("#view")).to_contain_text("of 6 codes used")
    expect(click_page.get_by_label("Find a user")).to_be_focused()
    click_page.get_by_role("option", name="User u/1").click()
    expect(click_page.locator("#view")).to_contain_text("Most similar users")


def test_a_page_of_a_server_with_a_key_asks_for_it_until_it_is_right(
    browser: Browser, artifacts: Path
) -> None:
    with serve(artifacts, api_key="open-sesame") as address:
        page = browser.new_page(viewport=SIZES["narrow"])
        page.goto(address)
        dialog = page.get_by_role("dialog", name="This server needs a key")
        dialog.get_by_label("Key").fill("guessed")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("That was not its key.")
        dialog.get_by_label("Key").fill("open-sesame")
        dialog.get_by_role("button", name="Use this key").click()
        expect(page.locator("#view")).to_contain_text("of 12 codes used")
        page.reload()
        expect(page.locator("#view")).to_contain_text("of 12 codes used")
        expect(page.get_by_role("dialog")).to_have_count(0)
        check_no_sideways_scroll(page)
        page.close()
