"""LogisticRegression on one row a sample.

The fit minimises the objective that scikit-learn's L-BFGS solver minimises, with soft
targets in it; it costs what hard labels cost. Other solvers and L1 penalties learn
weighted copies, which are exact at more rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import validate_data

from .._soft_data import MaybeRows, SoftDataset, count_outputs, row_blocks
from .._typing import FloatArray
from ._epochs import minimize_lbfgs
from ._losses import LogitLoss, shift_bias
from ._soft_learner import SoftLearner
from ._weighted_copies import COPIES


class LogisticLearner(SoftLearner):
    """The stock LogisticRegression."""

    def accepts(self, student: Any) -> bool:
        return type(student) is LogisticRegression

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        return True

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        # The stock fit on zeros names each class, and takes no metadata but weights.
        few = rows.n_samples < len(rows.classes) and rows.alpha is None
        if few or rows.params or not _is_smooth(student):
            return COPIES.fit_rows(student, rows, validation)
        return _fit_logistic(student, rows)

    def learns_mixtures(self, student: Any) -> bool:
        return _is_smooth(student)

    def scale_logits(self, student: Any, factor: float) -> None:
        student.coef_ = student.coef_ * factor
        student.intercept_ = student.intercept_ * factor

    def can_shift_logits(self, student: Any) -> bool:
        return student.fit_intercept

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        student.intercept_ = shift_bias(student.intercept_, shift)


def _is_smooth(student: Any) -> bool:
    """Whether the student asks for L-BFGS on an L2 penalty, or on none."""
    penalised = student.penalty in ("l2", None) or (
        student.penalty == "deprecated" and student.l1_ratio in (0, None)
    )
    others = student.dual or student.warm_start or student.verbose
    return student.solver == "lbfgs" and penalised and not others


def _fit_logistic(student: Any, train: SoftDataset) -> Any:
    """Minimise C times the soft cross-entropy plus half the squared coefficients."""
    X = validate_data(
        student, train.X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
    )
    # On columns of zeros the stock fit ends before its first step: it checks the
    # parameters and sets what else a fitted model has. (With one row a class it would
    # warn that the labels look continuous.)
    labels = np.tile(train.classes, 3)
    student.fit(np.zeros((len(labels), X.shape[1]), X.dtype), labels)
    weight = train.weights
    strength = 0.0 if student.penalty is None else 1 / (student.C * weight.sum())
    n_outputs = count_outputs(len(train.classes))
    n_coefs = X.shape[1] + student.fit_intercept
    result = minimize_lbfgs(
        _logistic_loss,
        np.zeros(n_outputs * n_coefs),
        (X, LogitLoss.of(train, n_outputs), weight / weight.sum(), strength),
        maxiter=student.max_iter,
        maxls=50,
        gtol=student.tol,
        ftol=64 * np.finfo(float).eps,
    )
    coef = result.x.reshape(n_outputs, n_coefs).astype(X.dtype)
    student.coef_ = coef[:, : X.shape[1]].copy()
    student.intercept_ = np.zeros(n_outputs, X.dtype)
    if student.fit_intercept:
        student.intercept_ = coef[:, -1].copy()
    student.n_iter_ = np.array([min(result.nit, student.max_iter)], dtype=np.int32)
    # Names and number of columns are those of the rows, not of the zeros.
    validate_data(student, train.X, skip_check_array=True)
    return student


def _logistic_loss(
    flat: FloatArray, X: Any, loss: LogitLoss, share: FloatArray, strength: float
) -> tuple[float, FloatArray]:
    """Penalised mean loss of a linear model, and its gradient.

    The intercept of each output, which is not penalised, comes last if there is one.
    """
    coef, n_features = flat.reshape(loss.targets.shape[1], -1), X.shape[1]
    slopes, intercepts = coef[:, :n_features], coef[:, n_features:]
    gradient = np.zeros_like(coef)
    gradient[:, :n_features] = strength * slopes
    value = 0.5 * strength * np.vdot(slopes, slopes)
    blocks = list(row_blocks(*loss.targets.shape))
    for rows in blocks:
        some, own, weight = X, loss, share
        if len(blocks) > 1:
            some, own, weight = X[rows], loss.take(rows), share[rows]
        logits = np.asarray(some @ slopes.T.astype(X.dtype), dtype=np.float64)
        if intercepts.size:
            logits += intercepts[:, 0]
        losses, residual = own.rate(logits)
        residual *= weight[:, None]
        value += float(weight @ losses)
        gradient[:, :n_features] += (some.T @ residual.astype(X.dtype, copy=False)).T
        if intercepts.size:
            gradient[:, -1] += residual.sum(axis=0)
    return float(value), gradient.ravel()
