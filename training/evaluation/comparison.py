"""Paired comparison of two systems over test units (lists, users) and seeds. S seeds, n units of a
seed, R draws.

Accounted for: which units there happened to be. Lists are resampled (and signs flipped) within
each seed, users once for all seeds, for the same users stand in each; the seeds count equally.

Not accounted for: each seed has a split and a training of its own, and with few seeds what varies
between them is held fixed here; `by_seed` shows it. Test lists of different seeds overlap (with
tenths as test lists, about a tenth of one seed's are another's too) and are taken for independent,
so over several seeds the interval is a little too narrow. Many comparisons in one table are many
chances: no p value is corrected for their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_AT_ONCE = 1 << 21
"""Values drawn at once: 16 MiB."""


@dataclass(frozen=True)
class Comparison:
    """How much higher one system's mean is than another's, on the same units."""

    difference: float
    """Mean over the seeds of the mean difference over their units."""
    low: float
    high: float
    """95 % interval of `difference`, percentile bootstrap over units."""
    p_value: float
    """Two-sided, by flipping the signs of the units' differences."""
    by_seed: tuple[float, ...]
    """The mean difference of each seed."""
    num_units: int
    """Units compared, over all seeds."""


def compare(
    ours: Sequence[Values],
    theirs: Sequence[Values],
    resamples: int = 10_000,
    seed: int = 0,
    same_units: bool = False,
) -> Comparison:
    """Compare two systems by a metric of each unit, one array [n] for each of the S seeds.

    A unit that either system has no value for (NaN) is left out. same_units: the n-th unit is the
    same one in every seed, and is drawn for all of them or for none.

    Raises:
        ValueError: there is no seed or no unit, or the two were not measured on the same units.
    """
    whole = _differences(ours, theirs)
    differences = [gap[~np.isnan(gap)] for gap in whole]
    generator = np.random.default_rng(seed)
    observed = tuple(float(one.mean()) for one in differences)
    mean = float(np.mean(observed))
    if same_units:
        drawn, flipped = _together(np.stack(whole, axis=1), resamples, generator)
    else:
        each = [_resampled_means(one, resamples, generator) for one in differences]
        drawn = np.mean(each, axis=0)
        each = [_flipped_means(one, resamples, generator) for one in differences]
        flipped = np.mean(each, axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    # As extreme but for rounding counts as extreme; the observed signs are one of the draws.
    extreme = np.abs(flipped) >= abs(mean) * (1 - 1e-9) - 1e-15
    return Comparison(
        difference=mean,
        low=float(low),
        high=float(high),
        p_value=float((1 + extreme.sum()) / (1 + resamples)),
        by_seed=observed,
        num_units=sum(map(len, differences)),
    )


def _differences(ours: Sequence[Values], theirs: Sequence[Values]) -> list[Values]:
    if not ours or len(ours) != len(theirs):
        raise ValueError(f"both systems need the same seeds: got {len(ours)} and {len(theirs)}")
    differences = []
    for one, other in zip(ours, theirs, strict=True):
        if len(one) != len(other):
            raise ValueError(f"both systems need the same units: got {len(one)} and {len(other)}")
        differences.append(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64))
        if np.isnan(differences[-1]).all():
            raise ValueError("ours and theirs must have a unit that both have a value for")
    return differences


def _together(
    differences: Values, resamples: int, generator: np.random.Generator
) -> tuple[Values, Values]:
    """Means [R] over the seeds, of units drawn with replacement and of units with flipped signs.

    differences: [n, S], NaN where a seed has no value of a unit.
    """
    differences = differences[~np.isnan(differences).all(axis=1)]
    known = ~np.isnan(differences)  # [n, S]
    values, shares = np.where(known, differences, 0.0), np.full(len(known), 1 / len(known))
    drawn, flipped = [], []
    for rows in _chunks(resamples, len(known)):
        times = generator.multinomial(len(known), shares, size=rows).astype(np.float64)
        drawn.append((times @ values / np.maximum(times @ known, 1)).mean(axis=1))
        signs = 2.0 * generator.integers(0, 2, (rows, len(known))) - 1
        flipped.append((signs @ values / known.sum(axis=0)).mean(axis=1))
    return np.concatenate(drawn), np.concatenate(flipped)


def _resampled_means(values: Values, resamples: int, generator: np.random.Generator) -> Values:
    """Means [R] of the values [n], drawn with replacement."""
    means = [
        values[generator.integers(0, len(values), (rows, len(values)), dtype=np.int32)].mean(axis=1)
        for rows in _chunks(resamples, len(values))
    ]
    return np.concatenate(means)


def _flipped_means(values: Values, resamples: int, generator: np.random.Generator) -> Values:
    """Means [R] of the values [n], each with a random sign."""
    moving = values[values != 0]  # a sign does nothing to the others
    total, num_bytes = moving.sum(), -(-len(moving) // 8)
    means = []
    for rows in _chunks(resamples, max(1, len(moving))):
        signs = generator.integers(0, 256, (rows, num_bytes), dtype=np.uint8)
        bits = np.unpackbits(signs, axis=1)[:, : len(moving)]  # [rows, moving]
        means.append((total - 2 * (bits.astype(np.float64) @ moving)) / len(values))
    return np.concatenate(means)


def _chunks(resamples: int, width: int) -> Iterator[int]:
    """Numbers of draws that fit in memory together, in all `resamples`."""
    size = max(1, _AT_ONCE // width)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)
