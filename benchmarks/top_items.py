"""The top 10 of a catalogue's scores: by block maxima, as `cove.retrieval` reads it, beside `topk`.

    python -m benchmarks.top_items

CPU milliseconds, medians over the repeats, one thread, and the scoring product (D = 64) for scale.
Both ways take turns. What `_FEWEST_SCORES` in `cove/retrieval.py` says comes from here.
"""

import statistics
import time
from collections.abc import Callable

from benchmarks.machine import described  # first: cove sets how OpenMP's threads wait

# isort: split
import torch

from cove.retrieval import _top_of_blocks

K, DIMENSIONS, REPEATS = 10, 64, 9
CATALOGUES = (6_000, 36_000, 100_000, 1_000_000)
BATCHES = (1, 8, 64, 256)
MOST_SCORES = 1 << 26


def cpu_milliseconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def compare(num_items: int, batch: int) -> tuple[float, float, float]:
    """Milliseconds of the product, of `topk`, and by blocks."""
    states, table = torch.randn(batch, DIMENSIONS), torch.randn(num_items, DIMENSIONS)
    scores = states @ table.T
    ways: list[Callable[[], object]] = [
        lambda: states @ table.T, lambda: scores.topk(K), lambda: _top_of_blocks(scores, K),
    ]  # fmt: skip
    times = [[cpu_milliseconds(way) for way in ways] for _ in range(REPEATS + 1)][1:]
    product, plain, blocks = map(statistics.median, zip(*times, strict=True))
    return product, plain, blocks


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"{described('torch')}; 1 thread")
    print(
        "| items | lists | product | topk | blocks | ratio |\n| --- | --- | --- | --- | --- | --- |"
    )
    for num_items in CATALOGUES:
        for batch in BATCHES:
            if num_items * batch <= MOST_SCORES:
                product, plain, blocks = compare(num_items, batch)
                row = (f"{num_items:,}", batch, f"{product:.2f}", f"{plain:.2f}", f"{blocks:.2f}")
                print("|", *(f"{cell} |" for cell in (*row, f"{plain / blocks:.1f}")))


if __name__ == "__main__":
    main()
