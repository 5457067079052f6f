"""Samplers of rows: what is drawn, from which pairs, and how evenly."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import spatial, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistill.transfer import GaussianCopula, Munge, Spunge

SAMPLERS = [Munge(), Spunge(), GaussianCopula()]
every_sampler = pytest.mark.parametrize(
    "sampler", SAMPLERS, ids=lambda s: type(s).__name__
)
RNG = np.random.RandomState(0)
NUMBERS = RNG.standard_normal((40, 3))

quick = settings(max_examples=25, deadline=None, derandomize=True)


def make_twins(n_pairs=6, n_columns=50):
    """Rows 2k and 2k + 1 are each other's nearest, and differ in every column."""
    twins = [[f"{k}{side}" for side in "ab"] for k in range(n_pairs)]
    categories = np.repeat(np.array(twins).ravel()[:, None], n_columns, axis=1)
    place = np.repeat(np.arange(n_pairs) * 1e3, 2)
    # A hundred columns that tell the pairs apart outweigh the categories.
    return np.hstack([categories.astype(object), np.tile(place[:, None], 300)])


def brute_distances(numbers, codes):
    square = ((numbers[:, None] - numbers[None]) ** 2).sum(axis=2)
    square += (codes[:, None] != codes[None]).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    return np.sqrt(square)


def find_pairs(X, n_rounds=1, categorical=None, **params):
    """Rows and their partners, told by the last column, which they exchange whole."""
    sampler = Munge(p=1.0, s=1e9, categorical_features=categorical, **params).fit(X)
    rows, parents = sampler.sample_with_parents(n_rounds * X.shape[0], random_state=0)
    last = X[:, [-1]].toarray() if sp.issparse(X) else X[:, [-1]]
    drawn = rows[:, [-1]].toarray() if sp.issparse(X) else rows[:, [-1]]
    tree = spatial.KDTree(np.asarray(last, dtype=float))
    return parents, tree.query(np.asarray(drawn, dtype=float))[1]


@parametrize_with_checks(SAMPLERS)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("s", [1.0, 4.0])
def test_numbers_are_drawn_around_the_neighbours_value(s):
    place = np.repeat([0.0, 10, 20, 30, 40, 50], 2)
    # The last two pairs stretch the range.
    value = np.array([-1.25, 0.75] * 4 + [-100.5, -99.5, 99.5, 100.5])
    X = np.column_stack([place, value])
    rows, parents = Munge(p=1.0, s=s).fit(X).sample_with_parents(24_000, 0)
    # Twins stand at the same place: nothing to exchange in that column.
    np.testing.assert_array_equal(rows[:, 0], place[parents])
    for own, other in ((0, 1), (1, 0)):
        drawn = rows[parents == own, 1]
        law = stats.norm(value[other], abs(value[own] - value[other]) / s)
        assert len(drawn) == 2000
        assert stats.kstest(drawn, law.cdf).pvalue > 0.01


def test_out_of_range_draws_are_held_to_the_range():
    X = np.array([[0.25], [1.5]])
    rows = Munge(p=1.0).fit(X).sample(4000, random_state=0)[:, 0]
    assert rows.min() == 0.25
    assert rows.max() == 1.5
    # A half of the draws around an end of the range, and P(Z < -1) at the other.
    assert np.mean(rows == 0.25) == pytest.approx(
        (0.5 + stats.norm.cdf(-1)) / 2, abs=0.03
    )


def test_both_rows_of_a_pair_swap_their_categories():
    X = make_twins()
    rows, parents = Munge(p=0.4).fit(X).sample_with_parents(len(X), random_state=0)
    np.testing.assert_array_equal(np.sort(parents), np.arange(12))
    rows = rows[np.argsort(parents)]
    swapped = rows[:, :50] != X[:, :50]
    # What one twin gives, the other takes, and nothing comes from elsewhere.
    np.testing.assert_array_equal(swapped[::2], swapped[1::2])
    twins = np.arange(12) ^ 1
    np.testing.assert_array_equal(rows[:, :50][swapped], X[twins, :50][swapped])
    assert 0.3 < swapped.mean() < 0.5


