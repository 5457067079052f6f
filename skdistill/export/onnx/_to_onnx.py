"""One ONNX model of a whole pipeline: what a user asks for."""

from __future__ import annotations

from typing import Any

from ..._files import write_file
from .._libraries import import_for_onnx

#: How weights can be stored.
_QUANTIZE = ("float16", "int8-weights")
_WRITTEN = {
    *("classes", "classes_dtype", "feature_names", "n_features", "inputs"),
    *("accepts", "opset", "versions", "scores", "quantization"),
}


def to_onnx(
    estimator: Any,
    X_example: Any,
    y_example: Any = None,
    *,
    quantize: str | None = None,
    tolerance: float = 0.002,
    grouped: bool = False,
    standard_operators: bool = False,
    path: Any = None,
    metadata: dict[str, Any] | None = None,
) -> Any:
    """Convert a fitted model with all of its preprocessing to one ONNX model.

    The model is run on the example rows and compared with `predict_proba` (every
    probability within 1e-5) and `predict` before it is returned or written, and on
    rows outside of them: with missing values, categories that no row has, and 10 times
    the range (there within 1e-3). Values of a regressor may be off by a thousandth of
    their standard deviation, and by a hundredth at 10 times the range.

    Parameters
    ----------
    estimator : estimator
        Fitted; a :class:`~skdistill.DistilledClassifier` or a search is converted
        as what it serves, see :func:`slim`.
    X_example : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows like those to be served, a few hundred or more: they decide the inputs
        and verify the model. Columns with names may come in any order.
    y_example : array-like of shape (n_samples,), default=None
        True labels, against which the estimator, its teacher and a quantised model
        are scored; best of rows that were held out. None: a quantised model is scored
        against the labels that the estimator predicts.
    quantize : {"float16", "int8-weights"}, default=None
        Store the weights of a network or linear model in 16 or 8 bits. It computes in
        float32, at the same speed.
    tolerance : float, default=0.002
        How much accuracy a quantised model may lose on the example rows; a regressor
        may gain so much RMSE, in standard deviations of the values.
    grouped : bool, default=False
        Whether a table with strings is two inputs in place of one a column, which is
        faster for a single row.
    standard_operators : bool, default=False
        Whether the graph has operators of ONNX alone, and none of its ``ai.onnx.ml``
        domain, which runtimes of browsers, phones and accelerators lack. A table of
        numbers, in which categories are integers; networks, linear models and trees,
        behind imputation, scaling, encoding, selection or projection.
    path : str or path-like, default=None
        Where to write the model; the file appears whole or not at all.
    metadata : dict, default=None
        More to write into the model, such as a date; values that JSON can hold.

    Returns
    -------
    model : onnx.ModelProto
        A classifier has the outputs ``label``, of shape (n,), and ``probabilities``, of
        shape (n, n_classes). A regressor has the output ``values``, of shape
        (n, n_outputs), float32, or double where values lie too far from 0 for float32
        to hold their spread. Both have JSON in their `metadata_props`: classes, feature
        names, which numbers may be missing, opset, versions, the scores of student and
        teacher (with `y_example`), and those before and after quantisation.

    Raises
    ------
    ImportError
        onnx, onnxruntime or a converter is not installed.
    TypeError
        No converter takes a part of the model, or a column is of no known type.
    ValueError
        The model differs from the estimator (the message says in which row, or where
        outside of the rows), or lost more accuracy than `tolerance`. `X_example` has
        other columns than those fitted on, or `y_example` another length.

    Warns
    -----
    UserWarning
        The model differs where a number is missing; :class:`OnnxClassifier` and
        :class:`OnnxRegressor` refuse such rows.

    Notes
    -----
    A table of numbers is one input ``X``, float32 of shape (n, n_features); an input
    with a column that float32 can't hold beside its spread, such as the seconds of an
    epoch, identifiers or the coordinates of a town, is double. A table
    that also has strings is one input a column, each of shape (n, 1): float32 for
    numbers and booleans, with NaN where missing, strings with ``""`` where missing.
    A string that is empty, and not missing, is ``"\\ue000"``. It is the other way round
    in a column in which the example has empty strings and no missing ones; ``accepts``
    in the metadata has the positions of these columns as ``empties``.
    With `grouped` it is two inputs, ``numbers`` and ``texts``, each with its columns in
    the table's order, which stand as ``inputs`` in the metadata: each input costs a
    call about half a microsecond. A category that was not in the training rows gives
    NaN where the encoder would raise.

    Imputation, scaling, encoding, selection and projection in front of a network or
    linear model are folded into its first layer. Trees with categories of a categorical
    column (HistGradientBoosting, LightGBM, XGBoost, CatBoost), trees of regressors, and
    trees that the converters make otherwise, are written directly. Everything else goes
    through skl2onnx [1]_, LightGBM and XGBoost through onnxmltools, skorch nets through
    torch.

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
    _check_parameters(quantize, metadata)
    for library in ("onnx", "onnxruntime"):
        import_for_onnx(library)
    # Its modules import onnx, which serving does without.
    from ._make_model import make_model

    model = make_model(
        estimator,
        X_example,
        y_example,
        quantize=quantize,
        tolerance=tolerance,
        grouped=grouped,
        standard=standard_operators,
        metadata=metadata or {},
    )
    if path is not None:
        write_file(path, model.SerializeToString())
    return model


def _check_parameters(quantize: Any, metadata: dict[str, Any] | None) -> None:
    if quantize is not None and quantize not in _QUANTIZE:
        raise ValueError(
            f"quantize must be None or one of {list(_QUANTIZE)}, received {quantize!r}."
        )
    taken = sorted(_WRITTEN & set(metadata or {}))
    if taken:
        raise ValueError(
            f"metadata must not replace what is written anyway; received {taken}. "
            "Choose other keys."
        )
