"""Each page by axe: no serious or critical fault, in light and dark, wide and narrow."""

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.app.pages.conftest import Opening

PLACES = [
    "", "codes", "codes/2/1", "level/1", "code/1/1", "code/2/1", "items", "item/5", "users",
    "users-of-recommendations/user/u%2F1", "map", "try", "models", "runs", "quality", "api",
    "nowhere",
]  # fmt: skip
LOOKS = [("light", "wide"), ("dark", "narrow")]


def check_with_axe(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_no_page_has_a_serious_fault(opened: Opening, site: str, scheme: str, size: str) -> None:
    models = httpx.get(f"{site}/models").json()["models"]
    lists = [each for each in models if each["task"] == "list_completion"]
    one, other = (each["id"] for each in lists)
    places = [*PLACES, f"model/{one}", f"compare/{one}/{other}", f"run/{lists[0]['run']}"]
    for place in places:
        with opened(site, place, size, scheme) as page:
            if place == "runs":
                page.get_by_role("checkbox").first.check()
                expect(page.get_by_role("figure")).to_be_visible()
            if place == "try":
                for name in ("Complete", "Score"):
                    page.get_by_role("button", name=name, exact=True).click()
                expect(page.locator("#completing pre")).to_be_visible()
            check_with_axe(page)
