"""A run from raw lists to a registered artifact: repeatable, resumable, refused in one sentence."""

from pathlib import Path

import pytest
import torch

from cove.artifact import Manifest, read_artifact
from cove.errors import CoveError, SettingsError
from cove.quantization import FixedCodes, QuantizerSettings
from tests.training.worlds import (
    SMALL,
    Watcher,
    open_at,
    planted_file,
    run_at,
    small_settings,
)
from training import preparing
from training.datasets import ListFilter, load_lists
from training.one_run import only_run_at
from training.preparing import pick_device
from training.resolving import resolve
from training.tasks.list_completion import prepare
from training.train import Place

COVE_ONLY = ("alpha", "initialization", "form")
GOLDEN_LOSSES = [4.2874026, 4.3357310, 4.3286176]
"""Per epoch, of seed 0."""


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return read_artifact(directory).weights


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_the_losses_of_a_seed_are_the_recorded_ones(unbroken: tuple[Path, Manifest]) -> None:
    output, manifest = unbroken
    registry = open_at(output.parent)
    found = registry.run_metrics(str(manifest.run_id))
    registry.close()
    losses = [m.value for m in found if m.name == "loss"]
    assert losses == pytest.approx(GOLDEN_LOSSES, rel=1e-4)


def test_a_run_is_registered_finished_and_its_first_model_active(
    unbroken: tuple[Path, Manifest],
) -> None:
    output, manifest = unbroken
    registry = open_at(output.parent)
    (run,) = registry.list_runs()
    active = registry.active_model("list_completion")
    names = {(m.epoch, m.name) for m in registry.run_metrics(run.id)}
    registry.close()
    assert (run.state, run.epochs, run.model_id) == ("finished", 3, manifest.id)
    assert run.metrics == manifest.metrics["test"]
    assert active is not None
    assert (active.id, Path(active.path)) == (manifest.id, output.resolve())
    assert {epoch for epoch, _ in names} == {1, 2, 3}
    wanted = {"loss", "quantization_loss", "code_prediction_loss", "valid_ndcg_at_10",
              "codes_used_level_1", "perplexity_level_2", "seconds"}  # fmt: skip
    assert {(epoch, name) for epoch in (1, 2, 3) for name in wanted} <= names
    assert sorted(path.name for path in output.parent.glob(".*")) == []


def test_the_manifest_says_what_was_trained_on_what(
    unbroken: tuple[Path, Manifest], tiny: Path
) -> None:
    _, manifest = unbroken
    assert manifest.id == f"fans-{manifest.hash[:12]}"
    assert (manifest.data_name, manifest.seed, manifest.num_items) == ("tiny", 0, 80)
    counts = manifest.counts
    assert [counts[f"{split}_lists"] for split in ("train", "valid", "test")] == [48, 6, 6]
    assert manifest.quantizers["item"]["code_sizes"] == [12, 4]
    assert [use.size for use in manifest.code_use["item"]] == [12, 4]
    assert manifest.metrics.keys() == {
        "valid", "test", "test_most_popular", "test_item_cooccurrence",
    }  # fmt: skip


def test_the_artifact_holds_each_test_metric_by_list(
    unbroken: tuple[Path, Manifest], tiny: Path
) -> None:
    output, manifest = unbroken
    artifact = read_artifact(output)
    means = {name: float(v.nanmean()) for name, v in artifact.evaluation.items() if len(v)}
    assert {k: v for k, v in means.items() if k in manifest.metrics["test"]} == pytest.approx(
        manifest.metrics["test"], abs=1e-6
    )
    task = prepare(load_lists(str(tiny), None, ListFilter(min_count=1)), 0)
    again = task.test_metrics(artifact.load_recommender())[1]
    for name, values in artifact.evaluation.items():
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, again[name].float(), equal_nan=True)


@pytest.mark.parametrize("recommender", ["fans", "bert4rec"])
def test_one_seed_gives_one_artifact_and_another_seed_another(
    tiny: Path, tmp_path: Path, recommender: str
) -> None:
    made = [
        run_at(tmp_path / name, small_settings(tiny, seed, recommender, epochs=2))
        for name, seed in [("one", 7), ("two", 7), ("three", 8)]
    ]
    assert made[0].hash == made[1].hash
    assert made[0].run_id != made[1].run_id
    assert made[0].hash != made[2].hash
    assert same_weights(tmp_path / "one", tmp_path / "two")
    assert not same_weights(tmp_path / "one", tmp_path / "three")


