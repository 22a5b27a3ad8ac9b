"""The linear item-to-item part that some list completers have beside what they train."""

from typing import TYPE_CHECKING

from cove.recommenders import Recommender
from cove.recommenders.bag import Bag
from cove.vocabulary import NUM_SPECIAL
from training.evaluation.baselines import Ease

if TYPE_CHECKING:
    from training.tasks import PreparedTask

SCALES = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
"""The γ that validation chooses from; with 0 the linear part says nothing."""


def add_linear_part(recommender: Recommender, task: "PreparedTask") -> None:
    """Give a trained recommender that asks for it EASE's weights, scaled as validation prefers.

    The weights come from the training lists alone, and the ties of validation go to the smaller γ.

    Raises:
        DataError: more items than EASE can take.
    """
    if not isinstance(recommender, Bag) or not recommender.settings.linear:
        return
    device = recommender.head.bias.device
    lists, num_items = task.train.lists(), len(task.vocabularies()["item"])  # type: ignore[union-attr]
    made = Ease(lists, num_items, recommender.settings.linear_regularization, device)
    weights = made.weights[:, NUM_SPECIAL:].contiguous()
    found = []
    for scale in SCALES:
        recommender.set_linear_part(weights, scale)
        found.append(task.evaluate(recommender, "valid")[task.selection_metric])  # type: ignore[arg-type]
    recommender.set_linear_part(weights, SCALES[found.index(max(found))])
