"""What every click-through recommender promises, with COVE on users, items, both or neither."""

import pytest
import torch
from torch import Tensor

from cove.batches import ClickBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import CLICKS, RECOMMENDERS, build_recommender, recommenders_for
from cove.recommenders.clicks import ClickScorer, IdWeights
from cove.vocabulary import NUM_SPECIAL, PAD

NUM_USERS, NUM_ITEMS = 24, 30
QUANTIZER = QuantizerSettings(code_sizes=(4, 2))
SMALL: dict[str, object] = {"dimensions": 8, "widths": (32, 16), "gate_widths": (8,)}
ALL = recommenders_for(CLICKS)
WITH_EMBEDDINGS = [name for name in ALL if name != "logistic_regression"]


def settings_of(name: str) -> dict[str, object]:
    known = RECOMMENDERS[name].settings.model_fields
    return {field: value for field, value in SMALL.items() if field in known}


DEEP = [name for name in ALL if "widths" in settings_of(name)]


def build(name: str, cove: tuple[str, ...] = (), started: bool = True) -> ClickScorer:
    """A small recommender, seeded, with COVE on these entities, its codes started or not yet."""
    torch.manual_seed(0)
    user, item = (QUANTIZER if entity in cove else None for entity in ("user", "item"))
    made = build_recommender(name, settings_of(name), NUM_ITEMS, item, NUM_USERS, user)
    assert isinstance(made, ClickScorer)
    if started:
        start_codes(made)
    return made.eval()


def start_codes(made: ClickScorer) -> None:
    for entity in made.entities().values():
        entity.start_codes(0)


def stir(made: ClickScorer) -> ClickScorer:
    """The same away from its start, where products are close to zero."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made


def pairs() -> tuple[ClickBatch, ClickBatch]:
    """All pairs of a world where the users of two groups click the items of their own group, three
    in four of them for training."""
    torch.manual_seed(3)
    users, items = torch.cartesian_prod(torch.arange(NUM_USERS), torch.arange(NUM_ITEMS)).unbind(1)
    labels = ((users < NUM_USERS // 2) == (items < NUM_ITEMS // 2)).float()
    whole = (users + NUM_SPECIAL, items + NUM_SPECIAL, labels)
    order = torch.randperm(len(users))
    cut = 3 * len(order) // 4
    return tuple(ClickBatch(*(part[rows] for part in whole)) for rows in (order[:cut], order[cut:]))


def train(made: ClickScorer, batch: ClickBatch, steps: int, warmup: int = 20) -> list[float]:
    """Adam on the whole batch, codes from step `warmup` on; the loss of every step."""
    torch.manual_seed(1)
    objective = Objective(made.train(), ObjectiveSettings())
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.02)
    losses = []
    for step in range(steps):
        if step == warmup:
            start_codes(made)
        total, parts = objective(batch)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(parts.recommendation.item())
    made.eval()
    return losses


def area_under_curve(scores: Tensor, labels: Tensor) -> float:
    """The share of pairs of a click and none that are in the right order."""
    above = scores[labels == 1][:, None] - scores[labels == 0][None]
    return ((above > 0).float() + (above == 0).float() / 2).mean().item()


@pytest.mark.parametrize("name", ALL)
def test_there_is_one_finite_logit_for_each_pair_and_it_depends_on_that_pair_alone(name):
    made, (batch, _) = stir(build(name)), pairs()
    with torch.no_grad():
        logits = made(batch.users, batch.items)
        alone = made(batch.users[5:6], batch.items[5:6])
        none = made(batch.users[:0], batch.items[:0])
    assert logits.shape == batch.users.shape
    assert torch.isfinite(logits).all()
    assert logits.std() > 0.01
    torch.testing.assert_close(alone, logits[5:6], rtol=1e-4, atol=1e-5)
    assert none.shape == (0,)


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_reaches_both_entities_of_the_batch_and_no_other(name):
    made = stir(build(name)).train()
    users, items = torch.tensor([4, 5, 5, 6]), torch.tensor([10, 11, 12, 10])
    made.predict(ClickBatch(users, items, torch.tensor([1.0, 0, 1, 0]))).loss.backward()
    for entity, ids in ((made.users, users), (made.items, items)):
        touched = entity.weight.grad.abs().sum(dim=1) > 0
        assert touched.nonzero().squeeze(1).tolist() == sorted(set(ids.tolist()))


@pytest.mark.parametrize("cove", [(), ("user",), ("item",), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_a_planted_world_is_learned_with_cove_on_either_entity_or_none(name, cove):
    made, (known, held_out) = build(name, cove, started=False), pairs()
    losses = train(made, known, 80)
    assert torch.isfinite(torch.tensor(losses)).all()
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        scores = made(held_out.users, held_out.items)
    assert area_under_curve(scores, held_out.labels) > 0.9


def test_logistic_regression_cannot_learn_who_clicks_what():
    made, (known, held_out) = build("logistic_regression"), pairs()
    train(made, known, 80)
    with torch.no_grad():
        scores = made(held_out.users, held_out.items)
    assert area_under_curve(scores, held_out.labels) < 0.6


@pytest.mark.parametrize("cove", [(), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_an_unknown_entity_is_scored_as_one_whose_embedding_is_the_average(name, cove):
    made = stir(build(name, cove))
    averages = [entity.all()[NUM_SPECIAL:].mean(dim=0) for entity in (made.users, made.items)]
    weights = [one.weight[NUM_SPECIAL:].mean() for one in made.modules() if type(one) is IdWeights]
    made.average_unknown()
    unknown = torch.tensor([PAD])
    with torch.no_grad():
        score = made(unknown, unknown)
        plain = build(name)  # the same weights, but the average in the place of entity NUM_SPECIAL
        plain.load_state_dict(made.state_dict(), strict=False)
        for entity, average in zip((plain.users, plain.items), averages, strict=True):
            entity.weight[NUM_SPECIAL] = average
        own = [one for one in plain.modules() if type(one) is IdWeights]
        for one, weight in zip(own, weights, strict=True):
            one.weight[NUM_SPECIAL] = weight
        expected = plain(unknown + NUM_SPECIAL, unknown + NUM_SPECIAL)
    torch.testing.assert_close(score, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cove", [(), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_row_sparse_gradients_have_the_values_of_dense_ones(name, cove):
    found = []
    for sparse in (False, True):
        made, (batch, _) = stir(build(name, cove)), pairs()
        tables = [made.users, made.items, *(m for m in made.modules() if type(m) is IdWeights)]
        for table in tables:
            table.sparse_gradients = sparse
        made.predict(batch).loss.backward()
        gradients = [table.weight.grad for table in tables]
        assert all(gradient.is_sparse == sparse for gradient in gradients)
        found.append([g.to_dense() if sparse else g for g in gradients])
    for dense, row_sparse in zip(*found, strict=True):
        torch.testing.assert_close(row_sparse, dense, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_scores_repeat_in_evaluation_and_noise_is_of_training_alone(name):
    made, (batch, _) = stir(build(name)), pairs()
    with torch.no_grad():
        assert torch.equal(made(batch.users, batch.items), made(batch.users, batch.items))
        made.train()
        noisy = not torch.equal(made(batch.users, batch.items), made(batch.users, batch.items))
    assert noisy == (name in DEEP)


@pytest.mark.parametrize("name", ALL)
def test_training_may_start_at_the_share_of_clicks(name):
    made, (batch, _) = build(name), pairs()
    made.start_from_click_rate(0.8)
    with torch.no_grad():
        start = made(batch.users, batch.items).sigmoid().mean().item()
    assert start == pytest.approx(0.8, abs=0.05)
