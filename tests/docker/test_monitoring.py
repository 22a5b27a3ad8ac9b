"""Prometheus and Grafana are given what they read, by the names that the server uses."""

import json
import re
from pathlib import Path

import yaml

DOCKER = Path(__file__).parents[2] / "docker"
GRAFANA = DOCKER / "grafana"
METRICS = {
    "cove_http_requests_total", "cove_http_request_duration_seconds",
    "cove_inference_duration_seconds", "cove_batch_size", "cove_queue_size",
    "cove_unknown_ids_total", "cove_fallback_total", "cove_model_info",
    "cove_codebook_perplexity", "cove_codebook_used_ratio",
}  # fmt: skip


def test_the_dashboard_shows_every_metric_of_the_server_and_no_other() -> None:
    board = json.loads((GRAFANA / "dashboards" / "cove.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    names = {name for text in asked for name in re.findall(r"cove_\w+", text)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} == METRICS


def test_the_panels_lie_beside_each_other_and_ask_the_provisioned_source() -> None:
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )["datasources"]
    panels = json.loads((GRAFANA / "dashboards" / "cove.json").read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)


def test_prometheus_reads_the_service_that_compose_starts_with_its_key() -> None:
    (job,) = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())[
        "scrape_configs"
    ]
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    (target,) = job["static_configs"][0]["targets"]
    assert target.split(":")[0] in services
    assert job["authorization"]["credentials_file"] == "/run/secrets/api_key"
    assert "api_key" in services["prometheus"]["secrets"]
