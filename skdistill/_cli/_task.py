"""What differs between a run on classes and one on values, and which of them it is."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.model_selection import KFold, StratifiedKFold

from .._classifier import DistilledClassifier
from .._fit_figures import FIGURE_NAMES
from .._regressor import DistilledRegressor
from .._typing import AnyArray
from ..inspection import distillation_report, regression_report
from ..inspection._report_sections import QUALITY
from ._errors import Refusal
from ._students import CANDIDATES, STUDENTS, VALUE_CANDIDATES, VALUE_STUDENTS, Makers
from ._written_numbers import WRITE_NUMBERS, describe_labels

#: The most different whole numbers that are taken as classes.
_MAX_CLASSES = 50
#: Figures of the screen besides accuracy and log loss: for two classes, and for more.
_OF_TWO = (
    *("roc_auc", "average_precision", "recall_at_one_percent_fpr"),
    *("recall_in_top_half_percent", "mean_probability", "rate"),
)
_OF_MORE = "balanced_accuracy", "top_5_accuracy"


@dataclass(frozen=True)
class Task:
    """What is learned from a file."""

    #: A value of the option `--task`.
    name: str
    #: By which a model is asked.
    method: str
    distilled: Callable[..., Any]
    #: Compares the student with others.
    report: Callable[..., Any]
    #: What serves an ONNX file.
    served: str
    #: What `--student` names, and what a search tries.
    students: Makers
    candidates: Makers
    #: Splits the rows of a search.
    splitter: Callable[..., Any]
    #: The scorer of a search, and the figure of the report that chooses a student.
    scoring: str
    loss: str
    #: The screen's table has them before the costs: key, words, format.
    figures: tuple[tuple[str, str, str], ...]
    #: Figures of which the share recovered is named.
    shares: tuple[str, ...]
    #: What the student without a teacher learned.
    baseline: str
    #: The format of losses in the text, and in the table of a search.
    spec: str
    short_spec: str

    @property
    def loss_name(self) -> str:
        return FIGURE_NAMES[self.loss]

    def list_figures(self, report: Any) -> list[tuple[str, str, str]]:
        """Return those of the screen's table; for classes those people decide by."""
        if self is VALUES:
            return [*self.figures]
        keys = _OF_TWO if len(report.classes) == 2 else _OF_MORE
        return [*self.figures, *(row for row in QUALITY if row[0] in keys)]

    def explain_teacher(self, teacher: Any) -> str:
        """Return why a fitted model can't be the teacher, or ""."""
        if self is VALUES and not (hasattr(teacher, "fit") and is_regressor(teacher)):
            return "is no regressor"
        if not (hasattr(teacher, "fit") and hasattr(teacher, self.method)):
            return f"is no classifier with {self.method}"
        return ""

    def find_student(self, name: str) -> Callable[[Any], Any]:
        """Return what makes the student of this name."""
        makers = self.students | self.candidates
        if name not in makers:
            raise Refusal(
                f"--student {name} does not learn {self.name}; take one of "
                f"{', '.join(self.students)}, or auto."
            )
        return makers[name]


CLASSES = Task(
    name="classification",
    method="predict_proba",
    distilled=DistilledClassifier,
    report=distillation_report,
    served="OnnxClassifier",
    students=STUDENTS,
    candidates=CANDIDATES,
    splitter=StratifiedKFold,
    scoring="neg_log_loss",
    loss="log_loss",
    figures=(
        ("accuracy", "accuracy", ".4f"),
        ("log_loss", "log loss (less is better)", ".4f"),
    ),
    shares=("accuracy", "log_loss"),
    baseline="hard labels",
    spec=".4f",
    short_spec=".3f",
)

VALUES = Task(
    name="regression",
    method="predict",
    distilled=DistilledRegressor,
    report=regression_report,
    served="OnnxRegressor",
    students=VALUE_STUDENTS,
    candidates=VALUE_CANDIDATES,
    splitter=KFold,
    scoring="neg_root_mean_squared_error",
    loss="rmse",
    figures=(("r2", "R²", ".4f"), ("rmse", "RMSE (less is better)", ".5g")),
    shares=("rmse",),
    baseline="true values",
    spec=".5g",
    short_spec=".4g",
)


def choose_task(options: Namespace, y: AnyArray) -> tuple[Task, list[str]]:
    """Return the task of a target, and a note where the target alone does not say.

    Text, booleans and two different numbers are classes, numbers with a fraction are
    values. Whole numbers are classes up to 50 of them, values beyond.
    """
    target, source = options.target, options.data
    numbers, n_different = y.dtype.kind in "iuf", len(np.unique(y))
    looks = describe_labels(y)
    fractions = y.dtype.kind == "f" and bool((y % 1 != 0).any())
    if options.task == VALUES.name and not numbers:
        if looks:
            raise Refusal(f"the target {target!r} of {source} {looks}{WRITE_NUMBERS}.")
        raise Refusal(
            f"the target {target!r} of {source} holds no numbers, such as {y[0]!s}; "
            "leave out --task, or name another column."
        )
    if options.task == CLASSES.name and fractions:
        raise Refusal(
            f"the target {target!r} of {source} is continuous ({n_different} values), "
            "and --task classification needs classes: leave out --task, or bin it."
        )
    if options.task != "auto":
        return (VALUES if options.task == VALUES.name else CLASSES), []
    if fractions:
        return VALUES, []
    if looks and n_different > 2:
        words = f"the target {target!r} {looks}, and is learned as classes"
        return CLASSES, [f"{words}{WRITE_NUMBERS}, or give --task classification."]
    if not numbers or n_different <= 2:
        return CLASSES, []
    few = n_different <= _MAX_CLASSES
    task, other = (CLASSES, VALUES) if few else (VALUES, CLASSES)
    words = "classes" if few else "values"
    return task, [
        f"the target {target!r} holds {n_different} different whole numbers, which are "
        f"learned as {words}; --task {other.name} decides otherwise."
    ]
