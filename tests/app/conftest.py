"""A small real artifact, and servers over it."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.main import create_app
from app.settings import Settings
from cove.artifact import Manifest, write_artifact
from cove.entity_tables import EntityTables, SeenItems, entity_tables
from cove.item_index import ItemIndex
from cove.quantization import QuantizerSettings, code_use
from cove.recommenders import RECOMMENDERS, build_recommender
from cove.recommenders.clicks import ClickScorer
from cove.recommenders.preferences import PreferenceModel
from cove.vocabulary import Vocabulary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have httpx2
    from fastapi.testclient import TestClient

ODD_IDS: list[str | int] = ["a/b", "ünï", "<b>", "007", "x" * 40]
IDS: list[str | int] = [*range(1, 55), 2**53 + 1, *ODD_IDS]
TITLES = [f"Film {number} ({1950 + number})" for number in range(1, 56)] + [
    "<img src=x onerror=document.title='broken'>", "Ünïcode & Söhne", "", "Bond", "Long",
]  # fmt: skip
NUM_ITEMS = len(IDS)
USER_IDS: list[str | int] = [*range(101, 117), "u/1", "ünï", "<b>", "007"]
NUM_USERS = len(USER_IDS)
SETTINGS = {"dimensions": 16, "heads": 2, "layers": 1, "max_length": 40}
CLICK_SETTINGS = {"dimensions": 8, "widths": (16, 8)}


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


def make_click_artifact(
    directory: Path,
    seed: int = 0,
    recommender_name: str = "deepfm",
    item_sizes: tuple[int, ...] = (12, 4),
    user_sizes: tuple[int, ...] = (6, 2),
) -> str:
    """Write an artifact of a click scorer with random weights; give its id."""
    torch.manual_seed(seed)
    known = RECOMMENDERS[recommender_name].settings.model_fields
    settings = {name: value for name, value in CLICK_SETTINGS.items() if name in known}
    sizes = {"item": item_sizes, "user": user_sizes}
    quantizers = {k: QuantizerSettings(code_sizes=size) for k, size in sizes.items() if size}
    recommender = build_recommender(
        recommender_name, settings, NUM_ITEMS, quantizers.get("item"), NUM_USERS,
        quantizers.get("user"),
    ).eval()  # fmt: skip
    assert isinstance(recommender, ClickScorer)
    for parameter in recommender.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for embedding in recommender.entities().values():
        embedding.start_codes(seed)
    recommender.average_unknown()
    tables = {
        "item": entity_tables(
            recommender.items, Vocabulary(IDS), torch.arange(NUM_ITEMS, 0, -1), TITLES
        ),
        "user": entity_tables(
            recommender.users, Vocabulary(USER_IDS), torch.arange(NUM_USERS, 0, -1)
        ),
    }
    manifest = Manifest(
        task="click_through", recommender=recommender_name, settings=settings,
        quantizers={k: quantizer.model_dump() for k, quantizer in quantizers.items()},
        training={"task_options": {"split": "random"}}, num_items=NUM_ITEMS,
        counts={"users": NUM_USERS}, data_name="toy", data_sha256="0", seed=seed, epochs=1,
        metrics={"test": {"auc": 0.7}},
        code_use={k: code_use(tables[k].codes, sizes[k]) for k in quantizers}, code_version="",
    )  # fmt: skip
    return write_artifact(directory, manifest, recommender, tables).id


def make_preference_artifact(
    directory: Path,
    seed: int = 0,
    recommender_name: str = "bprmf",
    item_sizes: tuple[int, ...] = (12, 4),
    user_sizes: tuple[int, ...] = (6, 2),
) -> str:
    """Write an artifact of a preference model with random weights; give its id.

    The user in row u has u % 6 items.
    """
    torch.manual_seed(seed)
    sizes = {"item": item_sizes, "user": user_sizes}
    quantizers = {k: QuantizerSettings(code_sizes=size) for k, size in sizes.items() if size}
    recommender = build_recommender(
        recommender_name, {"dimensions": 8}, NUM_ITEMS, quantizers.get("item"), NUM_USERS,
        quantizers.get("user"),
    ).eval()  # fmt: skip
    assert isinstance(recommender, PreferenceModel)
    for parameter in recommender.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for embedding in recommender.entities().values():
        embedding.start_codes(seed)
    pairs = sorted(
        {(u, (7 * u + 11 * j) % NUM_ITEMS) for u in range(NUM_USERS) for j in range(u % 6)}
    )
    owners, rows = torch.tensor(pairs).unbind(dim=1)
    lengths = torch.bincount(owners, minlength=NUM_USERS)
    seen = SeenItems(torch.nn.functional.pad(lengths.cumsum(0), (1, 0)), rows)
    users = entity_tables(recommender.users, Vocabulary(USER_IDS), lengths)
    items = entity_tables(
        recommender.items, Vocabulary(IDS), torch.arange(NUM_ITEMS, 0, -1), TITLES
    )
    return write_preferences(
        directory, recommender_name, recommender, items, replace(users, seen=seen)
    )


def write_preferences(
    directory: Path,
    name: str,
    recommender: PreferenceModel,
    items: EntityTables,
    users: EntityTables,
    index: ItemIndex | None = None,
) -> str:
    """Write an artifact of a preference model; give its id."""
    tables = {"item": items, "user": users}
    sizes = {k: tuple(map(len, each.codebooks)) for k, each in tables.items() if each.codebooks}
    manifest = Manifest(
        task="collaborative_filtering", recommender=name,
        settings=recommender.settings.model_dump(),
        quantizers={k: {"code_sizes": size} for k, size in sizes.items()}, training={},
        num_items=len(items.vocabulary), counts={}, data_name="toy", data_sha256="0", seed=0,
        epochs=1, metrics={"test": {"ndcg_at_10": 0.1}},
        code_use={k: code_use(tables[k].codes, size) for k, size in sizes.items()},
        code_version="",
    )  # fmt: skip
    return write_artifact(directory, manifest, recommender, tables, index=index).id


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


@pytest.fixture(scope="session")
def click_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one click model, which has codes of items and of users."""
    root = tmp_path_factory.mktemp("clicks")
    make_click_artifact(root / "clicks")
    return root


