"""The map in a real browser: drawn, coloured, moved and searched, by mouse and by keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.app.conftest import NUM_ITEMS
from tests.app.pages.conftest import SIZES, Opening


@pytest.fixture(params=SIZES)
def page(opened: Opening, lists_site: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The map, drawn; it moves at once."""
    with opened(lists_site, "map", request.param, reduced_motion="reduce") as page:
        expect(page.locator(f"canvas[data-drawn='{NUM_ITEMS}']")).to_be_visible()
        yield page


def colours(page: Page) -> int:
    """How many colours the canvas shows."""
    return page.evaluate(
        """() => { const canvas = document.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size; }"""
    )


def test_every_item_is_drawn_in_the_colour_of_its_code(page: Page) -> None:
    legend = page.get_by_label("Groups, the largest first")
    expect(legend.get_by_role("button")).to_have_count(4)
    assert colours(page) == 5, "four codes and the ground"
    page.get_by_label("Colour by").select_option("category")
    expect(legend.get_by_role("button")).to_have_text([f"Drama {NUM_ITEMS}"])


def test_a_group_of_the_legend_stands_out_when_it_is_chosen(page: Page) -> None:
    button = page.get_by_label("Groups, the largest first").get_by_role("button").first
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_a_search_flies_to_an_item_and_enter_opens_it(page: Page) -> None:
    page.get_by_label("Fly to an item").fill("Film 7 ")
    page.get_by_role("option", name="Film 7").click()
    status = page.locator(".map-note")
    expect(status.get_by_role("link")).to_have_text("Film 7 (1957)")
    page.locator("canvas").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/item/7$"))


def test_the_keyboard_moves_and_zooms_and_names_the_point_in_the_middle(page: Page) -> None:
    canvas = page.locator("canvas")
    canvas.focus()
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-", "0"):
        page.keyboard.press(key)
        expect(page.locator(".map-note").get_by_role("link")).to_be_visible()
    expect(page.locator(".map-note")).to_contain_text("level 2: Code")


def test_the_mouse_drags_zooms_and_opens(page: Page) -> None:
    page.get_by_label("Fly to an item").fill("Film 7 ")
    page.get_by_role("option", name="Film 7").click()
    expect(page.locator(".map-note").get_by_role("link")).to_have_text("Film 7 (1957)")
    box = page.locator("canvas").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 40, middle[1] + 30)
    page.mouse.up()
    assert page.evaluate("location.hash") == "#/map", "a drag opens nothing"
    page.mouse.wheel(0, -100)
    page.mouse.move(middle[0] + 40, middle[1] + 30)
    page.mouse.click(middle[0] + 40, middle[1] + 30)
    expect(page).to_have_url(re.compile("#/item/7$"))
