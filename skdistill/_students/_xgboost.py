"""XGBClassifier on one row a sample.

Two classes: XGBoost's "binary:logistic" takes any target in [0, 1].

More classes: the gradient p - q and the Hessian 2 p (1 - p) of XGBoost's
"multi:softprob" from Python, starting from the logarithms of the class shares, as
XGBoost starts by itself. The model keeps "multi:softprob", so that a saved one
predicts probabilities. With one-hot targets the probabilities are those of the stock
fit to 1e-6: margins are float32, and their softmax is taken in another place.

True labels beside a temperature are learned from Python too (`_losses`), of two
classes with the Hessian of "binary:logistic". For the temperature, start values and
leaves are multiplied in the model's JSON format.

An XGBClassifier takes the labels 0 to K - 1 only.

Source: Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016;
`multiclass_obj.cu` in its sources.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
from scipy.special import expit, logit

from .._soft_data import MaybeRows, SoftDataset
from .._typing import AnyArray
from ._boosting import (
    check_metadata,
    is_stock,
    learns_natively,
    refuse_metric,
    soft_derivatives,
    soft_loss,
    start_logits,
)
from ._soft_learner import (
    HESSIAN_WORSE,
    RATE_SHARE,
    SoftLearner,
    move_state,
    refuse_fine_tuning,
)

_BINARY = "binary:logistic"
_MULTICLASS = "multi:softprob"
_LOG_LOSSES = ("logloss", "mlogloss")

#: XGBoost's factor and floor of the softmax's Hessian.
_CURVATURE = 2.0
_LEAST_HESSIAN = 1e-6

#: The learning rate of a model that is given none.
_LEARNING_RATE = 0.3


class XGBoostLearner(SoftLearner):
    """The stock XGBClassifier."""

    worse = HESSIAN_WORSE
    # No benchmark has shown yet that it helps.
    is_calibrated = False

    def accepts(self, student: Any) -> bool:
        return is_stock(student, "xgboost", "XGBClassifier")

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        if student.objective not in (None, _BINARY, _MULTICLASS):
            raise ValueError(
                f"An XGBClassifier learns soft targets by {_BINARY!r} or "
                f"{_MULTICLASS!r}; received objective={student.objective!r}. Leave it "
                "out."
            )
        if student.scale_pos_weight not in (None, 1):
            raise ValueError(
                "A student's parameters must not depend on hard labels; received "
                f"scale_pos_weight={student.scale_pos_weight!r}. Leave it out, and "
                "weigh the rows of a class by sample_weight."
            )
        metric = student.eval_metric
        if student.early_stopping_rounds and metric not in (None, *_LOG_LOSSES):
            refuse_metric(f"eval_metric={metric!r}")

    def check_labels(self, student: Any, classes: AnyArray) -> None:
        if not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(
                f"An XGBClassifier needs the labels 0 to {len(classes) - 1}; received "
                f"{classes.tolist()}. Encode y with LabelEncoder, or use "
                "LGBMClassifier."
            )

    def check_fine_tuning(self, student: Any) -> None:
        # A linear booster has no rounds to add to.
        if student.booster == "gblinear":
            refuse_fine_tuning(student, " with booster='gblinear'")

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        return bool(student.early_stopping_rounds)

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        return student.multi_strategy in (None, "one_output_per_tree")

    def learns_mixtures(self, student: Any) -> bool:
        return True

    def scale_logits(self, student: Any, factor: float) -> None:
        booster = student.get_booster()
        model = json.loads(booster.save_raw("json"))
        _scale_model(model["learner"], factor)
        booster.load_model(bytearray(json.dumps(model), "utf-8"))

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        return _boost(student, student.get_params(), rows, validation)

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Add rounds at a tenth of the learning rate."""
        params = student.get_params()
        rate = params.pop("eta", None) or params["learning_rate"] or _LEARNING_RATE
        params["learning_rate"] = RATE_SHARE * rate
        params |= {"n_estimators": epochs, "early_stopping_rounds": None}
        booster = take_best_rounds(student)
        return _boost(copy.deepcopy(student), params, rows, None, booster)


