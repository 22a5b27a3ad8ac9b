"""Adam: its schedule, its bound on gradients, and its row-sparse form."""

import pytest
import torch
from torch import nn

from cove.embedding import EntityEmbedding
from cove.errors import SettingsError
from cove.quantization import QuantizerSettings
from cove.recommenders import build_recommender
from tests.training.worlds import TAKE_WHOLE_TABLES
from training.optimisation import Optimizer, TrainingSettings, choose_sparse_tables


def rates(settings: TrainingSettings, moments: list[tuple[int, int]]) -> list[float]:
    optimizer = Optimizer(nn.Linear(1, 1), settings)
    found = []
    for epoch, taken in moments:
        optimizer.set_learning_rate(epoch, taken)
        found.append(float(optimizer.parts[0].param_groups[0]["lr"]))
    return found


def test_the_learning_rate_grows_with_the_first_steps_and_falls_with_the_epochs() -> None:
    settings = TrainingSettings(epochs=5, learning_rate=0.01, warmup_steps=4)
    grown = rates(settings, [(0, 1), (0, 2), (0, 4), (0, 5)])
    assert grown == pytest.approx([0.0025, 0.005, 0.01, 0.01])
    fallen = rates(settings, [(epoch, 9) for epoch in range(5)])
    assert fallen == pytest.approx([0.01, 0.00775, 0.0055, 0.00325, 0.001])


def test_the_learning_rate_of_a_single_epoch_is_the_whole_one() -> None:
    settings = TrainingSettings(epochs=1, learning_rate=0.01, warmup_steps=0)
    assert rates(settings, [(0, 1)]) == [0.01]


def table(sparse: bool) -> EntityEmbedding:
    torch.manual_seed(0)
    made = EntityEmbedding(6, 2)
    made.sparse_gradients = sparse
    return made


def steps(sparse: bool, batches: list[list[int]], **settings: float) -> torch.Tensor:
    made = table(sparse)
    values = {"warmup_steps": 0, "learning_rate": 0.1, "gradient_norm": 1000.0} | settings
    optimizer = Optimizer(made, TrainingSettings(**values))  # type: ignore[arg-type]
    for ids in batches:
        optimizer.step(made(torch.tensor(ids)).square().sum() + made(torch.tensor(ids)).sum())
    return made.weight.detach()


def test_one_row_sparse_step_is_a_dense_one_repeated_ids_included() -> None:
    torch.testing.assert_close(steps(True, [[4, 6, 6]]), steps(False, [[4, 6, 6]]))


def test_rows_outside_the_batch_rest_with_row_sparse_updates_and_move_on_with_dense_ones() -> None:
    before = table(True).weight.detach()
    first, sparse, dense = steps(True, [[4]]), steps(True, [[4], [5]]), steps(False, [[4], [5]])
    assert torch.equal(sparse[4], first[4])  # not in the second batch
    assert not torch.equal(dense[4], first[4])  # its moments go on
    assert torch.equal(sparse[6:], before[6:])
    assert torch.equal(dense[6:], before[6:])


def test_dense_and_sparse_gradients_are_bounded_by_their_common_norm() -> None:
    made = nn.ModuleList([table(True), nn.Linear(1, 1, bias=False)])
    optimizer = Optimizer(made, TrainingSettings(gradient_norm=1.0))
    # The table's gradient is (3, 0), the layer's 4: together 5 long, a fifth of each is left.
    loss = 3 * made[0](torch.tensor([4]))[0, 0] + 4 * made[1](torch.ones(1, 1)).sum()
    optimizer.step(loss)
    assert made[0].weight.grad.coalesce().values().tolist() == [[pytest.approx(0.6), 0.0]]
    assert made[1].weight.grad.item() == pytest.approx(0.8)


