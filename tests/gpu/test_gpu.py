"""What only a GPU can show: the same results as on a CPU, no waiting in a step, bounded memory.

`make gpu-check` runs these; without a GPU each says so.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cove.artifact import read_artifact
from cove.batches import Batch, ClickBatch, ListBatch, PairBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import CLICKS, LISTS, RECOMMENDERS, build_recommender
from cove.recommenders.catalogue import CatalogueHead
from cove.vocabulary import NUM_SPECIAL
from tests.training.torchrun import torchrun
from tests.training.worlds import CLICKS_SMALL, click_settings, open_at, planted_clicks
from tests.training.worlds import Watcher as Listener
from training.loop import train_step
from training.optimisation import Optimizer, TrainingSettings
from training.train import Place, run_training

pytestmark = pytest.mark.gpu
NUM_USERS, NUM_ITEMS = 30, 50
STILL = {"dropout": 0.0, "attention_dropout": 0.0, "input_masking": 0.0, "random_halves": False}
DRAWS = {"sasrec": "softmax", "car": "softmax", "caser": "softmax"}
"""Losses that draw no random numbers, which a GPU draws otherwise."""
OTHERS = {"bert4rec", "fans_two_stage", "logistic_regression"}
"""Two that mask at random or need categories first, and one that has no embeddings."""
ALIKE = [name for name in RECOMMENDERS if name not in OTHERS]
BY_ID = ("bprmf", "neumf", "deepfm", "finalmlp")


@pytest.fixture(autouse=True)
def _gpu() -> Iterator[None]:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here, or this torch is built without CUDA")
    precision = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(precision)


def batch_for(name: str) -> Batch:
    draw = torch.Generator().manual_seed(0)

    def ids(count: int, *shape: int) -> torch.Tensor:
        return NUM_SPECIAL + torch.randint(count, shape, generator=draw)

    task = RECOMMENDERS[name].task
    if task == LISTS:
        return ListBatch(ids(NUM_ITEMS, 8, 4), ids(NUM_ITEMS, 8, 5))
    if task == CLICKS:
        labels = (torch.rand(16, generator=draw) < 0.5).float()
        return ClickBatch(ids(NUM_USERS, 16), ids(NUM_ITEMS, 16), labels)
    return PairBatch(ids(NUM_USERS, 16), ids(NUM_ITEMS, 16), ids(NUM_ITEMS, 16, 1))


def objective(name: str, assignment: str = "random") -> Objective:
    torch.manual_seed(0)
    known = RECOMMENDERS[name].settings.model_fields
    values: dict[str, object] = {key: value for key, value in STILL.items() if key in known}
    if name in DRAWS:
        values["loss"] = DRAWS[name]
    shrinkage = 0.1 if assignment == "random" else 0.0
    quantizer = QuantizerSettings(
        code_sizes=(8, 3), assignment=assignment, shrinkage=shrinkage, initialization="sample"
    )
    made = build_recommender(name, values, NUM_ITEMS, quantizer, NUM_USERS, quantizer)
    for entity in made.entities().values():
        entity.start_codes(0)
    return Objective(made, ObjectiveSettings())


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("assignment", ["random", "nearest"])
def test_the_loss_of_a_step_is_that_of_a_cpu(name: str, assignment: str) -> None:
    made, batch = objective(name, assignment).train(), batch_for(name)
    made.recommender.start_epoch(4, 5)
    expected, _ = made(batch)
    found, _ = made.cuda()(batch.to("cuda"))
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", BY_ID)
def test_a_step_never_waits_for_the_gpu(name: str) -> None:
    made, batch = objective(name).cuda().train(), batch_for(name).to("cuda")
    optimizer = Optimizer(made, TrainingSettings())
    train_step(made, optimizer, batch)  # the first makes the moments
    torch.cuda.set_sync_debug_mode("error")
    try:
        train_step(made, optimizer, batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_catalogues_loss_in_blocks_is_the_plain_one() -> None:
    torch.manual_seed(0)
    head = CatalogueHead(1000).cuda()
    states = torch.randn(300, 16, device="cuda", requires_grad=True)
    table = torch.randn(NUM_SPECIAL + 1000, 16, device="cuda", requires_grad=True)
    targets = NUM_SPECIAL + torch.randint(1000, (300,), device="cuda")
    expected = F.cross_entropy(head(states, table), targets - NUM_SPECIAL)
    found = head.loss(states, table, targets)
    torch.testing.assert_close(found, expected)
    inputs = [states, table, head.bias]
    gradients = (torch.autograd.grad(loss, inputs) for loss in (found, expected))
    for one, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-4, atol=1e-6)


def test_the_catalogues_loss_takes_no_memory_for_a_batchs_scores() -> None:
    num_items, rows = 1_000_000, 4096
    head = CatalogueHead(num_items).cuda()
    table = torch.randn(NUM_SPECIAL + num_items, 16, device="cuda", requires_grad=True)
    states = torch.randn(rows, 16, device="cuda", requires_grad=True)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    head.loss(states, table, torch.full((rows,), NUM_SPECIAL, device="cuda")).backward()
    whole = 4 * rows * num_items  # 16 GB
    assert torch.cuda.max_memory_allocated() - before < whole / 10


def test_a_run_on_a_gpu_gives_an_artifact_like_one_on_a_cpu(tmp_path: Path) -> None:
    file = planted_clicks(tmp_path)
    found = {}
    for device in ("cpu", "cuda"):
        output = tmp_path / device / "model"
        registry = open_at(output.parent)
        place = Place(None, output, device)
        run_training(click_settings(file, epochs=2), place, registry, Listener())
        registry.close()
        found[device] = read_artifact(output).manifest.metrics["test"]["auc"]
    assert found["cuda"] == pytest.approx(found["cpu"], abs=0.05)


def test_tables_sharded_over_gpus_give_an_artifact_like_one_on_a_cpu(tmp_path: Path) -> None:
    count = torch.cuda.device_count()
    if count < 2:
        pytest.skip("there is one GPU here: NCCL needs one for each process")
    file, output = planted_clicks(tmp_path), tmp_path / "cuda" / "model"
    settings = click_settings(file, epochs=2)
    registry = open_at(tmp_path / "cpu")
    place = Place(None, tmp_path / "cpu" / "model", "cpu")
    alone = run_training(settings, place, registry, Listener())
    registry.close()
    call = ["-m", "training.cli", "train", "deepfm", "--data", str(file), "--output", str(output)]
    call += ["--cove", "6", "--user-cove", "5,2", "--set", "embedding_sharding=rows"]
    values = CLICKS_SMALL | {"epochs": 2}
    for name, value in values.items():
        call += ["--set", f"{name}={json.dumps(value)}"]
    done = torchrun(*call, processes=count)
    assert done.returncode == 0, done.stderr
    auc = read_artifact(output).manifest.metrics["test"]["auc"]
    assert auc == pytest.approx(alone.metrics["test"]["auc"], abs=0.05)
