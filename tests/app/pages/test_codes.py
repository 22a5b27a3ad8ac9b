"""The pages of the codes: the tree, a level, one code and its name."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.app.conftest import make_artifact
from tests.app.pages.conftest import ADMIN_KEY, SIZES, Opening, serve

TREE = re.compile("Tree of codes")


@pytest.mark.parametrize("size", SIZES)
def test_one_walks_from_the_tree_to_an_item(opened: Opening, lists_site: str, size: str) -> None:
    with opened(lists_site, "codes", size) as page:
        tree = page.get_by_role("tree", name=TREE)
        coarse = tree.locator(".box[aria-level='1']").first
        name = re.match(r"Code (\d+), level 2", coarse.get_attribute("aria-label") or "")
        assert name is not None
        coarse.click()
        expect(page.get_by_role("button", name=f"Code {name[1]}")).to_be_visible()
        assert page.url.endswith(f"#/codes/2/{name[1]}")
        tree.locator(".box[aria-level='2']").first.click()
        expect(page.get_by_role("heading", name="Closest to the code")).to_be_visible()
        expect(page.locator("#page")).to_contain_text("Belongs to level 2")
        page.locator("a[href^='#/item/']").first.click()
        expect(page.get_by_role("heading", name="Most similar items")).to_be_visible()
        expect(page.locator("#page")).to_contain_text("true categories: Drama")
        page.go_back()
        expect(page.get_by_role("heading", name="Closest to the code")).to_be_visible()


def test_the_tree_is_walked_by_keyboard(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "codes") as page:
        tree = page.get_by_role("tree", name=TREE)
        tree.focus()
        boxes = tree.locator(".box")
        expect(boxes.first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowDown")
        chosen = tree.locator("[aria-selected=true]")
        expect(chosen).to_have_attribute("aria-level", "1")
        name = (chosen.get_attribute("aria-label") or "").split(",")[0]
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=name)).to_be_visible()
        expect(tree.locator(".box[aria-level='1']")).to_have_count(1)
        expect(tree).to_be_focused()
        page.keyboard.press("Escape")
        expect(tree.locator(".box[aria-level='1']")).not_to_have_count(1)


def test_an_address_opens_the_tree_at_a_code(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "codes/2/1") as page:
        root = page.get_by_role("tree", name=TREE).locator(".box[aria-level='1']")
        expect(root).to_have_count(1)
        expect(root).to_have_attribute("aria-label", re.compile("Code 1, level 2"))
        page.get_by_role("link", name="open this code").click()
        expect(page.get_by_role("heading", name="Its codes of level 1")).to_be_visible()


def test_thousands_of_codes_stand_together_until_they_are_large_enough(
    opened: Opening, tmp_path: Path
) -> None:
    make_artifact(tmp_path / "flat", code_sizes=(55,))  # of 60 items: all codes are small
    with serve(tmp_path) as address, opened(address, "codes") as page:
        tree = page.get_by_role("tree", name=TREE)
        group = tree.locator(".group").first
        together = int((group.get_attribute("aria-label") or "").split()[0])
        group.click()
        expect(tree.locator(".group")).to_have_count(0)
        expect(tree.locator(".box")).to_have_count(together)


def test_a_level_is_sorted_both_ways_by_each_column(opened: Opening, lists_site: str) -> None:
    with opened(lists_site, "level/1") as page:
        table = page.get_by_role("region", name="Codes of level 1")

        def column(place: int) -> list[float]:
            cells = table.locator(f"tbody tr > :nth-child({place})").all_inner_texts()
            found = [re.search(r"[\d.,]+$", cell.strip()) for cell in cells]
            return [float(each[0].replace(",", "")) for each in found if each]

        assert column(2) == sorted(column(2), reverse=True)
        for place, name in ((1, "Code"), (2, "Items"), (3, "Times in training"), (4, "Mean dist")):
            button = table.get_by_role("button", name=name)
            button.click()
            for _ in range(2):
                head = table.locator(f"thead th:nth-child({place})")
                expect(head).to_have_attribute("aria-sort", re.compile("ending"))
                expect(button).to_be_focused()
                descending = head.get_attribute("aria-sort") == "descending"
                assert column(place) == sorted(column(place), reverse=descending)
                button.click()
                other = "ascending" if descending else "descending"
                expect(head).to_have_attribute("aria-sort", other)
        expect(table).to_contain_text("Drama 100 %")


def test_the_items_of_a_code_come_in_the_order_that_is_asked_for(
    opened: Opening, lists_site: str
) -> None:
    with opened(lists_site, "level/2") as page:
        page.get_by_role("link", name=re.compile(r"^Code \d")).first.click()
        items = page.locator(".panel", has=page.get_by_role("heading", name="All its items"))
        expect(items.locator("li").first).to_contain_text("times")
        page.get_by_label("Order of the items").select_option("closeness")
        expect(items.locator("li").first).to_contain_text("distance")
        expect(page.get_by_role("heading", name="Nearest codes")).to_be_visible()
        expect(page.locator("#page")).to_contain_text("True categories of its items")


def test_a_code_gets_a_name_with_the_admin_key_that_is_asked_for(
    opened: Opening, tmp_path: Path
) -> None:
    make_artifact(tmp_path / "lists")
    with (
        serve(tmp_path, admin_key=ADMIN_KEY) as address,
        opened(address, "code/2/1", expected="403") as page,
    ):
        field = page.get_by_label("Name", exact=True)
        field.fill("Space  operas")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="This needs the admin key")
        dialog.get_by_label("Key").fill("ключ")
        page.keyboard.press("Enter")
        expect(dialog).to_be_visible()  # no key has such letters, and no browser sends them
        dialog.get_by_label("Key").fill("guessed")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("may not change anything")
        dialog.get_by_label("Key").fill(ADMIN_KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Space operas")).to_be_visible()
        page.goto(f"{address}/#/codes")
        label = page.get_by_role("treeitem", name="Space operas, level 2")
        expect(label.first).to_be_visible()
        page.goto(f"{address}/#/code/2/1")
        field.fill("")
        page.get_by_role("button", name="Save the name").click()
        expect(page.get_by_role("heading", name="Code 1", exact=True)).to_be_visible()


def test_without_an_admin_key_the_server_says_that_nothing_is_changed(
    opened: Opening, lists_site: str
) -> None:
    with opened(lists_site, "code/2/1", expected="403") as page:
        page.get_by_label("Name", exact=True).fill("Horror")
        page.keyboard.press("Enter")
        expect(page.locator(".label .error")).to_contain_text("has no admin key")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_model_without_codes_says_so(opened: Opening, tmp_path: Path) -> None:
    make_artifact(tmp_path / "plain", code_sizes=())
    with serve(tmp_path) as address, opened(address, "codes") as page:
        expect(page.locator("#page")).to_contain_text("learned no categories of items")
