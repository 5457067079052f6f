"""One ONNX model of a whole pipeline, verified before it is written."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .._require import require
from .._scores import refuse_loss, score_answers, score_teacher
from .._slim import unwrap
from ._columns import Inputs, describe_inputs
from ._convert import build_models
from ._graph import OPSET
from ._quantize import MOST_FUSED, check_quantize, quantize_model
from ._verify import Reference, find_difference, run_model

_PACKAGES = ("skdistill", "scikit-learn", "onnx", "skl2onnx", "onnxruntime")
_WRITTEN = {
    *("classes", "feature_names", "n_features", "inputs"),
    *("opset", "versions", "scores", "quantization"),
}


def to_onnx(
    estimator: Any,
    X_example: Any,
    y_example: Any = None,
    *,
    quantize: str | None = None,
    tolerance: float = 0.002,
    grouped: bool = False,
    path: Any = None,
    metadata: dict[str, Any] | None = None,
) -> Any:
    """Convert a fitted model with all of its preprocessing to one ONNX model.

    The model is run on the example rows and compared with `predict_proba` (every
    probability within 1e-5) and `predict` before it is returned or written.

    Parameters
    ----------
    estimator : estimator
        Fitted; a :class:`~skdistill.DistilledClassifier` or a search is converted
        as what it serves, see :func:`slim`.
    X_example : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows like those to be served, a few hundred or more: they decide the inputs
        and verify the model.
    y_example : array-like of shape (n_samples,), default=None
        True labels, against which the estimator, its teacher and a quantised model
        are scored; best of rows that were held out. None: a quantised model is scored
        against the labels that the estimator predicts.
    quantize : {"float16", "int8-weights"}, default=None
        Store the weights of a network or linear model in 16 or 8 bits. It computes in
        float32, at the same speed.
    tolerance : float, default=0.002
        How much accuracy a quantised model may lose on the example rows.
    grouped : bool, default=False
        Whether a table with strings is two inputs in place of one a column, which is
        faster for a single row: see Notes.
    path : str or path-like, default=None
        Where to write the model; the file appears whole or not at all.
    metadata : dict, default=None
        More to write into the model, such as a date; values as JSON takes them.

    Returns
    -------
    model : onnx.ModelProto
        With the outputs ``label``, of shape (n,), and ``probabilities``, of shape
        (n, n_classes), and with JSON in its `metadata_props`: classes, feature
        names, opset, versions, accuracy and log loss of student and teacher (with
        `y_example`), and those before and after quantisation.

    Raises
    ------
    ImportError
        onnx, onnxruntime or a converter is not installed.
    TypeError
        No converter takes a part of the model, or a column is of no known type.
    ValueError
        The model differs from the estimator (the message says in which row), or
        lost more accuracy than `tolerance`.

    Notes
    -----
    A table of numbers is one input ``X``, float32 of shape (n, n_features). A table
    that also has strings is one input a column, each of shape (n, 1): float32 for
    numbers and booleans, with NaN where missing, strings with ``""`` where missing.
    With `grouped` it is two inputs, ``numbers``, of shape (n, n_numbers), and
    ``texts``, of shape (n, n_strings), each with its columns in the table's order,
    which stand as ``inputs`` in the metadata: each input costs a call about half a
    microsecond.
    A level that a :class:`~sklearn.preprocessing.OneHotEncoder` was never shown
    gives NaN where the encoder would raise.

    Of a network or a linear model, imputation, scaling, encoding, selection and
    projection are folded into the first layer. Everything else goes through skl2onnx
    [1]_, LightGBM and XGBoost through onnxmltools, skorch nets through torch.

    Serve it in four lines::

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession("model.onnx", options)
        label, proba = session.run(None, {"X": X.astype("float32")})

    References
    ----------
    .. [1] https://onnx.ai/sklearn-onnx/

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> model = to_onnx(pipeline, X)
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Softmax', 'ArgMax']
    """
    served = unwrap(estimator)
    check_quantize(quantize)
    for library in ("onnx", "onnxruntime"):
        require(library)
    _check_metadata(metadata)
    inputs = describe_inputs(X_example, grouped)
    reference = Reference(estimator, X_example)
    classes = reference.find_classes(estimator)
    feed = inputs.feed(X_example)
    most_fused = np.inf if quantize is None else MOST_FUSED
    models = build_models(served, inputs, classes, most_fused=most_fused)
    model = _take_equal(models, feed, reference)
    entries = dict(metadata or {})
    entries["scores"] = None
    if y_example is not None:
        own = score_answers(y_example, reference.label, reference.proba, classes)
        teacher = score_teacher(estimator, X_example, y_example)
        entries["scores"] = {"student": own, "teacher": teacher}
    if quantize is not None:
        model = quantize_model(model, quantize, feed)
        y = reference.label if y_example is None else y_example
        before = score_answers(y, reference.label, reference.proba, classes)
        after = score_answers(y, *run_model(model, feed), classes)
        refuse_loss(f"quantize={quantize!r}", before, after, tolerance)
        entries["quantization"] = {"kind": quantize, "scores": [before, after]}
    _write_metadata(model, classes, inputs, entries)
    if path is not None:
        _write_file(model.SerializeToString(), path)
    return model


def _take_equal(models: Any, feed: dict[str, Any], reference: Reference) -> Any:
    """Return the first model that answers as the estimator does."""
    difference: str | None = ""
    for model in models:
        difference = find_difference(model, feed, reference)
        if difference is None:
            return model
    raise ValueError(
        f"The ONNX model must equal predict_proba; {difference}. Nothing was written. "
        "ONNX computes in float32. Where a tree's threshold falls between two numbers "
        "that float32 can't tell apart, leave out the scaling in front of the trees, "
        "which they do not need, and fit on X.astype('float32'); in front of other "
        "models, scale columns of very different sizes."
    )


def _check_metadata(metadata: dict[str, Any] | None) -> None:
    taken = sorted(_WRITTEN & set(metadata or {}))
    if taken:
        raise ValueError(
            f"metadata must not replace what is written anyway; received {taken}. "
            "Choose other keys."
        )


def _write_metadata(
    model: Any, classes: Any, inputs: Inputs, metadata: dict[str, Any]
) -> None:
    entries: dict[str, Any] = {
        "classes": classes.tolist(),
        "feature_names": list(inputs.columns) if inputs.named else None,
        "n_features": len(inputs.columns),
        "inputs": _list_columns(inputs),
        "opset": OPSET[""],
        "versions": _list_versions(),
    }
    texts = {key: json.dumps(value) for key, value in (entries | metadata).items()}
    require("onnx.helper").set_model_props(model, texts)


def _list_columns(inputs: Inputs) -> dict[str, list[str]] | None:
    """Columns of each input, where that is not plain from its name."""
    if not inputs.is_grouped:
        return None
    columns = inputs.columns
    return {name: [columns[k] for k in held] for name, held in inputs.parts.items()}


def _list_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _write_file(content: bytes, path: Any) -> None:
    """Write next to the target, then move: a reader never sees half a file."""
    path = os.fspath(path)
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