@pytest.mark.parametrize("sampler", [Munge(p=[0.1, 0.9]), Spunge(p=(0.1, 0.9))])
def test_rates_are_shared_evenly(sampler):
    X = make_twins(n_columns=200)
    X = X[:, :200] if isinstance(sampler, Spunge) else X
    rows, parents = sampler.fit(X).sample_with_parents(1200, random_state=0)
    share = (rows[:, :200] != X[parents, :200]).mean(axis=1)
    assert np.mean(share > 0.5) == pytest.approx(0.5, abs=0.02)
    assert share[share < 0.5].mean() == pytest.approx(0.1, abs=0.01)
    assert share[share > 0.5].mean() == pytest.approx(0.9, abs=0.01)


def test_a_taken_neighbour_is_not_changed_twice_in_a_pass():
    # Both outer rows are nearest to the middle one.
    X = np.array(
        [["a"] * 9 + [0.0], ["b"] * 9 + [1.0], ["c"] * 9 + [-1.1]], dtype=object
    )
    rows, parents = Munge(p=1.0, s=1e9).fit(X).sample_with_parents(300, random_state=0)
    taken = [set(rows[parents == k, 0]) for k in range(3)]
    assert taken[1] <= {"a", "c"}
    # Each row is one whole other row: never a mixture of two exchanges.
    assert all(len(set(row[:9])) == 1 for row in rows)
    assert all(own not in others for own, others in zip("abc", taken, strict=True))


@quick
@given(st.integers(2, 30), st.integers(1, 200), st.integers(0, 5))
def test_bases_are_used_evenly(n_rows, n_samples, seed):
    X = NUMBERS[:n_rows]
    for sampler in SAMPLERS:
        rows, parents = clone(sampler).fit(X).sample_with_parents(n_samples, seed)
        counts = np.bincount(parents, minlength=n_rows)
        assert rows.shape == (n_samples, 3)
        assert counts.min() >= n_samples // n_rows
        assert counts.max() <= -(-n_samples // n_rows)


@quick
@given(
    st.lists(st.floats(0, 10), min_size=4, max_size=12).filter(
        lambda w: np.sum(np.array(w) > 0.01) > 3
    ),
    st.integers(1, 90),
)
def test_bases_are_used_in_proportion_to_their_weight(weight, n_samples):
    weight = np.array(weight)
    share = n_samples * weight / weight.sum()
    for sampler in SAMPLERS:
        sampler = clone(sampler).fit(NUMBERS[: len(weight)], sample_weight=weight)
        counts = np.bincount(
            sampler.sample_with_parents(n_samples, 0)[1], minlength=len(weight)
        )
        assert (counts >= np.floor(share - 1e-6)).all()
        assert (counts <= np.ceil(share + 1e-6)).all()
        assert not counts[weight == 0].any()


def test_the_remainder_is_drawn_without_preference():
    weight = np.array([0.5, 1.5, 2.0, 4.0])
    sampler = Spunge().fit(NUMBERS[:4], sample_weight=weight)
    drawn = [sampler.sample_with_parents(1, seed)[1][0] for seed in range(600)]
    assert stats.chisquare(np.bincount(drawn), 600 * weight / 8).pvalue > 0.01


def test_weight_zero_is_the_same_as_absence():
    weight = np.repeat([1.0, 0.0], 20)
    for sampler in SAMPLERS:
        with_zeros = clone(sampler).fit(NUMBERS, sample_weight=weight).sample(50, 3)
        without = clone(sampler).fit(NUMBERS[:20]).sample(50, 3)
        np.testing.assert_array_equal(with_zeros, without)


@every_sampler
def test_same_seed_same_rows(sampler):
    first = clone(sampler).fit(NUMBERS)
    rows, parents = first.sample_with_parents(70, random_state=5)
    again = clone(sampler).fit(NUMBERS)
    np.testing.assert_array_equal(again.sample(70, random_state=5), rows)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).sample(70, 5), rows)
    np.testing.assert_array_equal(
        first.sample(70, random_state=np.random.RandomState(5)), rows
    )
    assert not np.array_equal(first.sample(70, random_state=6), rows)
    assert not np.array_equal(rows, NUMBERS[parents])


