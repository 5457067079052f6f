"""CatBoostClassifier: float targets of two classes, weighted copies of more.

Two classes: CatBoost's "CrossEntropy" takes any target in [0, 1], and with targets 0
and 1 grows the trees of "Logloss". Its models have neither labels nor the
learning rate that CatBoost would choose for "Logloss": both come from a stock fit of
the same rows that is stopped after its first round.

More classes: the public interface has no "MultiClass" of float targets. An objective
in Python is called row by row, and the model would name it as its loss. So each row is
repeated once per class, weighted by its target, as any classifier is taught: the loss
is the same, and `n_classes` times the rows are held. What counts rows is multiplied by
the copies of a row: `min_data_in_leaf`, and `l2_leaf_reg`, which CatBoost multiplies
by the mean weight of its rows. Targets that are certain need no copies. Not exact is
what CatBoost draws (bags, permutations and the statistics of categories along them):
it draws copies instead of rows.

Private name of CatBoost: `_init_params`, the parameters of the constructor, which stay
the student's own when a fitted model moves into it.

Source: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features",
NeurIPS 2018.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np

from .._soft_data import MaybeRows, SoftDataset
from ._boosting import check_metadata, is_stock, refuse_metric
from ._soft_learner import (
    RATE_SHARE,
    ROUNDS_WORSE,
    SoftLearner,
    move_state,
    refuse_fine_tuning,
)
from ._weighted_copies import LEAST_SHARE, expand_rows

#: CatBoost's names for one parameter.
_LOSS = ("loss_function", "objective")
_METRIC = ("eval_metric", "custom_metric", "custom_loss")
#: What looks at hard labels.
_HARD = ("scale_pos_weight", *_METRIC, *_LOSS)
_RATE = ("learning_rate", "eta")
_ROUNDS = ("iterations", "num_boost_round", "n_estimators", "num_trees")
_LEAF_SIZE = ("min_data_in_leaf", "min_child_samples")
_PENALTY = ("l2_leaf_reg", "reg_lambda")
_STOPPING = ("early_stopping_rounds", "od_wait", "od_pval", "od_type", "use_best_model")
#: What needs to be the first model.
_FIRST_MODEL = ("posterior_sampling", "boost_from_average")
_LOGGING = ("verbose", "verbose_eval", "logging_level", "silent", "metric_period")

#: Metadata of `fit` that names columns.
_COLUMNS = ("cat_features", "text_features", "embedding_features")

_BINARY = ("Logloss", "CrossEntropy")
_MULTICLASS = ("MultiClass",)

#: CatBoost's penalty where none is given.
_DEFAULT_PENALTY = 3.0

#: The labels of a "CrossEntropy" model; only alike models can be joined.
_NO_LABELS = (
    '{"classes_count":0,"class_names":[],"class_to_label":[0,1],'
    '"class_label_type":"Integer"}'
)


class CatBoostLearner(SoftLearner):
    """The stock CatBoostClassifier."""

    worse = ROUNDS_WORSE

    def accepts(self, student: Any) -> bool:
        return is_stock(student, "catboost", "CatBoostClassifier")

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        _check_parameters(student.get_params(), n_classes)
        metric = student.get_params().get("eval_metric")
        allowed = (None, *_BINARY, *_MULTICLASS)
        if self.wants_validation(student, n_samples) and metric not in allowed:
            refuse_metric(f"eval_metric={metric!r}")

    def check_fine_tuning(self, student: Any) -> None:
        # CatBoost trains on from no model of these.
        for name in _FIRST_MODEL:
            if student.get_params().get(name):
                refuse_fine_tuning(student, f" with {name}=True")

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        # It stops early, or keeps its best round.
        return bool(_given(student.get_params(), _STOPPING))

    def class_weight(self, student: Any, classes: Any) -> dict[Any, float] | str | None:
        positive = student.get_params().get("scale_pos_weight")
        return None if positive is None else {classes[1]: positive}

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        check_metadata(rows, student, _COLUMNS)
        params = student.get_params()
        rows = self._weigh(student, rows)
        validation = validation and self._weigh(student, validation)
        stock = _fit_first_round(params, rows, validation)
        params = _without(params, *_RATE) | {"learning_rate": stock.learning_rate_}
        worker = _boost(params, rows, validation)
        _copy_classes(stock, worker)
        return move_state(worker, student, ["_init_params"])

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Add rounds at a tenth of the learning rate."""
        params = student.get_params()
        rate = RATE_SHARE * student.learning_rate_
        rows = self._weigh(student, rows)
        params = _without(params, *_ROUNDS, *_RATE, *_STOPPING)
        params |= {"iterations": epochs, "learning_rate": rate}
        # A copy, too, because the first continuation of a model draws otherwise than
        # any later one: the same call must give the same result.
        tuned = copy.deepcopy(student)
        if len(rows.classes) == 2:
            tuned.get_metadata()["class_params"] = _NO_LABELS
        worker = _boost(params, rows, None, tuned)
        _copy_classes(student, worker)
        return move_state(worker, tuned, ["_init_params"])

    def _weigh(self, student: Any, data: SoftDataset) -> SoftDataset:
        """Apply the weight of the positive class to rows and targets."""
        class_weight = self.class_weight(student, data.classes)
        return data if class_weight is None else data.weigh_classes(class_weight)

    def read_labels(self, student: Any, predicted: Any, classes: Any) -> Any:
        # CatBoost returns one column.
        return predicted.ravel()


