"""distillation_report: a student of classes beside its teacher and a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._checks import check_count, read_seed
from .._labels._probabilities import check_stored
from .._validation import find_codes
from ._baseline import make_baseline
from ._comparison import compare, find_student, find_teacher, list_models
from ._evaluation_rows import BASELINE, STUDENT, TEACHER, ClassRows, check_rows
from ._fidelity import FidelityDisplay
from ._figures import N_BINS, measure_parts, measure_quality
from ._predictions import normalize, predict_aligned
from ._reliability import ReliabilityDisplay
from ._report import Report
from ._report_sections import make_sections
from ._report_warnings import list_warnings
from ._tradeoff import COST_NAMES, TradeoffDisplay
from ._tradeoff_figures import REPORT_COSTS


@dataclass(eq=False, repr=False, kw_only=True)
class DistillationReport(Report):
    """A student beside its teacher and a baseline; made by `distillation_report`.

    ``str(report)`` is the report in plain text, lines of 80 columns and tables of 100
    at most; a notebook shows tables.

    Attributes
    ----------
    n_rows : int
        Rows with a weight above 0.
    classes : list
        The labels.
    weighted : bool
        Whether `sample_weight` was given.
    models : dict of str to dict
        By model ("teacher", "baseline" where there is one, "student"): `accuracy`,
        `balanced_accuracy` (the macro recall, over the classes that have rows),
        `roc_auc` (with more than two classes: the mean of each against the rest),
        `log_loss`, `brier_score` (with more than two classes: up to 2),
        `calibration_error` (in 15 bins). With two classes, for the second:
        `average_precision`, `recall_at_one_percent_fpr` and
        `recall_in_top_half_percent` (None with fewer than 1000 rows or 20 positives),
        `mean_probability` and the true `rate`. With more than five classes:
        `top_5_accuracy`. Against the teacher: `agreement`, `kl_divergence` (nats) and
        `agreement_where_teacher_wrong`. Costs: `bytes`
        (pickle of what `slim` returns), `parameters` (weights, thresholds and leaf
        values), `latency_p50_us`, `latency_p99_us` (one row, over `timed_calls`
        calls) and `rows_per_second` (in batches of up to 1000 rows). The student as
        ONNX: `onnx_bytes`, `onnx_latency_p50_us`, `onnx_latency_p99_us`,
        `onnx_rows_per_second`, and `onnx_error`, why there are none. Unknown figures
        are None or NaN.
    descriptions : dict of str to str
        The class of each model.
    against_teacher, against_baseline : dict of str to dict
        For "accuracy" and "log_loss" what the student gains on the other (`gain`,
        above 0 when it is better) with a 95 % interval (`low`, `high`), infinite with
        fewer than 30 rows. Empty without a baseline.
    share_recovered : dict of str to dict
        For "accuracy" and "log_loss" the `share` of the teacher's advantage over the
        baseline that the student recovers, its interval (`low`, `high`), and the
        advantage with its own (`advantage`, `advantage_low`, `advantage_high`). Share
        and interval are None where the advantage is within chance (its interval
        reaches 0, as with fewer than 30 rows). Empty without a baseline.
    ratios : dict of str to float
        `smaller`, `faster_one_row` and `faster_batch`: the student against the
        teacher.
    by_class, by_group : list of dict
        `name`, `n_rows`; for each model `accuracy`, `log_loss` and `agreement`, of
        two classes also `recall`, `false_positive_rate` and `mean_probability` of the
        second, whose true `rate` stands beside; and `behind`: whether the student is
        right less often than the teacher by more than chance (one-sided at 5 %, with
        Holm's correction for the number of parts).
    candidate : dict
        `temperature`, `alpha`, `calibration` and `augmenter` of the fit.
    distilled : bool
        `distilled_` of the estimator: whether it learned anything of the teacher.
    memorization : dict or None
        `memorization_` of the estimator.
    labels_asked : dict of str to int
        `labels_asked_` of the estimator.
    pilots : list of dict
        `pilots_` of the estimator.
    warnings : list of str
        What the figures alone do not show.

    See Also
    --------
    distillation_report : Makes one.
    """

    classes: list[Any]
    weighted: bool
    by_class: list[dict[str, Any]]
    candidate: dict[str, Any]
    labels_asked: dict[str, int]

    def _title(self):
        n_classes = len(self.classes)
        return f"Distillation report on {self._count_rows()}, {n_classes} classes"

    def _sections(self, max_parts=None):
        return make_sections(self, max_parts)

    def _pictures(self):
        rows = self._measured.rows
        draw_reliability = ReliabilityDisplay.from_predictions
        y, given = rows.classes[rows.codes], {"classes": rows.classes}
        both = rows.served[TEACHER], rows.served[STUDENT]
        once = " Each row counts once, whatever its weight." if self.weighted else ""
        yield (
            "Student against teacher, row by row." + once,
            partial(FidelityDisplay.from_predictions, *both, **given),
        )
        # The bins of the calibration error in the tables.
        yield (
            "Predicted probabilities against what happened." + once,
            partial(draw_reliability, y, *both, **given, n_bins=N_BINS),
        )
        for cost, key in REPORT_COSTS.items():
            if self.models[STUDENT][key] is not None:
                draw = TradeoffDisplay.from_reports
                yield (
                    f"Log loss against {COST_NAMES[cost]}.",
                    partial(draw, {"student": self}, cost=cost),
                )

    def to_frame(self, by: str | None = None) -> Any:
        """Return a table of figures.

        Parameters
        ----------
        by : {"class", "group"} or None, default=None
            None: one row a model and one column a figure. Otherwise one row for
            each class or group and model.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by model, or by class or group and model.

        Raises
        ------
        ImportError
            pandas can't be imported.
        ValueError
            There is no such table.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame makes a pandas.DataFrame, and pandas can't be imported: "
                f"{error}. Run pip install pandas, or use to_dict()."
            ) from error
        if by is None:
            frame = pd.DataFrame.from_dict(self.models, orient="index")
            return frame.rename_axis(index="model")
        tables = {"class": self.by_class, "group": self.by_group}
        if by not in tables or not tables[by]:
            raise ValueError(
                f'by must be None, "class", or "group" in a report with groups; got '
                f"{by!r}. Pass groups= to distillation_report for figures by group."
            )
        records = [
            {by: part["name"], "model": name, "n_rows": part["n_rows"], **part[name]}
            for part in tables[by]
            for name in self.models
        ]
        return pd.DataFrame.from_records(records).set_index([by, "model"])


