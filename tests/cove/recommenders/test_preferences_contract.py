"""What every recommender of collaborative filtering promises, with COVE on users, items, both or
neither."""

import pytest
import torch
from torch import Tensor

from cove.batches import PairBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import PREFERENCES, RECOMMENDERS, build_recommender, recommenders_for
from cove.recommenders.preferences import PreferenceModel, candidates, ranking_loss
from cove.retrieval import Barred
from cove.vocabulary import NUM_SPECIAL, PAD

NUM_USERS, NUM_ITEMS = 24, 30
QUANTIZER = QuantizerSettings(code_sizes=(4, 2))
SMALL: dict[str, object] = {"dimensions": 8, "widths": (16, 8)}
SOFTMAX = {"bprmf_softmax": "bprmf", "lightgcn_softmax": "lightgcn"}
"""Those that have a second loss, by a name for it."""
ALL = [*recommenders_for(PREFERENCES), *SOFTMAX]
BY_LOOKUP = [name for name in ALL if not name.startswith("lightgcn")]
COVE = pytest.mark.parametrize("cove", [(), ("user",), ("item",), ("user", "item")], ids=str)


def pairs() -> tuple[Tensor, Tensor]:
    """Whether users like items, [U, N], by their two groups, and which likings training knows."""
    generator = torch.Generator().manual_seed(3)
    liked = (torch.arange(NUM_USERS)[:, None] < 12) == (torch.arange(NUM_ITEMS)[None] < 15)
    known = liked & (torch.rand(liked.shape, generator=generator) < 0.75)
    return liked, known


def new(name: str, cove: tuple[str, ...] = ()) -> PreferenceModel:
    """A small recommender with random weights, with COVE on these entities."""
    loss = {"loss": "softmax", "temperature": 0.5} if name in SOFTMAX else {}
    name = SOFTMAX.get(name, name)
    known = RECOMMENDERS[name].settings.model_fields
    settings = {field: value for field, value in SMALL.items() if field in known} | loss
    user, item = (QUANTIZER if entity in cove else None for entity in ("user", "item"))
    made = build_recommender(name, settings, NUM_ITEMS, item, NUM_USERS, user)
    assert isinstance(made, PreferenceModel)
    return made.eval()


def build(name: str, cove: tuple[str, ...] = (), started: bool = True) -> PreferenceModel:
    """The same, seeded, that knows the interactions, its codes started or not yet."""
    torch.manual_seed(0)
    made = new(name, cove)
    made.know_interactions(*(pairs()[1].nonzero() + NUM_SPECIAL).T)
    if started:
        start_codes(made)
    return made


def start_codes(made: PreferenceModel) -> None:
    for entity in made.entities().values():
        entity.start_codes(0)