def _check_parameters(params: dict[str, Any], n_classes: int) -> None:
    """Raise where a parameter has no exact meaning on soft targets."""
    allowed = _BINARY if n_classes == 2 else _MULTICLASS
    for name, loss in _given(params, _LOSS).items():
        if not isinstance(loss, str) or loss not in allowed:
            raise ValueError(
                "A CatBoostClassifier learns soft targets by "
                f"{' or '.join(map(repr, allowed))} with {n_classes} classes; received "
                f"{name}={loss!r}. Leave it out."
            )
    weigh = "Leave it out, and weigh a class's rows by sample_weight"
    fixes = {
        "auto_class_weights": weigh,
        "class_weights": weigh,
        "class_names": "Leave it out: the classes are those of y, sorted",
        "classes_count": "Leave it out: the classes are those of y",
        "target_border": "Leave it out",
    }
    for name, value in _given(params, tuple(fixes)).items():
        raise ValueError(
            "A student's parameters must not depend on hard labels; received "
            f"{name}={value!r}. {fixes[name]}."
        )


def _fit_first_round(
    params: dict[str, Any], train: SoftDataset, validation: MaybeRows
) -> Any:
    """Fit the stock model for a round, for its labels and its learning rate."""
    from catboost import CatBoostClassifier

    def label(data: SoftDataset) -> Any:
        return data.classes[np.arange(data.n_samples) % len(data.classes)]

    silent = {"logging_level": "Silent", "allow_writing_files": False}
    stock = CatBoostClassifier(**_without(params, *_LOGGING, *_HARD) | silent)
    rows = {}
    if validation is not None:
        given = (validation.X, label(validation), None, validation.params or {})
        rows["eval_set"] = _pool(*given, params)
    stops = SimpleNamespace(after_iteration=lambda info: False)
    rows |= {"callbacks": [stops], **(train.params or {})}
    return stock.fit(train.X, label(train), **rows)


def _boost(
    params: dict[str, Any],
    train: SoftDataset,
    validation: MaybeRows,
    init_model: Any = None,
) -> Any:
    """Train a worker of the same class."""
    from catboost import CatBoostClassifier

    params = _without(params, *_HARD)
    n_classes = len(train.classes)
    params["loss_function"] = "CrossEntropy" if n_classes == 2 else "MultiClass"
    sizes = _given(params, _LEAF_SIZE)
    X, label, weight, metadata = _label_rows(train, LEAST_SHARE if sizes else None)
    n_copies = len(label) / train.n_samples
    if n_copies != 1:
        params |= {name: round(n_copies * size) for name, size in sizes.items()}
        penalty = _given(params, _PENALTY) or {_PENALTY[0]: _DEFAULT_PENALTY}
        params |= {name: n_copies * value for name, value in penalty.items()}
    rows = {"sample_weight": weight, "init_model": init_model, **metadata}
    if validation is not None:
        rows["eval_set"] = _pool(*_label_rows(validation), params)
    return CatBoostClassifier(**params).fit(X, label, **rows)


def _label_rows(
    data: SoftDataset, least: float | None = None
) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Rows, labels, weights and metadata: copies where there are more classes."""
    if len(data.classes) == 2:
        return data.X, data.targets[:, 1], data.weight, data.params or {}
    certain = ((data.targets == 0) | (data.targets == 1)).all()
    return expand_rows(data, least=None if certain else least)


def _pool(
    X: Any, label: Any, weight: Any, metadata: dict[str, Any], params: dict[str, Any]
) -> Any:
    """Validation rows, with the columns that are no numbers."""
    from catboost import Pool

    columns = _given(params | metadata, _COLUMNS)
    return Pool(X, label, weight=weight, **columns)


def _copy_classes(source: Any, target: Any) -> None:
    """Give a model the labels of another; "CrossEntropy" has 0 and 1 only."""
    target.get_metadata()["class_params"] = source.get_metadata()["class_params"]


def _given(params: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {n: params[n] for n in names if params.get(n) is not None}


def _without(params: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in params.items() if k not in names}
