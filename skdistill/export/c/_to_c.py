"""A fitted model with its preprocessing as one file of C99."""

from __future__ import annotations

import keyword
import re
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..._files import write_file
from ..._nested import find_deployed, find_distilled, split_pipeline
from .._answers import Values, ask
from .._example import arrange_example
from .._reading._dense import read_dense
from .._reading._inputs import Inputs, describe_inputs
from .._reading._native_categories import read_compared
from .._reading._preprocessing import transform_inputs
from .._reading._table import UnsupportedError
from ._body import write_dense, write_loop, write_sort, write_table
from ._check import check_source
from ._source import CSource, fill_in, quote
from ._trees import write_trees

_HEAD = """\
/* @Answers of a model, made by skdistill.export.to_c.

   void @name_@method(@parameters);

   numbers: the columns of numbers, in the order of @name_numbers; NAN if missing.
@about_texts   @answers: @about_answers; NAN where the
   model refuses a category.

   C99; needs math.h and string.h alone, and allocates nothing. */
#include <math.h>
#include <string.h>
"""
_CLASSES = {
    "Answers": "Probabilities",
    "method": "predict_proba",
    "about_answers": "one probability a class, in the order of @name_classes",
}
_VALUES = {
    "Answers": "Values",
    "method": "predict",
    "about_answers": "one value an output, or quantile in ascending order",
}
_ABOUT_TEXTS = """\
   texts: the columns of strings, in UTF-8, in the order of @name_texts; NULL if
   missing.
"""
#: Words that C keeps for itself and Python does not.
_RESERVED = {
    *("auto", "case", "char", "const", "default", "do", "double", "enum", "extern"),
    *("float", "goto", "inline", "int", "long", "register", "restrict", "return"),
    *("short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union"),
    *("unsigned", "void", "volatile"),
}


def to_c(
    estimator: Any,
    X_example: Any,
    path: Any = None,
    *,
    name: str = "model",
    check: bool | str = "auto",
) -> str:
    """Write a fitted model with all of its preprocessing as one C99 file.

    The function ``model_predict_proba`` computes the probabilities of one row. The
    function of a regressor, ``model_predict``, computes its values, sorted where they
    are quantiles. It needs ``math.h`` and ``string.h`` alone and allocates nothing.

    The file is compiled and compared with `predict_proba` or `predict` before it is
    returned or written, on the example rows and on rows outside of them, as
    :func:`to_onnx` compares.

    Parameters
    ----------
    estimator : estimator
        Fitted; a :class:`~skdistill.DistilledClassifier` or a search is written as
        what it serves. A network or linear model of scikit-learn, a tree or a forest,
        GradientBoosting, HistGradientBoosting, LightGBM, XGBoost (the booster "gbtree")
        or CatBoost, or a MultiOutputRegressor of such trees or linear models, behind
        imputation, scaling, encoding, selection or projection.
    X_example : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows like those to be served, a few hundred or more: they decide which columns
        are strings, and verify the file.
    path : str or path-like, default=None
        Where to write the file; it appears whole or not at all.
    name : str, default="model"
        What the names of the file begin with, an identifier of C.
    check : bool or "auto", default="auto"
        Whether to compare, which takes a C compiler for this machine: that of the
        environment variable ``CC``, else ``cc``, ``gcc`` or ``clang``. "auto": where
        there is one.

    Returns
    -------
    source : str
        The content of the file.

    Raises
    ------
    TypeError
        A part of the model is of another kind.
    ValueError
        A category or label can't be a string of C, the name is no identifier, or the
        file differs from the estimator (the message says in which row, or where
        outside of the rows).
    RuntimeError
        There is no compiler, and `check` is True.

    Warns
    -----
    UserWarning
        There is no compiler, and `check` is "auto": nothing was compared.

    Notes
    -----
    Columns of numbers, in the order of the table, are passed as one array of double,
    with NaN where missing; those of strings as one array of ``const char *``, in
    UTF-8, with NULL where missing. Where there are no strings, there is no such
    parameter. ``model_numbers``, ``model_texts`` and ``model_classes`` name the
    columns and the labels.

    Numbers are written in hexadecimal, to the last bit, and the arithmetic is done in
    double: but for the order of sums, probabilities are those of `predict_proba`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdistill.export import to_c
    >>> X, y = load_iris(return_X_y=True)
    >>> source = to_c(LogisticRegression(max_iter=1000).fit(X, y), X)
    >>> "void model_predict_proba(const double *numbers, double *proba)" in source
    True
    """
    _check_name(name)
    if check not in (True, False, "auto"):
        raise ValueError(f"check must be a bool or 'auto', received {check!r}.")
    check_is_fitted(estimator)
    X_example = arrange_example(estimator, X_example)
    inputs = describe_inputs(X_example)
    served = find_deployed(estimator)
    expected = ask(estimator, X_example)
    source = CSource("values" if isinstance(expected, Values) else "proba")
    n_outputs = expected.outputs.shape[1]
    _write_model(source, served, inputs, n_outputs)
    if getattr(find_distilled(estimator), "quantiles", None) is not None:
        write_sort(source, n_outputs)
    text = _join(source, inputs, expected.classes.tolist(), name)
    if check:
        given = (text, name, estimator, X_example, inputs, expected)
        check_source(*given, required=check is True)
    if path is not None:
        write_file(path, text.encode())
    return text