@pytest.mark.parametrize("kind", [object, bool])
def test_neighbours_among_many_rows_of_categories_alone(kind):
    """Beyond 4,096 rows they are searched in trees; twins differ in one of 30 columns.

    There is no number that would give the search its precision.
    """
    rng = np.random.default_rng(0)
    codes = rng.integers(2 if kind is bool else 8, size=(2100, 30))
    twins = codes.copy()
    twins[:, 0] = (twins[:, 0] + 1) % (codes.max() + 1)
    X = np.concatenate([codes, twins]).astype(kind)
    munge = Munge(p=1.0, n_neighbors=1, categorical_features=np.arange(30))
    rows, parents = munge.fit(X).sample_with_parents(4200, random_state=0)
    found = (rows == X[(parents + 2100) % 4200]).all(axis=1)
    assert found.mean() > 0.95


@every_sampler
@pytest.mark.slow
def test_batches_do_not_change_what_holds(sampler):
    """Keys are made for 4,096 rows at once, rows for some 65,000."""
    X = np.random.RandomState(0).standard_normal((4200, 40))
    rows, parents = clone(sampler).fit(X).sample_with_parents(105_000, random_state=0)
    assert rows.shape == (105_000, 40)
    assert set(np.bincount(parents)) == {25}
    assert (rows >= X.min(axis=0)).all()
    assert (rows <= X.max(axis=0)).all()


def test_neighbours_are_the_nearest_under_the_mixed_metric():
    codes = RNG.randint(0, 3, (300, 4))
    numbers = RNG.standard_normal((300, 2))
    X = np.hstack([codes, numbers])
    own, other = find_pairs(X, 20, categorical=[0, 1, 2, 3], n_neighbors=2)
    nearest = np.argsort(brute_distances(stats.zscore(numbers), codes), axis=1)[:, :2]
    # One of a pair drew the other among its two nearest, and both of these occur.
    first = (nearest[own] == other[:, None]).any(axis=1)
    assert (first | (nearest[other] == own[:, None]).any(axis=1)).all()
    met = set(zip(own.tolist(), other.tolist(), strict=True))
    assert all({(k, a), (k, b)} <= met for k, (a, b) in enumerate(nearest.tolist()))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_neighbours_of_many_rows_are_nearly_the_nearest(container):
    X = RNG.standard_normal((5000, 4))
    own, other = find_pairs(container(X))
    scaled = stats.zscore(X) if container is np.asarray else X / X.std(axis=0)
    distance, _ = spatial.KDTree(scaled).query(scaled, 2)
    found = np.linalg.norm(scaled[own] - scaled[other], axis=1)
    # A pair of nearest rows is as far apart as the nearest of one of them is.
    ratio = found / np.maximum(distance[own, 1], distance[other, 1])
    assert ratio.min() > 1 - 1e-6
    assert ratio.mean() < 1.003
    assert np.mean(ratio < 1 + 1e-6) > 0.985


def test_columns_are_scaled_and_missing_numbers_are_one_apart():
    X = np.column_stack([RNG.standard_normal(200) * 1e200, np.full(200, 3.0)])
    X = np.column_stack([X, RNG.rand(200)])
    # Far apart, and close to each other.
    X[:3] = [[np.nan, 3.0, 0.1], [np.nan, 3.0, 0.7], [np.nan, 3.0, 0.71]]
    known = ~np.isnan(X[:, 0])
    # Missing numbers lie at the mean, and 1 away in a dimension of their own. The
    # constant counts for nothing.
    first = np.zeros(200)
    first[known] = stats.zscore(X[known, 0] / 1e200)
    scaled = np.column_stack([first, np.where(known, 0.0, 1.0), stats.zscore(X[:, 2])])
    own, other = find_pairs(X, 2)
    nearest = brute_distances(scaled, np.zeros((200, 0))).argmin(axis=1)
    assert ((nearest[own] == other) | (nearest[other] == own)).all()


