"""Two-stage FANS: the cluster's probability times the item's inside it, by hand."""

import math

import pytest
import torch

from cove.batches import ListBatch, pad_lists
from cove.errors import SettingsError
from cove.recommenders.fans_two_stage import FansTwoStage, FansTwoStageSettings
from cove.vocabulary import MASK, NUM_SPECIAL
from tests.cove.worlds import build

CATEGORIES = torch.tensor([1, 0, 1, 0, 1])


def two_stage(num_items: int = 5, **settings: object) -> FansTwoStage:
    made = build("fans_two_stage", num_items, None, **({"clusters": 3} | settings))
    assert isinstance(made, FansTwoStage)
    return made


def by_hand(**settings: object) -> FansTwoStage:
    """Five items in two of three clusters; scores are the biases, whatever the state."""
    made = two_stage(**settings)
    made.set_categories(CATEGORIES)
    with torch.no_grad():
        made.items.weight.zero_()
        made.cluster_head.weight.zero_()
        made.cluster_head.bias.copy_(torch.tensor([math.log(3), 0.0, 9.0]))  # the last is empty
        made.item_bias.copy_(torch.tensor([1.0, 2.0, 4.0, 6.0, 5.0]).log())
    return made


JOINT = [0.25 * 0.1, 0.75 * 0.25, 0.25 * 0.4, 0.75 * 0.75, 0.25 * 0.5]
STATES = torch.zeros(2, 16)


@torch.no_grad()
def test_an_items_probability_is_its_clusters_times_its_own_inside_the_cluster():
    made = by_hand()
    joint = made.log_probabilities(STATES, made.items.all()).exp()
    assert joint[0].tolist() == pytest.approx(JOINT, rel=1e-5)
    assert torch.equal(joint[0], joint[1])


@torch.no_grad()
def test_probabilities_sum_to_one_over_the_catalogue():
    made = two_stage(30)
    torch.manual_seed(0)
    made.set_categories(torch.randint(2, (30,)))
    for parameter in made.parameters():
        parameter.add_(torch.randn_like(parameter))
    joint = made.log_probabilities(torch.randn(7, 16), made.items.all()).exp()
    torch.testing.assert_close(joint.sum(dim=1), torch.ones(7))


def test_the_loss_is_the_mean_of_minus_the_log_of_the_targets_probabilities():
    made = by_hand()
    wanted = torch.tensor([0, 3, 2]) + NUM_SPECIAL
    loss = made.loss(torch.zeros(3, 16), wanted, made.items.all())
    expected = -sum(math.log(JOINT[item]) for item in (0, 3, 2)) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_slots_are_ranked_by_the_joint_probability_or_by_the_best_cluster_first():
    ranked = {
        read_out: made.scores(STATES, made.items.all()).argsort(descending=True)[0].tolist()
        for read_out in ("joint", "best_cluster")
        for made in [by_hand(read_out=read_out)]
    }
    assert ranked["joint"] == [3, 1, 4, 2, 0]  # .5625, .1875, .125, .1, .025
    with torch.no_grad():
        other = by_hand(read_out="best_cluster")
        other.cluster_head.bias[0] = math.log(0.9)  # p(c) .47 and .53: items 1 and 3 come last
        joint = other.log_probabilities(STATES, other.items.all()).argsort(descending=True)
        assert joint[0].tolist() == [3, 4, 2, 1, 0]
        best = other.scores(STATES, other.items.all()).argsort(descending=True)
    assert best[0].tolist() == [4, 2, 0, 3, 1]
    assert ranked["best_cluster"] == [3, 1, 4, 2, 0]


def test_the_encoder_reads_an_item_and_its_cluster_and_of_a_mask_neither():
    made = two_stage()
    made.set_categories(CATEGORIES)
    table = made.items.all()
    read = made.input_table(table)
    assert torch.equal(read[MASK], table[MASK])
    for item, cluster in enumerate(CATEGORIES.tolist()):
        expected = table[NUM_SPECIAL + item] + made.cluster_embedding[cluster]
        assert torch.equal(read[NUM_SPECIAL + item], expected)


def test_popularity_starts_clusters_and_items_at_their_shares():
    made = two_stage()
    made.set_categories(CATEGORIES)
    made.start_from_popularity(torch.tensor([1, 6, 3, 2, 8]))
    with torch.no_grad():
        made.cluster_head.weight.zero_()
        made.items.weight.zero_()
        joint = made.log_probabilities(STATES, made.items.all()).exp()[0]
    assert joint.tolist() == pytest.approx([0.05, 0.3, 0.15, 0.1, 0.4], rel=1e-5)


def test_with_one_cluster_it_is_plain_fans():
    plain, made = build("fans", 30, None), two_stage(30, clusters=1)
    with torch.no_grad():
        made.cluster_embedding.zero_()
        made.items.load_state_dict(plain.items.state_dict())
        made.encoder.load_state_dict(plain.encoder.state_dict())
    batch = ListBatch(pad_lists([[4, 5, 6], [7]]), pad_lists([[8, 9], [10, 11]]))
    torch.manual_seed(0)
    expected = plain.predict(batch).loss
    torch.manual_seed(0)
    torch.testing.assert_close(made.predict(batch).loss, expected)
    assert torch.equal(made.complete(batch, 8)[0], plain.complete(batch, 8)[0])


def test_categories_are_saved_with_the_weights():
    made = two_stage()
    made.set_categories(CATEGORIES)
    other = two_stage()
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.categories, CATEGORIES)


def test_categories_that_do_not_fit_are_refused():
    made = two_stage()
    with pytest.raises(SettingsError, match=r"each of the 5 items: got shape \(4,\)"):
        made.set_categories(CATEGORIES[:4])
    with pytest.raises(SettingsError, match="from 0 to 2: got 3"):
        made.set_categories(CATEGORIES + 2)


@pytest.mark.parametrize("name", ["clusters", "categories_from", "read_out"])
def test_settings_out_of_range_are_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        FansTwoStageSettings(**{name: 0})