def test_moments_and_updates_of_both_kinds_are_taken_over() -> None:
    made = nn.ModuleList([table(True), nn.Linear(1, 1)])
    optimizer = Optimizer(made, TrainingSettings())
    optimizer.step(made[0](torch.tensor([4])).sum() + made[1](torch.ones(1, 1)).sum())
    other = Optimizer(made, TrainingSettings())
    for kind, moments in other.moments().items():
        for name, moment in moments.items():
            moment.copy_(optimizer.moments()[kind][name])
    other.set_updates(optimizer.updates())
    assert other.updates() == {"0.weight": 1, "1.weight": 1, "1.bias": 1}
    for one, two in zip(optimizer.parts, other.parts, strict=True):
        for mine, theirs in zip(one.state.values(), two.state.values(), strict=True):
            assert {name: type(each) for name, each in mine.items()} == {
                name: type(each) for name, each in theirs.items()
            }
            for name in mine:
                assert torch.equal(torch.as_tensor(mine[name]), torch.as_tensor(theirs[name]))


def test_moments_asked_for_before_the_first_step_change_nothing() -> None:
    found = []
    for asks in (False, True):
        torch.manual_seed(0)
        made = nn.ModuleList([table(True), nn.Linear(1, 1)])
        optimizer = Optimizer(made, TrainingSettings())
        if asks:
            assert not any(m.any() for kind in optimizer.moments().values() for m in kind.values())
        for _ in range(2):
            optimizer.step(made[0](torch.tensor([4])).sum() + made[1](torch.ones(1, 1)).sum())
        found.append(torch.cat([each.detach().flatten() for each in made.parameters()]))
    assert torch.equal(*found)


def test_a_list_recommender_with_sampled_negatives_is_row_sparse_by_its_size() -> None:
    made = build_recommender("sasrec", {"dimensions": 2, "heads": 2}, num_items=60_000)
    choose_sparse_tables(made, TrainingSettings())
    assert made.items.sparse_gradients


def test_tables_are_row_sparse_by_their_size_or_by_the_setting() -> None:
    made = build_recommender(
        "factorization_machine", {"dimensions": 2}, num_items=20, num_users=60_000
    )
    found = {}
    for choice in ("auto", "always", "never"):
        choose_sparse_tables(made, TrainingSettings(row_sparse=choice))
        found[choice] = [made.users.sparse_gradients, made.items.sparse_gradients]
    assert found == {"auto": [True, False], "always": [True, True], "never": [False, False]}


@pytest.mark.parametrize(("name", "values"), TAKE_WHOLE_TABLES)
def test_what_takes_the_whole_table_in_a_step_is_always_dense(
    name: str, values: dict[str, object]
) -> None:
    made = build_recommender(name, {"dimensions": 2} | values, num_items=60_000, num_users=20)
    choose_sparse_tables(made, TrainingSettings())
    assert not made.items.sparse_gradients
    with pytest.raises(SettingsError, match="row_sparse=always is not for this recommender"):
        choose_sparse_tables(made, TrainingSettings(row_sparse="always"))


def test_fixed_codes_and_their_shrinkage_leave_the_table_row_sparse() -> None:
    fixed = QuantizerSettings(code_sizes=(3,), assignment="random", shrinkage=0.1)
    made = build_recommender(
        "factorization_machine", {"dimensions": 2}, 20, None, 20, user_quantizer=fixed
    )
    choose_sparse_tables(made, TrainingSettings(row_sparse="always"))
    made.users.start_codes(0)
    ids = torch.tensor([5, 9, 5])
    (made.users(ids).sum() + made.users.quantization_loss(ids)).backward()
    gradient = made.users.weight.grad
    assert gradient is not None
    assert gradient.is_sparse
    assert gradient.coalesce().indices().tolist() == [[5, 9]]
    assert gradient.to_dense()[5].tolist() == pytest.approx(
        [2 + 0.05 * float(z) for z in made.users.weight[5].detach()]
    )


def test_weight_decay_on_row_sparse_tables_is_refused() -> None:
    with pytest.raises(SettingsError, match="weight_decay touches every row"):
        Optimizer(table(True), TrainingSettings(weight_decay=0.1))
