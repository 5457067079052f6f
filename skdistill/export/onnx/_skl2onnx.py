"""The way through skl2onnx, with the converters that it lacks."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..._classifier import DistilledClassifier
from .._require import require
from ._graph import OPSET

#: Options that skl2onnx lets a caller set for a classifier.
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}


def split_steps(served: Any) -> tuple[list[Any], Any]:
    """Take a Pipeline apart: its transformers, and what learned."""
    steps: list[Any] = []
    while isinstance(served, Pipeline | FrozenEstimator):
        if isinstance(served, FrozenEstimator):
            served = served.estimator
        else:
            steps += [step for _, step in served.steps[:-1]]
            served = served.steps[-1][1]
    return steps, served


def run_skl2onnx(estimator: Any, given: list[Any]) -> Any:
    skl2onnx = require("skl2onnx")
    estimator = _prepare(estimator)
    try:
        with warnings.catch_warnings():
            # About the versions that the converters were tested with.
            warnings.simplefilter("ignore")
            return skl2onnx.convert_sklearn(
                estimator,
                initial_types=given,
                options={"zipmap": False},
                target_opset=OPSET,
            )
    except Exception as error:
        name = type(split_steps(estimator)[1]).__name__
        raise TypeError(
            f"No converter makes this model an ONNX graph ({name}, "
            f"{type(error).__name__}: {_shorten(str(error))}). Use a student such as "
            "MLPClassifier, LogisticRegression or LGBMClassifier, behind imputation, "
            "scaling and one-hot encoding of scikit-learn."
        ) from error


def _shorten(text: str, length: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[:length] + " ..."


def _prepare(estimator: Any) -> Any:
    """Tasks around what the converters do not take, on copies."""
    if isinstance(estimator, Pipeline):
        *steps, (name, last) = estimator.steps
        return Pipeline([*steps, (name, _prepare(last))])
    if isinstance(estimator, FrozenEstimator):
        return _prepare(estimator.estimator)
    if isinstance(estimator, DistilledClassifier):
        return _prepare(estimator.student_)
    if isinstance(estimator, VotingClassifier):
        estimator = copy.copy(estimator)
        # It shapes `transform` alone, and the converter refuses the default.
        estimator.flatten_transform = False
        estimator.estimators_ = [_prepare(part) for part in estimator.estimators_]
    if isinstance(estimator, HistGradientBoostingClassifier):
        _register_histograms()
    if is_from(estimator, "lightgbm"):
        _register_lightgbm(type(estimator))
        return _name_objective(estimator)
    if is_from(estimator, "xgboost"):
        _register_xgboost(type(estimator))
    return estimator


def is_from(estimator: Any, library: str) -> bool:
    return type(estimator).__module__.split(".")[0] == library


def _register_histograms() -> None:
    """Hand ONNX the integers that it asks for, where skl2onnx says False."""
    skl2onnx = require("skl2onnx")
    forests = require("skl2onnx.operator_converters.random_forest")

    def convert(scope: Any, operator: Any, container: Any) -> None:
        forests.convert_sklearn_random_forest_classifier(
            scope, operator, _IntegerAttributes(container)
        )

    skl2onnx.update_registered_converter(
        HistGradientBoostingClassifier,
        "SklearnHistGradientBoostingClassifier",
        _classifier_shapes(),
        convert,
        options=_OPTIONS,
    )


class _IntegerAttributes:
    """A container of skl2onnx that turns booleans in attributes into integers."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *args: Any, **attributes: Any) -> Any:
        name = "nodes_missing_value_tracks_true"
        if name in attributes:
            attributes[name] = [int(value) for value in attributes[name]]
        return self._container.add_node(*args, **attributes)


def _register_lightgbm(kind: type) -> None:
    skl2onnx = require("skl2onnx")
    module = require("onnxmltools.convert.lightgbm.operator_converters.LightGbm")
    skl2onnx.update_registered_converter(
        *(kind, "LightGbmLGBMClassifier"),
        *(_classifier_shapes(), module.convert_lightgbm),
        options=_OPTIONS,
    )


def _register_xgboost(kind: type) -> None:
    skl2onnx = require("skl2onnx")
    module = require("onnxmltools.convert.xgboost.operator_converters.XGBoost")
    skl2onnx.update_registered_converter(
        *(kind, "XGBoostXGBClassifier"),
        *(_classifier_shapes(), module.convert_xgboost),
        options=_OPTIONS,
    )


def _classifier_shapes() -> Any:
    shapes = require("skl2onnx.common.shape_calculator")
    return shapes.calculate_linear_classifier_output_shapes


def _name_objective(learner: Any) -> Any:
    """Call soft-label cross-entropy by the name of the same sigmoid, on a copy."""
    booster = learner.booster_
    text = booster.model_to_string()
    soft, hard = "objective=cross_entropy\n", "objective=binary sigmoid:1\n"
    if soft not in text:
        return learner
    renamed = copy.copy(learner)
    renamed._Booster = type(booster)(model_str=text.replace(soft, hard, 1))
    renamed._objective = "binary"
    return renamed


def register_distilled() -> None:
    """Let skl2onnx convert a DistilledClassifier as its student.

    Without skl2onnx there is nothing to tell.
    """
    try:
        import skl2onnx
    except ImportError:
        return
    skl2onnx.update_registered_converter(
        *(DistilledClassifier, "SkdistillDistilledClassifier"),
        *(_classifier_shapes(), _refuse_conversion),
        options=_OPTIONS,
        parser=_parse_student,
    )


def _parse_student(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> Any:
    """Put the student in the place of the DistilledClassifier."""
    parse = require("skl2onnx._parse")
    student = _prepare(model.student_)
    options = (scope.options or {}).get(id(model))
    if options is not None:
        scope.options[id(split_steps(student)[1])] = options
    return parse._parse_sklearn(scope, student, inputs, custom_parsers)


def _refuse_conversion(scope: Any, operator: Any, container: Any) -> None:
    raise AssertionError("the parser replaces a DistilledClassifier by its student")