def test_duplicates_do_not_defeat_the_search():
    X = np.repeat(
        np.array([["a", 0.5], ["b", 1.5], ["b", 9.5]], dtype=object), 30, axis=0
    )
    rows, parents = Munge(p=1.0, s=1e9).fit(X).sample_with_parents(900, random_state=0)
    # Nearest to the first and the third is the second, whichever copy of it.
    assert set(rows[parents < 30, 0]) == {"b"}
    assert not np.any(rows[:, 1] == X[parents, 1])


def test_equally_near_rows_are_drawn_alike():
    X = np.array([["a", "a"], ["a", "b"], ["a", "c"], ["a", "d"]])
    rows, parents = Munge(p=1.0).fit(X).sample_with_parents(12_000, random_state=0)
    for own in range(4):
        categories, counts = np.unique(rows[parents == own, 1], return_counts=True)
        assert set(categories) == set("abcd") - {"abcd"[own]}
        assert stats.chisquare(counts).pvalue > 0.001


def test_spunge_swaps_with_any_row():
    X = np.arange(12.0).reshape(6, 2) ** 1.5
    rows, parents = Spunge(p=1.0).fit(X).sample_with_parents(6000, random_state=0)
    found = np.array([np.flatnonzero((row == X).all(axis=1))[0] for row in rows])
    assert not np.any(found == parents)
    table = np.histogram2d(parents, found, bins=6)[0]
    np.testing.assert_allclose(table[~np.eye(6, dtype=bool)], 200, atol=60)


def test_copula_keeps_margins_and_correlation():
    z = RNG.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 3000)
    zeros = np.where(RNG.rand(3000) < 0.6, 0.0, RNG.exponential(size=3000))
    X = np.column_stack([np.exp(z[:, 0]), z[:, 1] ** 3, zeros])
    for width in (0.3, 1.0):
        sampler = GaussianCopula(width=width).fit(X)
        rows = sampler.sample(6000, random_state=1)
        for j in range(3):
            assert stats.ks_2samp(rows[:, j], X[:, j]).statistic < 0.03
        found = np.corrcoef(np.log(rows[:, 0]), np.cbrt(rows[:, 1]))[0, 1]
        assert found == pytest.approx(np.corrcoef(z.T)[0, 1], abs=0.03)
        # A value that occurs often keeps its frequency.
        assert np.mean(rows[:, 2] == 0) == pytest.approx(np.mean(zeros == 0), abs=0.02)
    assert sampler.correlation_[0, 1] == pytest.approx(0.8, abs=0.02)


def test_copula_categories_and_missing_values_keep_their_frequency():
    town = RNG.choice(["Bern", "Oslo", "Rome"], 1000, p=[0.6, 0.3, 0.1])
    holes = np.where(RNG.rand(1000) < 0.2, np.nan, RNG.standard_normal(1000))
    holes[:5] = [np.inf, -np.inf, np.inf, -np.inf, np.inf]
    X = np.array([*zip(town, holes, strict=True)], dtype=object)
    rows = GaussianCopula(width=1.0).fit(X).sample(5000, random_state=0)
    for category in ("Bern", "Oslo", "Rome"):
        assert np.mean(rows[:, 0] == category) == pytest.approx(
            np.mean(town == category), abs=0.02
        )
    drawn = rows[:, 1].astype(float)
    assert np.mean(np.isnan(drawn)) == pytest.approx(np.mean(np.isnan(holes)), abs=0.02)
    assert np.isposinf(drawn).any()


