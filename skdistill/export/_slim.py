"""A fitted model as it is deployed: a stock estimator without training residue.

The copy is made by pickling, and what is left out is decided object by object on
the way: so a member of a vote or a step of a nested Pipeline is treated like the
model itself, and whatever comes back is known to load from a file.
"""

from __future__ import annotations

import copy
import copyreg
import io
import pickle
from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.linear_model import LogisticRegressionCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from .._distilled import Distilled
from .._nested import find_deployed
from .._sklearn import BaseSearchCV
from ._libraries import find_nonlinearity, is_from
from ._tree_kinds import Histograms

#: What no prediction reads, by attribute; each is large or grows with the training
#: rows. Whatever is not named here stays.
_RESIDUE = {
    # MLPClassifier: moments of the optimiser, and the best weights so far.
    "_optimizer",
    "_best_coefs",
    "_best_intercepts",
    "_random_state",
    # SGDClassifier: loss object, class weights, and both sets of averaged weights.
    "_loss_function_",
    "_expanded_class_weight",
    "_standard_coef",
    "_standard_intercept",
    "_average_coef",
    "_average_intercept",
    # Forests, bagging and boosting.
    "_sample_weight",
    "oob_decision_function_",
    "oob_prediction_",
    "oob_improvement_",
    "oob_scores_",
    "train_score_",
    "validation_score_",
    "_rng",
    "_feature_subsample_rng",
    "_scorer",
    "evals_result_",
    # Progress bars and other callbacks.
    "_skl_callbacks",
    "_parent_callback_ctx",
}

#: Those of LogisticRegressionCV: one fit a fold and a penalty. A SelectKBest selects by
#: its `scores_`.
_PATHS = {"coefs_paths_", "scores_"}

#: Emptied, for partial_fit appends to them.
_CURVES = {"loss_curve_", "validation_scores_"}


def slim(estimator: Any) -> Any:
    """Copy a fitted model without what only its training needed.

    Optimiser state, copies of weights for early stopping, learning curves,
    out-of-bag scores and the like are left out. The predictions are the same, bit
    for bit.

    Parameters
    ----------
    estimator : estimator
        Fitted. The `student_` of a :class:`~skdistill.DistilledClassifier` or
        :class:`~skdistill.DistilledRegressor` is taken, wherever it stands: alone, in a
        :class:`~sklearn.pipeline.Pipeline`, or inside another meta-estimator. So is the
        `best_estimator_` of a fitted search.

    Returns
    -------
    slimmed : estimator
        A stock estimator that needs nothing of this package to load.

    Raises
    ------
    TypeError
        A part of the model is defined in this package or can't be pickled.
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.

    Notes
    -----
    ``skops.io`` loads networks, linear models and pipelines of them with no
    untrusted type. Other types it never trusts by itself: name them in
    ``skops.io.load(..., trusted=[...])``, such as ``numpy.dtype``, which every
    :class:`~sklearn.impute.SimpleImputer` holds (that of the default student too),
    ``sklearn.tree._tree.Tree`` for trees and forests, ``TreePredictor`` of histogram
    boosting, and ``collections.OrderedDict``, ``lightgbm.basic.Booster`` and
    ``lightgbm.sklearn.LGBMClassifier`` for LightGBM. It can't load ``pandas.NA``,
    which the default student holds where it learned strings or categories of a pandas
    data frame, and which stands for every kind of missing value: fit on polars or on
    an array of objects, or use pickle, joblib or ONNX.

    Meta-estimators keep the unfitted estimator that they clone. Where that is a
    :class:`~skdistill.DistilledClassifier`, its student stands there afterwards: a
    refit trains a student on true labels.

    A slimmed :class:`~sklearn.neural_network.MLPClassifier` still takes
    `partial_fit`, from fresh moments of the optimiser.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.export import slim
    >>> X, y = load_iris(return_X_y=True)
    >>> student = MLPClassifier((64, 32), max_iter=20, tol=0.1, n_iter_no_change=5)
    >>> distilled = DistilledClassifier(RandomForestClassifier(20), student).fit(X, y)
    >>> slimmed = slim(distilled)
    >>> type(slimmed).__name__
    'MLPClassifier'
    >>> bool((slimmed.predict_proba(X) == distilled.predict_proba(X)).all())
    True
    >>> 2 * len(pickle.dumps(slimmed)) < len(pickle.dumps(distilled.student_))
    True
    """
    check_is_fitted(estimator)
    slimmed = pickle.loads(dump_slim(estimator))
    _refuse_own_types(slimmed)
    return slimmed


def dump_slim(estimator: Any) -> bytes:
    """Return the pickle of a fitted model without what only its training needed.

    Raise a TypeError where a part of the model can't be pickled.
    """
    deployed = find_deployed(estimator)
    buffer = io.BytesIO()
    try:
        _SlimPickler(buffer, deployed).dump(deployed)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            "What is deployed must be pickled; a part of this "
            f"{type(deployed).__name__} can't be pickled: {error}. Define functions "
            "and classes at the top of a module instead of inside a function."
        ) from error
    return buffer.getvalue()


