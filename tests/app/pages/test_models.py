"""The pages of the models: list, one, two side by side, and which of them is served."""

from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.app.conftest import make_artifact
from tests.app.pages.conftest import ADMIN_KEY, Opening, serve


def test_a_model_is_shown_beside_its_baselines_with_settings_and_card(
    opened: Opening, site: str
) -> None:
    with opened(site, "models") as page:
        page.get_by_role("link", name="deepfm-").click()
        expect(page.locator(".bars .own")).to_contain_text("This model")
        metrics = page.get_by_role("region", name="Metrics")
        expect(metrics).to_contain_text("Item click rate")
        expect(metrics.get_by_role("row", name="Log loss")).to_be_visible()
        expect(page.locator(".facts").first).to_contain_text("dimensions")
        expect(page.locator("pre")).to_contain_text("# deepfm with COVE on items")
        page.get_by_role("link", name="Its training run").click()
        expect(page.get_by_role("heading", name="Learning curves")).to_be_visible()


def test_two_models_are_compared_on_their_metrics_and_codes(opened: Opening, site: str) -> None:
    with opened(site, "models") as page:
        page.get_by_role("button", name="Compare the two").click()
        expect(page.locator("#page")).to_contain_text("Mark two models first.")
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_role("button", name="Compare the two").click()
        metrics = page.get_by_role("region", name="Metrics on the test data")
        expect(metrics.get_by_role("row", name="NDCG@10", exact=False).first).to_be_visible()
        expect(page.get_by_role("region", name="Codes of items")).to_have_count(2)
        moved = page.locator(".panel", has=page.get_by_role("heading", name="How items moved"))
        expect(moved).to_contain_text("80 items are known to both")
        expect(moved).to_contain_text("Stayed in matched codes")
        expect(page.get_by_role("heading", name="On sample calls")).to_be_visible()


def test_a_model_without_codes_is_compared_by_its_answers(opened: Opening, tmp_path: Path) -> None:
    first, second = make_artifact(tmp_path / "with"), make_artifact(tmp_path / "without", ())
    with serve(tmp_path) as address, opened(address, f"compare/{first}/{second}") as page:
        answers = page.locator(".panel", has=page.get_by_role("heading", name="On sample calls"))
        expect(answers.locator(".facts")).to_contain_text("Of the first ten in common")
        expect(page.get_by_role("heading", name="How items moved")).to_have_count(0)


def test_another_model_is_served_and_the_one_before_again(opened: Opening, tmp_path: Path) -> None:
    first, second = (make_artifact(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    with (
        serve(tmp_path, admin_key=ADMIN_KEY) as address,
        opened(address, "models", expected="403") as page,
    ):
        served = page.locator("tr", has=page.get_by_text("served", exact=True))
        before = served.get_by_role("link").inner_text()
        other = ({first, second} - {before}).pop()
        page.get_by_role("button", name=f"Serve {other}").click()
        page.get_by_role("dialog").get_by_label("Key").fill(ADMIN_KEY)
        page.keyboard.press("Enter")
        expect(served.get_by_role("link")).to_have_text(other)
        expect(page.get_by_role("status").get_by_text(f"{other} is served.")).to_be_visible()
        expect(page.get_by_role("heading", name="Models", exact=True)).to_be_focused()
        page.wait_for_timeout(5500)  # the page asks every 5 s what is served
        expect(page.get_by_role("status").get_by_text(f"{other} is served.")).to_be_visible()
        page.get_by_role("button", name="Back to the one before").click()
        expect(served.get_by_role("link")).to_have_text(before)
        page.goto(f"{address}/#/compare/{first}/{second}")
        assert httpx.post(f"{address}/complete-list", json={"items": [1, 2]}).status_code == 200
        page.get_by_role("button", name="Put the last calls to it").click()
        calls = page.locator(".panel", has=page.get_by_role("heading", name="On the last calls"))
        expect(calls.locator(".facts")).to_contain_text("Calls put to both")


def test_models_of_different_data_are_not_compared(opened: Opening, all_artifacts: Path) -> None:
    with serve(all_artifacts) as address:
        known = httpx.get(f"{address}/models").json()["models"]
        ids = {each["task"]: each["id"] for each in known}
        place = f"compare/{ids['click_through']}/{ids['collaborative_filtering']}"
        with opened(address, place) as page:
            expect(page.locator("#page")).to_contain_text("their figures, codes and answers cannot")
            expect(page.get_by_role("heading", name="On sample calls")).to_have_count(0)
            assert page.locator("td strong").count() == 0