def stir(made: PreferenceModel) -> PreferenceModel:
    """The same away from its start, where products are close to zero."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made


def draw(negatives: int) -> PairBatch:
    """Every known liking once, with random negatives that training does not know as liked."""
    known = pairs()[1]
    users, items = known.nonzero().T
    others = torch.multinomial((~known[users]).float(), negatives)
    return PairBatch(users + NUM_SPECIAL, items + NUM_SPECIAL, others + NUM_SPECIAL)


def train(made: PreferenceModel, steps: int, warmup: int = 20) -> list[float]:
    """Adam, codes from step `warmup` on; the loss of every step."""
    torch.manual_seed(1)
    objective = Objective(made.train(), ObjectiveSettings())
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.02, fused=True)
    losses = []
    for step in range(steps):
        if step == warmup:
            start_codes(made)
        total, parts = objective(draw(2))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(parts.recommendation.item())
    made.eval()
    return losses


@COVE
@pytest.mark.parametrize("name", ALL)
def test_unseen_items_of_the_own_group_rank_above_the_others(name, cove):
    made = build(name, cove, started=False)
    losses = train(made, 80)
    assert torch.isfinite(torch.tensor(losses)).all()
    assert losses[-1] < 0.85 * losses[0]
    liked, known = pairs()
    scores = made.score_all(torch.arange(NUM_USERS) + NUM_SPECIAL)
    above = [
        (scores[user, liked[user] & ~known[user]][:, None] > scores[user, ~liked[user]]).float()
        for user in range(NUM_USERS)
    ]
    assert torch.cat([part.flatten() for part in above]).mean() > 0.9


@COVE
@pytest.mark.parametrize("name", ALL)
def test_scores_of_the_catalogue_are_those_that_the_loss_is_made_of(name, cove):
    made = stir(build(name, cove))
    users = torch.tensor([4, 9, 27])
    items = torch.arange(NUM_ITEMS).expand(3, -1) + NUM_SPECIAL
    scores = made.score_all(users)
    assert scores.shape == (3, NUM_ITEMS)
    assert not scores.requires_grad
    assert scores.std() > 0.01
    torch.testing.assert_close(scores, made(users, items).detach(), rtol=1e-4, atol=1e-5)
    assert torch.equal(scores, made.score_all(users))
    assert made.score_all(users[:0]).shape == (0, NUM_ITEMS)


@pytest.mark.parametrize("cove", [(), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_scores_follow_training(name, cove):
    made, users = build(name, cove), torch.tensor([4, 9])
    items = torch.arange(NUM_ITEMS).expand(2, -1) + NUM_SPECIAL
    for _ in range(2):
        before = made.score_all(users)
        train(made, 3, warmup=0)
        scores = made.score_all(users)
        assert not torch.allclose(scores, before, rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(scores, made(users, items).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bprmf", "lightgcn"])
@pytest.mark.parametrize("negatives", [1, 3])
def test_without_regularization_the_loss_is_the_ranking_loss_of_the_scores(name, negatives):
    made, batch = stir(build(name)), draw(negatives)
    made.settings = made.settings.model_copy(update={"regularization": 0.0})
    expected = ranking_loss(made(batch.users, candidates(batch)))
    torch.testing.assert_close(made.predict(batch).loss, expected)


@pytest.mark.parametrize("name", ALL)
def test_scores_follow_a_change_of_the_weights_in_place(name):
    made, users = stir(build(name)), torch.tensor([4, 9])
    before = made.score_all(users)
    with torch.no_grad():
        made.items.weight[NUM_SPECIAL] += 1
    assert not torch.equal(made.score_all(users), before)
    with torch.no_grad():
        made.items.weight[NUM_SPECIAL] -= 1
    torch.testing.assert_close(made.score_all(users), before, rtol=1e-4, atol=1e-5)
    made.load_state_dict(stir(build(name)).state_dict())
    torch.testing.assert_close(made.score_all(users), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cove", [(), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_a_new_model_with_the_same_state_gives_the_same_scores(name, cove):
    made, users = stir(build(name, cove)), torch.tensor([5, 6])
    torch.manual_seed(99)
    other = new(name, cove)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.score_all(users), made.score_all(users))


@pytest.mark.parametrize("name", ALL)
def test_a_model_whose_tables_are_the_category_aware_ones_needs_no_quantizer(name):
    made, users = stir(build(name, ("user", "item"))), torch.tensor([5, 6])
    state = {k: v for k, v in made.state_dict().items() if ".quantizer." not in k}
    for entity in ("users", "items"):
        state[f"{entity}.weight"] = getattr(made, entity).all().detach()
    plain = build(name)
    plain.load_state_dict(state)
    torch.testing.assert_close(plain.score_all(users), made.score_all(users), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cove", [(), ("user", "item")], ids=str)
@pytest.mark.parametrize("name", BY_LOOKUP)
def test_row_sparse_gradients_have_the_values_of_dense_ones(name, cove):
    found = []
    for sparse in (False, True):
        made = stir(build(name, cove))
        torch.manual_seed(2)
        batch = draw(2)
        for entity in made.entities().values():
            entity.sparse_gradients = sparse
        total, _ = Objective(made, ObjectiveSettings())(batch)
        total.backward()
        gradients = [entity.weight.grad for entity in made.entities().values()]
        assert all(gradient.is_sparse == sparse for gradient in gradients)
        found.append([g.to_dense() if sparse else g for g in gradients])
    for dense, row_sparse in zip(*found, strict=True):
        torch.testing.assert_close(row_sparse, dense, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", BY_LOOKUP)
def test_the_gradient_reaches_the_entities_of_the_batch_and_no_other(name):
    made = stir(build(name))
    batch = PairBatch(torch.tensor([4, 5]), torch.tensor([10, 11]), torch.tensor([[12], [13]]))
    made.predict(batch).loss.backward()
    for entity, ids in ((made.users, [4, 5]), (made.items, [10, 11, 12, 13])):
        touched = entity.weight.grad.abs().sum(dim=1) > 0
        assert touched.nonzero().squeeze(1).tolist() == ids


@pytest.mark.parametrize("name", ALL)
def test_noise_is_of_training_alone(name):
    made, batch = stir(build(name)), draw(1)
    assert torch.equal(made.predict(batch).loss, made.predict(batch).loss)
    made.train()
    noisy = not torch.equal(made.predict(batch).loss, made.predict(batch).loss)
    assert noisy == (name == "neumf")


@pytest.mark.parametrize("name", ALL)
def test_a_packed_recommender_gives_the_best_items_as_before_until_it_is_trained(name):
    made = stir(build(name))
    users = torch.arange(NUM_USERS) + NUM_SPECIAL
    barred = Barred(torch.tensor([[NUM_SPECIAL + 3, PAD]]).expand(NUM_USERS, -1))
    indices, scores = made.top(users, 5, barred)
    made.pack()
    assert (made.packed is not None) == (made.products(users) is not None)
    again, values = made.top(users, 5, barred)
    assert torch.equal(indices, again)
    torch.testing.assert_close(scores, values)
    made.train()
    assert made.packed is None
