"""The metrics: cases worked by hand, independent libraries, every error."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr
from scipy.stats import entropy
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score

from skdistill.metrics import (
    agreement_score,
    expected_calibration_error,
    gap_recovered,
    kl_divergence,
)

EVEN = [[0.5, 0.5]]


def _draw_proba(seed, n_samples=60, n_classes=3):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=n_samples)


def _draw_counts(seed, n_samples=60):
    return np.random.default_rng(seed).integers(0, 4, size=n_samples)


# --- agreement_score ---------------------------------------------------------


def test_agreement_of_labels():
    assert agreement_score([1, 2, 2, 3], [1, 2, 3, 3]) == 0.75
    assert agreement_score(["a", "b"], ["b", "a"]) == 0.0
    assert agreement_score([1, 2], [1, 3], sample_weight=[3, 1]) == 0.75


def test_agreement_of_probabilities_is_that_of_their_labels():
    teacher, student = _draw_proba(0), _draw_proba(1)
    weight = np.random.default_rng(2).uniform(size=60)
    labels = np.array(["x", "y", "z"])
    expected = accuracy_score(
        teacher.argmax(axis=1), student.argmax(axis=1), sample_weight=weight
    )

    assert agreement_score(teacher, student, sample_weight=weight) == pytest.approx(
        expected
    )
    assert agreement_score(
        labels[teacher.argmax(axis=1)],
        labels[student.argmax(axis=1)],
        sample_weight=weight,
    ) == pytest.approx(expected)


def test_agreement_takes_the_first_of_equal_probabilities():
    assert agreement_score(EVEN, [[0.6, 0.4]]) == 1.0
    assert agreement_score(EVEN, [[0.4, 0.6]]) == 0.0


def test_agreement_takes_data_frames():
    teacher = pd.DataFrame({"no": [0.9, 0.2], "yes": [0.1, 0.8]})
    assert agreement_score(teacher, teacher) == 1.0
    assert agreement_score(pd.Series(["a", "b"]), np.array(["a", "b"])) == 1.0


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([0], EVEN, r"both be labels.*\(1,\) and \(1, 2\).*argmax"),
        ([0, 1], [0], r"same shape; got \(2,\) and \(1,\).*same rows"),
        (EVEN, [[0.2, 0.3, 0.5]], r"same shape; got \(1, 2\) and \(1, 3\)"),
        ([], [], r"teacher must be labels.*at least one row; got shape \(0,\)"),
        (1, 1, r"teacher must be labels.*got shape \(\)"),
        ([[[1]]], [[[1]]], r"teacher must be labels.*got shape \(1, 1, 1\)"),
        ([0, 1], ["0", "1"], r"one type; got dtypes int64 and <U1.*astype"),
        (["0", "1"], [0, 1], r"one type; got dtypes <U1 and int64.*astype"),
        ([[1.0]], [[1.0]], r"two columns; got shape \(1, 1\).*column_stack"),
    ],
)
def test_agreement_errors(teacher, student, message):
    with pytest.raises(ValueError, match=message):
        agreement_score(teacher, student)


# --- kl_divergence -----------------------------------------------------------


def test_kl_by_hand():
    assert kl_divergence([[1.0, 0.0]], EVEN) == pytest.approx(np.log(2))
    assert kl_divergence([[0.75, 0.25]], EVEN) == pytest.approx(
        0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    )
    assert kl_divergence(
        [[1.0, 0.0], [0.5, 0.5]], EVEN * 2, sample_weight=[3, 1]
    ) == pytest.approx(0.75 * np.log(2))


def test_kl_agrees_with_scipy():
    teacher, student = _draw_proba(0), _draw_proba(1)
    weight = np.random.default_rng(2).uniform(size=60)

    assert kl_divergence(teacher, student) == pytest.approx(
        entropy(teacher, student, axis=1).mean()
    )
    assert kl_divergence(teacher, student, sample_weight=weight) == pytest.approx(
        np.average(rel_entr(teacher, student).sum(axis=1), weights=weight)
    )
    # Both are divided by their sums, which rounding has moved.
    assert kl_divergence(0.998 * teacher, 1.003 * student) == pytest.approx(
        kl_divergence(teacher, student)
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_kl_is_positive_and_zero_on_equals(seed, n_classes):
    teacher = _draw_proba(seed, n_samples=5, n_classes=n_classes)
    student = _draw_proba(seed + 1, n_samples=5, n_classes=n_classes)
    assert kl_divergence(teacher, student) > 0
    assert 0 <= kl_divergence(teacher, teacher) < 1e-12
    assert 0 <= kl_divergence(teacher.astype("float32"), teacher) < 1e-12


def test_kl_of_a_zero_of_the_student():
    certain, wrong = [[1.0, 0.0]], [[0.0, 1.0]]
    assert kl_divergence(certain, wrong) == pytest.approx(np.log(2 / 1e-15))
    assert kl_divergence(certain, wrong, epsilon=1e-3) == pytest.approx(np.log(2000))
    assert kl_divergence(certain, wrong, epsilon=0) == np.inf
    assert kl_divergence(certain, certain, epsilon=0) == 0
    # A row that does not count may be infinite.
    assert (
        kl_divergence(certain * 2, wrong + certain, epsilon=0, sample_weight=[0, 1])
        == 0
    )


@pytest.mark.parametrize("epsilon", [-1e-9, 1.0, np.nan])
def test_kl_epsilon_error(epsilon):
    with pytest.raises(ValueError, match=r"epsilon must be in \[0, 1\); got .*default"):
        kl_divergence(EVEN, EVEN, epsilon=epsilon)


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([0.5, 0.5], EVEN, r"teacher_proba must have shape .*got shape \(2,\)"),
        (np.empty((0, 2)), EVEN, r"teacher_proba must .*got shape \(0, 2\)"),
        (EVEN, [[1.0]], r"student_proba must .*two columns; got shape \(1, 1\)"),
        (EVEN, EVEN * 2, r"same shape; got \(1, 2\) and \(2, 2\)"),
        (EVEN, [[1.5, -0.5]], r"student_proba must not be .* \[ 1.5 -0.5\] in row 0"),
        (EVEN, [[0.5, 0.6]], r"sum to 1; one sums to 1.1, .* \[0.5 0.6\] in row 0"),
        (EVEN * 2, [*EVEN, [np.nan, 1.0]], r"be finite, .* \[nan  1.\] in row 1"),
        (EVEN, [[np.inf, 0.0]], r"be finite, received \[inf  0.\] in row 0"),
    ],
)
def test_kl_errors(teacher, student, message):
    with pytest.raises(ValueError, match=message):
        kl_divergence(teacher, student)


# --- gap_recovered -----------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "share"), [(0.8, 0.0), (0.85, 0.5), (0.9, 1.0), (0.95, 1.5), (0.7, -1)]
)
def test_gap_by_hand(student, share):
    assert gap_recovered(0.9, 0.8, student) == pytest.approx(share)
    assert gap_recovered(-0.9, -0.8, -student, greater_is_better=False) == (
        pytest.approx(share)
    )
    assert isinstance(gap_recovered(0.9, 0.8, student), float)


def test_gap_of_arrays_is_the_ratio_of_sums():
    # The second seed has no advantage: a mean of ratios would be infinite.
    teacher, baseline, student = [0.9, 0.8], [0.8, 0.8], [0.85, 0.81]
    assert gap_recovered(teacher, baseline, student) == pytest.approx(0.06 / 0.1)
    assert gap_recovered(pd.Series(teacher), 0.8, student) == pytest.approx(0.6)
    assert gap_recovered([[0.9, 0.8]], [baseline], [student]) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("teacher", "baseline", "options"),
    [
        (0.8, 0.8, {}),
        (0.7, 0.8, {}),
        (0.9, 0.8, {"greater_is_better": False}),
        (0.81, 0.8, {"noise": 0.02}),
        (0.1 + 0.2, 0.3, {}),
        ([0.9, 0.7], [0.8, 0.8], {}),
        (0.0, 0.0, {}),
    ],
)
def test_gap_without_an_advantage_is_nan_with_a_warning(teacher, baseline, options):
    with pytest.warns(
        UserWarning, match=r"no advantage .*teacher 0.*baseline 0.*advantage .*"
    ):
        assert np.isnan(gap_recovered(teacher, baseline, 0.85, **options))


def test_gap_warning_gives_the_figures_and_blames_the_caller():
    message = (
        "teacher 0.81, baseline 0.8, student 0.85, advantage 0.01 with noise=0.02, "
        "greater_is_better=True"
    )
    with pytest.warns(UserWarning, match=message) as record:
        gap_recovered(0.81, 0.8, 0.85, noise=0.02)
    assert record[0].filename == __file__


def test_gap_with_an_advantage_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gap_recovered(0.9, 0.8, 0.88, noise=0.05) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (([0.9, 0.8], [0.7], 0.8), r"one shape; got shapes \[\(2,\), \(1,\), \(\)\]"),
        ((0.9, np.nan, 0.8), r"finite and not empty; got \[0.9, nan, 0.8\]"),
        ((0.9, 0.8, [0.8, np.inf]), r"finite and not empty; got .*inf.*Leave out"),
        (([], [], []), r"finite and not empty; got \[\[\], \[\], \[\]\]"),
    ],
)
def test_gap_errors(scores, message):
    with pytest.raises(ValueError, match=message):
        gap_recovered(*scores)


@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf])
def test_gap_noise_error(noise):
    with pytest.raises(ValueError, match=r"noise must be finite and at least 0; got"):
        gap_recovered(0.9, 0.8, 0.85, noise=noise)


# --- expected_calibration_error ----------------------------------------------


def test_ece_by_hand():
    # Sorted probabilities of b .1 .4 | .7 .8, of class b: 0 0 | 0 1.
    proba = [[0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.9, 0.1]]
    y = ["a", "a", "b", "a"]
    expected = 0.5 * abs(0.25 - 0) + 0.5 * abs(0.75 - 0.5)
    assert expected_calibration_error(y, proba, n_bins=2) == pytest.approx(expected)
    assert expected_calibration_error(y, proba, n_bins=1) == pytest.approx(0.25)
    # One row a bin: the distance of each row.
    assert expected_calibration_error(y, proba) == pytest.approx(
        (0.1 + 0.4 + 0.7 + 0.2) / 4
    )


def test_ece_of_two_classes_is_that_of_the_positive_one():
    # Too low by .1 on either side of one half. Over all rows confidence and accuracy
    # are both .9, and would hide it.
    proba = [[0.1, 0.9]] * 5 + [[0.9, 0.1]] * 5
    y = [1] * 5 + [1] + [0] * 4
    assert expected_calibration_error(y, proba) == pytest.approx(0.1)


def test_ece_of_three_classes_uses_the_top_class():
    proba = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]
    assert expected_calibration_error(
        [0, 1], proba, n_bins=1, labels=[0, 1, 2]
    ) == pytest.approx(abs(0.6 - 0.5))


def test_ece_labels_name_the_columns():
    proba = [[0.9, 0.1], [0.8, 0.2]]
    assert expected_calibration_error(
        ["b", "b"], proba, n_bins=1, labels=["b", "a"]
    ) == pytest.approx(0.15)
    assert expected_calibration_error(
        ["b", "b"], proba, n_bins=1, labels=["a", "b"]
    ) == pytest.approx(0.85)


def test_ece_agrees_with_the_calibration_curve():
    # Rows that divide evenly go into the same bins as between the quantiles.
    rng = np.random.default_rng(0)
    positive = rng.permutation(np.linspace(0.005, 0.995, 100))
    y = (rng.uniform(size=100) < positive**2).astype(int)
    observed, stated = calibration_curve(y, positive, n_bins=10, strategy="quantile")

    assert expected_calibration_error(
        y, np.column_stack([1 - positive, positive]), n_bins=10
    ) == pytest.approx(np.abs(observed - stated).mean())


def test_ece_does_not_split_ties():
    # Cut in halves by row, six rows of .7 would give a value for each order.
    proba = np.array([[0.7, 0.3]] * 6 + [[0.9, 0.1]] * 2)
    y = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    expected = 0.75 * abs(0.7 - 0.5) + 0.25 * abs(0.9 - 0.5)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(8)
        assert expected_calibration_error(y[order], proba[order], n_bins=2) == (
            pytest.approx(expected)
        )


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_ece_properties(seed, n_bins):
    rng = np.random.default_rng(seed)
    # Two decimals, so that many confidences tie.
    proba = np.round(_draw_proba(seed, n_samples=40, n_classes=2)[:, 0], 2)
    proba = np.column_stack([proba, 1 - proba])
    y, weight = rng.integers(0, 2, size=40), rng.uniform(size=40)
    order = rng.permutation(40)
    options = {"n_bins": n_bins, "labels": [0, 1]}
    error = expected_calibration_error(y, proba, sample_weight=weight, **options)

    assert 0 <= error <= 1
    assert error == pytest.approx(
        expected_calibration_error(
            y[order], proba[order], sample_weight=7 * weight[order], **options
        )
    )
    # Merged bins can only let errors cancel.
    whole = expected_calibration_error(
        y, proba, sample_weight=weight, n_bins=1, labels=[0, 1]
    )
    assert whole <= error + 1e-12


@pytest.mark.parametrize("n_bins", [0, -1, 2.0, "auto", None])
def test_ece_n_bins_error(n_bins):
    with pytest.raises(ValueError, match="n_bins must be an integer of at least 1"):
        expected_calibration_error([0], EVEN, n_bins=n_bins, labels=[0, 1])


def test_ece_takes_numpy_integers_as_n_bins():
    assert expected_calibration_error([0, 1], EVEN * 2, n_bins=np.int64(2)) == 0


@pytest.mark.parametrize(
    ("y", "labels", "message"),
    [
        ([0, 1, 0], None, r"shape \(2,\); got shape \(3,\)"),
        ([[0], [1]], None, r"shape \(2,\); got shape \(2, 1\)"),
        ([0, 0], None, r"2 columns of y_proba; got \[0\] found in y_true"),
        ([0, 1], [0, 1, 2], r"got \[0, 1, 2\] in labels.*classes_"),
        ([0, 1], [1, 1], r"one distinct label .*got \[1, 1\] in labels"),
        ([0, 1], [[0, 1]], r"got \[\[0, 1\]\] in labels"),
        ([0, 2], [0, 1], r"labels \[0, 1\]; got .*2.* in 1 row\(s\)"),
        ([0, 1], ["0", "1"], r"labels \['0', '1'\]; got .*0.* in 2 row\(s\)"),
    ],
)
def test_ece_label_errors(y, labels, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y, EVEN * 2, labels=labels)


def test_ece_proba_error():
    with pytest.raises(ValueError, match=r"y_proba must .*got shape \(2,\)"):
        expected_calibration_error([0, 1], [0.2, 0.7])


# --- weights, for every metric that takes them -------------------------------


def _score_labels(teacher, student, **options):
    return agreement_score(teacher.argmax(axis=1), student.argmax(axis=1), **options)


def _score_calibration(teacher, student, **options):
    return expected_calibration_error(
        teacher.argmax(axis=1), student, n_bins=5, labels=[0, 1, 2], **options
    )


WEIGHTED = pytest.mark.parametrize(
    "metric", [agreement_score, _score_labels, kl_divergence, _score_calibration]
)


@WEIGHTED
def test_weights_are_repeated_rows(metric):
    teacher, student, counts = _draw_proba(0), _draw_proba(1), _draw_counts(2)
    rows = np.repeat(np.arange(60), counts)
    repeated = metric(teacher[rows], student[rows])
    assert metric(teacher, student, sample_weight=counts) == pytest.approx(repeated)
    assert metric(teacher, student, sample_weight=counts / 10) == (
        pytest.approx(repeated)
    )


@WEIGHTED
def test_weights_of_one_are_none(metric):
    teacher, student = _draw_proba(0), _draw_proba(1)
    assert metric(teacher, student, sample_weight=np.ones(60)) == metric(
        teacher, student
    )


@WEIGHTED
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(59), r"sample_weight must .*\(60,\).*\(59,\)"),
        (np.ones((60, 1)), r"sample_weight must .*\(60, 1\)"),
        (np.zeros(60), r"sample_weight must .* from 0 to 0"),
        (np.linspace(-1, 2, 60), r"sample_weight must .* from -1 to 2"),
        (np.full(60, np.nan), "sample_weight must hold a finite number"),
        (np.full(60, np.inf), "sample_weight must hold a finite number"),
    ],
)
def test_weight_errors(metric, weight, message):
    with pytest.raises(ValueError, match=message):
        metric(_draw_proba(0), _draw_proba(1), sample_weight=weight)
