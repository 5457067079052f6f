"""regression_report: a student of values beside its teacher and a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._checks import check_count
from .._labels._values import check_values
from .._nested import find_deployed, find_distilled, replace_distilled
from .._typing import FloatArray
from .._validation import read_values
from ._baseline import make_baseline
from ._evaluation_rows import BASELINE, STUDENT, TEACHER, ValueRows, check_rows
from ._figures import (
    Figures,
    compare_costs,
    measure_costs,
    measure_onnx_costs,
    name_classifier,
)
from ._intervals import measure_gains
from ._quantile_figures import QuantileRows
from ._regression_sections import list_warnings, make_sections
from ._report_pictures import list_value_pictures
from ._shown_report import ShownReport


@dataclass(eq=False, repr=False)
class RegressionReport(ShownReport):
    """A student of values beside teacher and baseline; see `regression_report`.

    ``str(report)`` is the report in plain text; a notebook shows tables.

    Attributes
    ----------
    n_rows : int
        Rows with a weight above 0.
    quantiles : list of float or None
        The levels of the estimator.
    models : dict of str to dict
        By model ("teacher", "baseline" where there is one, "student"): `r2`, `rmse`,
        `mae`, `rmse_to_teacher`, and the costs of :class:`DistillationReport`, the
        student's as ONNX among them. Of quantiles, in place of the first three:
        `pinball` (the mean), for each level `pinball_0.1` and `below_0.1` (the share of
        rows whose value is at most the quantile), and of the outer two `inside` (the
        share of rows between them) and `width` (the mean).
    descriptions : dict of str to str
        The class of each model.
    against_teacher, against_baseline : dict of str to dict
        For "rmse" and "mae", or "pinball", what the student gains on the other (`gain`,
        above 0 when its error is lower) with a 95 % interval (`low`, `high`). Empty
        without a baseline.
    share_recovered : dict of str to dict
        For "rmse" and "mae", or "pinball", the `share` of the teacher's advantage over
        the baseline that the student recovers, as in :class:`DistillationReport`.
    ratios : dict of str to float
        `smaller`, `faster_one_row` and `faster_batch`: the student against the teacher.
    by_group : list of dict
        `name`, `n_rows` and, for each model, the figures without the costs.
    memorization, pilots
        `memorization_` and `pilots_` of the estimator.
    warnings : list of str
        What the figures alone do not show.

    See Also
    --------
    regression_report : Makes one.
    """

    n_rows: int
    quantiles: list[float] | None
    models: dict[str, Figures]
    descriptions: dict[str, str]
    against_teacher: dict[str, Any]
    against_baseline: dict[str, Any]
    share_recovered: dict[str, Any]
    ratios: dict[str, float | None]
    by_group: list[dict[str, Any]]
    memorization: dict[str, float] | None
    pilots: list[dict[str, Any]]
    _rows: ValueRows
    _baseline: Any = None
    warnings: list[str] = field(default_factory=list)

    def _title(self):
        kind = "quantiles" if self.quantiles else "values"
        return f"Distillation report on {self.n_rows:,} rows of {kind}"

    def _sections(self, max_parts=None):
        return make_sections(self)

    def _pictures(self):
        return list_value_pictures(self)

    def __repr__(self):
        return f"<RegressionReport of {self.n_rows} rows, {', '.join(self.models)}>"


def regression_report(
    estimator,
    X,
    y,
    *,
    sample_weight=None,
    groups=None,
    baseline=None,
    train=None,
    teacher_prediction=None,
    n_bootstrap=1000,
    n_jobs=None,
    random_state=None,
):
    """Compare a distilled student of values with its teacher and with a baseline.

    Parameters
    ----------
    estimator : DistilledRegressor, Pipeline or search
        Fitted, of one output, or of its quantiles; as for :func:`distillation_report`.
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows that none of the models was fitted on.
    y : array-like of shape (n_samples,)
        Their true values.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row in all scores; rows of weight 0 are left out.
    groups : str or array-like of shape (n_samples,), default=None
        The group of each row: the name of a column of the dataframe X, or one value a
        row.
    baseline : "fit", regressor or None, default=None
        The student without a teacher: a fitted regressor, or "fit" to fit the student
        on the true values of `train`; a network for as many epochs as a fifth of these
        rows ask for, and at most for as many updates as the distilled one made. Of
        quantiles a fitted regressor that predicts them.
    train : tuple (X_train, y_train) or (X_train, y_train, sample_weight), default=None
        For `baseline="fit"`: the training data of `estimator`.
    teacher_prediction : array-like, default=None
        The teacher's values of these rows, of shape (n_samples,), or its quantiles, of
        shape (n_samples, n_quantiles): needed where the estimator learned from
        stored values.
    n_bootstrap : int, default=1000
        Number of resamples for the intervals.
    n_jobs : int or None, default=None
        Blocks of 50 resamples that run at the same time. The report does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Draws the rows of the intervals, and seeds a baseline that nothing else does.

    Returns
    -------
    report : RegressionReport
        Print it, or read its figures.

    Raises
    ------
    TypeError
        The estimator is no distilled regressor.
    ValueError
        Rows, values, weights or groups do not fit together, several outputs, or
        neither a teacher nor its values.

    See Also
    --------
    distillation_report : The same for classes.
    sklearn.metrics.PredictionErrorDisplay : Pictures of the errors.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistill import DistilledRegressor
    >>> from skdistill.inspection import regression_report
    >>> X, y = make_friedman1(800, random_state=0)
    >>> distilled = DistilledRegressor(
    ...     ExtraTreesRegressor(50), DecisionTreeRegressor(max_depth=6), random_state=0
    ... ).fit(X[:500], y[:500])
    >>> report = regression_report(distilled, X[500:], y[500:], random_state=0)
    >>> sorted(report.models["student"])[-4:]
    ['rmse', 'rmse_to_teacher', 'rows_per_second', 'timed_calls']
    >>> report.ratios["smaller"] > 10
    True
    """
    check_count("n_bootstrap", n_bootstrap, "Use 1000 for intervals of two digits.")
    distilled = _check_distilled(estimator)
    rng = check_random_state(random_state)
    teacher = _find_teacher(estimator, distilled, teacher_prediction)
    given = (X, read_values(y), sample_weight, teacher_prediction, groups)
    X, y, weight, said, groups = check_rows(*given)
    models = {TEACHER: teacher}
    levels = distilled.quantiles
    if levels is not None and isinstance(baseline, str):
        raise ValueError(
            "A student of true values has no quantiles; received baseline='fit' with "
            f"quantiles={levels!r}. Pass a fitted regressor that predicts them, or "
            "None."
        )
    base, _ = make_baseline(baseline, estimator, distilled, train, rng)
    if base is not None:
        models[BASELINE] = find_deployed(base)
    models[STUDENT] = find_deployed(estimator)
    owners = {name: f"The predict of the {name}" for name in models}
    answers = {name: model.predict(X) for name, model in models.items() if model}
    if said is not None:
        answers[TEACHER], owners[TEACHER] = said, "teacher_prediction"
    served = {
        name: _read(answers[name], len(y), levels, owner)
        for name, owner in owners.items()
    }
    rows = ValueRows(y, weight, served, groups)
    if levels is not None:
        rows = QuantileRows(y, weight, served, groups, np.asarray(levels, dtype=float))
    report = _measure_all(rows, models, X, distilled, int(n_bootstrap), rng, n_jobs)
    report.warnings = [*list_warnings(report)]
    return report


def _check_distilled(estimator: Any) -> Any:
    check_is_fitted(estimator)
    distilled = find_distilled(estimator)
    if distilled is None or not is_regressor(distilled):
        raise TypeError(
            "A report of values needs a fitted DistilledRegressor, alone, at the end "
            "of a Pipeline or as the best_estimator_ of a search; got "
            f"{type(estimator).__name__} without one. distillation_report takes a "
            "DistilledClassifier."
        )
    if distilled.n_outputs_ > 1 and distilled.quantiles is None:
        raise ValueError(
            f"A report is of one output; got a student of {distilled.n_outputs_}. "
            "scikit-learn's metrics score several outputs."
        )
    return distilled


def _find_teacher(estimator: Any, distilled: Any, said: Any) -> Any:
    """Return the teacher as it would be deployed; None where it is not kept."""
    if distilled.teacher_ is not None:
        return replace_distilled(estimator, distilled.teacher_)
    if said is None:
        raise ValueError(
            "A report compares a student with its teacher; this one learned from "
            "stored values, so teacher_ is None, and teacher_prediction was not given. "
            "Pass teacher_prediction=, the teacher's values of these rows."
        )
    return None


def _read(answer: Any, n_rows: int, levels: Any, owner: str) -> FloatArray:
    """Return values as a vector, or sorted quantiles."""
    if levels is None:
        return check_values(answer, n_rows, 1, owner)[:, 0]
    return np.sort(check_values(answer, n_rows, len(levels), owner), axis=1)


def _measure_all(
    rows: ValueRows,
    models: dict[str, Any],
    X: Any,
    distilled: Any,
    n_bootstrap: int,
    rng: Any,
    n_jobs: int | None,
) -> RegressionReport:
    every = np.arange(len(rows.y))
    figures = {
        name: {**rows.measure(name, every), **measure_costs(model, X)}
        for name, model in models.items()
    }
    figures[STUDENT] |= measure_onnx_costs(models[STUDENT], X)
    against_teacher, against_baseline, shares = measure_gains(
        rows, n_bootstrap, rng, n_jobs
    )
    return RegressionReport(
        n_rows=len(rows.y),
        quantiles=rows.quantiles.tolist() if isinstance(rows, QuantileRows) else None,
        models=figures,
        descriptions={name: name_classifier(model) for name, model in models.items()},
        against_teacher=against_teacher,
        against_baseline=against_baseline,
        share_recovered=shares,
        ratios=compare_costs(figures[TEACHER], figures[STUDENT]),
        by_group=[*_measure_groups(rows)],
        memorization=distilled.memorization_,
        pilots=distilled.pilots_,
        _rows=rows,
        _baseline=models.get(BASELINE),
    )


def _measure_groups(rows: ValueRows) -> Iterator[dict[str, Any]]:
    codes, names = rows.groups or (np.zeros(0, dtype=np.intp), [])
    for k, group in enumerate(names):
        members = np.flatnonzero(codes == k)
        parts = {name: rows.measure(name, members) for name in rows.names}
        yield {"name": group, "n_rows": len(members), **parts}
