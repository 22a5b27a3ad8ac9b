"""Small worlds whose right answer is known, and a short training loop for them."""

import torch
from torch import Tensor

from cove.batches import ListBatch
from cove.objective import Objective, ObjectiveSettings
from cove.quantization import QuantizerSettings
from cove.recommenders import RECOMMENDERS, ListCompleter, build_recommender
from cove.vocabulary import NUM_SPECIAL

VARIANTS: dict[str, dict[str, str] | None] = {
    "plain": None,
    "nearest, straight through": {"initialization": "sample"},
    "nearest, direct": {"initialization": "sample", "gradient": "direct"},
    "random control": {"initialization": "sample", "assignment": "random"},
}


def build(
    name: str, num_items: int, quantizer: QuantizerSettings | None, **settings: object
) -> ListCompleter:
    """A small recommender in eval mode, seeded, its codebooks started."""
    torch.manual_seed(0)
    small = {"dimensions": 16, "layers": 1, "heads": 2, "max_length": 12}
    known = RECOMMENDERS[name].settings.model_fields
    own = {key: value for key, value in small.items() if key in known} | settings
    made = build_recommender(name, own, num_items, quantizer)
    if quantizer is None or quantizer.initialization != "kmeans":
        made.items.start_codes(0)
    return made.eval()


def group_batch(num_groups: int, group_size: int, lists: int, length: int) -> ListBatch:
    """Lists of distinct items drawn within one group each, halved; group g holds the items from
    NUM_SPECIAL + g · group_size on. Uses torch's global generator."""
    group = torch.randint(num_groups, (lists, 1))
    order = torch.rand(lists, group_size).argsort(dim=1)[:, :length]
    items = NUM_SPECIAL + group * group_size + order
    return ListBatch(items[:, : length // 2], items[:, length // 2 :])


def groups(items: Tensor, group_size: int) -> Tensor:
    """The group of each item."""
    return (items - NUM_SPECIAL) // group_size


def train(
    recommender: ListCompleter,
    world: tuple[int, int, int],
    steps: int,
    warmup: int = 0,
    **weights: float,
) -> Objective:
    """Train on lists of `world` (groups, group size, list length); k-means after `warmup` steps."""
    torch.manual_seed(1)
    num_groups, group_size, length = world
    objective = Objective(recommender, ObjectiveSettings(**weights)).train()
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    for step in range(steps):
        recommender.start_epoch(step, steps)
        if warmup and step == warmup:
            recommender.items.start_codes(0)
        loss, _ = objective(group_batch(num_groups, group_size, 64, length))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 24:
            recommender.items.revive()
    objective.eval()
    return objective