def _check_name(name: Any) -> None:
    taken = _RESERVED | set(keyword.kwlist)
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)
    if not plain or name in taken:
        raise ValueError(
            "name must be an identifier of C that begins with a letter, received "
            f"{name!r}. Use letters, digits and underscores."
        )


def _write_model(source: CSource, served: Any, inputs: Inputs, n_outputs: int) -> None:
    steps, learner = split_pipeline(served)
    try:
        table = transform_inputs(steps, inputs)
        dense = read_dense(learner)
        if dense is not None:
            if table.keeps_any(inputs.texts):
                raise UnsupportedError("strings that are not encoded")
            write_dense(source, inputs, table, dense)
            return
        trees, compared = read_compared(learner, table, inputs)
    except UnsupportedError as error:
        raise TypeError(
            f"to_c does not take {error}. Use a network, linear model, tree, forest or "
            "boosted trees, behind imputation, scaling, encoding, selection or "
            "projection of scikit-learn; or to_onnx."
        ) from error
    write_trees(source, inputs, compared, trees)
    refused = table.find_refused()
    if refused is not None:
        # NaN where an encoder raises.
        column = write_table(source, inputs, refused)
        write_loop(source, column, n_outputs, "@answers[j] += @to[0];")


def _join(source: CSource, inputs: Inputs, classes: list[Any], name: str) -> str:
    numbers = [inputs.columns[k] for k in inputs.numbers]
    texts = [inputs.columns[k] for k in sorted(inputs.texts)]
    parameters = ["const double *numbers", f"double *{source.answers}"]
    if texts:
        parameters.insert(1, "const char *const *texts")
    words = {
        **(_CLASSES if classes else _VALUES),
        "answers": source.answers,
        "about_texts": _ABOUT_TEXTS if texts else "",
        "parameters": ", ".join(parameters),
        "name": name,
    }
    head = fill_in(_HEAD, words)
    lists = {"numbers": numbers, "texts": texts, "classes": classes}
    named = [
        f"const char *const {name}_{kind}[{len(entries)}] = {{\n    "
        + ",\n    ".join(quote(str(entry)) for entry in entries)
        + "\n};"
        for kind, entries in lists.items()
        if entries
    ]
    given = ["numbers", *(["texts"] if texts else [])]
    unused = [f"(void){g};" for g in given if g not in "\n".join(source.body)]
    body = "\n".join(f"    {line}".rstrip() for line in [*unused, *source.body])
    declared = f"void {name}_{words['method']}({words['parameters']})"
    function = f"{declared}\n{{\n{body}\n}}"
    return "\n\n".join([head.rstrip(), *named, *source.tables, function]) + "\n"
