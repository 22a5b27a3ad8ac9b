"""Labels of codes: set, changed, taken away, and how a change is noticed."""

from pathlib import Path

import pytest

from tests.training.registry.manifests import make_manifest
from training.registry.errors import RegistryError
from training.registry.queries import Registry


@pytest.fixture
def model(registry: Registry, tmp_path: Path) -> str:
    """The id of a registered model."""
    manifest = make_manifest(0)
    registry.add_model(manifest, tmp_path / "there")
    return manifest.id


def labels(registry: Registry) -> list[tuple[object, ...]]:
    return sorted(
        (each.model_id, each.entity, each.level, each.code, each.label)
        for each in registry.list_labels()
    )


def test_a_label_is_set_changed_and_taken_away(registry: Registry, model: str) -> None:
    registry.put_label(model, "item", 1, 7, "Horror")
    registry.put_label(model, "user", 1, 7, "Night owls")
    registry.put_label(model, "item", 1, 7, "Slashers")
    assert labels(registry) == [
        (model, "item", 1, 7, "Slashers"), (model, "user", 1, 7, "Night owls"),
    ]  # fmt: skip
    registry.put_label(model, "item", 1, 7, "")
    assert labels(registry) == [(model, "user", 1, 7, "Night owls")]


def test_every_change_is_counted_also_one_that_takes_away(registry: Registry, model: str) -> None:
    counts = [registry.label_changes()]
    for code, label in ((1, "a"), (1, ""), (1, "a"), (2, "b")):
        registry.put_label(model, "item", 1, code, label)
        counts.append(registry.label_changes())
    assert counts == [0, 1, 2, 3, 4]


def test_a_code_of_an_unknown_model_gets_no_label(registry: Registry, model: str) -> None:
    with pytest.raises(RegistryError, match="there is no model 'nobody'"):
        registry.put_label("nobody", "item", 1, 1, "Horror")
    assert registry.list_labels() == []
