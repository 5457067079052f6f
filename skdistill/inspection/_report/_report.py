"""distillation_report: may the student replace its teacher?"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from ..._nested import find_deployed
from .._measure import encode_json
from ._html import format_fragment, write_page
from ._input import find_codes, read_rows
from ._measure import (
    BASELINE,
    NO_COSTS,
    STUDENT,
    TEACHER,
    Figures,
    Rows,
    measure_costs,
    measure_parts,
    measure_quality,
)
from ._models import (
    check_teacher_proba,
    find_distilled,
    find_teacher,
    make_baseline,
    predict_rows,
)
from ._shares import measure_shares
from ._text import format_text
from ._words import list_warnings


@dataclass(eq=False, repr=False)
class DistillationReport:
    """A student beside its teacher and a baseline; made by `distillation_report`.

    ``str(report)`` is the report in plain text, at most 100 columns wide; a notebook
    shows tables.

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
        `balanced_accuracy` (over the classes that have rows), `roc_auc` (of more
        than two classes: the mean of each against the rest), `log_loss`,
        `brier_score` (of more than two classes: up to 2), `calibration_error`;
        `agreement`, `kl_divergence` (nats) and `agreement_where_teacher_wrong`, all
        with the teacher; `bytes` (pickle of what is deployed), `parameters`
        (weights, thresholds and leaf values), `latency_p50_us`, `latency_p99_us`
        (one row, over `timed_calls` calls) and `rows_per_second` (in batches of up
        to 1000 rows). Figures that can't be had are None or NaN.
    descriptions : dict of str to str
        What kind of classifier each model is.
    against_teacher, against_baseline : dict of str to dict
        For "accuracy" and "log_loss" what the student gains on the other (`gain`,
        above 0 when it is better) with a 95 % interval (`low`, `high`). Empty
        without a baseline.
    share_recovered : dict of str to dict
        For "accuracy" and "log_loss" the `share` of the teacher's advantage over the
        baseline that the student recovers, its interval (`low`, `high`), and the
        advantage with its own (`advantage`, `advantage_low`, `advantage_high`). Share
        and interval are None where the advantage is within chance (its interval
        reaches 0). Empty without a baseline.
    ratios : dict of str to float
        `smaller`, `faster_one_row` and `faster_batch`: the student against the
        teacher.
    by_class, by_group : list of dict
        `name`, `n_rows`; for each model `accuracy`, `log_loss` and `agreement`; and
        `behind`: whether the student is right less often than the teacher by more
        than chance.
    candidate : dict
        `temperature`, `alpha`, `calibration` and `augmenter` of the fit.
    memorization : dict or None
        `memorization_` of the estimator.
    pilots : list of dict
        `pilots_` of the estimator.
    warnings : list of str
        What a hurried reader of the figures would miss.

    See Also
    --------
    distillation_report : Makes one.
    """

    n_rows: int
    classes: list[Any]
    weighted: bool
    models: dict[str, Figures]
    descriptions: dict[str, str]
    against_teacher: dict[str, Any]
    against_baseline: dict[str, Any]
    share_recovered: dict[str, Any]
    ratios: dict[str, float | None]
    by_class: list[dict[str, Any]]
    by_group: list[dict[str, Any]]
    candidate: dict[str, Any]
    memorization: dict[str, float] | None
    pilots: list[dict[str, Any]]
    _rows: Rows
    warnings: list[str] = field(default_factory=list)

    def __str__(self):
        return format_text(self)

    def __repr__(self):
        return (
            f"<DistillationReport of {self.n_rows} rows, {', '.join(self.models)}, "
            f"{len(self.warnings)} warnings>"
        )

    def _repr_html_(self):
        return format_fragment(self)

    def to_dict(self):
        """Return every figure, in plain Python types.

        Returns
        -------
        figures : dict
            The attributes by name; NaN where a figure is undefined.
        """
        names = [name for name in vars(self) if not name.startswith("_")]
        return _make_plain({name: getattr(self, name) for name in names})

    def to_json(self):
        """Return every figure as JSON.

        Returns
        -------
        text : str
            An object with the keys of :meth:`to_dict`; null for NaN and infinity.
        """
        return encode_json(self.to_dict()).decode()

    def to_frame(self, by=None):
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

    def to_html(self, path):
        """Write one page with tables and pictures, which needs no other file.

        The page follows the reader's choice of light or dark. A page that is there
        is replaced at once, or left as it is if anything fails.

        Parameters
        ----------
        path : str or path-like
            Where to write it.

        Raises
        ------
        ImportError
            matplotlib can't be imported.
        OSError
            It can't be written there.
        """
        write_page(self, path)


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
    """Compare a distilled student with its teacher, and with itself without one.

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
        What rows belong to, at most 100 different values: a column of the dataframe
        X by its name, or one value a row. Missing values are a group of their own.
    baseline : "fit", classifier or None, default=None
        What the student would be without a teacher. A classifier is fitted already.
        "fit": the student is fitted on the true labels of `train`, by its own `fit`
        and with the seeds of the distilled one. None: no baseline, and no share
        recovered.
    train : tuple (X_train, y_train) or (X_train, y_train, sample_weight), default=None
        For `baseline="fit"`: what `estimator` was fitted on, which it does not keep.
    teacher_proba : array-like of shape (n_samples, n_classes), default=None
        The teacher's probabilities of these rows, columns in the order of
        `classes_`: needed where the estimator learned from stored probabilities;
        otherwise taken in place of those that `teacher_` would give.
    n_bootstrap : int, default=1000
        Times that rows are drawn for the intervals.
    n_jobs : int or None, default=None
        Blocks of 50 draws that are worked at the same time, through joblib. The
        report does not depend on it.
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
        The estimator is not distilled, or the baseline has no probabilities.
    ValueError
        Rows, labels, weights, groups or classes do not fit together, or there is
        neither a teacher nor its probabilities.

    See Also
    --------
    FidelityDisplay, ReliabilityDisplay, TradeoffDisplay : The pictures of the page.
    skdistill.metrics : The figures one by one.

    Notes
    -----
    Labels are those of the largest probability. Rows are drawn anew for the
    intervals, the models are not fitted anew: they hold for these models on such
    rows, not for other seeds. The share recovered is a ratio, which is wild where the
    teacher's advantage is within chance; there it is undefined.

    The baseline makes as many passes over its rows as its parameters say. A student
    that learned a transfer set may have made more updates; for a baseline with as
    many, pass one.

    Times are medians and 99th percentiles of calls with one row for half a second a
    model, at least 20 calls. A Pipeline's transformers are part of size and time.

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
    if not isinstance(n_bootstrap, Integral) or n_bootstrap < 1:
        raise ValueError(
            f"n_bootstrap must be an integer of at least 1; got {n_bootstrap!r}. 1000 "
            "settles an interval to two digits."
        )
    distilled = find_distilled(estimator)
    rng = check_random_state(random_state)
    teacher = find_teacher(estimator, distilled, teacher_proba)
    X, y, weight, teacher_proba, groups = read_rows(
        X, y, sample_weight, teacher_proba, groups
    )
    classes = distilled.classes_
    codes = find_codes(y, classes)
    shape = (len(codes), len(classes))
    if teacher_proba is not None:
        proba = check_teacher_proba(teacher_proba, shape)
    else:
        proba = predict_rows(teacher, X, classes, TEACHER)
    base, base_classes = make_baseline(baseline, estimator, distilled, train, rng)
    probas, models = {TEACHER: proba}, {TEACHER: teacher}
    if base is not None:
        probas[BASELINE] = predict_rows(base, X, classes, BASELINE, base_classes)
        models[BASELINE] = find_deployed(base)
    probas[STUDENT] = predict_rows(estimator, X, classes, STUDENT, classes)
    models[STUDENT] = find_deployed(estimator)
    rows = Rows(codes, classes, weight, probas, groups)
    gains = measure_shares(rows, int(n_bootstrap), rng, n_jobs)
    report = _measure_all(rows, models, X, distilled, gains)
    report.weighted = sample_weight is not None
    report.warnings = list_warnings(report, rows, distilled)
    return report