def test_the_folder_of_a_file_of_lists_does_not_show_in_the_artifact(
    unbroken: tuple[Path, Manifest], tmp_path: Path
) -> None:
    elsewhere = small_settings(planted_file(tmp_path / "elsewhere"))
    assert run_at(tmp_path / "model", elsewhere).hash == unbroken[1].hash


@pytest.mark.parametrize("moment", [(2, 2), (3, 1), (1, None), (2, None)])
def test_a_run_broken_off_goes_on_to_the_same_weights(
    unbroken: tuple[Path, Manifest], tiny: Path, tmp_path: Path, moment: tuple[int, int | None]
) -> None:
    output, settings = tmp_path / "model", small_settings(tiny)
    with pytest.raises(RuntimeError, match="the power went"):
        run_at(output, settings, Watcher(moment))
    registry = open_at(tmp_path)
    (failed,) = registry.list_runs()
    assert (failed.state, failed.reason) == ("failed", "RuntimeError: the power went")
    assert not output.exists()

    again = Watcher()
    manifest = run_at(output, settings, again)
    finished = registry.list_runs()
    epochs = {m.epoch for run in finished for m in registry.run_metrics(run.id)}
    registry.close()
    assert manifest.hash == unbroken[1].hash
    assert same_weights(output, unbroken[0])
    assert epochs == {1, 2, 3}
    if moment == (1, None):  # no checkpoint yet: a new run
        assert again.epochs == [1, 2, 3]
        assert sorted(run.state for run in finished) == ["failed", "finished"]
    else:
        assert again.epochs == list(range(moment[0], 4))
        assert [run.state for run in finished] == ["finished"]


