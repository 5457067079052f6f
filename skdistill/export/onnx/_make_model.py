"""One ONNX model of a whole pipeline, verified and scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from onnx.helper import set_model_props
from sklearn.utils.validation import check_is_fitted

from ..._files import list_versions
from ..._labels._probabilities import align
from ..._nested import find_deployed, find_distilled, transform_before
from .._answers import Answers, Values, ask
from .._example import arrange_example, check_labels, explain_zeros
from .._probe import INFINITE, MISSING, Outside, list_outside
from .._reading._inputs import Inputs
from ._convert import build_models, list_labels
from ._equal import ask_model, list_ways, take_equal
from ._graph import OPSET
from ._quantize import quantize_model
from ._standard import keep_standard
from ._targets import ClassTarget, Target, ValueTarget, find_offsets, sort_values

#: Number of weights up to which the last layer is one node with its probabilities,
#: where weights are to be quantised: that node holds float32 alone.
_MOST_FUSED = 256
_PACKAGES = ("skdistill", "scikit-learn", "onnx", "skl2onnx", "onnxruntime")


def make_model(
    estimator: Any,
    X_example: Any,
    y_example: Any,
    *,
    quantize: str | None,
    tolerance: float,
    grouped: bool,
    standard: bool,
    metadata: dict[str, Any],
) -> Any:
    """Make the model of `to_onnx`, whose arguments these are."""
    check_is_fitted(estimator)
    check_labels(y_example, X_example)
    X_example = arrange_example(estimator, X_example)
    served = find_deployed(estimator)
    ways = list_ways(X_example, grouped)
    quantiles = getattr(find_distilled(estimator), "quantiles", None)
    # Against its own answers, quantiles are scored as values.
    expected = ask(estimator, X_example, None if y_example is None else quantiles)
    ways[0].check_names(expected.names)
    build = _make_builder(served, expected, quantize, standard, quantiles)
    outside = list_outside(partial(expected.predict, estimator), X_example, ways[0])
    if isinstance(expected, Values):
        # What serves its file refuses infinite numbers.
        outside = [part for part in outside if part.kind != INFINITE]
    explain = partial(explain_zeros, estimator, X_example)
    given = (ways, build, X_example, expected, outside, explain)
    model, inputs, equal = take_equal(*given)
    feed, reference = inputs.feed(X_example), expected
    if isinstance(expected, Values):
        # They are scored as the file serves them.
        reference = ask_model(model, feed, expected)
    entries: dict[str, Any] = {
        "accepts": _list_accepted(inputs, equal),
        "scores": None,
    }
    if y_example is not None:
        teacher = _score_teacher(estimator, X_example, y_example, expected)
        student = reference.score(y_example)
        entries["scores"] = {"student": student, "teacher": teacher}
    if quantize is not None:
        model = quantize_model(model, quantize, feed)
        truth = expected.truth if y_example is None else y_example
        before = reference.score(truth)
        after = ask_model(model, feed, expected).score(truth)
        expected.refuse_loss(f"quantize={quantize!r}", before, after, tolerance, truth)
        entries["quantization"] = {"kind": quantize, "scores": [before, after]}
    _write_metadata(model, expected.classes, inputs, entries | metadata)
    return model


def _make_builder(
    served: Any,
    expected: Answers | Values,
    quantize: str | None,
    standard: bool,
    quantiles: Any,
) -> Callable[[Inputs], Iterable[Any]]:
    """Return what makes the candidates for inputs."""
    target: Target
    if isinstance(expected, Values):
        target = ValueTarget(expected.outputs.shape[1], find_offsets(expected))
    else:
        most_fused = np.inf if quantize is None else _MOST_FUSED
        most_fused = -1 if standard else most_fused
        target = ClassTarget(list_labels(expected.classes), most_fused)

    def build(inputs: Inputs) -> Iterable[Any]:
        models: Iterable[Any] = build_models(served, inputs, target)
        models = keep_standard(models, inputs) if standard else models
        return models if quantiles is None else map(sort_values, models)

    return build


def _list_accepted(inputs: Inputs, equal: list[Outside]) -> dict[str, Any]:
    """Return the columns that may be missing, infinite or large, or in which "" is."""
    columns = {
        kind: [part.column for part in equal if part.kind == kind]
        for kind in (MISSING, INFINITE)
    }
    return {
        **columns,
        "double": sorted(inputs.offsets),
        "empties": sorted(inputs.empties),
    }


def _score_teacher(
    estimator: Any, X: Any, y: Any, expected: Answers | Values
) -> dict[str, float] | None:
    """Return the scores of the teacher inside a fitted estimator, if there is one."""
    distilled = find_distilled(estimator)
    if distilled is None or distilled.teacher_ is None:
        return None
    teacher, rows = distilled.teacher_, transform_before(estimator, X)
    outputs = expected.predict(teacher, rows)
    if isinstance(expected, Values):
        return replace(expected, outputs=outputs).score(y)
    classes = distilled.classes_
    proba = align(outputs, teacher.classes_, classes)
    return Answers(classes[proba.argmax(axis=1)], proba, classes).score(y)


def _write_metadata(
    model: Any, classes: Any, inputs: Inputs, metadata: dict[str, Any]
) -> None:
    entries: dict[str, Any] = {
        "classes": classes.tolist(),
        "classes_dtype": "object" if classes.dtype.kind == "O" else classes.dtype.str,
        "feature_names": list(inputs.columns) if inputs.named else None,
        "n_features": len(inputs.columns),
        # Where the columns of an input are not plain from its name.
        "inputs": {
            name: [inputs.columns[k] for k in held]
            for name, held in inputs.parts.items()
        }
        if inputs.is_grouped
        else None,
        "opset": OPSET[""],
        "versions": list_versions(_PACKAGES),
    }
    texts = {key: json.dumps(value) for key, value in (entries | metadata).items()}
    set_model_props(model, texts)
