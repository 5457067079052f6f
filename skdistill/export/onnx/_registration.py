"""Importing this module lets skl2onnx convert a DistilledClassifier as its student.

Nothing happens where skl2onnx is not installed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..._classifier import DistilledClassifier
from ..._nested import split_pipeline
from .._libraries import import_for_onnx
from ._skl2onnx import prepare, register


def _parse_student(
    scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None
) -> Any:
    """Put the student in the place of the DistilledClassifier."""
    parse = import_for_onnx("skl2onnx._parse")
    student = prepare(model)
    options = (scope.options or {}).get(id(model))
    if options is not None:
        scope.options[id(split_pipeline(student)[1])] = options
    return parse._parse_sklearn(scope, student, inputs, custom_parsers)


def _refuse_conversion(scope: Any, operator: Any, container: Any) -> None:
    raise AssertionError("the parser replaces a DistilledClassifier by its student")


with suppress(ImportError):
    name = "SkdistillDistilledClassifier"
    register(DistilledClassifier, name, _refuse_conversion, _parse_student)
