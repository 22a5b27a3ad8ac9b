"""The pages of items and users: search, codes, neighbours, what a user had."""

from playwright.sync_api import expect

from tests.app.pages.conftest import Opening


def test_items_are_found_by_a_part_of_the_title_or_the_id(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "items") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(50)
        search = page.get_by_label("Find an item")
        search.fill("film 12")
        expect(rows).to_have_count(1)
        search.fill("nothing like it")
        expect(page.locator("#page")).to_contain_text("Nothing holds")
        search.fill("a/b")
        page.get_by_role("link", name="<img").click()
        expect(page.locator("#page")).to_contain_text("id a/b")
        expect(page.get_by_role("heading", name="Most similar items")).to_be_visible()


def test_an_id_that_no_number_of_a_browser_holds_leads_to_its_item(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site, "items") as page:
        page.get_by_label("Find an item").fill("Film 55")
        page.get_by_role("link", name="Film 55").click()
        expect(page.locator("#page")).to_contain_text(f"id {2**53 + 1}")
        expect(page.get_by_role("heading", name="Most similar items")).to_be_visible()


def test_a_user_is_shown_with_neighbours_and_what_the_user_had(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site, "users-of-recommendations/user/u%2F1") as page:
        had = page.locator(".panel", has=page.get_by_role("heading", name="Had in training"))
        expect(had.get_by_role("listitem")).to_have_count(4)
        had.get_by_role("link").first.click()
        expect(page.get_by_role("heading", name="Most similar items")).to_be_visible()
        assert "/#/recommendations/item/" in page.url
        page.goto(f"{all_site}/#/users/user/u%2F1")
        expect(page.locator("#page")).to_contain_text("does not keep what its users had")