def test_missing_numbers_are_written_as_they_were_found():
    holes = [None if k % 3 == 0 else 0.5 * k for k in range(300)]
    X = np.array([[value, k % 2] for k, value in enumerate(holes)], dtype=object)
    rows = GaussianCopula(width=1.0).fit(X).sample(500, random_state=0)
    found = rows[:, 0].tolist()
    assert {type(value) for value in found} == {type(None), float}
    assert found.count(None) == pytest.approx(500 / 3, abs=50)


def test_a_narrow_copula_stays_at_its_base():
    X = np.column_stack([RNG.standard_normal(400), RNG.randint(0, 4, 400)])
    rows, parents = GaussianCopula(width=1e-9).fit(X).sample_with_parents(800, 0)
    np.testing.assert_array_equal(rows[:, 1], X[parents, 1])
    spacing = np.diff(np.sort(X[:, 0])).max()
    assert np.abs(rows[:, 0] - X[parents, 0]).max() <= spacing


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Munge(p=0), r"p must be a number in \(0, 1\], received 0"),
        (Munge(p=[0.5, 1.5]), "received 1.5"),
        (Munge(p=[]), r"p must be a number in \(0, 1\] or a sequence"),
        (Munge(p="half"), "received 'half'"),
        (Munge(p=True), "received True"),
        (Munge(s=0), "s must be a number above 0, received 0"),
        (Munge(s=np.nan), "s must be a number above 0, received nan"),
        (Munge(n_neighbors=0), "n_neighbors must be an integer of at least 1"),
        (Spunge(p=-1), "received -1"),
        (GaussianCopula(width=0), r"width must be a number in \(0, 1\], received 0"),
        (Munge(categorical_features=[3]), "positions of columns from 0 to 2"),
        (Munge(categorical_features=["a"]), "received .'a'."),
        (Munge(categorical_features=[True]), "a mask of 3 booleans"),
    ],
)
def test_parameters_are_checked_in_fit(sampler, message):
    with pytest.raises(ValueError, match=message):
        sampler.fit(NUMBERS)


def test_no_column_need_be_named():
    rows = Munge(categorical_features=[]).fit(NUMBERS).sample(50, random_state=0)
    np.testing.assert_array_equal(rows, Munge().fit(NUMBERS).sample(50, random_state=0))


def test_random_state_is_checked():
    with pytest.raises(ValueError, match=r"random_state must be None, an integer from"):
        Munge().fit(NUMBERS).sample(random_state=np.random.default_rng(0))


@pytest.mark.parametrize("n_samples", [0, -1, 2.0, True, "3"])
def test_n_samples_is_checked(n_samples):
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        Spunge().fit(NUMBERS).sample(n_samples)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(39), r"shape \(40,\), .* received sample_weight.shape == \(39,\)"),
        (-np.ones(40), "must not be negative"),
        (np.zeros(40), "nor zero everywhere"),
    ],
)
def test_weights_are_checked(weight, message):
    with pytest.raises(ValueError, match=message):
        Munge().fit(NUMBERS, sample_weight=weight)


@pytest.mark.parametrize("sampler", [Munge(), Spunge()])
@pytest.mark.parametrize("X", [[[1.0, 2.0]], np.ones((5, 2)), [["a"], ["a"]]])
def test_rows_that_are_all_the_same_are_refused(sampler, X):
    with pytest.raises(ValueError, match="at least two rows that differ, received"):
        sampler.fit(X)


def test_copula_refuses_one_row_and_sparse_rows():
    with pytest.raises(ValueError, match="at least two rows, received 1 sample"):
        GaussianCopula().fit(NUMBERS[:1])
    with pytest.raises(TypeError, match="Sparse data was passed"):
        GaussianCopula().fit(sp.csr_array(NUMBERS))


@every_sampler
def test_sample_before_fit_is_refused(sampler):
    with pytest.raises(NotFittedError):
        clone(sampler).sample(3)
