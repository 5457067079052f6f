"""distillation_report: a student beside its teacher and a baseline."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import is_regressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count
from .._labels._probabilities import check_stored
from .._nested import find_deployed, find_distilled, replace_distilled
from .._validation import find_codes
from ._baseline import make_baseline
from ._evaluation_rows import (
    BASELINE,
    STUDENT,
    TEACHER,
    EvaluationRows,
    check_rows,
)
from ._figures import (
    compare_costs,
    measure_costs,
    measure_onnx_costs,
    measure_parts,
    measure_quality,
    name_classifier,
)
from ._intervals import measure_gains
from ._predictions import normalize, predict_aligned
from ._report import DistillationReport
from ._report_warnings import list_warnings


def distillation_report(
    estimator,
    X,
    y,
    *,
    sample_weight=None,
    groups=None,
    baseline=None,
    train=None,
    teacher_proba=None,
    n_bootstrap=1000,
    n_jobs=None,
    random_state=None,
):
    """Compare a distilled student with its teacher and with a baseline.

    Parameters
    ----------
    estimator : DistilledClassifier, Pipeline or search
        Fitted; a Pipeline ends in a DistilledClassifier, a search has refitted one.
        All models are measured behind the transformers of such a Pipeline.
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows that none of the models was fitted on.
    y : array-like of shape (n_samples,)
        Their true labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row in all scores; rows of weight 0 are left out.
    groups : str or array-like of shape (n_samples,), default=None
        The group of each row, at most 100 different values: the name of a column of
        the dataframe X, or one value a row. Missing values are a group of their own.
    baseline : "fit", classifier or None, default=None
        The student without a teacher: a fitted classifier, or "fit" to fit the student
        on the true labels of `train`, by its own `fit` and with the seeds of the
        distilled one (networks: see Notes). None: no baseline, and no share recovered.
    train : tuple (X_train, y_train) or (X_train, y_train, sample_weight), default=None
        For `baseline="fit"`: the training data of `estimator`.
    teacher_proba : array-like of shape (n_samples, n_classes), default=None
        The teacher's probabilities of these rows, columns in the order of
        `classes_`: needed where the estimator learned from stored probabilities;
        otherwise taken in place of those that `teacher_` would give.
    n_bootstrap : int, default=1000
        Number of resamples for the intervals.
    n_jobs : int or None, default=None
        Blocks of 50 resamples that run at the same time, through joblib. The report
        does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws the rows of the intervals, and seeds a baseline that nothing else does.

    Returns
    -------
    report : DistillationReport
        Print it, show it in a notebook, or write it with
        :meth:`DistillationReport.to_html`.

    Raises
    ------
    TypeError
        The estimator is not distilled, or the baseline has no `predict_proba`.
    ValueError
        Rows, labels, weights, groups or classes do not fit together, or there is
        neither a teacher nor its probabilities.

    See Also
    --------
    FidelityDisplay, ReliabilityDisplay, TradeoffDisplay : The pictures of the page.
    skdistill.metrics : The figures one by one.

    Notes
    -----
    The intervals come from resampled rows and the same fitted models: they do not cover
    other seeds. Times are of calls with one row for half a second a model, at least 20
    calls. A Pipeline's transformers are part of size and time. The student is measured
    as it is deployed by joblib, slimmed, and with the extra `onnx` as ONNX too (see
    :func:`skdistill.metrics.latency_scorer`).

    A baseline that is a network of scikit-learn (adam or sgd, at least 200 rows and 10
    of each class) trains as the distilled student did, at a falling learning rate, and
    at most for as many updates. How many is chosen on a fifth of the training rows: the
    number grows by √2 from ten epochs on until their log loss rises, and the baseline
    is fitted on all rows by the best. Other baselines train as they are set.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993: the
       percentile interval.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.inspection import distillation_report
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> distilled = DistilledClassifier(
    ...     RandomForestClassifier(50),
    ...     DecisionTreeClassifier(max_depth=4),
    ...     random_state=0,
    ... ).fit(X[:300], y[:300])
    >>> report = distillation_report(
    ...     distilled,
    ...     X[300:],
    ...     y[300:],
    ...     baseline="fit",
    ...     train=(X[:300], y[:300]),
    ...     random_state=0,
    ... )
    >>> list(report.models)
    ['teacher', 'baseline', 'student']
    >>> report.ratios["smaller"] > 10
    True
    """
    fix = "Use 1000 for intervals of two digits."
    check_count("n_bootstrap", n_bootstrap, fix)
    distilled = _check_distilled(estimator)
    rng = check_random_state(random_state)
    teacher = _find_teacher(estimator, distilled, teacher_proba)
    X, y, weight, teacher_proba, groups = check_rows(
        X, y, sample_weight, teacher_proba, groups
    )
    classes = distilled.classes_
    codes = find_codes(y, classes, "y")
    if teacher_proba is not None:
        proba = normalize(check_stored(teacher_proba, codes, classes))
    else:
        proba = predict_aligned(teacher, X, classes, TEACHER)
    base, base_classes = make_baseline(baseline, estimator, distilled, train, rng)
    probas, models = {TEACHER: proba}, {TEACHER: teacher}
    if base is not None:
        probas[BASELINE] = predict_aligned(base, X, classes, BASELINE, base_classes)
        models[BASELINE] = find_deployed(base)
    probas[STUDENT] = predict_aligned(estimator, X, classes, STUDENT, classes)
    models[STUDENT] = find_deployed(estimator)
    rows = EvaluationRows(codes, classes, weight, probas, groups)
    gains = measure_gains(rows, int(n_bootstrap), rng, n_jobs)
    weighted = sample_weight is not None
    report = _measure_all(rows, models, X, distilled, gains, weighted)
    report.warnings = list_warnings(report, rows, distilled)
    return report


def _check_distilled(estimator: Any) -> Any:
    """Return the DistilledClassifier of a fitted estimator, or raise a TypeError."""
    check_is_fitted(estimator)
    distilled = find_distilled(estimator)
    if distilled is None:
        raise TypeError(
            "A report needs a fitted DistilledClassifier, alone, at the end of a "
            "Pipeline or as the best_estimator_ of a search; got "
            f"{type(estimator).__name__} without one. Any two models can be compared "
            "with the functions of skdistill.metrics."
        )
    if is_regressor(distilled):
        raise TypeError(
            "A report of classes needs a DistilledClassifier; got a "
            "DistilledRegressor. Use regression_report."
        )
    return distilled


def _find_teacher(estimator: Any, distilled: Any, teacher_proba: Any) -> Any:
    """Return the teacher as it would be deployed; None where it is not kept."""
    if distilled.teacher_ is not None:
        return replace_distilled(estimator, distilled.teacher_)
    if teacher_proba is None:
        raise ValueError(
            "A report compares a student with its teacher; this one learned from "
            "stored probabilities, so teacher_ is None, and teacher_proba was not "
            "given. Pass teacher_proba=, the teacher's probabilities of these rows, "
            "columns in the order of classes_."
        )
    return None


def _measure_all(
    rows: EvaluationRows,
    models: dict[str, Any],
    X: Any,
    distilled: Any,
    gains: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
    weighted: bool,
) -> DistillationReport:
    figures = {
        name: {**measure_quality(rows, name), **measure_costs(model, X)}
        for name, model in models.items()
    }
    figures[STUDENT] |= measure_onnx_costs(models[STUDENT], X)
    against_teacher, against_baseline, shares = gains
    augmenter = distilled.augmenter_
    candidate = {
        "temperature": distilled.temperature_,
        "alpha": distilled.alpha_,
        "calibration": distilled.calibration_,
        "augmenter": None if augmenter is None else type(augmenter).__name__,
    }
    return DistillationReport(
        n_rows=len(rows.codes),
        classes=rows.classes.tolist(),
        weighted=weighted,
        models=figures,
        descriptions={name: name_classifier(model) for name, model in models.items()},
        against_teacher=against_teacher,
        against_baseline=against_baseline,
        share_recovered=shares,
        ratios=compare_costs(figures[TEACHER], figures[STUDENT]),
        by_class=measure_parts(rows, rows.codes, rows.classes.tolist()),
        by_group=[] if rows.groups is None else measure_parts(rows, *rows.groups),
        candidate=candidate,
        memorization=copy.deepcopy(distilled.memorization_),
        labels_asked=dict(distilled.labels_asked_),
        pilots=copy.deepcopy(distilled.pilots_),
        _rows=rows,
        _baseline=models.get(BASELINE),
    )