def test_an_interrupted_run_says_how_to_go_on(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_at(tmp_path / "model", small_settings(tiny), Watcher((2, 1), KeyboardInterrupt()))
    registry = open_at(tmp_path)
    (run,) = registry.list_runs(state="failed")
    registry.close()
    assert run.reason == "interrupted: the same command goes on from the last epoch"


def test_the_same_command_again_trains_nothing_and_changes_nothing(
    unbroken: tuple[Path, Manifest], tiny: Path
) -> None:
    output, manifest = unbroken
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    registry = open_at(output.parent)
    finished_at = [run.finished_at for run in registry.list_runs()]
    watcher = Watcher()
    assert run_at(output, small_settings(tiny), watcher) == manifest
    assert watcher.epochs == []
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before
    assert [run.finished_at for run in registry.list_runs()] == finished_at
    registry.close()


def test_what_a_kill_after_the_artifact_left_undone_is_done_by_the_same_command(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, output = small_settings(tiny, epochs=1), tmp_path / "model"

    def die(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr("training.train._register", die)
        with pytest.raises(RuntimeError):
            run_at(output, settings)
    watcher = Watcher()
    manifest = run_at(output, settings, watcher)
    registry = open_at(tmp_path)
    (run,) = registry.list_runs()
    registry.close()
    assert watcher.epochs == []
    assert (run.state, run.model_id) == ("finished", manifest.id)
    assert not Place(None, output).checkpoint.exists()


def test_other_settings_on_the_same_output_are_refused(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    first = run_at(output, small_settings(tiny, epochs=1))
    other = small_settings(tiny, epochs=2)
    with pytest.raises(SettingsError, match=f"holds another model .{first.id}.*--overwrite") as no:
        run_at(output, other)
    assert "\n" not in str(no.value)
    assert read_artifact(output).manifest == first
    with pytest.raises(SettingsError, match="--overwrite"):
        run_at(output, other, restart=True)  # which is for checkpoints
    assert read_artifact(output).manifest == first
    replaced = run_at(output, other, overwrite=True)
    assert read_artifact(output).manifest == replaced
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_an_output_is_trained_by_one_process_at_a_time(tiny: Path, tmp_path: Path) -> None:
    output, settings = tmp_path / "model", small_settings(tiny, epochs=1)
    with only_run_at(output), pytest.raises(SettingsError, match="another process is training"):
        run_at(output, settings)
    manifest = run_at(output, settings)
    with only_run_at(output):
        pass
    assert read_artifact(output).manifest == manifest
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("change", [{"learning_rate": 0.01}, {"seed": 1}, {"min_length": 11}])
def test_a_checkpoint_of_other_settings_is_refused(
    tiny: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    output = tmp_path / "model"
    with pytest.raises(RuntimeError):
        run_at(output, small_settings(tiny), Watcher((2, 1)))
    other = small_settings(tiny, **change)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"other settings or data.*--restart") as refused:
        run_at(output, other)
    assert "\n" not in str(refused.value)
    watcher = Watcher()
    run_at(output, other, watcher, restart=True)
    assert watcher.epochs == [1, 2, 3]


def test_a_damaged_checkpoint_is_refused_and_restart_discards_it(
    tiny: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    checkpoint = Place(None, output).checkpoint
    checkpoint.write_bytes(b"PK not a checkpoint")
    with pytest.raises(CoveError, match=r"cannot be read.*--restart"):
        run_at(output, small_settings(tiny, epochs=1))
    run_at(output, small_settings(tiny, epochs=1), restart=True)
    assert not checkpoint.exists()


def test_a_foreign_folder_at_the_output_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    with pytest.raises(CoveError, match="holds other files"):
        run_at(output, small_settings(tiny), overwrite=True)
    assert (output / "thesis.txt").read_text() == "years of work"


def test_more_codes_than_items_are_refused(tiny: Path, tmp_path: Path) -> None:
    settings = small_settings(tiny)
    quantizer = settings.quantizer
    assert quantizer is not None
    wide = settings.model_copy(
        update={"quantizer": quantizer.model_copy(update={"code_sizes": (81, 4)})}
    )
    with pytest.raises(SettingsError, match=r"must not exceed the 80 items.*got 81"):
        run_at(tmp_path / "model", wide)


def test_weights_that_the_last_step_broke_fail_the_run(tiny: Path, tmp_path: Path) -> None:
    one_step = small_settings(tiny, learning_rate=1e38, warmup_steps=0, epochs=1, batch_size=1000)
    with pytest.raises(CoveError, match="a weight is not a number any more in epoch 1: lower"):
        run_at(tmp_path / "model", one_step)
    assert not (tmp_path / "model").exists()


def test_a_loss_that_is_no_number_fails_the_run(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CoveError, match="not a number any more in epoch 1: lower learning_rate"):
        run_at(tmp_path / "model", small_settings(tiny, learning_rate=1e38, warmup_steps=0))
    registry = open_at(tmp_path)
    (run,) = registry.list_runs()
    registry.close()
    assert run.state == "failed"
    assert "not a number" in str(run.reason)


@pytest.mark.parametrize("name", ["meta", "tpu", "", "cuda:99"])
def test_an_unusable_device_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"device must be auto, cpu or .*got '{name}'"):
        pick_device(name)


def test_codes_taken_from_a_trained_model_are_those_of_its_embeddings(
    tiny: Path, tmp_path: Path
) -> None:
    plain = run_at(
        tmp_path / "plain",
        resolve(
            "fans",
            str(tiny),
            None,
            0,
            {k: v for k, v in SMALL.items() if k not in COVE_ONLY} | {"epochs": 1},
        ),
    )
    settings = resolve("fans", str(tiny), (12, 4), 0, SMALL | {"epochs": 1}, plain.id)
    taken = run_at(tmp_path / "taken", settings, codes_from=tmp_path / "plain")
    source = FixedCodes(QuantizerSettings(code_sizes=(12, 4)), 16, 80)
    vectors = read_artifact(tmp_path / "plain").items.embeddings
    source.take_from(vectors, 0)
    assert torch.equal(read_artifact(tmp_path / "taken").items.codes, source.codes(vectors))
    assert taken.quantizers["item"]["assignment"] == "given"


def test_codes_of_a_model_of_another_split_are_refused(tiny: Path, tmp_path: Path) -> None:
    run_at(tmp_path / "plain", small_settings(tiny, min_count=7, epochs=1))
    settings = resolve("fans", str(tiny), (12, 4), 0, SMALL | {"epochs": 1}, "fans-1")
    with pytest.raises(
        SettingsError, match="was trained on other data, another filter, split or seed"
    ):
        run_at(tmp_path / "taken", settings, codes_from=tmp_path / "plain")


def test_a_run_keeps_the_memory_of_its_steps(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(preparing, "keep_freed_memory", lambda: calls.append(None))
    run_at(tmp_path / "model", small_settings(tiny))
    assert len(calls) == 1
