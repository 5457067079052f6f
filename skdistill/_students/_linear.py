"""Linear students on one row a sample, and logits that can be rescaled.

`LogisticRegression` minimises the objective that scikit-learn's L-BFGS solver
minimises, with soft targets in it; what it costs is what hard labels cost.
`SGDClassifier(loss="log_loss")` is one binary problem a class in scikit-learn; its
loss takes any target in [0, 1], so the updates are scikit-learn's own, as many as on
hard labels. Everything else about the two (other solvers, L1, a release that moved
what the second relies on) goes through weighted copies, which are exact at more rows
and, under SGD, at as many more updates.
"""

from __future__ import annotations

import copy
import sys
import warnings
from functools import cache, partial
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from .._typing import FloatArray
from . import _expansion
from ._expansion import wants_validation
from ._tuning import SMALL_STEP, refuse_tuning, run_passes

__all__ = [
    "accepts",
    "check_fine_tuning",
    "check_stopping",
    "fit",
    "fold",
    "rescales",
    "tune",
    "wants_validation",
]


def accepts(student: Any) -> bool:
    """Stock linear models with a logistic loss."""
    if type(student) is SGDClassifier:
        return student.loss == "log_loss"
    return type(student) is LogisticRegression


def check_stopping(student: Any) -> None:
    """Nothing to say: SGD takes validation rows, and nothing else stops early."""


def rescales(student: Any, n_classes: int) -> bool:
    """One softmax or one sigmoid; SGD's one-against-rest sigmoids don't."""
    return n_classes == 2 or type(student) is LogisticRegression


def fold(student: Any, temperature: float) -> None:
    """Multiply the logits by the temperature."""
    student.coef_ = student.coef_ * temperature
    student.intercept_ = student.intercept_ * temperature
    _restart_averages(student)


def fit(student: Any, train: SoftDataset, validation: SoftDataset | None) -> Any:
    """Fit on soft targets, natively where the settings permit it."""
    # Both native routes name the classes by labels of which each must occur once, and
    # take no metadata but weights.
    if train.n_samples < len(train.classes) or train.params:
        return _expansion.fit(student, train, validation)
    if type(student) is SGDClassifier and has_native_sgd():
        return _fit_sgd(student, train, validation)
    if type(student) is LogisticRegression and _is_smooth(student):
        return _fit_logistic(student, train)
    return _expansion.fit(student, train, validation)


def fit_chunks(student: Any, spill: Spill, validation: SoftDataset | None) -> Any:
    """Fit SGD in passes over buffers; a minimiser wants all rows at once.

    So does averaged SGD: the average of `partial_fit` is not that of `fit`.
    """
    continues = type(student) is SGDClassifier and not student.average
    if continues and has_native_sgd() and not spill.params:
        return _fit_sgd_chunks(student, spill, validation)
    return fit(student, spill.map(), validation)


# Logistic regression -----------------------------------------------------------------


def _is_smooth(student: LogisticRegression) -> bool:
    """Whether the student asks for L-BFGS on an L2 penalty, or on none."""
    penalised = student.penalty in ("l2", None) or (
        student.penalty == "deprecated" and student.l1_ratio in (0, None)
    )
    return (
        student.solver == "lbfgs"
        and penalised
        and not (student.dual or student.warm_start or student.verbose)
    )


def _fit_logistic(
    student: LogisticRegression, train: SoftDataset
) -> LogisticRegression:
    """Minimise C times the soft cross-entropy plus half the squared coefficients."""
    n_classes = len(train.classes)
    X = validate_data(
        student, train.X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
    )
    # On columns of zeros the stock fit is done before its first step: it checks the
    # parameters and sets what else a fitted model has. (One row a class would make
    # it wonder whether they are classes.)
    labels = np.tile(train.classes, 3)
    student.fit(np.zeros((len(labels), X.shape[1]), X.dtype), labels)
    targets = train.targets[:, 1:] if n_classes == 2 else train.targets
    weight = np.ones(len(targets)) if train.weight is None else train.weight
    strength = 0.0 if student.penalty is None else 1 / (student.C * weight.sum())
    n_outputs, n_coefs = targets.shape[1], X.shape[1] + student.fit_intercept
    result = minimize(
        _logistic_loss,
        np.zeros(n_outputs * n_coefs),
        args=(X, targets, weight / weight.sum(), strength),
        jac=True,
        method="L-BFGS-B",
        # As scikit-learn calls it.
        options={
            "maxiter": student.max_iter,
            "maxls": 50,
            "gtol": student.tol,
            "ftol": 64 * np.finfo(float).eps,
        },
    )
    coef = result.x.reshape(n_outputs, n_coefs).astype(X.dtype)
    student.coef_ = coef[:, : X.shape[1]].copy()
    if student.fit_intercept:
        student.intercept_ = coef[:, -1].copy()
    else:
        student.intercept_ = np.zeros(n_outputs, X.dtype)
    student.n_iter_ = np.array([min(result.nit, student.max_iter)], dtype=np.int32)
    if result.status != 0:
        _warn_of_convergence(result, student.max_iter)
    # Names and number of columns are those of the rows, not of the zeros.
    validate_data(student, train.X, skip_check_array=True)
    return student


