"""What Prometheus is told: calls, inference, queues, ids that nobody knew, the served models."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.services.served_model import ServedModel

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("cove_http_requests", "Requests answered.", ["method", "path", "status"])
REQUEST_SECONDS = Histogram(
    "cove_http_request_duration_seconds", "From head to answer.", ["path"], buckets=_SECONDS
)
INFERENCE_SECONDS = Histogram(
    "cove_inference_duration_seconds",
    "Of calls that were computed together, from first to last.",
    ["task"],
    buckets=_SECONDS,
)
BATCH_SIZE = Histogram(
    "cove_batch_size",
    "Lists, users or sets of pairs that were computed together.",
    ["task"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
QUEUE_SIZE = Gauge("cove_queue_size", "Calls that wait for a model.", multiprocess_mode="livesum")
UNKNOWN_IDS = Counter("cove_unknown_ids", "Ids asked about that no model knew.", ["task"])
FALLBACKS = Counter(
    "cove_fallback", "Answers that the model had no part in, by what they came from.", ["source"]
)


def exposition(served: Mapping[str, ServedModel]) -> bytes:
    """All metrics as text, of all workers where there are several; `served`: model by task."""
    models = CollectorRegistry()
    models.register(_Models(served))
    calls = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        calls = CollectorRegistry()
        MultiProcessCollector(calls)  # type: ignore[no-untyped-call]
    return generate_latest(calls) + generate_latest(models)


def forget_dead_workers() -> None:
    """Take workers that ended out of what is added up over those that live."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Models(Collector):
    """The models that are served now; the same in every worker, so nothing is added up."""

    def __init__(self, served: Mapping[str, ServedModel]) -> None:
        self.served = served

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each model's name, and how its codes are used over the whole catalogue."""
        names = ["task", "model", "recommender", "data"]
        info = GaugeMetricFamily("cove_model_info", "The model served for a task.", labels=names)
        level = ["model", "entity", "level"]
        perplexity = GaugeMetricFamily(
            "cove_codebook_perplexity", "Of the codes of a level, over all entities.", labels=level
        )
        used = GaugeMetricFamily(
            "cove_codebook_used_ratio", "Codes of a level that any entity has.", labels=level
        )
        for task, model in self.served.items():
            manifest = model.manifest
            info.add_metric([task, model.id, manifest.recommender, manifest.data_name], 1)
            for entity, uses in manifest.code_use.items():
                for use in uses:
                    labels = [model.id, entity, str(use.level)]
                    perplexity.add_metric(labels, use.perplexity)
                    used.add_metric(labels, use.used / use.size)
        yield from (info, perplexity, used)