def distillation_report(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    groups: Any = None,
    baseline: Any = None,
    train: tuple[Any, ...] | None = None,
    teacher_proba: Any = None,
    n_bootstrap: int = 1000,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> DistillationReport:
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
    number doubles from ten epochs on until two in a row lower the log loss by less than
    2%, and the baseline is fitted on all rows by the best. Other baselines train as
    they are set.

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
    ...     RandomForestClassifier(20),
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
    check_count("n_bootstrap", n_bootstrap, "Use 1000 for intervals of two digits.")
    distilled = find_student(estimator, "A report of classes", values=False)
    rng = read_seed(random_state)
    teacher = find_teacher(estimator, distilled, teacher_proba, "teacher_proba")
    X, y, weight, teacher_proba, groups = check_rows(
        X, y, sample_weight, teacher_proba, groups
    )
    classes = distilled.classes_
    codes = find_codes(y, classes, "y")
    if teacher_proba is not None:
        served = {TEACHER: normalize(check_stored(teacher_proba, codes, classes))}
    else:
        served = {TEACHER: predict_aligned(teacher, X, classes, TEACHER)}
    base, base_classes = make_baseline(baseline, estimator, distilled, train, rng)
    if base is not None:
        served[BASELINE] = predict_aligned(base, X, classes, BASELINE, base_classes)
    served[STUDENT] = predict_aligned(estimator, X, classes, STUDENT, classes)
    rows = ClassRows(
        weight=weight, served=served, groups=groups, codes=codes, classes=classes
    )
    models = list_models(teacher, base, estimator)
    intervals = int(n_bootstrap), rng, n_jobs
    augmenter = distilled.augmenter_
    report = DistillationReport(
        **compare(
            rows, models, X, distilled, partial(measure_quality, rows), intervals
        ),
        classes=classes.tolist(),
        weighted=sample_weight is not None,
        by_class=measure_parts(rows, codes, classes.tolist()),
        by_group=[] if groups is None else measure_parts(rows, *groups),
        candidate={
            "temperature": distilled.temperature_,
            "alpha": distilled.alpha_,
            "calibration": distilled.calibration_,
            "augmenter": None if augmenter is None else type(augmenter).__name__,
        },
        labels_asked=dict(distilled.labels_asked_),
    )
    report.warnings = list_warnings(report, rows, distilled)
    return report
