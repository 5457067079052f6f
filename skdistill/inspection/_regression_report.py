"""regression_report: a student of values beside its teacher and a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import PredictionErrorDisplay

from .._checks import check_count, read_seed
from .._labels._values import check_values
from .._typing import FloatArray, IndexArray
from .._validation import read_values
from ._baseline import make_baseline
from ._comparison import compare, find_student, find_teacher, list_models
from ._evaluation_rows import (
    STUDENT,
    TEACHER,
    OutputRows,
    QuantileRows,
    ValueRows,
    check_rows,
)
from ._regression_sections import list_warnings, make_sections
from ._report import Report
from ._report_sections import escape_controls

#: Outputs of which pictures are drawn, four each.
_MOST_DRAWN = 4


@dataclass(eq=False, repr=False, kw_only=True)
class RegressionReport(Report):
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
        student's as ONNX among them. Quantiles have, in place of the first three:
        `pinball` (the mean), for each level `pinball_0.1` and `below_0.1` (the share of
        rows whose value is at most the quantile), and for the outer two `inside` (the
        share of rows between them) and `width` (the mean).
    descriptions : dict of str to str
        The class of each model.
    against_teacher, against_baseline : dict of str to dict
        For "rmse" and "mae", or "pinball", what the student gains on the other (`gain`,
        above 0 when its error is lower) with a 95 % interval (`low`, `high`), infinite
        with fewer than 30 rows. Empty without a baseline.
    share_recovered : dict of str to dict
        For "rmse" and "mae", or "pinball", the `share` of the teacher's advantage over
        the baseline that the student recovers, as in :class:`DistillationReport`; None
        also where the advantage is below 1% of the baseline's error.
    ratios : dict of str to float
        `smaller`, `faster_one_row` and `faster_batch`: the student against the teacher.
    by_group : list of dict
        `name`, `n_rows` and, for each model, the figures without the costs; None in a
        group without rows.
    by_output : list of dict
        `name` and, for each model, the figures of one output without the costs; empty
        of one output or quantiles. All other figures are then of the outputs together,
        errors in standard deviations of each on these rows, `r2` the mean.
    distilled, memorization, pilots
        `distilled_`, `memorization_` and `pilots_` of the estimator.
    warnings : list of str
        What the figures alone do not show.

    See Also
    --------
    regression_report : Makes one.
    """

    quantiles: list[float] | None
    by_output: list[dict[str, Any]]

    def _title(self):
        kind = "quantiles" if self.quantiles else "values"
        return f"Distillation report on {self._count_rows()} of {kind}"

    def _sections(self, max_parts=None):
        return make_sections(self)

    def _pictures(self):
        rng = np.random.RandomState(0)
        kinds = {
            "actual_vs_predicted": "Values predicted by the {} against the true ones.",
            "residual_vs_predicted": "True value minus that of the {}, by the latter.",
        }
        draw = PredictionErrorDisplay.from_predictions
        for what, y, served in self._list_pictured():
            for kind, caption in kinds.items():
                for name in (STUDENT, TEACHER):
                    given = {"kind": kind, "random_state": rng.randint(2**31)}
                    text = caption.format(name) + what
                    yield text, partial(draw, y, served[name], **given)

    def _list_pictured(self):
        """Yield what is drawn: words, true values, and those of the models."""
        rows = self._measured.rows
        if self.quantiles:
            middle = len(self.quantiles) // 2
            served = {name: values[:, middle] for name, values in rows.served.items()}
            yield " The middle quantile.", rows.y, served
        elif self.by_output:
            for k, part in enumerate(self.by_output[:_MOST_DRAWN]):
                own = rows.take_output(k)
                yield f" Output {escape_controls(part['name'])}.", own.y, own.served
        else:
            yield "", rows.y, rows.served


