"""What skl2onnx is taught: the converters that it lacks, and distilled classifiers.

Private names: skl2onnx's `_parse_sklearn`, which parses a step as skl2onnx itself does
(without it, `register_with_skl2onnx` is an error), and LightGBM's `_Booster` and
`_objective`, which the converter of onnxmltools reads.
"""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import is_regressor
from sklearn.ensemble import HistGradientBoostingRegressor, VotingClassifier
from sklearn.pipeline import make_pipeline

from ..._classifier import DistilledClassifier
from ..._nested import find_deployed, split_pipeline
from .._libraries import import_for_onnx, is_from
from .._tree_kinds import Histograms

#: Options that skl2onnx lets a caller set for a classifier.
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}


#: Converters of onnxmltools: module, function, and their name in skl2onnx.
_CONVERTERS = {
    "lightgbm": ("LightGbm", "convert_lightgbm", "LightGbmLGBM"),
    "xgboost": ("XGBoost", "convert_xgboost", "XGBoostXGB"),
}


#: Where meta-estimators keep what is fitted.
_MEMBERS = {"estimators_", "final_estimator_", "calibrated_classifiers_"}


def prepare(estimator: Any) -> Any:
    """Return a copy in which the converters take every part."""
    estimator = find_deployed(estimator)
    steps, learner = split_pipeline(estimator)
    if learner is not estimator:
        learner = prepare(learner)
        return make_pipeline(*steps, learner) if steps else learner
    if isinstance(estimator, VotingClassifier):
        estimator = copy.copy(estimator)
        # It shapes `transform` alone, and the converter refuses the default.
        estimator.flatten_transform = False
    estimator = _prepare_members(estimator)
    if isinstance(estimator, Histograms):
        _register_histograms(type(estimator))
    for library, (module, function, name) in _CONVERTERS.items():
        if is_from(estimator, library):
            path = f"onnxmltools.convert.{library}.operator_converters.{module}"
            convert = getattr(import_for_onnx(path), function)
            values = is_regressor(estimator)
            name += "Regressor" if values else "Classifier"
            register(type(estimator), name, convert, values=values)
    renamed = is_from(estimator, "lightgbm") and not is_regressor(estimator)
    return _name_objective(estimator) if renamed else estimator


def _prepare_members(estimator: Any) -> Any:
    """Return a copy of a meta-estimator whose members are prepared."""
    names = {*_MEMBERS}
    # Others keep what they clone.
    if hasattr(estimator, "calibrators"):
        names.add("estimator")
    elif not hasattr(estimator, "estimators_"):
        names.add("estimator_")
    changed = {}
    for name in sorted(names & vars(estimator).keys()):
        value = getattr(estimator, name)
        # Gradient boosting keeps an array of trees.
        if isinstance(value, list):
            changed[name] = [prepare(part) for part in value]
        elif hasattr(value, "predict"):
            changed[name] = prepare(value)
    if changed:
        estimator = copy.copy(estimator)
        vars(estimator).update(changed)
    return estimator


def _register_histograms(kind: type) -> None:
    """Give ONNX the integers that it asks for, where skl2onnx writes False."""
    forests = import_for_onnx("skl2onnx.operator_converters.random_forest")
    values = kind is HistGradientBoostingRegressor
    name = "regressor_converter" if values else "classifier"
    write = getattr(forests, f"convert_sklearn_random_forest_{name}")

    def convert(scope: Any, operator: Any, container: Any) -> None:
        write(scope, operator, _IntegerAttributes(container))

    register(kind, f"Sklearn{kind.__name__}", convert, values=values)


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


def register(
    kind: type, name: str, convert: Any, parser: Any = None, values: bool = False
) -> None:
    """Register the converter of a classifier, or of a regressor, with skl2onnx."""
    shapes = import_for_onnx("skl2onnx.common.shape_calculator")
    import_for_onnx("skl2onnx").update_registered_converter(
        kind,
        name,
        shapes.calculate_linear_regressor_output_shapes
        if values
        else shapes.calculate_linear_classifier_output_shapes,
        convert,
        options=None if values else OPTIONS,
        parser=parser,
    )


def register_with_skl2onnx() -> None:
    """Let skl2onnx convert a DistilledClassifier as its student.

    For a caller of skl2onnx, once a process; :func:`to_onnx` does without.

    Raises
    ------
    ImportError
        skl2onnx is not installed, or of a release that can't be extended.

    Examples
    --------
    >>> from skdistill.export import register_with_skl2onnx
    >>> register_with_skl2onnx()
    """
    _find_parser()
    name = "SkdistillDistilledClassifier"
    register(DistilledClassifier, name, _refuse_conversion, _parse_student)


def _parse_student(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> Any:
    """Put the student in the place of the DistilledClassifier."""
    student = prepare(model)
    options = (scope.options or {}).get(id(model))
    if options is not None:
        scope.options[id(split_pipeline(student)[1])] = options
    return _find_parser()(scope, student, inputs, custom_parsers)


def _find_parser() -> Any:
    module = import_for_onnx("skl2onnx._parse")
    if not hasattr(module, "_parse_sklearn"):
        raise ImportError(
            "register_with_skl2onnx needs skl2onnx._parse._parse_sklearn, which the "
            "installed skl2onnx lacks. Use to_onnx, or an earlier release of skl2onnx."
        )
    return module._parse_sklearn


def _refuse_conversion(scope: Any, operator: Any, container: Any) -> None:
    raise AssertionError("the parser replaces a DistilledClassifier by its student")


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