def _logistic_loss(
    flat: FloatArray,
    X: Any,
    targets: FloatArray,
    share: FloatArray,
    strength: float,
) -> tuple[float, FloatArray]:
    """Penalised mean cross-entropy of a linear model, and its gradient.

    Parameters
    ----------
    flat : ndarray of shape (n_outputs * n_coefs,)
        One row of coefficients an output; the intercept, which is not penalised,
        comes last where there is one.
    X : array or CSR matrix of shape (n_samples, n_features)
        Rows.
    targets : ndarray of shape (n_samples, n_outputs)
        Rows sum to 1; a single column holds the probability of the second class.
    share : ndarray of shape (n_samples,)
        Row weights, summing to 1.
    strength : float
        Of the penalty: half the squared coefficients.
    """
    n_features = X.shape[1]
    coef = flat.reshape(targets.shape[1], -1)
    slopes = coef[:, :n_features]
    raw = np.asarray(X @ slopes.T.astype(X.dtype), dtype=np.float64)
    if coef.shape[1] > n_features:
        raw += coef[:, -1]
    fit_term = np.einsum("ij,ij->i", targets, raw)
    if targets.shape[1] == 1:
        loss = np.logaddexp(0, raw[:, 0]) - fit_term
        residual = expit(raw, out=raw)
    else:
        peak = raw.max(axis=1)
        raw -= peak[:, None]
        residual = np.exp(raw, out=raw)
        total = residual.sum(axis=1)
        loss = np.log(total) + peak - fit_term
        residual /= total[:, None]
    residual -= targets
    residual *= share[:, None]
    gradient = np.empty_like(coef)
    gradient[:, :n_features] = (X.T @ residual.astype(X.dtype, copy=False)).T
    gradient[:, :n_features] += strength * slopes
    if coef.shape[1] > n_features:
        gradient[:, -1] = residual.sum(axis=0)
    value = share @ loss + 0.5 * strength * np.vdot(slopes, slopes)
    return float(value), gradient.ravel()


def _warn_of_convergence(result: OptimizeResult, max_iter: int) -> None:
    """Say what LogisticRegression says, to whoever called this package."""
    level, frame = 1, sys._getframe()
    package = __name__.partition(".")[0]
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"lbfgs failed to converge after {min(result.nit, max_iter)} iteration(s) "
        f"(status={result.status}):\n{result.message}\n"
        f"Increase the number of iterations (max_iter={max_iter}) or scale the data "
        "as shown in:\n    https://scikit-learn.org/stable/modules/preprocessing.html",
        ConvergenceWarning,
        stacklevel=level,
    )


# Stochastic gradient descent ---------------------------------------------------------


class _SoftSGD(SGDClassifier):
    """SGDClassifier whose targets are floats; lives only during `fit`.

    `SGDClassifier` makes a vector of zeros and ones for each class, hands it to its
    sampler and asks for a scorer, with the same vector, before the first update. The
    targets are written over it at that moment.
    """

    def _make_validation_score_cb(
        self, validation_mask, X, y, sample_weight, classes=None
    ):
        # The labels run through the classes in order, so the first row of a class
        # has the number of the class.
        y[:] = self._targets[:, int(y.argmax())]


