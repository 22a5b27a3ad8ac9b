"""The shell of the pages: navigation, addresses, focus, keys, and what stands where nothing is."""

from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, Route, expect

from tests.app.pages.conftest import SIZES, Opening, check_no_sideways_scroll, serve, settled

NAVIGATION = [
    "Overview", "Codes", "Map", "Items", "Users", "Try it", "Models", "Runs", "Quality", "API",
]  # fmt: skip


def test_every_page_is_reached_from_the_navigation_and_gets_the_focus(
    opened: Opening, site: str
) -> None:
    with opened(site) as page:
        links = page.get_by_role("navigation", name="Pages").get_by_role("link")
        for text in (*NAVIGATION[1:], NAVIGATION[0]):
            links.get_by_text(text, exact=True).click()
            expect(page.locator("#pages [aria-current=page]")).to_have_text(text)
            expect(page.locator("#page h2").first).to_be_focused()
            expect(page).to_have_title(f"{text} · COVE")


def test_the_overview_shows_each_model_beside_its_baselines_its_codes_and_the_runs(
    opened: Opening, site: str
) -> None:
    with opened(site) as page:
        card = page.locator(".panel", has=page.get_by_role("heading", name="Scoring clicks"))
        expect(card.locator(".bars .own")).to_contain_text("This model")
        expect(card.locator(".bars li")).to_have_count(2)
        expect(card).to_contain_text("Item click rate")
        expect(card.get_by_role("region", name="Codes of users")).to_contain_text("of 5")
        runs = page.get_by_role("region", name="Latest runs")
        expect(runs.locator("tbody tr")).to_have_count(3)
        card.get_by_role("link", name="Level 2").click()
        expect(page.get_by_role("heading", name="Level 2")).to_be_visible()
        assert "/users/level/2" in page.url


def test_an_address_leads_to_the_scope_that_it_names(opened: Opening, all_site: str) -> None:
    with opened(all_site, "codes") as page:
        scopes = page.locator("#scopes")
        expect(scopes.get_by_role("link")).to_have_text([
            "Items of lists", "Items of clicks", "Items of recommendations", "Users of clicks",
            "Users of recommendations",
        ])  # fmt: skip
        scopes.get_by_role("link", name="Users of clicks").click()
        expect(page.get_by_role("heading", name="Codes of users")).to_be_visible()
        page.goto(f"{all_site}/#/clicks/item/12")
        expect(page.locator("#page")).to_contain_text("clicks in training")
        page.goto(f"{all_site}/#/item/12")
        expect(page.locator("#page")).to_contain_text("times in training")
        page.goto(f"{all_site}/#/users")
        expect(scopes.get_by_role("link")).to_have_count(2)
        expect(page.get_by_role("heading", name="Users")).to_be_visible()


def test_an_unknown_address_shows_the_reason(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "code/1/999", expected="404") as page:
        expect(page.get_by_role("alert")).to_contain_text("there is no code 999")
        page.goto(f"{lists_site}/#/item/%E0%A4%A")
        expect(page.get_by_role("heading", name="What was learned")).to_be_visible()
        page.goto(f"{lists_site}/#/item")
        expect(page.get_by_role("heading", name="No such page")).to_be_visible()
        page.goto(f"{lists_site}/#/nowhere")
        expect(page.get_by_role("heading", name="No such page")).to_be_visible()
        page.goto(f"{lists_site}/#/users")
        expect(page.locator("#page")).to_contain_text("No served model knows users")


def test_a_title_is_never_markup(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "items") as page:
        page.get_by_label("Find an item").fill("onerror")
        page.get_by_role("link", name="<img src=x").click()
        heading = page.locator("#page h2")
        expect(heading).to_have_text("<img src=x onerror=document.title='broken'>")
        assert page.locator("main img").count() == 0
        assert page.title() == "Items · COVE"


