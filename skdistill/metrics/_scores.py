"""Agreement, divergence, share recovered and calibration error of probabilities."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from .._checks import check_count, check_weight
from .._typing import FloatArray, IndexArray
from ._validation import (
    check_labels,
    check_proba,
    check_same_shape,
    check_scores,
    match_labels,
)


def agreement_score(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of rows on which teacher and student predict the same label.

    Parameters
    ----------
    teacher : array-like of shape (n_samples,) or (n_samples, n_classes)
        The teacher's predicted labels, or its probabilities, of which the largest
        in a row is the predicted label (the first of equals, as in ``predict``).
    student : array-like of shape (n_samples,) or (n_samples, n_classes)
        The same of the student: labels if the teacher's are labels, probabilities
        with the same order of columns if the teacher's are probabilities.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; a weight of 2 counts as the row given twice.

    Returns
    -------
    score : float
        Between 0 and 1; 1 when the two agree on every row.

    Raises
    ------
    ValueError
        If shapes or types of the two differ, or a probability or a weight is out
        of range.

    References
    ----------
    Stanton, Izmailov, Kirichenko, Alemi and Wilson, "Does Knowledge Distillation
    Really Work?", NeurIPS 2021: the average top-1 agreement.

    Examples
    --------
    >>> from skdistill.metrics import agreement_score
    >>> agreement_score(["a", "b", "b", "c"], ["a", "b", "c", "c"])
    0.75
    >>> agreement_score([[0.9, 0.1], [0.4, 0.6]], [[0.6, 0.4], [0.7, 0.3]])
    0.5
    """
    teacher_array, student_array = np.asarray(teacher), np.asarray(student)
    if teacher_array.ndim != student_array.ndim:
        raise ValueError(
            "teacher and student must both be labels or both be probabilities; got "
            f"shapes {teacher_array.shape} and {student_array.shape}. Turn the "
            "probabilities into labels with classes_[proba.argmax(axis=1)], or pass "
            "the probabilities of both."
        )
    check_same_shape(teacher_array, student_array, "teacher and student")
    if teacher_array.ndim == 2:
        teacher_array = check_proba(teacher_array, "teacher").argmax(axis=1)
        student_array = check_proba(student_array, "student").argmax(axis=1)
    else:
        check_labels(teacher_array, student_array)
    weight = check_weight(sample_weight, len(teacher_array))
    return float(np.average(teacher_array == student_array, weights=weight))


def kl_divergence(
    teacher_proba: ArrayLike,
    student_proba: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    epsilon: float = 1e-15,
) -> float:
    r"""Mean Kullback-Leibler divergence of the student from the teacher, in nats.

    The weighted mean over the rows of
    :math:`\sum_k p_k \log(p_k / q_k)`, with the teacher's probabilities *p* and the
    student's *q*.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_samples, n_classes)
        The teacher's probabilities. A zero adds nothing to the sum.
    student_proba : array-like of shape (n_samples, n_classes)
        The student's probabilities, in the same order of columns.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; a weight of 2 counts as the row given twice.
    epsilon : float, default=1e-15
        Share of the uniform distribution mixed into the student's probabilities,
        in [0, 1). A student's zero where the teacher's probability is positive
        makes the divergence infinite; the mixture bounds a row at
        ``log(n_classes / epsilon)``, 35.2 nats for two classes. 0 mixes in
        nothing, and the result may be ``inf``.

    Returns
    -------
    divergence : float
        At least 0; 0 when the two are equal. Divide by ``log(2)`` for bits.

    Raises
    ------
    ValueError
        If the shapes differ, a row is no probability distribution, or a weight or
        `epsilon` is out of range.

    References
    ----------
    Kullback and Leibler, "On Information and Sufficiency", Annals of Mathematical
    Statistics 22(1), 1951.

    Examples
    --------
    >>> from skdistill.metrics import kl_divergence
    >>> round(kl_divergence([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]), 4)
    0.3466
    """
    if not 0 <= epsilon < 1:
        raise ValueError(
            f"epsilon must be in [0, 1); got {epsilon!r}. Leave it at its default, "
            "or pass 0 to let a student's zero make the divergence infinite."
        )
    p = check_proba(np.asarray(teacher_proba), "teacher_proba")
    q = check_proba(np.asarray(student_proba), "student_proba")
    check_same_shape(p, q, "teacher_proba and student_proba")
    weight = check_weight(sample_weight, len(p))
    # Rounded rows that sum to 0.9999999 would make equal distributions differ.
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    q = (1 - epsilon) * q + epsilon / q.shape[1]
    rows = rel_entr(p, q).sum(axis=1)
    # An infinite row of weight 0 is a row left out, not 0 * inf.
    counted = weight > 0
    mean = np.average(rows[counted], weights=weight[counted])
    # Only rounding takes the mean of equal distributions below 0.
    return max(float(mean), 0.0)


