"""Every check of what `fit` is given, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import check_array, column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from ._checks import check_weight, is_number, is_whole, read_seed
from ._copies import count_copies, find_copies
from ._dataset import Dataset, class_priors
from ._frames import (
    check_same_table,
    check_unique_names,
    find_kind,
    holds_columns,
    is_missing,
    list_columns,
    refuse_lost_categories,
)
from ._labels._quantiles import QuantileRegression, check_quantiles
from ._labels._task import Classification, Regression
from ._nested import can_refit
from ._sklearn import _num_samples, _safe_indexing
from ._typing import AnyArray, FloatArray, IndexArray
from ._warnings import warn_caller


def check_parameters(estimator: Any) -> None:
    """Raise a ValueError for a number or a switch that is out of its range."""
    temperature, alpha = estimator.temperature, estimator.alpha
    calibrate, n_jobs = estimator.calibrate, estimator.n_jobs
    _check(
        temperature == "auto" or (is_number(temperature) and 0 < temperature < np.inf),
        'temperature must be "auto" or a finite number greater than 0, received '
        f"{temperature!r}. 1 leaves the teacher's probabilities as they are.",
    )
    _check(
        alpha == "auto" or is_number(alpha, 0, 1),
        f'alpha must be "auto" or a number in [0, 1], received {alpha!r}. Training '
        "rows have the teacher's labels at 1 and the true ones at 0; rows beyond them "
        "have the teacher's always.",
    )
    _check(
        isinstance(calibrate, bool) or calibrate == "auto",
        f'calibrate must be True, False or "auto", received {calibrate!r}. False '
        "learns the teacher's probabilities as they are.",
    )
    _check(
        is_number(estimator.pilot, 0) and estimator.pilot < np.inf,
        "pilot must be a number of at least 0, the share of the student's final fit "
        f"that may go into pilots; received {estimator.pilot!r}. 0 fits none.",
    )
    _check(
        is_whole(estimator.fine_tune, 0),
        "fine_tune must be an integer of at least 0, the epochs over the true labels; "
        f"received {estimator.fine_tune!r}. 0 does without.",
    )
    most = estimator.max_labels
    _check(
        most is None or is_whole(most, 1),
        "max_labels must be None or an integer of at least 1, the most rows that a "
        f"teacher is asked for; received {most!r}. None sets no limit.",
    )
    _check(
        n_jobs is None or (is_whole(n_jobs) and n_jobs != 0),
        f"n_jobs must be None or an integer other than 0, received {n_jobs!r}. -1 uses "
        "every core.",
    )
    read_seed(estimator.random_state)


def _check(holds: bool, text: str) -> None:
    if not holds:
        raise ValueError(text)


def check_training_data(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Dataset:
    """Check parameters, rows, labels and weights; nothing is set.

    The rows stay as they came, and labels become a vector.
    """
    check_parameters(estimator)
    owner = type(estimator).__name__
    if y is None:
        raise ValueError(
            f"{owner} requires y to be passed, but the target y is None. Pass the "
            "true label of each row."
        )
    learns_values = is_regressor(estimator)
    y = read_values(y) if learns_values else _read_labels(y)
    X = _check_rows(X, y)
    groups = find_copies(X)
    if learns_values:
        weight = _read_weight(sample_weight, y)
        _warn_of_one_value(y, weight)
        codes, task = np.zeros(len(y), dtype=np.intp), Regression(y, weight)
        if estimator.quantiles is not None:
            task = QuantileRegression(y, weight, check_quantiles(estimator, y))
        return Dataset(X, y, task, codes, weight, groups=groups)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs at least two classes in y, received one class: "
            f"{classes.tolist()}. Pass rows of every class."
        )
    weight = _read_weight(sample_weight, y)
    priors = class_priors(codes, len(classes), weight)
    empty = classes[priors == 0].tolist()
    if empty:
        raise ValueError(
            f"Every class needs a row of positive weight; all rows of {empty} have "
            "sample_weight 0. Leave those rows out, or weigh one of them."
        )
    labels = Classification(classes, priors)
    data = Dataset(X, y, labels, codes, weight, groups=groups)
    warn_of_costs(data, priors)
    return data


def add_validation_data(
    data: Dataset, X_val: Any, y_val: Any, sample_weight_val: Any
) -> Dataset:
    """Check the validation rows, if there are any, and add them to the data."""
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    received = [name for name, value in given.items() if value is not None]
    if not received:
        return data
    if X_val is None or y_val is None:
        raise ValueError(
            "Validation rows need X_val and y_val, both or neither; received "
            f"{' and '.join(received)} alone. Pass the rows and their true labels."
        )
    (X_val,) = indexable(X_val)
    check_same_table(X_val, data.X, "X_val")
    y_val, codes = _read_validation_labels(data, y_val)
    check_consistent_length(X_val, y_val)
    weight = sample_weight_val
    if weight is not None:
        weight = check_weight(weight, len(codes), "sample_weight_val")
        if not weight.all():
            # They would count among the rows that decide, and decide nothing.
            kept = np.flatnonzero(weight)
            X_val = _safe_indexing(X_val, kept)
            y_val, codes, weight = y_val[kept], codes[kept], weight[kept]
    _warn_of_scales(data.X, X_val)
    _warn_of_copies(data.X, X_val)
    rows = Dataset(X_val, y_val, data.task, codes, weight, groups=find_copies(X_val))
    return replace(data, validation=rows)


def _read_validation_labels(data: Dataset, y_val: Any) -> tuple[AnyArray, IndexArray]:
    if len(data.classes):
        codes = find_codes(column_or_1d(y_val, warn=True), data.classes, "y_val")
        return data.classes[codes], codes
    y_val = read_values(y_val, "y_val")
    if y_val.shape[1:] != data.y.shape[1:]:
        raise ValueError(
            "y_val must have as many outputs as y; received y_val of shape "
            f"{y_val.shape}, and y of shape {data.y.shape}. Pass the same columns."
        )
    return y_val, np.zeros(len(y_val), dtype=np.intp)


def find_codes(y: AnyArray, classes: AnyArray, name: str) -> IndexArray:
    """Return the position of each label among the classes that were learned."""
    position = {label: k for k, label in enumerate(classes.tolist())}
    unknown = [label for label in dict.fromkeys(y.tolist()) if label not in position]
    if unknown:
        raise ValueError(
            f"Every label of {name} must be one of the classes {classes.tolist()} that "
            f"the estimator was fitted on; got {unknown[:10]} as well. Pass labels in "
            "the type of those of fit, and leave rows of other classes out."
        )
    return np.array([position[label] for label in y.tolist()], dtype=np.intp)


#: How near to mean 0 and standard deviation 1 a column is that was standardised, and
#: how far from them is one that was not.
_NEAR, _FAR = 1e-3, 3.0


def _warn_of_scales(X: Any, X_val: Any) -> None:
    """Warn where most columns that are standardised in X are not in X_val."""
    if not holds_columns(X):
        return
    scaled = moved = 0
    columns = (list_columns(table)[1] for table in (X, X_val))
    for column, other in zip(*columns, strict=True):
        if find_kind(column) != "number":
            continue
        (mean, std), (mean_val, std_val) = map(_measure_column, (column, other))
        if abs(mean) < _NEAR and abs(std - 1) < _NEAR:
            scaled += 1
            moved += abs(mean_val) > _FAR or not 1 / _FAR < std_val < _FAR
    if moved > scaled / 2:
        warn_caller(
            f"{moved} columns are standardised in X (mean 0, standard deviation 1) and "
            "not in X_val. Transform X_val by the scaler that was fitted on X; in a "
            'Pipeline, transform_input=["X_val"] does it.'
        )


#: Share of the rows of X_val that are copies of rows of X, above which fit warns. A
#: random split of wine quality, whose rows are copied, has less than .3.
_MOST_COPIES = 1 / 3


def _warn_of_copies(X: Any, X_val: Any) -> None:
    """Warn where many validation rows are training rows."""
    n_copies, n_rows = count_copies(X, X_val), _num_samples(X_val)
    if n_copies > _MOST_COPIES * n_rows:
        warn_caller(
            "X_val must hold rows that neither teacher nor student learns; "
            f"{n_copies} of its {n_rows} rows are equal to rows of X in every column, "
            "so that calibration, pilots and figures are those of rows that were "
            "learned. Leave these rows out of X_val or X, split before rows are "
            "repeated, or leave X_val out: fit keeps copies of a row together."
        )


def _measure_column(column: Any) -> tuple[float, float]:
    """Return the mean and the standard deviation of a column's numbers, if any."""
    values = np.asarray(column, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    return float(values.mean()), float(values.std())


def _check_rows(X: Any, y: AnyArray) -> Any:
    (X,) = indexable(X)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biufc":
        raise ValueError(
            "X must hold one row a sample. Expected 2D array, got 1D array instead: "
            f"shape {X.shape}. Use X.reshape(-1, 1) for a single column."
        )
    check_unique_names(X)
    refuse_lost_categories(X)
    # A blank estimator takes the names, so that a failed fit changes nothing.
    validate_data(BaseEstimator(), X, skip_check_array=True)
    check_consistent_length(X, y)
    return X


def read_values(y: Any, name: str = "y") -> FloatArray:
    """Return true values as an array, a vector where there is one output."""
    try:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
    except ValueError as error:
        raise ValueError(
            f"{name} must hold a finite number for every row and output: "
            f"{str(error).rstrip('.')}. Leave rows without one out; "
            "DistilledClassifier learns classes."
        ) from None
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def _warn_of_one_value(y: FloatArray, weight: FloatArray | None) -> None:
    """Warn where every row that counts has the same values."""
    counted = y if weight is None else y[weight > 0]
    if (counted == counted[0]).all():
        warn_caller(
            f"y holds one value, {counted[0].tolist()}, in all rows that count, "
            f"{len(counted)}: there is nothing to distil. Serve that value."
        )


def _read_labels(y: Any) -> AnyArray:
    _refuse_columns(y)
    y = column_or_1d(y, warn=True)
    objects = y.dtype.kind == "O"
    missing = np.flatnonzero([is_missing(label) for label in y] if objects else y != y)
    if len(missing):
        raise ValueError(
            f"y must hold a label for every row; {len(missing)} are missing or NaN, "
            f"the first in row {missing[0]}. Leave those rows out."
        )
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise ValueError(f"{error} DistilledRegressor learns values.") from None
    return y


def _refuse_columns(y: Any) -> None:
    """Raise where y has several columns, and say what they are."""
    table = y.toarray() if sparse.issparse(y) else np.asarray(y)
    if table.ndim != 2 or table.shape[1] < 2:
        return
    fix = (
        "Rows of several labels are not learned: fit one DistilledClassifier a column."
    )
    if table.dtype.kind in "biuf" and np.allclose(table.sum(axis=1), 1):
        fix = (
            "Pass the probabilities of a teacher as teacher_proba, and the true labels "
            "as y."
        )
        if np.isin(table, (0, 1)).all():
            fix = "One-hot columns become labels by np.asarray(y).argmax(axis=1)."
    raise ValueError(
        "y must hold one true label a row; received an array of shape "
        f"{table.shape}. {fix}"
    )


#: Sum of weights below which models with the usual settings learn nothing; weights that
#: sum to 1 are common.
_LEAST = 0.1


def _read_weight(sample_weight: Any, y: AnyArray) -> FloatArray | None:
    """Return the row weights, checked; None stands for equal ones."""
    if sample_weight is None:
        return None
    weight = check_weight(sample_weight, len(y))
    if weight.sum() < _LEAST:
        warn_caller(
            f"sample_weight sums to {weight.sum():.2g} over {len(weight)} rows. Models "
            "that count weight, such as boosted trees by the least weight of a leaf "
            "and linear ones by a penalty, learn next to nothing from so little. "
            "Divide the weights by their mean."
        )
    return weight


#: Weights are said to move the rate of a class where they do so by this factor, and by
#: so many standard errors more than weights that do not depend on y would.
_MOVED, _ERRORS = 2.0, 3.0


def warn_of_costs(data: Dataset, priors: FloatArray) -> None:
    """Warn where row weights move the rate of a class, and probabilities with it."""
    if data.weight is None:
        return
    counts = np.bincount(data.codes)
    sums = [np.bincount(data.codes, data.weight**power) for power in (1, 2)]
    means, others = sums[0] / counts, (sums[0].sum() - sums[0]) / (len(data.y) - counts)
    # Pooled within the classes: the spread of one row is not known.
    spread = (sums[1] - counts * means**2).sum() / len(data.y)
    errors = np.sqrt(max(spread, 0.0) * (1 / counts + 1 / (len(data.y) - counts)))
    moved = means / data.weight.mean()
    factor = np.maximum(moved, 1 / np.maximum(moved, np.finfo(np.float64).tiny))
    factor[np.abs(means - others) <= _ERRORS * errors] = 1
    worst = int(factor.argmax())
    if factor[worst] > _MOVED:
        label, rate = data.classes.tolist()[worst], counts[worst] / len(data.y)
        warn_caller(
            f"The class {label!r} has {rate:.2%} of the rows and "
            f"{priors[worst]:.2%} of the sample_weight, which the "
            "probabilities that are served follow. Where weights are costs, leave "
            "sample_weight out and put the costs into the threshold of the decision; "
            "where they restore the rates of a sample drawn by class, keep them."
        )


def check_stands_alone(estimator: Any, data: Dataset) -> None:
    """Stored labels leave nothing to fit."""
    name = data.task.stored_name
    if estimator.cv is not None:
        raise ValueError(
            "Out-of-fold labels need a live teacher; received cv="
            f"{estimator.cv!r} with {name}. Set cv=None, or drop {name}."
        )
    teacher = estimator.teacher
    if can_refit(teacher):
        raise ValueError(
            f"{name} stands in for the teacher, which would not be fitted; "
            f"received teacher={type(teacher).__name__}. Set teacher=None, or wrap a "
            "fitted teacher in FrozenEstimator."
        )
    if teacher is None and data.validation is not None:
        raise ValueError(
            "Validation rows are labelled by the teacher; received X_val with "
            f"{name}, which has the labels of X alone. Set teacher to the fitted "
            "teacher in a FrozenEstimator, or leave X_val out."
        )
