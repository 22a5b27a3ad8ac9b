"""A small real artifact, and servers over it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.main import create_app
from app.settings import Settings
from cove.artifact import Manifest, write_artifact
from cove.entity_tables import entity_tables
from cove.quantization import QuantizerSettings, code_use
from cove.recommenders import RECOMMENDERS, build_recommender
from cove.vocabulary import Vocabulary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have httpx2
    from fastapi.testclient import TestClient

ODD_IDS: list[str | int] = ["a/b", "ünï", "<b>", "007", "x" * 40]
IDS: list[str | int] = [*range(1, 56), *ODD_IDS]
TITLES = [f"Film {number} ({1950 + number})" for number in range(1, 56)] + [
    "<img src=x onerror=document.title='broken'>", "Ünïcode & Söhne", "", "Bond", "Long",
]  # fmt: skip
NUM_ITEMS = len(IDS)
SETTINGS = {"dimensions": 16, "heads": 2, "layers": 1, "max_length": 40}


def make_artifact(
    directory: Path,
    code_sizes: tuple[int, ...] = (12, 4),
    seed: int = 0,
    recommender_name: str = "fans",
) -> str:
    """Write an artifact of a recommender with random weights; give its id."""
    torch.manual_seed(seed)
    known = RECOMMENDERS[recommender_name].settings.model_fields
    settings = {name: value for name, value in SETTINGS.items() if name in known}
    quantizer = QuantizerSettings(code_sizes=code_sizes) if code_sizes else None
    recommender = build_recommender(recommender_name, settings, NUM_ITEMS, quantizer).eval()
    recommender.items.start_codes(seed)
    popularity = torch.arange(NUM_ITEMS, 0, -1)
    tables = entity_tables(
        recommender.items, Vocabulary(IDS), popularity, TITLES, [["Drama"]] * NUM_ITEMS
    )
    uses = code_use(tables.codes, code_sizes) if code_sizes else []
    manifest = Manifest(
        task="list_completion", recommender=recommender_name, settings=settings,
        quantizers={"item": quantizer.model_dump()} if quantizer else {},
        training={}, num_items=NUM_ITEMS, counts={"lists": 10}, data_name="toy", data_sha256="0",
        seed=seed, epochs=1, metrics={"test": {"ndcg_at_10": 0.5}},
        code_use={"item": uses}, code_version="",
    )  # fmt: skip
    return write_artifact(directory, manifest, recommender, {"item": tables}).id


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one artifact with codes."""
    root = tmp_path_factory.mktemp("artifacts")
    make_artifact(root / "toy")
    return root


@pytest.fixture(scope="session")
def client(artifacts: Path) -> Iterator[TestClient]:
    """A server with a model; errors that it does not catch fail the test."""
    with TestClient(create_app(Settings(artifacts=artifacts))) as client:
        yield client


@pytest.fixture
def empty_client(tmp_path: Path) -> Iterator[TestClient]:
    """A server that has no model yet and looks for one often."""
    with TestClient(create_app(Settings(artifacts=tmp_path / "none", poll_seconds=0.05))) as client:
        yield client