def _measure_all(
    rows: Rows,
    models: dict[str, Any],
    X: Any,
    distilled: Any,
    gains: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> DistillationReport:
    figures = {
        name: {
            **measure_quality(rows, name),
            **(dict(NO_COSTS) if model is None else measure_costs(model, X)),
        }
        for name, model in models.items()
    }
    on_teacher, on_baseline, shares = gains
    return DistillationReport(
        n_rows=len(rows.codes),
        classes=rows.classes.tolist(),
        weighted=False,
        models=figures,
        descriptions={name: _describe(model) for name, model in models.items()},
        against_teacher=on_teacher,
        against_baseline=on_baseline,
        share_recovered=shares,
        ratios=_compare_costs(figures[TEACHER], figures[STUDENT]),
        by_class=measure_parts(rows, rows.codes, rows.classes.tolist()),
        by_group=[] if rows.groups is None else measure_parts(rows, *rows.groups),
        candidate=_read_candidate(distilled),
        memorization=copy.deepcopy(distilled.memorization_),
        pilots=copy.deepcopy(distilled.pilots_),
        _rows=rows,
    )


def _compare_costs(teacher: Figures, student: Figures) -> dict[str, float | None]:
    """How many times the student is smaller and faster."""

    def divide(first: Any, second: Any) -> float | None:
        return None if first is None or second is None else first / second

    return {
        "smaller": divide(teacher["bytes"], student["bytes"]),
        "faster_one_row": divide(teacher["latency_p50_us"], student["latency_p50_us"]),
        "faster_batch": divide(student["rows_per_second"], teacher["rows_per_second"]),
    }


def _describe(model: Any) -> str:
    """The class of the classifier itself."""
    if model is None:
        return "stored"
    while isinstance(model, Pipeline | FrozenEstimator):
        model = model[-1] if isinstance(model, Pipeline) else model.estimator
    return type(model).__name__


def _read_candidate(distilled: Any) -> dict[str, Any]:
    augmenter = distilled.augmenter_
    return {
        "temperature": distilled.temperature_,
        "alpha": distilled.alpha_,
        "calibration": distilled.calibration_,
        "augmenter": None if augmenter is None else type(augmenter).__name__,
    }


def _make_plain(value: Any) -> Any:
    """Python's own types all the way down."""
    if isinstance(value, dict):
        return {key: _make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_make_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