def regression_report(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    groups: Any = None,
    baseline: Any = None,
    train: tuple[Any, ...] | None = None,
    teacher_prediction: Any = None,
    n_bootstrap: int = 1000,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> RegressionReport:
    """Compare a distilled student of values with its teacher and with a baseline.

    Parameters
    ----------
    estimator : DistilledRegressor, Pipeline or search
        Fitted, of one output or several, or of quantiles; as for
        :func:`distillation_report`.
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows that none of the models was fitted on.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
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
        The teacher's values of these rows, of the shape of y, or its quantiles, of
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
        Rows, values, weights or groups do not fit together, or there is neither a
        teacher nor its values.

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
    ...     ExtraTreesRegressor(20), DecisionTreeRegressor(max_depth=6), random_state=0
    ... ).fit(X[:500], y[:500])
    >>> report = regression_report(distilled, X[500:], y[500:], random_state=0)
    >>> sorted(report.models["student"])[-4:]
    ['rmse', 'rmse_to_teacher', 'rows_per_second', 'timed_calls']
    >>> report.ratios["smaller"] > 10
    True
    """
    check_count("n_bootstrap", n_bootstrap, "Use 1000 for intervals of two digits.")
    distilled = find_student(estimator, "A report of values", values=True)
    levels = distilled.quantiles
    rng = read_seed(random_state)
    teacher = find_teacher(
        estimator, distilled, teacher_prediction, "teacher_prediction"
    )
    names, n_outputs = getattr(y, "columns", None), 1
    if levels is None:
        n_outputs = distilled.n_outputs_
    given = (X, read_values(y), sample_weight, teacher_prediction, groups)
    X, y, weight, stored, groups = check_rows(*given, n_outputs=n_outputs)
    _check_baseline(baseline, levels)
    base, _ = make_baseline(baseline, estimator, distilled, train, rng)
    models = list_models(teacher, base, estimator)
    served = {
        name: _read(stored, len(y), levels, n_outputs, "teacher_prediction")
        if name == TEACHER and stored is not None
        else _read(
            model.predict(X), len(y), levels, n_outputs, f"The predict of the {name}"
        )
        for name, model in models.items()
    }
    rows = _make_rows(levels, weight=weight, served=served, groups=groups, y=y)
    intervals = int(n_bootstrap), rng, n_jobs
    report = RegressionReport(
        **compare(rows, models, X, distilled, rows.measure, intervals),
        quantiles=None if levels is None else np.asarray(levels, dtype=float).tolist(),
        by_output=_measure_outputs(rows, names),
        by_group=[] if groups is None else _measure_groups(rows, *groups),
    )
    report.warnings = [*list_warnings(report, distilled)]
    return report


def _check_baseline(baseline: Any, levels: Any) -> None:
    if levels is not None and isinstance(baseline, str):
        raise ValueError(
            "A student of true values has no quantiles; received baseline='fit' with "
            f"quantiles={levels!r}. Pass a fitted regressor that predicts them, or "
            "None."
        )


def _read(
    answer: Any, n_rows: int, levels: Any, n_outputs: int, owner: str
) -> FloatArray:
    """Return values in the shape of y, or sorted quantiles."""
    if levels is not None:
        return np.sort(check_values(answer, n_rows, len(levels), owner), axis=1)
    values = check_values(answer, n_rows, n_outputs, owner)
    return values[:, 0] if n_outputs == 1 else values


def _make_rows(levels: Any, **columns: Any) -> ValueRows:
    if levels is not None:
        return QuantileRows(**columns, quantiles=np.asarray(levels, dtype=float))
    kind = OutputRows if columns["y"].ndim == 2 else ValueRows
    return kind(**columns)


def _measure_outputs(rows: ValueRows, names: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, OutputRows):
        return []
    n_outputs = rows.y.shape[1]
    names = range(n_outputs) if names is None else names
    parts = [rows.take_output(k) for k in range(n_outputs)]
    return [
        {"name": str(name), **{model: part.measure(model) for model in rows.served}}
        for name, part in zip(names, parts, strict=True)
    ]


def _measure_groups(
    rows: ValueRows, codes: IndexArray, names: list[str]
) -> list[dict[str, Any]]:
    def measure(name: str, members: IndexArray) -> dict[str, Any]:
        if not len(members):
            # All of its rows may have weight 0.
            return dict.fromkeys(rows.measure(name))
        return rows.measure(name, members)

    members = [np.flatnonzero(codes == k) for k in range(len(names))]
    return [
        {
            "name": group,
            "n_rows": len(part),
            **{name: measure(name, part) for name in rows.served},
        }
        for group, part in zip(names, members, strict=True)
    ]