@cache
def has_native_sgd() -> bool:
    """Whether this scikit-learn learns float targets in the way `_SoftSGD` expects.

    Two updates of the intercept at a rate of 1 have a closed form.
    """
    sgd = _SoftSGD(
        loss="log_loss", penalty=None, learning_rate="constant", eta0=1.0, shuffle=False
    )
    sgd._targets = np.array([[0.75, 0.25], [0.4, 0.6]])
    try:
        sgd.partial_fit(np.zeros((2, 1)), [0, 1], classes=[0, 1])
    except Exception:
        # Whatever a release changes, weighted copies learn the same targets.
        return False
    first = 0.25 - 0.5
    return bool(np.allclose(sgd.intercept_, first + 0.6 - expit(first)))


def _fit_sgd(
    student: SGDClassifier, train: SoftDataset, validation: SoftDataset | None
) -> SGDClassifier:
    soft = _SoftSGD(**student.get_params())
    soft._targets = train.targets
    labels = np.resize(train.classes, train.n_samples)
    if validation is None:
        soft.fit(train.X, labels, sample_weight=train.weight)
    else:
        run_pass = partial(
            _SoftSGD.partial_fit,
            X=train.X,
            y=labels,
            classes=train.classes,
            sample_weight=train.weight,
        )
        soft = _expansion.keep_best_pass(soft, run_pass, validation)
    return _hand_over(soft, student)


def _fit_sgd_chunks(
    student: SGDClassifier, spill: Spill, validation: SoftDataset | None
) -> SGDClassifier:
    rng = check_random_state(student.random_state)
    soft = _SoftSGD(**student.get_params()).set_params(random_state=rng)

    def run_pass(soft: _SoftSGD) -> float | None:
        losses, counts = [], []
        for data in spill.shuffle(rng if soft.shuffle else None):
            if hasattr(soft, "coef_"):
                losses.append(_sigmoid_loss(soft, data))
                counts.append(data.n_samples)
            soft._targets = data.targets
            labels = np.resize(data.classes, data.n_samples)
            soft.partial_fit(data.X, labels, data.classes, data.weight)
        if soft.tol is None:
            # scikit-learn makes every pass.
            return None
        return float(np.average(losses, weights=counts)) if losses else np.inf

    soft = _expansion.keep_best_pass(soft, run_pass, validation)
    return _hand_over(soft.set_params(random_state=student.random_state), student)


def _sigmoid_loss(sgd: SGDClassifier, data: SoftDataset) -> float:
    """Return the mean loss over the classes, each against the rest.

    Of rows that are about to be learned: the loss by which SGD ends its passes.
    """
    raw = sgd.decision_function(data.X).reshape(data.n_samples, -1)
    targets = data.targets[:, 1:] if raw.shape[1] == 1 else data.targets
    losses = (np.logaddexp(0, raw) - targets * raw).mean(axis=1)
    return float(np.average(losses, weights=data.weight))


def _hand_over(soft: _SoftSGD, student: SGDClassifier) -> SGDClassifier:
    state = dict(vars(soft))
    del state["_targets"]
    vars(student).update(state)
    return student


# Fine-tuning -------------------------------------------------------------------------


def check_fine_tuning(student: Any) -> None:
    """SGD can continue; a minimiser that has converged cannot."""
    if type(student) is not SGDClassifier:
        refuse_tuning(student)


def tune(student: SGDClassifier, data: SoftDataset, passes: int) -> SGDClassifier:
    """Continue at a constant rate: a tenth of what the schedule has come down to."""
    rate = SMALL_STEP * _current_rate(student)
    step = {"learning_rate": "constant", "eta0": rate, "average": False}
    tuned = run_passes(copy.deepcopy(student), data, passes, step)
    _restart_averages(tuned)
    return tuned


def _current_rate(student: SGDClassifier) -> float:
    """The learning rate of the next update, by scikit-learn's schedules.

    "adaptive" does not record how often it has lowered its rate: eta0 stands for it.
    """
    if student.learning_rate == "optimal":
        return 1 / (student.alpha * (student.alpha**-0.75 + student.t_ - 1))
    if student.learning_rate == "invscaling":
        return student.eta0 / student.t_**student.power_t
    return student.eta0


def _restart_averages(student: Any) -> None:
    """Let averaged SGD go on, in `partial_fit`, from the weights that it serves."""
    if getattr(student, "average", False):
        for kind in ("_standard", "_average"):
            setattr(student, f"{kind}_coef", student.coef_.copy())
            setattr(student, f"{kind}_intercept", student.intercept_.copy())
