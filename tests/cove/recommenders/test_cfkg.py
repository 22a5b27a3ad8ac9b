"""CFKG: distances and loss worked by hand, facts and what they teach."""

import math

import pytest
import torch

from cove.batches import PairBatch
from cove.errors import DataError
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders.cfkg import Cfkg, CfkgSettings
from cove.vocabulary import NUM_SPECIAL

ONE_USER = PairBatch(torch.tensor([4]), torch.tensor([4]), torch.tensor([[5, 6]]))
BRAND, OTHER_BRAND = 7, 8  # beside items 4 to 6
FACT = (torch.tensor([6]), torch.tensor([0]), torch.tensor([BRAND]))


def small(facts: tuple[torch.Tensor, ...] | None = None, **settings: object) -> Cfkg:
    made = Cfkg(CfkgSettings(dimensions=2, **settings), 1, 3)
    if facts is not None:
        made.know_facts(*facts, num_others=2)
    with torch.no_grad():
        made.users.weight[NUM_SPECIAL:] = torch.tensor([[1.0, 2.0]])
        made.items.weight[NUM_SPECIAL:] = torch.tensor([[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
        made.relations[0] = torch.tensor([1.0, -1.0])
        if facts is not None:
            made.relations[1] = torch.tensor([0.5, 0.0])
            made.others.copy_(torch.tensor([[0.5, 2.0], [0.5, 1.0]]))
    return made


# user and relation give (2, 1): squared distances 1, 1 and 5
def test_a_score_is_minus_the_squared_distance_to_the_user_moved_by_the_relation():
    assert small().score_all(torch.tensor([4])).tolist() == [pytest.approx([-1.0, -1.0, -5.0])]


def test_the_hinge_asks_for_a_margin_and_no_more():
    assert small().predict(ONE_USER).loss.item() == pytest.approx((1 + 0) / 2)
    assert small(margin=4.5).predict(ONE_USER).loss.item() == pytest.approx((4.5 + 0.5) / 2)


def test_a_distance_may_go_without_its_square():
    plain = small(distance="euclidean", margin=4.5)
    assert plain.score_all(torch.tensor([4])).tolist() == [
        pytest.approx([-1.0, -1.0, -math.sqrt(5)])
    ]
    loss = plain.predict(ONE_USER).loss
    assert loss.item() == pytest.approx((4.5 + 4.5 + 1 - math.sqrt(5)) / 2)


def test_where_a_tail_is_reached_a_plain_distance_still_has_a_gradient():
    plain = small(distance="euclidean")
    with torch.no_grad():
        plain.items.weight[NUM_SPECIAL] = torch.tensor([2.0, 1.0])  # the user's own place
    plain.predict(ONE_USER).loss.backward()
    assert plain.items.weight.grad.isfinite().all()


def test_softplus_never_ends_to_ask():
    loss = small(loss="softplus", margin=0.0).predict(ONE_USER).loss.item()
    assert loss == pytest.approx((math.log(2) + math.log1p(math.exp(-4))) / 2)


def test_facts_are_triples_beside_the_interactions():
    heads, relations, tails = (torch.cat([part, part]) for part in FACT)
    tails[1] = OTHER_BRAND
    made = small((heads, relations, tails), facts_per_interaction=400, margin=0.0)
    torch.manual_seed(0)
    loss = made.predict(ONE_USER).loss.item()
    # item 6 moved to (0.5, 0): distances 4 to one brand, 1 to the other; the true tail is either,
    # and so is the wrong one, so that a quarter of the facts cost 4 − 1; interactions cost 0
    assert loss == pytest.approx(3 / 4 * 400 / 402, abs=0.2)


def test_only_tails_of_the_same_relation_stand_in_for_a_tail():
    heads, relations = torch.tensor([4, 5, 6, 4]), torch.tensor([0, 0, 1, 1])
    tails = torch.tensor([BRAND, BRAND, 4, 5])  # relation 1 leads to items
    made = small()
    made.know_facts(heads, relations, tails, num_others=2)
    torch.manual_seed(0)
    drawn = made._draw(200)
    seen = torch.unique(torch.cat([drawn.relations[:, None], drawn.tails], dim=1), dim=0)
    assert seen.tolist() == [[0, 7, 7], [1, 4, 4], [1, 4, 5], [1, 5, 4], [1, 5, 5]]


def test_items_that_share_a_brand_come_together_though_nobody_chose_them():
    torch.manual_seed(0)
    made = Cfkg(CfkgSettings(dimensions=4, facts_per_interaction=8), 2, 8)
    items = torch.arange(8) + NUM_SPECIAL
    made.know_facts(items, torch.zeros(8, dtype=torch.int64), 12 + items % 2, num_others=2)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    chosen, others = torch.tensor([4, 5]), torch.tensor([[5], [4]])  # one item each, of its brand
    for _ in range(150):
        optimizer.zero_grad()
        made.predict(PairBatch(torch.tensor([4, 5]), chosen, others)).loss.backward()
        optimizer.step()
    scores = made.score_all(torch.tensor([4, 5]))
    assert scores[0, 2::2].min() > scores[0, 3::2].max()
    assert scores[1, 3::2].min() > scores[1, 2::2].max()


@pytest.mark.parametrize("quantizer", [None, QuantizerSettings(code_sizes=(2,))], ids=str)
def test_facts_go_with_cove_on_items_and_with_row_sparse_gradients(quantizer):
    found = []
    for sparse in (False, True):
        torch.manual_seed(0)
        made = Cfkg(CfkgSettings(dimensions=2), 1, 3, item_quantizer=quantizer)
        made.know_facts(*FACT, num_others=2)
        made.items.start_codes(0)
        made.items.sparse_gradients = sparse
        total, _ = Objective(made, ObjectiveSettings())(ONE_USER)
        total.backward()
        found.append(made.items.weight.grad.to_dense())
    torch.testing.assert_close(*found)
    assert (found[0].abs().sum(dim=1) > 0).tolist() == [False] * NUM_SPECIAL + [True] * 3


def test_a_state_brings_relations_and_other_entities_but_no_facts():
    made, fresh = small(FACT), small()
    fresh.load_state_dict(made.state_dict())
    assert fresh.relations.tolist() == made.relations.tolist()
    assert fresh.others.tolist() == made.others.tolist()
    assert fresh.predict(ONE_USER).loss.item() == pytest.approx(0.5)


def test_no_facts_change_nothing():
    made, none = small(), torch.zeros(0, dtype=torch.int64)
    made.know_facts(none, none, none, num_others=0)
    assert made.predict(ONE_USER).loss.item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (([4, 5], [0], [7, 7]), "got 2, 1 and 2"),
        (([4], [0], [9]), "from 4 to 8: got 4 to 9"),
        (([3], [0], [7]), "from 4 to 8: got 3 to 7"),
        (([4], [-1], [7]), "from 0: got -1"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts, message):
    with pytest.raises(DataError, match=message):
        small().know_facts(*map(torch.tensor, facts), num_others=2)
