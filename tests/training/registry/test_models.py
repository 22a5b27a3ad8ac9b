"""Models: registered, found, activated, rolled back; artifacts found in a folder."""

import shutil
from pathlib import Path

import pytest

from tests.training.registry.manifests import TASK, make_manifest, write_manifest
from training.registry.errors import RegistryError
from training.registry.queries import Registry


@pytest.fixture
def models(registry: Registry, tmp_path: Path) -> list[str]:
    """The ids of three registered models, oldest first."""
    manifests = [make_manifest(seed) for seed in range(3)]
    for manifest in manifests:
        registry.add_model(manifest, tmp_path / manifest.id)
    return [manifest.id for manifest in manifests]


def active(registry: Registry) -> str | None:
    model = registry.active_model(TASK)
    return None if model is None else model.id


def test_a_model_registered_twice_is_one_model(registry: Registry, tmp_path: Path) -> None:
    manifest = make_manifest(0, ndcg=0.5)
    registry.add_model(manifest, tmp_path / "a")
    registry.add_model(manifest, tmp_path / "b")
    (model,) = registry.list_models()
    assert (model.id, model.hash) == (manifest.id, manifest.hash)
    assert model.path == str((tmp_path / "b").resolve())
    assert model.metrics == {"test": {"ndcg_at_10": 0.5}}


def test_models_are_listed_newest_first_and_found_by_the_start_of_an_id(
    registry: Registry, models: list[str]
) -> None:
    assert [model.id for model in registry.list_models()] == models[::-1]
    assert registry.get_model(models[0][:12]).id == models[0]
    assert registry.get_model("nobody") is None


def test_no_model_is_active_until_one_is_activated(registry: Registry, models: list[str]) -> None:
    assert active(registry) is None
    assert registry.activate(models[1]).id == models[1]
    assert active(registry) == models[1]


def test_an_unknown_model_names_the_closest_ids(registry: Registry, models: list[str]) -> None:
    mistyped = models[1][:-1] + "z"
    with pytest.raises(RegistryError) as raised:
        registry.activate(mistyped)
    assert str(raised.value).startswith(f"there is no model {mistyped!r}; the closest: {models[1]}")
    with pytest.raises(RegistryError, match="the closest: fans-"):
        registry.activate("???")


def test_an_ambiguous_start_of_an_id_names_the_models(
    registry: Registry, models: list[str]
) -> None:
    with pytest.raises(RegistryError, match="'fans-' is the start of several models") as raised:
        registry.activate("fans-")
    assert all(model in str(raised.value) for model in models)


def test_activating_in_an_empty_registry_says_that_there_is_no_model(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="none is registered yet"):
        registry.activate("fans-1")


def test_rollback_goes_back_step_by_step(registry: Registry, models: list[str]) -> None:
    for model in models:
        registry.activate(model)
    assert registry.rollback(TASK).id == models[1]
    assert registry.rollback(TASK).id == models[0]
    with pytest.raises(RegistryError, match=f"no model was active before {models[0]}"):
        registry.rollback(TASK)
    assert active(registry) == models[0]


def test_rollback_after_a_rollback_and_a_new_activation(
    registry: Registry, models: list[str]
) -> None:
    first, second, third = models
    for model in (first, second):
        registry.activate(model)
    registry.rollback(TASK)
    registry.activate(third)
    assert registry.rollback(TASK).id == first


def test_activating_the_active_model_again_changes_nothing(
    registry: Registry, models: list[str]
) -> None:
    for model in (models[0], models[1], models[1]):
        registry.activate(model)
    assert registry.rollback(TASK).id == models[0]


def test_rollback_of_a_task_without_a_model_says_so(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no model has been active for the task 'click"):
        registry.rollback("click_through")


def test_artifacts_in_a_folder_are_registered_and_other_things_passed_over(
    registry: Registry, tmp_path: Path
) -> None:
    ids = {write_manifest(tmp_path / "all" / str(seed), seed) for seed in range(2)}
    write_manifest(tmp_path / "all" / ".half.tmp", 3)
    (tmp_path / "all" / "notes").mkdir()
    write_manifest(tmp_path / "all" / "altered", 4)
    altered = tmp_path / "all" / "altered" / "manifest.json"
    altered.write_text(altered.read_text().replace("toy", "other"))
    (tmp_path / "all" / "foreign").mkdir()
    (tmp_path / "all" / "foreign" / "manifest.json").write_text("[1, 2")
    assert {model.id for model in registry.sync_artifacts(tmp_path / "all")} == ids
    assert {model.id for model in registry.sync_artifacts(tmp_path / "nowhere")} == ids


def test_a_folder_that_is_an_artifact_itself_is_registered(
    registry: Registry, tmp_path: Path
) -> None:
    model = write_manifest(tmp_path / "one", 0)
    assert [each.id for each in registry.sync_artifacts(tmp_path / "one")] == [model]


def test_an_artifact_that_moved_is_found_and_a_copy_changes_nothing(
    registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    write_manifest(folder / "a", 0)
    registry.sync_artifacts(folder)
    shutil.copytree(folder / "a", folder / "b")
    (model,) = registry.sync_artifacts(folder)
    assert Path(model.path).name == "a"
    shutil.rmtree(folder / "a")
    (model,) = registry.sync_artifacts(folder)
    assert Path(model.path).name == "b"
