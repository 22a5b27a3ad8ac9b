"""Codes that move once in K steps: how far, with what, and over a break."""

from pathlib import Path

import pytest
import torch

from cove.embedding import EntityEmbedding
from cove.quantization import QuantizerSettings
from tests.training.worlds import Watcher, run_at
from training.optimisation import Optimizer, TrainingSettings
from training.resolving import resolve


def folding() -> EntityEmbedding:
    """Three entities of one code, which moves every second step."""
    settings = QuantizerSettings(code_sizes=(1,), assignment="random", alpha=1, update_interval=2)
    made = EntityEmbedding(3, 1, settings)
    made.start_codes(0)
    with torch.no_grad():
        made.weight.fill_(1.0)
        made.quantizer.codebooks[0].fill_(5.0)  # type: ignore[union-attr]
    return made


def test_codes_move_every_second_step_and_take_their_entities_along() -> None:
    made = folding()
    codebook = made.quantizer.codebooks[0].detach()  # type: ignore[union-attr]
    settings = TrainingSettings(warmup_steps=0, learning_rate=0.01, epochs=1, gradient_norm=1000)
    optimizer = Optimizer(made, settings)
    optimizer.set_learning_rate(0, 1)
    optimizer.start_epoch()
    found = []
    for _ in range(3):
        optimizer.step(made(torch.tensor([4])).sum())
        found.append([codebook.item(), *made.weight[[4, 5]].flatten().tolist()])
    # Adam moves by its rate where all gradients are alike: the entity by .01, the code by √2 · .01
    shared = 2**0.5 * 0.01
    assert found[0] == pytest.approx([5, 5.99, 6])
    assert found[1] == pytest.approx([5 - shared, 5.98 - shared, 6 - shared])
    assert found[2] == pytest.approx([5 - shared, 5.97 - shared, 6 - shared])
    optimizer.end_epoch()
    # Gradients of 2 · .19 and 1 · .271, with a memory of .998: .271 / √.1089
    last = 5 - shared - 0.01 * 0.82126
    assert codebook.item() == pytest.approx(last, abs=1e-6)
    assert made.weight[[4, 5]].flatten().tolist() == pytest.approx([0.97, 1.0])
    optimizer.start_epoch()
    optimizer.end_epoch()  # no step, no move
    assert codebook.item() == pytest.approx(last, abs=1e-6)


def test_weight_decay_lets_codes_move_in_every_step() -> None:
    optimizer = Optimizer(folding(), TrainingSettings(weight_decay=0.1))
    assert optimizer.seldom == []
    assert len(optimizer.dense) == 2


def test_a_checkpoint_holds_the_moments_of_codes_that_move_seldom() -> None:
    made = folding()
    optimizer = Optimizer(made, TrainingSettings())
    optimizer.start_epoch()
    for _ in range(2):
        optimizer.step(made(torch.tensor([4])).sum())
    assert optimizer.updates()["quantizer.codebooks.0"] == 1
    assert optimizer.moments()["exp_avg_sq"]["quantizer.codebooks.0"].item() > 0


@pytest.mark.parametrize("assignment", ["cooccurrence", "random"])
def test_a_run_whose_codes_move_seldom_is_repeated_and_gone_on_with(
    tmp_path: Path, assignment: str
) -> None:
    """Random codes start in the third epoch, when their vectors can be means."""
    pairs = [(user, item) for user in range(24) for item in range(24) if (user + item) % 3 == 0]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(["user_id,item_id", *(f"u{u},{i}" for u, i in pairs)]) + "\n")
    values = {"dimensions": 4, "epochs": 4, "batch_size": 20, "core": 1, "update_interval": 4,
              "assignment": assignment}  # fmt: skip
    settings = resolve("bprmf", str(file), (6, 2), 0, values, user_code_sizes=(6, 2))
    whole = run_at(tmp_path / "whole", settings)
    with pytest.raises(RuntimeError, match="the power went"):
        run_at(tmp_path / "broken", settings, Watcher((3, 5)))
    assert run_at(tmp_path / "broken", settings).hash == whole.hash
