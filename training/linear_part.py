"""The linear item-to-item part that a list completer may have beside what it trains."""

from cove.errors import SettingsError
from cove.recommenders import Recommender
from cove.recommenders.bag import Bag
from cove.vocabulary import NUM_SPECIAL
from training.evaluation.baselines import Ease
from training.tasks import PreparedTask
from training.tasks.list_completion import ListCompletion

SCALES = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
"""The γ that validation chooses from; with 0 the linear part says nothing."""


def wants_linear_part(recommender: Recommender) -> bool:
    """Whether there is to be one; asked before training, for it comes after.

    Raises:
        SettingsError: one is wanted for more items than EASE can take.
    """
    if not isinstance(recommender, Bag) or not recommender.settings.linear:
        return False
    if recommender.items.num_entities > Ease.MOST_ITEMS:
        raise SettingsError(
            f"linear=true inverts a dense matrix of all items and takes at most {Ease.MOST_ITEMS}: "
            f"got {recommender.items.num_entities}"
        )
    return True


def add_linear_part(recommender: Recommender, task: PreparedTask) -> None:
    """Give a trained recommender that wants it EASE's weights, scaled as validation prefers.

    The weights come from the training lists alone; of equal scales the smallest is taken.
    """
    if not wants_linear_part(recommender):
        return
    assert isinstance(recommender, Bag)
    assert isinstance(task, ListCompletion)
    settings, device = recommender.settings, recommender.head.bias.device
    made = Ease(task.train.lists(), len(task.vocabulary), settings.linear_regularization, device)
    weights = made.weights[:, NUM_SPECIAL:].contiguous()
    found = []
    for scale in SCALES:
        recommender.set_linear_part(weights, scale)
        found.append(task.evaluate(recommender, "valid")[task.selection_metric])
    recommender.set_linear_part(weights, SCALES[found.index(max(found))])
