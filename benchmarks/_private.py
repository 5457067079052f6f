# ruff: noqa: F401
"""All that the benchmarks use of the package's private side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from skdistill._labels import _soft_targets, _teacher
from skdistill._labels._calibration import Calibration, fit_calibration
from skdistill._labels._defaults import (
    default_student,
    default_teacher,
    prepare_columns,
)
from skdistill._labels._soft_targets import clip_probabilities
from skdistill._labels._task import Classification
from skdistill._outofcore import Chunks, _chunks, _spill, _transfer_stream
from skdistill._soft_data import SoftDataset, soften
from skdistill._students._fit_student import fit_student
from skdistill._students._mlp import MLPLearner
from skdistill._students._properties import count_final_epochs
from skdistill._students._soft_learner import MANY_LABELS
from skdistill._students._training_length import count_updates, fit_chosen_length
from skdistill._students._weighted_copies import expand_rows
from skdistill._tasks import Tasks
from skdistill.export.c._library import compile_library, find_compiler
from skdistill.inspection._baseline import fit_directly
from skdistill.transfer import _transfer_set
from skdistill.transfer._neighbors import find_neighborhoods
from skdistill.transfer._transfer_set import choose_ratio, count_rows

#: Functions that do the work of each stage of a fit that is made block by block.
STAGES: dict[str, list[tuple[Any, str]]] = {
    "reading": [(Chunks, "__iter__")],
    "augmenting": [(_transfer_set, "sample_rows"), (_transfer_stream, "sample_rows")],
    "labelling": [(_teacher, "_label_chunk")],
    "writing": [(_spill.Spill, "append")],
    "learning": [(MLPLearner, "fit_chunks")],
}


def label_rows(teacher: Any, table: Any, n_jobs: int) -> Any:
    """Label a table as `fit` does, with so many workers."""
    task = Classification(teacher.classes_, np.ones(len(teacher.classes_)))
    return _teacher.Labeller(teacher, task, Tasks(n_jobs=n_jobs), None).label(table)


@contextmanager
def clip_at(epsilon: float | None) -> Iterator[None]:
    """Clip probabilities elsewhere; None: where the package does."""
    kept = _soft_targets.clip_probabilities.__defaults__
    if epsilon is not None:
        _soft_targets.clip_probabilities.__defaults__ = (epsilon,)
    try:
        yield
    finally:
        _soft_targets.clip_probabilities.__defaults__ = kept


def small_buffers(n_rows: int):
    """Shuffle no more than so many rows at once."""
    return patch.object(_spill, "_BOUNDS", (n_rows, n_rows))


def small_blocks(n_rows: int):
    """Make synthetic rows of no more than so many at once."""
    return patch.object(_chunks, "_BOUNDS", (n_rows, n_rows))
