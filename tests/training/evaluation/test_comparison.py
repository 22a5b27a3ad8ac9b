"""Paired comparison: by hand, against SciPy, and its coverage on made-up data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap, permutation_test

from training.evaluation.comparison import compare

Values = NDArray[np.float64]


def scores(seed: int, *shape: int) -> list[Values]:
    return list(np.random.default_rng(seed).random(shape))


def test_a_constant_difference_is_its_own_interval() -> None:
    ours = scores(0, 3, 40)
    found = compare([values + 0.25 for values in ours], ours, resamples=500)
    assert found.difference == pytest.approx(0.25)
    assert (found.low, found.high) == (pytest.approx(0.25), pytest.approx(0.25))
    assert found.by_seed == (pytest.approx(0.25),) * 3
    assert found.num_units == 120
    assert found.p_value == pytest.approx(1 / 501)


def test_a_system_does_not_differ_from_itself() -> None:
    ours = scores(1, 2, 30)
    found = compare(ours, ours, resamples=200)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_seeds_count_equally_however_many_lists_they_have() -> None:
    found = compare([np.full(2, 1.0), np.full(100, 3.0)], [np.zeros(2), np.zeros(100)], 100)
    assert found.difference == 2.0
    assert found.by_seed == (1.0, 3.0)


def test_a_list_without_a_value_is_left_out_of_both() -> None:
    ours = [np.array([1.0, np.nan, 3.0])]
    found = compare(ours, [np.array([0.0, 5.0, 2.0])], 100)
    assert (found.difference, found.num_units) == (1.0, 2)


@pytest.mark.parametrize(
    ("differences", "share"),
    [
        ([1.0, 2.0, 3.0], 2 / 8),  # of the 8 ways to sign them, all + and all − are as extreme
        ([-1.0, 2.0, 3.0], 4 / 8),  # sums of ±4 and ±6
        ([0.0, 1.0, 2.0, 3.0], 2 / 8),  # a list without a difference tells nothing
        ([0.1, 0.2, -0.3, 0.4], 10 / 16),  # sums of 0.4 count, though rounding parts them
    ],
)
def test_p_is_the_share_of_signs_as_extreme_as_those_seen(
    differences: list[float], share: float
) -> None:
    found = compare([np.array(differences)], [np.zeros(len(differences))])
    assert found.p_value == pytest.approx(share, abs=0.02)


def test_draws_that_do_not_fit_together_are_all_made(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = scores(7, 2, 1, 15)
    whole = compare(list(ours), list(theirs), resamples=4001)
    monkeypatch.setattr("training.evaluation.comparison._AT_ONCE", 100)
    parts = compare(list(ours), list(theirs), resamples=4001)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.03)
    assert parts.p_value == pytest.approx(whole.p_value, abs=0.05)


def test_the_same_seed_draws_the_same() -> None:
    ours, theirs = scores(8, 1, 50), scores(9, 1, 50)
    assert compare(ours, theirs, 200, seed=5) == compare(ours, theirs, 200, seed=5)
    assert compare(ours, theirs, 200, seed=5) != compare(ours, theirs, 200, seed=6)


def test_with_ten_lists_the_p_value_is_that_of_all_sign_flips() -> None:
    ours, theirs = scores(4, 2, 10)
    exact = permutation_test(
        (ours, theirs), lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    found = compare([ours], [theirs], resamples=40_000)
    assert found.p_value == pytest.approx(exact.pvalue, abs=0.01)


def test_the_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    ours, theirs = scores(5, 2, 60)
    theirs[::2] = ours[::2]  # as with real lists, many do not differ
    wanted = bootstrap(
        ((ours - theirs),), np.mean, method="percentile", n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    found = compare([ours], [theirs], resamples=20_000)
    assert (found.low, found.high) == (
        pytest.approx(wanted.low, abs=0.003), pytest.approx(wanted.high, abs=0.003),
    )  # fmt: skip


def test_the_interval_covers_the_truth_in_about_95_of_100_trials() -> None:
    random = np.random.default_rng(6)
    covered = small = 0
    trials = 300
    for trial in range(trials):
        # A skewed metric, three seeds, a true difference of 0.
        theirs = [random.exponential(1.0, 80) for _ in range(3)]
        ours = [values + random.normal(0.0, 0.5, 80) for values in theirs]
        found = compare(ours, theirs, resamples=400, seed=trial)
        covered += found.low <= 0 <= found.high
        small += found.p_value <= 0.05
    assert 0.91 <= covered / trials <= 0.98
    assert 0.02 <= small / trials <= 0.09


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 20))
def test_the_other_way_round_the_difference_changes_its_sign_alone(
    draw: int, num_seeds: int, num_units: int
) -> None:
    ours, theirs = scores(draw, num_seeds, num_units), scores(draw + 1, num_seeds, num_units)
    one, other = compare(ours, theirs, 200), compare(theirs, ours, 200)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.p_value == other.p_value
    assert one.low <= one.high


def test_what_was_measured_on_other_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="the same units: got 3 and 4"):
        compare([np.zeros(3)], [np.zeros(4)])
    with pytest.raises(ValueError, match="the same seeds: got 1 and 2"):
        compare([np.zeros(3)], [np.zeros(3)] * 2)
    with pytest.raises(ValueError, match="a unit that both have a value for"):
        compare([np.full(3, np.nan)], [np.zeros(3)])


def test_a_unit_that_stands_in_every_seed_is_drawn_for_all_of_them_or_for_none() -> None:
    one = [np.array([1.0]), np.array([1.0])]
    none = [np.array([0.0]), np.array([0.0])]
    apart, together = compare(one, none), compare(one, none, same_units=True)
    # Apart, two signs differ half of the time, and the mean is then 0; together they never do.
    assert apart.p_value == pytest.approx(0.5, abs=0.02)
    assert together.p_value == 1.0
    draw = np.random.default_rng(0).normal(size=200)
    same, nothing = [draw, draw], [np.zeros(200)] * 2
    single = compare(same[:1], nothing[:1])
    twice, wide = compare(same, nothing), compare(same, nothing, same_units=True)
    width = single.high - single.low
    assert wide.high - wide.low == pytest.approx(width, rel=0.05)
    assert twice.high - twice.low == pytest.approx(width / np.sqrt(2), rel=0.05)


def test_a_unit_that_a_seed_lacks_counts_in_the_others() -> None:
    ours = [np.array([1.0, np.nan, 5.0]), np.array([np.nan, 3.0, np.nan])]
    found = compare(ours, [np.zeros(3), np.zeros(3)], same_units=True)
    assert found.by_seed == (3.0, 3.0)
    assert found.difference == 3.0
    assert found.num_units == 3
