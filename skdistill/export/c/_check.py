"""A C source compared with the estimator that it stands for."""

from __future__ import annotations

from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from ..._warnings import warn_caller
from .._answers import Answers, Values, describe_difference
from .._example import explain_zeros
from .._probe import describe_differing, find_differing, list_outside
from .._reading._inputs import Inputs
from ._library import NoCompilerError, load_model

_ADVICE = (
    "Where a tree's threshold falls between two numbers that float32 can't tell apart, "
    "leave out the scaling in front of the trees, which they do not need."
)


def check_source(
    text: str,
    name: str,
    estimator: Any,
    X: Any,
    inputs: Inputs,
    expected: Answers | Values,
    *,
    required: bool,
) -> None:
    """Raise where a source differs on the rows of a table, or outside of them.

    So it does where the compiler refuses it, or none is found and one is `required`.
    """
    method = expected.method
    function, n_outputs = f"{name}_{method}", expected.outputs.shape[1]
    # A library that is loaded can't be removed everywhere.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            serve = load_model(text, function, inputs, n_outputs, folder)
        except NoCompilerError as error:
            _tell_no_compiler(error, method, required)
            return
    difference = describe_difference(serve(X), expected, "the C file")
    if difference is not None:
        advice = explain_zeros(estimator, X) or _ADVICE
        raise ValueError(
            f"The C file must equal {method}; {difference}. Nothing was written. "
            f"{advice}"
        )
    outside = list_outside(partial(expected.predict, estimator), X, inputs)
    differing = find_differing(serve, outside, expected)
    if differing:
        raise ValueError(
            f"The C file must equal {method} outside of the example too; it differs "
            f"{describe_differing(differing, inputs)}. Nothing was written. Use "
            "another preprocessing or student."
        )


def _tell_no_compiler(error: Exception, method: str, required: bool) -> None:
    text = (
        f"The C file was not compared with {method}, which takes a C compiler for this "
        f"machine; {error}. Install one, name it in CC, or set check=False."
    )
    if required:
        raise RuntimeError(text) from error
    warn_caller(text)
