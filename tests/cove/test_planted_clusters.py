"""Items drawn from known groups through co-occurrence alone: the learned codes find the groups."""

import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from cove.quantization import QuantizerSettings
from cove.recommenders import LISTS, recommenders_for
from cove.vocabulary import NUM_SPECIAL
from tests.cove.worlds import build, groups, train

NUM_GROUPS, GROUP_SIZE, LENGTH = 8, 12, 8
TRUTH = groups(torch.arange(NUM_GROUPS * GROUP_SIZE) + NUM_SPECIAL, GROUP_SIZE)
STEPS = {"caser": 150, "gru4rec": 250}
"""Training steps, else 100: Caser drops half of its features and samples its negatives, and a
recurrent network starts slowly."""
SETTINGS = {"fans_two_stage": {"clusters": 1}}
"""Categories given beforehand would leave the codes nothing to find."""


def agreement(name: str, warm_up: bool = False, **settings: str) -> float:
    """Normalised mutual information of the groups and the fine codes, one code a group."""
    quantizer = QuantizerSettings(
        code_sizes=(NUM_GROUPS, 3), alpha=1.0, **({"initialization": "sample"} | settings)
    )
    made = build(name, len(TRUTH), quantizer, **SETTINGS.get(name, {}))
    steps = STEPS.get(name, 100)
    warmup = steps * 2 // 5 if warm_up else 0
    world = (NUM_GROUPS, GROUP_SIZE, LENGTH)
    train(made, world, steps=steps, warmup=warmup, code_prediction_weight=0.1)
    return normalized_mutual_info_score(TRUTH, made.items.codes()[:, 0])


@pytest.mark.parametrize("gradient", ["straight_through", "direct"])
@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_codes_that_start_from_k_means_after_a_warm_up_find_the_groups(name, gradient):
    assert agreement(name, warm_up=True, initialization="kmeans", gradient=gradient) > 0.99


@pytest.mark.parametrize("name", recommenders_for(LISTS))
def test_codes_that_start_from_random_items_find_nearly_all_groups(name):
    # two codes may share one group while another code holds two: .94 if once, .87 if twice
    assert agreement(name) > 0.85


def test_random_codes_do_not_know_the_groups():
    assert agreement("fans", assignment="random") < 0.3
