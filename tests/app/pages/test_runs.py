"""The pages of the runs: filters, curves, a run that goes on, several in one chart."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.app.pages.conftest import Opening, serve
from training.registry.database import registry_url, upgrade
from training.registry.queries import Registry


def start(registry: Registry, recommender: str) -> str:
    return registry.start_run(
        task="list_completion", recommender=recommender, data_name="films", seed=0,
        settings={"training": {"epochs": 3}}, settings_hash=recommender, output=recommender,
    )  # fmt: skip


def test_runs_are_filtered_and_compared_in_one_chart(opened: Opening, site: str) -> None:
    with opened(site, "runs") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(3)
        page.get_by_label("Holding").fill("deepfm")
        expect(page.get_by_role("region", name="Runs").locator("tbody tr")).to_have_count(1)
        page.get_by_label("Holding").fill("fans")
        for box in page.get_by_role("checkbox").all():
            box.check()
        chart = page.get_by_role("figure")
        expect(chart.locator("polyline")).to_have_count(2)
        expect(chart.locator("figcaption")).to_have_text("NDCG@10 (validation)")
        page.get_by_label("Metric").select_option("loss")
        expect(chart.locator("figcaption")).to_have_text("Loss")
        page.get_by_label("State").select_option("failed")
        expect(page.locator("#page")).to_contain_text("No run fits the filters.")


def test_a_run_has_curves_settings_and_results(opened: Opening, site: str) -> None:
    with opened(site, "runs") as page:
        page.get_by_role("link", name="deepfm").click()
        loss = page.get_by_role("figure").filter(has_text="Loss").first
        expect(loss.locator("circle")).to_have_count(3)
        loss.get_by_text("The numbers").click()
        expect(loss.locator("tbody tr")).to_have_count(3)
        expect(page.get_by_role("figure").filter(has_text="Share of codes in use")).to_be_visible()
        expect(page.locator(".facts").last).to_contain_text("positive_from")
        expect(page.get_by_role("region", name="Metrics on the test data")).to_be_visible()


@pytest.mark.slow
def test_more_runs_than_one_answer_holds_stay_and_new_ones_come(
    opened: Opening, tmp_path: Path
) -> None:
    url = registry_url(tmp_path)
    upgrade(url)
    with Registry(url) as registry, serve(tmp_path) as address:
        for _ in range(1_050):
            start(registry, "sasrec")
        with opened(address, "runs", expected="503") as page:
            rows = page.locator("tbody tr")
            for shown in range(200, 1_101, 100):
                page.get_by_role("button", name="Show older runs").click()
                expect(rows).to_have_count(min(shown, 1_050))
            start(registry, "bert4rec")
            expect(rows).to_have_count(1_051, timeout=20_000)
            expect(page.get_by_role("link", name="bert4rec")).to_be_visible()


def test_a_run_that_trains_is_followed_until_it_fails(opened: Opening, tmp_path: Path) -> None:
    url = registry_url(tmp_path)
    upgrade(url)
    with Registry(url) as registry, serve(tmp_path) as address:
        run = start(registry, "sasrec")
        with opened(address, f"run/{run}", expected="503") as page:
            expect(page.locator("#page")).to_contain_text("The first epoch is not done yet")
            for epoch, loss in enumerate((3.0, 2.5), start=1):
                registry.record_metrics(run, epoch, {"loss": loss})
                circles = page.get_by_role("figure").locator("circle")
                expect(circles).to_have_count(epoch, timeout=20_000)
            registry.fail_run(run, "the disk is full")
            expect(page.locator(".facts .error")).to_have_text("the disk is full", timeout=20_000)
