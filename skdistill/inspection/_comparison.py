"""The comparison that both reports make: models, quality, costs, intervals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from .._nested import find_deployed, find_distilled, replace_last, split_pipeline
from ._costs import compare_costs, export_measured, measure_costs
from ._evaluation_rows import BASELINE, STUDENT, TEACHER, Rows
from ._intervals import measure_gains
from ._report import Measured

_METRICS = "Any two models can be compared with the functions of skdistill.metrics."


def find_student(
    estimator: Any, owner: str, *, values: bool, fix: str = _METRICS
) -> Any:
    """Return the distilled classifier, or regressor, of a fitted estimator.

    `owner` is what needs it; `fix` says what to do with an estimator that has none.
    """
    check_is_fitted(estimator)
    distilled = find_distilled(estimator)
    if distilled is not None and is_regressor(distilled) == values:
        return distilled
    received = f"{type(estimator).__name__} without one"
    if distilled is not None:
        received = f"a {type(distilled).__name__}"
        fix = f"Use {'distillation_report' if values else 'regression_report'}."
    raise TypeError(
        f"{owner} needs a fitted Distilled{'Regressor' if values else 'Classifier'}, "
        "alone, at the end of a Pipeline or as the best_estimator_ of a search; got "
        f"{received}. {fix}"
    )


def find_teacher(estimator: Any, distilled: Any, stored: Any, name: str) -> Any:
    """Return the teacher as it would be deployed; None where it is not kept.

    `stored` are the answers given in its place, by the parameter `name`.
    """
    if distilled.teacher_ is not None:
        return replace_last(estimator, distilled.teacher_)
    if stored is None:
        raise ValueError(
            "A report compares a student with its teacher; this one learned from "
            f"stored answers, so teacher_ is None, and {name} was not given. Pass "
            f"{name}=, what the teacher says of these rows, columns in the order of "
            "the student's."
        )
    return None


def list_models(teacher: Any, baseline: Any, estimator: Any) -> dict[str, Any]:
    """Return the models as they are deployed, in their order."""
    models = {TEACHER: teacher}
    if baseline is not None:
        models[BASELINE] = find_deployed(baseline)
    return models | {STUDENT: find_deployed(estimator)}


def compare(
    rows: Rows,
    models: dict[str, Any],
    X: Any,
    distilled: Any,
    measure: Callable[[str], dict[str, Any]],
    intervals: tuple[int, Any, int | None],
) -> dict[str, Any]:
    """Return what both reports hold; `measure` gives the quality of a model."""
    against_teacher, against_baseline, shares = measure_gains(rows, *intervals)
    figures = {
        name: {**measure(name), **measure_costs(model, X)}
        for name, model in models.items()
    }
    onnx, costs = export_measured(models[STUDENT], X)
    figures[STUDENT] |= costs
    return {
        "n_rows": len(rows.weight),
        "models": figures,
        "descriptions": {
            name: "stored" if model is None else type(split_pipeline(model)[1]).__name__
            for name, model in models.items()
        },
        "against_teacher": against_teacher,
        "against_baseline": against_baseline,
        "share_recovered": shares,
        "ratios": compare_costs(figures[TEACHER], figures[STUDENT]),
        "distilled": bool(distilled.distilled_),
        "memorization": copy.deepcopy(distilled.memorization_),
        "pilots": copy.deepcopy(distilled.pilots_),
        "_measured": Measured(rows, models.get(BASELINE), onnx),
    }
