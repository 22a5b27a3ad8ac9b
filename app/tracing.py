"""OpenTelemetry traces of requests: FastAPI's own, where the OTEL_* variables name a collector.

The extra `otel` sends them; without an endpoint, or without the extra, nothing is traced, and of
the latter the log says so.
"""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig

_NOT_TRACED = {"/livez", "/readyz", "/metrics"}


def _is_left_out(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in _NOT_TRACED


TRACES: TelemetryConfig = {
    "auto_configure": True,
    "metrics": False,  # Prometheus has them
    "logs": False,  # they are JSON lines already
    "operation_spans": False,
    "exclude": _is_left_out,
}