def test_the_skip_link_leads_to_the_content_and_nowhere_else(
    opened: Opening, lists_site: str
) -> None:
    with opened(lists_site, "codes") as page:
        page.keyboard.press("Tab")
        expect(page.locator("#skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        assert page.url.endswith("#/codes")


def test_whoever_goes_on_before_the_page_is_there_keeps_the_focus(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site) as page:
        held: list[Route] = []

        def hold(route: Route) -> None:  # Playwright looks into it: a built-in will not do
            held.append(route)

        page.route("**/codes/tree?**", hold)
        links = page.get_by_role("navigation", name="Pages")
        with page.expect_request("**/codes/tree?**"):
            links.get_by_role("link", name="Codes").click()
        links.get_by_role("link", name="Runs").focus()
        for route in held:
            route.continue_()
        expect(page.get_by_role("heading", name="Codes of items", level=2)).to_be_visible()
        expect(links.get_by_role("link", name="Runs")).to_be_focused()


def test_the_api_page_lists_the_calls(opened: Opening, lists_site: str) -> None:
    with opened(lists_site) as page:
        page.goto(f"{lists_site}/docs")
        page.get_by_text("/complete-list").click()
        expect(page.locator("details[open]")).to_contain_text("max_per_code")


def test_without_a_model_each_page_says_what_to_do(opened: Opening, tmp_path: Path) -> None:
    with serve(tmp_path) as address, opened(address, expected="503") as page:
        expect(page.locator("#page")).to_contain_text("cove train fans --data ml100k")
        expect(page.locator("#page")).to_contain_text("No run is recorded here yet")
        for place, text in {
            "codes": "cove train fans", "items": "cove train fans", "try": "cove train fans",
            "models": "There is no model yet", "runs": "No run is recorded here yet",
        }.items():  # fmt: skip
            page.goto(f"{address}/#/{place}")
            expect(page.locator("#page")).to_contain_text(text)
            check_no_sideways_scroll(page)


def test_a_page_of_a_server_with_a_key_asks_for_it_until_it_is_right(
    browser: Browser, artifacts: Path
) -> None:
    with serve(artifacts, api_key="open-sesame") as address:
        page = browser.new_page(viewport=SIZES["narrow"])
        page.goto(f"{address}/#/codes")
        dialog = page.get_by_role("dialog", name="This server needs a key")
        dialog.get_by_label("Key").fill("guessed")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("That was not its key.")
        dialog.get_by_label("Key").fill("open-sesame")
        dialog.get_by_role("button", name="Use this key").click()
        expect(page.locator("#page")).to_contain_text("12 of 12")
        page.reload()
        settled(page)
        expect(page.locator("#page")).to_contain_text("12 of 12")
        expect(page.get_by_role("dialog")).to_have_count(0)
        check_no_sideways_scroll(page)
        page.close()


def answering(page: Page, models: dict[str, str]) -> None:
    """Let the page be told that these models are served."""
    found = {"status": "ready", "models": models}
    page.route("**/readyz", lambda route: route.fulfill(json=found))


def test_a_page_about_another_model_stays_as_it_is_where_models_change(
    opened: Opening, all_site: str
) -> None:
    served = httpx.get(f"{all_site}/readyz").json()["models"]
    with opened(all_site, "clicks/items", expected="404") as page:
        search = page.get_by_label("Find an item")
        search.fill("half typed")
        with page.expect_response("**/readyz", timeout=10_000):
            answering(page, served | {"list_completion": "another"})
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
        expect(search).to_have_value("half typed")
        page.unroute("**/readyz")
        with page.expect_response("**/readyz", timeout=10_000):
            answering(page, served | {"click_through": "another"})
        expect(page.get_by_text("Another model is served now.")).to_be_visible()


def test_what_could_not_be_shown_without_the_server_is_shown_when_it_is_back(
    opened: Opening, lists_site: str
) -> None:
    with opened(lists_site, expected="ERR_") as page:
        page.route("**/*", lambda route: route.abort())
        page.goto(f"{lists_site}/#/runs")
        expect(page.get_by_role("alert")).to_have_text(
            "The server does not answer. Is it still running?"
        )
        page.unroute("**/*")
        expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible(timeout=15_000)