@pytest.fixture(scope="session")
def click_client(click_artifacts: Path) -> Iterator[TestClient]:
    """A server with a click model alone."""
    with TestClient(create_app(Settings(artifacts=click_artifacts))) as client:
        yield client


@pytest.fixture(scope="session")
def both_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a list model, and a click model without codes of items."""
    root = tmp_path_factory.mktemp("both")
    make_artifact(root / "lists")
    make_click_artifact(root / "clicks", item_sizes=())
    return root


@pytest.fixture(scope="session")
def both_client(both_artifacts: Path) -> Iterator[TestClient]:
    """A server with a model for each task."""
    with TestClient(create_app(Settings(artifacts=both_artifacts))) as client:
        yield client


@pytest.fixture(scope="session")
def preference_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one preference model, which has codes of items and of users."""
    root = tmp_path_factory.mktemp("preferences")
    make_preference_artifact(root / "recommend")
    return root


@pytest.fixture(scope="session")
def preference_client(preference_artifacts: Path) -> Iterator[TestClient]:
    """A server with a preference model alone."""
    with TestClient(create_app(Settings(artifacts=preference_artifacts))) as client:
        yield client


@pytest.fixture(scope="session")
def all_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a model for each of the three tasks."""
    root = tmp_path_factory.mktemp("all")
    make_artifact(root / "lists")
    make_click_artifact(root / "clicks")
    make_preference_artifact(root / "recommend")
    return root


@pytest.fixture(scope="session")
def all_client(all_artifacts: Path) -> Iterator[TestClient]:
    """A server with a model for each of the three tasks."""
    with TestClient(create_app(Settings(artifacts=all_artifacts))) as client:
        yield client


@pytest.fixture
def empty_client(tmp_path: Path) -> Iterator[TestClient]:
    """A server that has no model yet and looks for one often."""
    with TestClient(create_app(Settings(artifacts=tmp_path / "none", poll_seconds=0.05))) as client:
        yield client
