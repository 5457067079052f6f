"""What the student learns: which rows, whose labels, at what temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from ._calibration import Calibration
from ._problem import Problem
from ._rows import take_rows
from ._students import SoftData, blends_labels, choose_temperature
from ._targets import FloatArray, class_priors, soft_targets
from ._transfer_set import TransferSet


@dataclass(frozen=True)
class Recipe:
    """One way to teach the student.

    Attributes
    ----------
    name : str
        For the report.
    augmented : bool
        Whether synthetic rows are learned.
    alpha, temperature : float
        As in DistilledClassifier.
    """

    name: str
    augmented: bool
    alpha: float
    temperature: float


def list_recipes(problem: Problem) -> list[Recipe]:
    """Return the ways that the parameters leave open, the preferred one first."""
    free = problem.chooses
    augmented = problem.sampler is not None and (free or problem.augmenter != "auto")
    alpha = 1.0 if problem.alpha == "auto" else float(problem.alpha)

    def soften(rows_added: bool) -> float:
        if problem.temperature != "auto":
            return float(problem.temperature)
        # A transfer set tells the teacher's function where no label could, and needs
        # no softening for it (`benchmarks/quality.py`).
        if rows_added:
            return 1.0
        return choose_temperature(problem.student, len(problem.classes))

    recipes = [Recipe("transfer set", True, alpha, soften(True))] * augmented
    if not augmented or free:
        recipes.append(Recipe("training rows", False, alpha, soften(False)))
    if free and problem.alpha == "auto" and blends_labels(problem.student):
        recipes.append(Recipe("half true labels", False, 0.5, soften(False)))
        recipes.append(Recipe("true labels", False, 0.0, 1.0))
    return recipes


def soften_labels(
    problem: Problem,
    rows: NDArray[np.intp],
    proba: FloatArray,
    recipe: Recipe,
    calibration: Calibration | None,
) -> SoftData:
    """Turn the labels of some training rows into what the student learns."""
    targets = _soften(problem, proba, problem.codes[rows], recipe, calibration)
    n_samples = len(problem.y)
    params = {
        name: take_rows(value, rows, n_samples)
        for name, value in problem.student_params.items()
    }
    weight = params.pop("sample_weight", None)
    X = problem.X if len(rows) == n_samples else _safe_indexing(problem.X, rows)
    return SoftData(X, targets, problem.classes, problem.y[rows], weight, params)


def soften_transfer_set(
    problem: Problem,
    transfer: TransferSet,
    proba: FloatArray,
    recipe: Recipe,
    calibration: Calibration | None,
) -> SoftData:
    """As for training rows, but there are no true labels to blend in."""
    codes = proba.argmax(axis=1)
    unblended = replace(recipe, alpha=1.0)
    targets = _soften(problem, proba, codes, unblended, calibration)
    # Weights that the student was not to have must not come in by this door.
    weighted = "sample_weight" in problem.student_params
    weight = transfer.weight if weighted else None
    return SoftData(
        transfer.X, targets, problem.classes, problem.classes[codes], weight
    )


def _soften(
    problem: Problem,
    proba: FloatArray,
    codes: NDArray[np.intp],
    recipe: Recipe,
    calibration: Calibration | None,
) -> FloatArray:
    return soft_targets(
        proba,
        codes,
        prior=class_priors(problem.codes, len(problem.classes), problem.weight),
        alpha=recipe.alpha,
        temperature=recipe.temperature,
        calibrate=None if calibration is None else calibration.apply,
    )
