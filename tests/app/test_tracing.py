"""Requests are traced where OTEL_* variables name a collector, and nowhere else."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
IN_MEMORY = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
CALLS = """
import json, sys, warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
from app.main import create_app
from app.settings import Settings
with TestClient(create_app(Settings(artifacts=sys.argv[1]))) as client:
    headers = {"traceparent": f"00-{sys.argv[2]}-00f067aa0ba902b7-01"}
    statuses = [
        client.post("/complete-list", json={"items": [1, 2]}, headers=headers).status_code,
        *(client.get(f"/{path}").status_code
          for path in ("items/nobody", "livez", "readyz", "metrics")),
    ]
assert statuses == [200, 404, 200, 200, 200], statuses
"""
SPANS = """
print(json.dumps([
    [span.name, format(span.context.trace_id, "032x"), dict(span.attributes)]
    for span in exporter.get_finished_spans()
]))
"""
PARTS = "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"


def run(code: str, artifacts: Path, **variables: str) -> str:
    """What a program of its own prints: OpenTelemetry's provider is one for a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(artifacts), TRACE],
        capture_output=True, text=True, check=False, env=kept | variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_request_is_one_span_of_its_route_and_of_the_callers_trace(artifacts: Path) -> None:
    completed, missing = json.loads(run(IN_MEMORY + CALLS + SPANS, artifacts))
    assert completed[0] == "POST /complete-list"
    assert completed[1] == TRACE
    assert completed[2]["http.response.status_code"] == 200
    assert missing[0].startswith("GET /items/{item")
    assert missing[2]["http.response.status_code"] == 404


def test_spans_go_to_the_collector_that_the_standard_variable_names(artifacts: Path) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        variables = {"OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_SERVICE_NAME": "a shop"}
        run(CALLS, artifacts, OTEL_EXPORTER_OTLP_ENDPOINT=address, **variables)
        server.shutdown()
    assert {path for path, _ in received} == {"/v1/traces"}
    content = b"".join(body for _, body in received)
    assert b"POST /complete-list" in content
    assert b"a shop" in content
    assert b"readyz" not in content


def test_a_server_that_is_not_asked_to_trace_imports_nothing_for_it(artifacts: Path) -> None:
    assert run(CALLS + PARTS, artifacts).strip() == "[]"