def take_best_rounds(student: Any) -> Any:
    """Return the booster that a fitted model serves.

    Rounds after the best one are kept where a fit stopped early, but never served. A
    pruned model has none.
    """
    booster = student.get_booster()
    best = getattr(student, "best_iteration", None)
    return booster if best is None else booster[: best + 1]


def _boost(
    student: Any,
    params: dict[str, Any],
    train: SoftDataset,
    validation: MaybeRows,
    xgb_model: Any = None,
) -> Any:
    """Train a worker of the same class by public means, and move what it learned."""
    from xgboost import XGBModel

    check_metadata(train, student, ("feature_weights",))
    native = learns_natively(train)
    worker = _make_worker(params, train, validation, xgb_model is None)
    # The base takes any label; the classifier's own fit sets the number of classes.
    fit = XGBModel.fit if native else type(worker).fit
    fit(
        worker,
        train.X,
        _label(train),
        sample_weight=train.weight,
        xgb_model=xgb_model,
        verbose=False,
        **_evaluation(validation),
        **(train.params or {}),
    )
    # As the stock fit does.
    student.objective = _BINARY if len(train.classes) == 2 else _MULTICLASS
    return move_state(worker, student, [*worker.get_params(), "kwargs"])


def _make_worker(
    params: dict[str, Any], train: SoftDataset, validation: MaybeRows, first: bool
) -> Any:
    """Derivatives and metric of ours hold the targets: labels are only counted."""
    from xgboost import XGBClassifier

    if learns_natively(train):
        metric = None if validation is None else "logloss"
        given = {"objective": _BINARY, "eval_metric": metric}
        worker = XGBClassifier(**(params | given))
        worker.n_classes_ = 2
        return worker
    curvature = 1.0 if len(train.classes) == 2 else _CURVATURE
    params = params | {
        "objective": soft_derivatives(train, curvature, least=_LEAST_HESSIAN),
        "eval_metric": None if validation is None else soft_loss(validation),
        "disable_default_eval_metric": True,
    }
    if first and params["base_score"] is None:
        params["base_score"] = _start(train)
    return XGBClassifier(**params)


def _label(data: SoftDataset) -> Any:
    """Float targets; for an objective of ours, labels that name each class."""
    if learns_natively(data):
        return data.targets[:, 1]
    return np.arange(data.n_samples) % len(data.classes)


def _start(data: SoftDataset) -> float | list[float]:
    """The start values, as XGBoost has them: a probability for two classes."""
    start = start_logits(data, data.weight)
    if len(start) == 2:
        return float(expit(start[1] - start[0]))
    return [float(value) for value in start - start.mean()]


def _scale_model(learner: dict[str, Any], factor: float) -> None:
    """Multiply start values and leaves of a model in XGBoost's JSON format."""
    param = learner["learner_model_param"]
    base = np.ravel(json.loads(param["base_score"])).astype(float)
    binary = learner["objective"]["name"] == _BINARY
    base = expit(factor * logit(base)) if binary else factor * base
    param["base_score"] = json.dumps(base.tolist())
    booster = learner["gradient_booster"]
    model = booster.get("gbtree", booster)["model"]
    if "weights" in model:
        model["weights"] = [factor * value for value in model["weights"]]
    for tree in model.get("trees", ()):
        for node, child in enumerate(tree["left_children"]):
            if child == -1:
                tree["split_conditions"][node] *= factor
                tree["base_weights"][node] *= factor


def _evaluation(validation: MaybeRows) -> dict[str, Any]:
    if validation is None:
        return {}
    weight = None if validation.weight is None else [validation.weight]
    return {
        "eval_set": [(validation.X, _label(validation))],
        "sample_weight_eval_set": weight,
    }