class _SlimPickler(pickle.Pickler):
    """Pickle estimators without their training residue."""

    def __init__(self, buffer: io.BytesIO, deployed: Any) -> None:
        super().__init__(buffer, protocol=pickle.HIGHEST_PROTOCOL)
        self._deployed = deployed

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, BaseEstimator):
            return NotImplemented
        if isinstance(obj, Distilled | BaseSearchCV):
            return _return_given, (self._replace(obj),)
        if is_from(obj, "skorch"):
            return _reduce_estimator(obj, _strip_net(obj))
        return _reduce_estimator(obj, _strip_state(obj, obj.__getstate__()))

    def _replace(self, obj: Any) -> Any:
        """Return what serves, or what would: meta-estimators keep unfitted templates.

        The template of a default student is one that was fitted, unfitted again.
        """
        if isinstance(obj, BaseSearchCV):
            return find_deployed(obj) if hasattr(obj, "cv_results_") else obj.estimator
        if hasattr(obj, "student_"):
            return find_deployed(obj)
        if obj.student is not None:
            return obj.student
        fitted = next(_find_students(self._deployed, {}), None)
        network = MLPRegressor if is_regressor(obj) else MLPClassifier
        return network() if fitted is None else clone(fitted)


def _find_students(value: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Yield the default students that were fitted in an object."""
    if id(value) in seen or isinstance(value, type):
        return
    # Kept, for the place of a value that is gone may be another's.
    seen[id(value)] = value
    parts: Any = []
    if isinstance(value, Distilled):
        if value.student is None and hasattr(value, "student_"):
            yield value.student_
    elif isinstance(value, list | tuple):
        parts = value
    else:
        inner = value if isinstance(value, dict) else getattr(value, "__dict__", {})
        parts = list(inner.values())
    for part in parts:
        yield from _find_students(part, seen)


def _return_given(estimator: Any) -> Any:
    return estimator


def _reduce_estimator(obj: Any, state: dict[str, Any]) -> tuple[Any, ...]:
    # What an object of Python itself returns.
    return copyreg.__newobj__, (type(obj),), state  # type: ignore[attr-defined]


def _strip_state(estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
    paths = _PATHS if isinstance(estimator, LogisticRegressionCV) else set()
    state = {k: v for k, v in state.items() if k not in _RESIDUE | paths}
    for name in _CURVES & set(state):
        state[name] = None if state[name] is None else []
    if "memory" in state:
        # The folder of a cache says nothing where the model is deployed.
        state["memory"] = None
    # An unfitted template of a meta-estimator has none.
    if isinstance(estimator, Histograms) and "_bin_mapper" in state:
        state["_bin_mapper"] = _strip_bins(state["_bin_mapper"])
    if is_from(estimator, "lightgbm"):
        # The log of the metrics; the rounds after the best one LightGBM drops itself.
        state |= {"_evals_result": {}, "_best_score": {}}
    return state


def _strip_bins(mapper: Any) -> Any:
    """Drop the bin edges of numeric columns: trees keep their own thresholds."""
    stripped = copy.copy(mapper)
    stripped.bin_thresholds_ = [
        edges if categorical else edges[:0]
        for edges, categorical in zip(
            mapper.bin_thresholds_, mapper.is_categorical_, strict=True
        )
    ]
    return stripped


def _strip_net(net: Any) -> dict[str, Any]:
    """Trim a skorch net as skorch does, on a copy.

    `trim_for_prediction` empties lists that the net shares with its parameters, and
    it drops the criterion from which `predict_nonlinearity="auto"` infers the
    softmax, so that is written down first.
    """
    trimmed = pickle.loads(pickle.dumps(net))
    trimmed.predict_nonlinearity = find_nonlinearity(net)
    trimmed.trim_for_prediction()
    return trimmed.__getstate__()


class _Scan(pickle.Pickler):
    """Collect the names of this package's types and functions in an object."""

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, protocol=pickle.HIGHEST_PROTOCOL)
        self.found: set[str] = set()

    def persistent_id(self, obj: Any) -> None:
        kind = obj if hasattr(obj, "__qualname__") else type(obj)
        if (getattr(kind, "__module__", None) or "").split(".")[0] == "skdistill":
            self.found.add(f"{kind.__module__}.{kind.__qualname__}")


def _refuse_own_types(slimmed: Any) -> None:
    scan = _Scan(io.BytesIO())
    scan.dump(slimmed)
    if scan.found:
        raise TypeError(
            "What is deployed must load without skdistill; this "
            f"{type(slimmed).__name__} holds {', '.join(sorted(scan.found))}. Use a "
            "stock estimator, or a function of your own, in its place."
        )
