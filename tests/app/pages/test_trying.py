"""The page that asks the models: by keyboard, with unknown ids, and each call to be copied."""

import json
import shlex
import subprocess

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.pages.conftest import SIZES, Opening, check_no_sideways_scroll

sizes = pytest.mark.parametrize("size", SIZES)


def take(box: Locator, text: str, option: str) -> None:
    """Search in a box, and take what was found."""
    box.fill(text)
    expect(box.page.get_by_role("option", name=option).first).to_be_visible()
    box.page.get_by_role("option", name=option).first.click()


def check_call(page: Page, panel: str) -> dict:
    """The call beneath an answer, as a shell runs it, is answered with the same items."""
    command = page.locator(f"#{panel} pre code").inner_text()
    assert shlex.split(command)[0] == "curl"
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True)
    answer: dict = json.loads(done.stdout)
    return answer


@sizes
def test_a_list_is_built_and_completed_by_keyboard_alone(
    opened: Opening, lists_site: str, size: str
) -> None:
    with opened(lists_site, "try", size) as page:
        expect(page.locator("#scoring")).to_have_count(0)
        page.get_by_label("Add an item").focus()
        page.keyboard.type("film 12")
        expect(page.get_by_role("option", name="Film 12")).to_be_visible()
        page.keyboard.press("Enter")
        page.keyboard.type("film")
        expect(page.get_by_role("option", name="Film 1 (1951)")).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        chosen = page.get_by_role("list", name="Your list").get_by_role("listitem")
        expect(chosen).to_have_count(2)
        page.get_by_label("How many").fill("5")
        page.keyboard.press("Enter")
        answer = page.locator("#completing .answer")
        expect(answer.locator("ol > li")).to_have_count(5)
        expect(answer).to_contain_text("Chosen by the model fans-")
        expect(answer.locator(".shared").first).to_contain_text("of 2")
        expect(page.get_by_label("How many")).to_be_focused()
        shown = answer.locator("ol .row-head a").all_inner_texts()
        titles = [each["title"] for each in check_call(page, "completing")["items"]]
        assert titles == shown
        chosen.first.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(chosen).to_have_count(1)


def test_an_empty_list_shows_the_most_popular_and_says_so(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "try") as page:
        page.get_by_role("button", name="Complete").click()
        expect(page.locator("#completing .answer")).to_contain_text("popularity answered")


def test_a_search_that_finds_nothing_says_so(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "try") as page:
        page.get_by_label("Add an item").fill("nothing like it")
        expect(page.locator("#add-options")).to_contain_text("Nothing holds")


def test_what_was_put_together_stays_while_other_pages_are_looked_at(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site, "item/12") as page:
        page.get_by_role("button", name="Add to the list").click()
        page.get_by_role("link", name="Go on in").click()
        chosen = page.get_by_role("list", name="Your list").get_by_role("listitem")
        expect(chosen).to_have_count(1)
        chosen.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Film 12")).to_be_visible()
        page.go_back()
        expect(chosen).to_have_count(1)


@sizes
def test_clicks_of_a_user_are_scored_from_what_is_shown_and_what_is_searched(
    opened: Opening, all_site: str, size: str
) -> None:
    with opened(all_site, "users/user/u%2F1", size) as page:
        page.get_by_role("button", name="Score clicks of this user").click()
        box = page.get_by_label("Item to score")
        expect(box).to_be_focused()
        expect(page.get_by_label("User", exact=True)).to_have_value("u/1")
        page.get_by_role("button", name="Score", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Add an item")
        take(box, "film 12", "Film 12")
        take(box, "onerror", "<img src=x")
        page.get_by_role("button", name="Score", exact=True).click()
        scores = page.locator("#scoring .answer")
        expect(scores.locator("ol > li")).to_have_count(2)
        expect(scores).to_contain_text("By the model deepfm-")
        shares = [float(text.rstrip(" %")) for text in scores.get_by_text(" %").all_inner_texts()]
        assert shares == sorted(shares, reverse=True)
        assert len(check_call(page, "scoring")["items"]) == 2
        assert page.locator("main img").count() == 0


def test_an_unknown_user_is_scored_as_the_average_and_the_page_says_so(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site, "try") as page:
        page.get_by_label("User", exact=True).fill("nobody's")
        take(page.get_by_label("Item to score"), "film 12", "Film 12")
        page.get_by_role("button", name="Score", exact=True).click()
        expect(page.locator("#scoring .answer")).to_contain_text("scored as the average user")
        assert check_call(page, "scoring")["user"] == "nobody's"


@sizes
def test_a_user_is_found_and_recommended_to(opened: Opening, all_site: str, size: str) -> None:
    with opened(all_site, "users-of-recommendations", size) as page:
        page.get_by_label("Find a user").fill("u/1")
        page.get_by_role("link", name="User u/1").click()
        expect(page.locator("#page")).to_contain_text("4 interactions in training")
        page.get_by_role("button", name="Recommend to this user").click()
        expect(page.get_by_role("button", name="Recommend", exact=True)).to_be_focused()
        page.get_by_label("Number of items").fill("56")
        page.get_by_role("button", name="Recommend", exact=True).click()
        answer = page.locator("#recommending .answer")
        expect(answer.locator("ol > li")).to_have_count(56)  # of 60 items the user has four
        expect(answer).to_contain_text("Chosen by the model bprmf-")
        expect(answer.locator("ol > li").first).to_contain_text("close to")
        expect(answer.locator(".shared").first).to_contain_text("shared")
        check_no_sideways_scroll(page)
        answer.locator(".row-head a").first.click()
        expect(page.get_by_role("heading", name="Most similar items")).to_be_visible()


def test_an_unknown_user_is_shown_the_most_popular_and_the_page_says_so(
    opened: Opening, all_site: str
) -> None:
    with opened(all_site, "try") as page:
        page.get_by_label("Whom to recommend to").fill("nobody")
        expect(page.get_by_text("Nothing holds “nobody”.")).to_be_visible()
        page.keyboard.press("Enter")
        answer = page.locator("#recommending .answer")
        expect(answer).to_contain_text("does not know the user nobody: the most popular items")
        expect(answer).to_contain_text("60 interactions")


def test_the_call_is_copied(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "try") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Complete").click()
        page.get_by_role("button", name="Copy the call").click()
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert "/complete-list" in page.evaluate("navigator.clipboard.readText()")
