"""The mean difference of two models on the same rows, and its standard error."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem

from skdistill._paired import paired_difference

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(1, size=60), RNG.normal(size=60)


def test_the_error_is_that_of_a_mean_of_independent_rows():
    mean, error = paired_difference(FIRST, SECOND, None)
    assert mean == pytest.approx((FIRST - SECOND).mean())
    assert error == pytest.approx(sem(FIRST - SECOND, ddof=0))


def test_weights_count_as_shares():
    weight = RNG.uniform(size=60)
    mean, error = paired_difference(FIRST, SECOND, weight)
    expected = np.average(FIRST - SECOND, weights=weight)
    assert mean == pytest.approx(expected)
    share = weight / weight.sum()
    squares = (share * (FIRST - SECOND - expected)) ** 2
    assert error == pytest.approx(squares.sum() ** 0.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_group_counts_as_one_draw(weighted):
    """Copies of rows have the error of the rows that they copy."""
    copies = RNG.integers(1, 5, 60)
    groups = np.repeat(np.arange(60), copies)
    weight = RNG.uniform(0.5, 2, copies.sum()) if weighted else None
    rows = np.repeat(FIRST, copies), np.repeat(SECOND, copies)
    shares = np.ones(len(groups)) if weight is None else weight
    once = pd.Series(shares).groupby(groups).sum().to_numpy()
    assert paired_difference(*rows, weight, groups) == pytest.approx(
        paired_difference(FIRST, SECOND, once)
    )
