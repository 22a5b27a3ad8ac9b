"""How many codes there are, where nobody says or where the data cannot fill as many."""

from cove.quantization import QuantizerSettings
from cove.recommenders import CLICKS, LISTS, PREFERENCES
from training.loop import Watcher
from training.run_settings import RunSettings
from training.tasks import PreparedTask

ENTITIES_PER_CODE = {LISTS: 6, CLICKS: 12, PREFERENCES: 2}
"""What each task prefers in validation. N@10 on `aotm`, 6,264 items, without codes and with 300,
1,000 and 2,000: FANS .0649, .0728, .0731, .0693; SASRec by softmax with 1,000 and 2,000: .0694,
.0737, .0707. AUC of DeepFM on `ml100k` without and with 50, 100, 200: .8480, .8606, .8620, .8583.
N@10 of BPRMF on `toys`, 11,925 items, without and with 1,500, 4,000 and 8,000: .0351, .0308, .0356,
.0366; by softmax with 1,000, 4,000, 8,000: .0503, .0504, .0513, .0510."""
_MOST_CODES = 8192
"""K-means takes half a minute for so many of 20,000 entities."""
_FEWEST_CODES = 5
_STEP = 10
"""How many codes a coarser level holds together."""
_EVOLVING = (500, 10)
"""The paper's sizes (Section 4.6), for codes that evolve."""
_QUANTIZERS = {"item": "quantizer", "user": "user_quantizer"}


def suggested_sizes(entities: int, task: str) -> tuple[int, ...]:
    """Fixed codes for so many entities: as the task prefers, a tenth on each coarser level."""
    sizes = [max(1, min(_MOST_CODES, entities // ENTITIES_PER_CODE[task]))]
    while sizes[-1] >= _STEP * _FEWEST_CODES:
        sizes.append(sizes[-1] // _STEP)
    return tuple(sizes)


def fitting_sizes(sizes: tuple[int, ...], entities: int) -> tuple[int, ...]:
    """Code sizes cut to two thirds of the entities, without levels that then do not fall.

    Beyond that most codes would have one entity, and share nothing.
    """
    first = min(sizes[0], max(1, 2 * entities // 3))
    return (first, *(size for size in sizes[1:] if size < first))


def fit_code_sizes(settings: RunSettings, task: PreparedTask, watcher: Watcher) -> RunSettings:
    """The settings with sizes where they are left open; and with no more codes from co-occurrence,
    or random ones, than the data can fill."""
    fitted = {
        _QUANTIZERS[entity]: _fit(quantizer, entity, task, watcher)
        for entity, quantizer in settings.quantizers().items()
    }
    return settings.model_copy(update=fitted)


def _fit(
    quantizer: QuantizerSettings, entity: str, task: PreparedTask, watcher: Watcher
) -> QuantizerSettings:
    sizes, entities = quantizer.code_sizes, len(task.vocabularies()[entity])
    if not sizes and quantizer.assignment == "nearest":
        sizes = fitting_sizes(_EVOLVING, entities)
    elif not sizes:
        sizes = suggested_sizes(entities, task.name)
    elif quantizer.assignment in {"cooccurrence", "random"}:
        sizes = fitting_sizes(sizes, entities)
        if sizes != quantizer.code_sizes:
            asked, had = (",".join(map(str, some)) for some in (quantizer.code_sizes, sizes))
            watcher.warn(f"the {entity}s are too few for {asked} codes: they get {had}")
    return quantizer.model_copy(update={"code_sizes": sizes})
