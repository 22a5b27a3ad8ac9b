"""Categories of items extracted before training, as FANS does: word2vec on the lists, then k-means.

Leak-free from the training lists alone; from all lists only to be compared with published rows.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from cove.clustering import kmeans
from cove.errors import SettingsError
from cove.recommenders import ListCompleter
from cove.recommenders.fans_two_stage import FansTwoStage
from cove.vocabulary import NUM_SPECIAL

if TYPE_CHECKING:
    from training.tasks.list_completion import ListCompletion

_DIMENSIONS = 64
_WINDOW = 10
"""Items to either side that count as context."""
_EPOCHS = 20


def give_categories(
    recommender: ListCompleter, task: "ListCompletion", seed: int, warn: Callable[[str], None]
) -> None:
    """Set the categories of a recommender that takes them; others are left as they are.

    Raises:
        SettingsError: gensim or faiss is missing, or there are fewer items than clusters.
    """
    if not isinstance(recommender, FansTwoStage):
        return
    settings = recommender.settings
    lists = task.train.lists()
    if settings.categories_from == "all":
        warn(
            "categories_from=all extracts categories from the validation and test lists too: "
            "the results know what is to be found, compare them with such results alone"
        )
        lists += task.valid.lists() + task.test.lists()
    num_items = len(task.vocabulary)
    recommender.set_categories(extract_categories(lists, num_items, settings.clusters, seed))


def extract_categories(
    lists: Sequence[Sequence[int]], num_items: int, clusters: int, seed: int
) -> Tensor:
    """Put each item of the vocabulary into one of `clusters` categories: [num_items] int64.

    lists: indices, those beyond the vocabulary are left out. The same lists and seed give the
    same categories.

    Raises:
        SettingsError: gensim or faiss is missing, or there are fewer items than clusters.
    """
    if clusters > num_items:
        raise SettingsError(
            f"clusters must not exceed the {num_items} items of the training lists: got {clusters}"
        )
    beyond = NUM_SPECIAL + num_items
    sentences = [[str(index) for index in one if index < beyond] for one in lists]
    # Their direction says what they go with, their length mostly how frequent they are.
    vectors = F.normalize(_item_vectors(sentences, num_items, seed))
    centroids = kmeans(vectors, clusters, seed)
    return torch.cdist(vectors, centroids).argmin(dim=1)


def _item_vectors(sentences: list[list[str]], num_items: int, seed: int) -> Tensor:
    """Skip-gram vectors of all items, [num_items, D]; zero for one that no list holds."""
    try:
        from gensim.models import Word2Vec  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "extracting categories needs gensim: install the extra `train`"
        ) from None
    # One worker: with more, the order of updates is up to the machine.
    model = Word2Vec(
        sentences,
        vector_size=_DIMENSIONS,
        window=_WINDOW,
        min_count=1,
        sg=1,
        workers=1,
        seed=seed,
        epochs=_EPOCHS,
    )
    vectors = torch.zeros(num_items, _DIMENSIONS)
    known = torch.tensor([int(word) for word in model.wv.index_to_key], dtype=torch.int64)
    vectors[known - NUM_SPECIAL] = torch.from_numpy(model.wv.vectors.copy())
    return vectors
