"""What the student learns: which rows, whose labels, at what temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._frames import take_rows
from .._labels._calibration import Calibration
from .._labels._soft_targets import class_priors, soft_targets
from .._problem import Problem
from .._sklearn import _safe_indexing
from .._soft_data import SoftDataset
from .._students import (
    blends_labels,
    choose_temperature,
    learns_in_epochs,
    refits_leaves,
    validation_fraction,
)
from .._typing import FloatArray
from ..transfer import Munge, Spunge
from ..transfer._transfer_set import TransferSet


@dataclass(frozen=True)
class Candidate:
    """One way to teach the student.

    Attributes
    ----------
    name : str
        For the report.
    sampler : estimator or None
        Makes the synthetic rows; unfitted.
    alpha, temperature : float
        As in DistilledClassifier.
    in_sample : bool
        Whether the teacher's labels of the rows that it was fitted on are learned.
    """

    name: str
    sampler: Any
    alpha: float
    temperature: float
    in_sample: bool = True

    @property
    def augmented(self) -> bool:
        """Whether synthetic rows are learned."""
        return self.sampler is not None


def _list_transfer_sets(problem: Problem) -> list[tuple[str, Any, bool]]:
    """Name, sampler, and whether the teacher's own rows are learned as well.

    How far from its parents a row should be depends on the noise. The teacher knows
    the labels of its rows by heart, and what it says of rows close by is half those
    labels: the best lesson where they are certain, and the worst where they are not.
    """
    if not problem.chooses:
        return [("transfer set", problem.sampler, True)]
    sets = [
        ("transfer set", problem.sampler, True),
        ("wide transfer set", Munge(p=0.5, n_neighbors=10), False),
        ("far transfer set", Spunge(p=0.5), False),
    ]
    if learns_in_epochs(problem.student):
        return sets
    # The pilots of other students are as long as their fits. Trees that grow on real
    # rows take no harm from how close the others are.
    return sets[:1] if refits_leaves(problem.student) else [sets[0], sets[2]]


def list_candidates(problem: Problem) -> list[Candidate]:
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

    candidates = []
    if augmented:
        candidates = [
            Candidate(name, sampler, alpha, soften(True), in_sample)
            for name, sampler, in_sample in _list_transfer_sets(problem)
        ]
    blends = free and problem.alpha == "auto" and blends_labels(problem.student)
    # Of a network's short pilots each costs the others part of their length.
    short = augmented and blends and learns_in_epochs(problem.student)
    if not augmented or (free and not short):
        candidates.append(Candidate("training rows", None, alpha, soften(False)))
    if blends and not short:
        candidates.append(Candidate("half true labels", None, 0.5, soften(False)))
    if blends:
        candidates.append(Candidate("true labels", None, 0.0, 1.0))
    return candidates


def stops_early(problem: Problem, candidate: Candidate) -> bool:
    """Whether rows are held out of the student's fit, and end it.

    They are where the student asks for it. A network that learns the true labels also
    stops early, for the longer it learns them, the worse.
    """
    student = problem.student
    return validation_fraction(student, len(problem.y)) is not None or (
        problem.chooses
        and candidate.alpha == 0
        and not candidate.augmented
        and learns_in_epochs(student)
    )


def soften_labels(
    problem: Problem,
    rows: NDArray[np.intp],
    proba: FloatArray,
    candidate: Candidate,
    calibration: Calibration | None,
) -> SoftDataset:
    """Turn the labels of some training rows into what the student learns."""
    targets = _soften(problem, proba, problem.codes[rows], candidate, calibration)
    n_samples = len(problem.y)
    params = {
        name: take_rows(value, rows, n_samples)
        for name, value in problem.student_params.items()
    }
    weight = params.pop("sample_weight", None)
    X = problem.X if len(rows) == n_samples else _safe_indexing(problem.X, rows)
    return SoftDataset(X, targets, problem.classes, problem.y[rows], weight, params)


def soften_transfer_set(
    problem: Problem,
    transfer: TransferSet,
    proba: FloatArray,
    candidate: Candidate,
    calibration: Calibration | None,
) -> SoftDataset:
    """As for training rows, but there are no true labels to blend in."""
    codes = proba.argmax(axis=1)
    unblended = replace(candidate, alpha=1.0)
    targets = _soften(problem, proba, codes, unblended, calibration)
    # Weights that the student was not to have must not come in by this door.
    weighted = "sample_weight" in problem.student_params
    weight = transfer.weight if weighted else None
    return SoftDataset(
        transfer.X,
        targets,
        problem.classes,
        problem.classes[codes],
        weight,
        synthetic=transfer.synthetic,
    )


def _soften(
    problem: Problem,
    proba: FloatArray,
    codes: NDArray[np.intp],
    candidate: Candidate,
    calibration: Calibration | None,
) -> FloatArray:
    return soft_targets(
        proba,
        codes,
        prior=class_priors(problem.codes, len(problem.classes), problem.weight),
        alpha=candidate.alpha,
        temperature=candidate.temperature,
        calibrate=None if calibration is None else calibration.apply,
    )