def gap_recovered(
    teacher_score: ArrayLike,
    baseline_score: ArrayLike,
    student_score: ArrayLike,
    *,
    noise: float = 0.0,
    greater_is_better: bool = True,
) -> float:
    """Share of the teacher's advantage over a baseline that the student recovers.

    ``(student - baseline) / (teacher - baseline)``: 0 for a student no better than
    the baseline (commonly the student trained without a teacher), 1 for one as good
    as the teacher; a student may fall below 0 or rise above 1.

    Parameters
    ----------
    teacher_score, baseline_score, student_score : float or array-like
        One score, or one for each seed or data set, in arrays of one shape (a
        single score goes with each of them). The result is then the ratio of the
        summed differences: in a mean of ratios, seeds with almost no advantage
        would outweigh all others.
    noise : float, default=0.0
        In units of the score: the largest mean advantage that counts as none, for
        example twice its standard error over the seeds.
    greater_is_better : bool, default=True
        False for a loss or an error. It decides which sign of the difference is an
        advantage; the ratio is the same either way.

    Returns
    -------
    share : float
        NaN, with a `UserWarning` that gives the figures, when the teacher has no
        advantage over the baseline (its mean is `noise` or less).

    Raises
    ------
    ValueError
        If a score is not finite, the shapes differ, there is no score, or `noise`
        is negative.

    References
    ----------
    Burns et al., "Weak-to-Strong Generalization: Eliciting Strong Capabilities With
    Weak Supervision", 2023: the performance gap recovered.

    Examples
    --------
    >>> from skdistill.metrics import gap_recovered
    >>> round(gap_recovered(0.90, 0.80, 0.88), 2)
    0.8
    >>> log_losses = [0.30, 0.34], [0.40, 0.36], [0.34, 0.32]  # on two data sets
    >>> round(gap_recovered(*log_losses, greater_is_better=False), 2)
    0.83
    """
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(
            f"noise must be finite and at least 0; got {noise!r}. Pass 0.0, or the "
            "advantage in units of the score below which there is nothing to recover."
        )
    scores = check_scores(teacher_score, baseline_score, student_score)
    teacher, baseline, student = (float(np.mean(score)) for score in scores)
    sign = 1.0 if greater_is_better else -1.0
    advantage = sign * (teacher - baseline)
    # 0.1 + 0.2 exceeds 0.3 by 6e-17: a difference within rounding is no advantage.
    rounding = 16 * np.finfo(np.float64).eps * max(abs(teacher), abs(baseline))
    if advantage <= max(noise, rounding):
        warnings.warn(
            "The teacher has no advantage over the baseline, so the share recovered is "
            f"undefined and NaN is returned: teacher {teacher:.6g}, baseline "
            f"{baseline:.6g}, student {student:.6g}, advantage {advantage:.3g} with "
            f"noise={noise:.3g}, greater_is_better={greater_is_better}. Train a "
            "better teacher, or compare the scores themselves.",
            UserWarning,
            stacklevel=2,
        )
        return float("nan")
    return sign * (student - baseline) / advantage


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> float:
    """Mean distance between probability and frequency, over bins of equal mass.

    ``sum_b w_b |mean(p in b) - mean(h in b)|``, where ``w_b`` is the share of the
    weight in bin *b*. For two classes *p* is the probability of the positive class,
    the second column, and *h* is 1 where the row is of that class. For more, *p* is
    the largest probability of the row (its confidence) and *h* is 1 where that class
    is the true one.

    The rows are cut by *p* into bins of equal weight. Rows of equal *p* share a bin,
    so the order of the rows never matters, and a bin may be heavier than others or
    empty.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The true labels.
    y_proba : array-like of shape (n_samples, n_classes)
        Probabilities; two columns in the binary case.
    n_bins : int, default=15
        Number of bins.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; a weight of 2 counts as the row given twice.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, as the classifier's ``classes_``. None: the sorted
        labels found in `y_true`.

    Returns
    -------
    error : float
        Between 0 and 1; 0 when probability and frequency are equal in every bin.

    Raises
    ------
    ValueError
        If shapes or labels do not fit together, or a probability, a weight or
        `n_bins` is out of range.

    Notes
    -----
    The estimate is biased upwards on few rows: compare only figures that come from
    the same number of rows and bins.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017; bins of equal mass after Nguyen and O'Connor, EMNLP 2015.

    Examples
    --------
    >>> from skdistill.metrics import expected_calibration_error
    >>> proba = [[0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.8, 0.2]]
    >>> round(expected_calibration_error(["no", "yes", "no", "yes"], proba), 2)
    0.15
    """
    check_count("n_bins", n_bins, "Use 15 unless there is a reason for another.")
    proba = check_proba(np.asarray(y_proba), "y_proba")
    matches = match_labels(np.asarray(y_true), labels, proba.shape)
    weight = check_weight(sample_weight, len(proba))
    two = proba.shape[1] == 2
    columns = np.ones(len(proba), dtype=np.intp) if two else proba.argmax(axis=1)
    rows = np.arange(len(proba))
    stated = proba[rows, columns]
    excess = stated - matches[rows, columns]
    bins = _bin_equal_mass(stated, weight, int(n_bins))
    distances = np.abs(np.bincount(bins, weights=weight * excess))
    return float(distances.sum() / weight.sum())


def _bin_equal_mass(proba: FloatArray, weight: FloatArray, n_bins: int) -> IndexArray:
    """Bin of each row, shape (n_samples,); equal probabilities share a bin."""
    _, group = np.unique(proba, return_inverse=True)
    mass = np.bincount(group, weights=weight)
    # A group goes where the middle of its mass lies, whatever its size.
    position = (np.cumsum(mass) - mass / 2) / mass.sum() * n_bins
    # The sums' rounding depends on the order of the rows; it must not move a middle
    # that lies on the border of two bins.
    bins = np.floor(position + 1e-9).astype(np.intp)
    return np.minimum(bins, n_bins - 1)[group]
