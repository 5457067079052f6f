"""The base class of the families of students, and what their files share.

A family is a group of students that learn soft targets in the same way. It keeps no
state: its methods take the student, which is the last step of a Pipeline. A new family
is a subclass in a file of its own, an entry in `LEARNERS` of `_fit_student` and a row
in the table of `tests/students/test_families.py`.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn

import numpy as np
from sklearn.base import is_regressor

from .._nested import has_probabilities, refuse_several_labels
from .._outofcore._spill import Spill
from .._soft_data import MaybeRows, SoftDataset, weigh_classes
from .._typing import AnyArray, FloatArray

#: The "auto" temperature of networks on the training rows alone;
#: `benchmarks/quality/defaults.py` has the comparison. A linear model cannot match the
#: teacher's logits, and at a high temperature would try.
NETWORK_TEMPERATURE = 3.0

#: Labels of synthetic rows for each real one that gain much: 20 rows of 15 classes, 11
#: of 26.
MANY_LABELS = 300

#: The learning rate of fine-tuning, as a share of that of the fit.
RATE_SHARE = 0.1

#: Why a fit may be far worse than its pilot, which is shorter and on fewer rows, and
#: what mends it. A sentence with a parameter has an equals sign: the command, which has
#: none, leaves it out.
ROUNDS_WORSE = (
    "Its fit diverges or is too long. Lower its learning rate or number of rounds."
)
HESSIAN_WORSE = (
    f"{ROUNDS_WORSE} In leaves of boosted trees of many classes nearly no Hessian is "
    "left, and min_child_weight=1 bounds them."
)
EPOCHS_WORSE = (
    "Its fit diverges or is too long. Lower its learning rate or number of epochs."
)
TREES_WORSE = (
    "On other rows a tree of limited size takes other splits, and some are worse by "
    "chance. Try random_state=1, or another max_depth or min_samples_leaf."
)

#: Students that can train on, for errors.
_TUNABLE = (
    "MLPClassifier (adam or sgd), SGDClassifier(loss='log_loss'), a skorch net, "
    "LightGBM, XGBoost, CatBoost or HistGradientBoostingClassifier"
)
_TUNABLE_VALUES = "MLPRegressor (adam or sgd)"


class SoftLearner(ABC):
    """How the students of one family learn soft targets.

    Subclasses override `accepts` and `fit_rows`, and what is not true of their
    students.
    """

    #: The method by which a fitted student serves what it learned.
    method: ClassVar[str] = "predict_proba"
    #: What "auto" is on the training rows alone, where logits can be scaled.
    auto_temperature: ClassVar[float] = 1.0
    #: Whether the scalar that a pilot asks for divides the fitted student's logits.
    is_calibrated: ClassVar[bool] = True
    #: Why a fit may be far worse than its pilot, and what mends it.
    worse: ClassVar[str] = "Compare both on rows that they have not learned."

    @abstractmethod
    def accepts(self, student: Any) -> bool:
        """Whether the student is of this family."""

    # Before the fit ------------------------------------------------------------------

    def check_kind(self, student: Any) -> None:
        """Raise a TypeError where the student is no classifier with probabilities."""
        if isinstance(student, type):
            raise TypeError(
                "The student must be an estimator, received the class "
                f"{student.__name__}. Pass an instance: {student.__name__}()."
            )
        refuse_several_labels(student, "student")
        if not has_probabilities(student):
            raise TypeError(
                f"The student must have predict_proba, which {type(student).__name__} "
                "has not as it is configured. Use a classifier with probabilities, "
                "such as MLPClassifier."
            )

    def check(  # noqa: B027
        self, student: Any, n_classes: int, n_samples: int
    ) -> None:
        """Raise where a parameter has no exact meaning on soft targets."""

    def check_labels(self, student: Any, classes: AnyArray) -> None:
        """Raise where the student cannot learn classes that are so called."""
        class_weight = self.class_weight(student, classes)
        if class_weight is not None:
            weigh_classes(class_weight, classes, np.ones(len(classes)))

    def check_temperature(
        self, student: Any, temperature: float | str, alpha: float, n_classes: int
    ) -> None:
        """Raise where the student cannot learn targets so softened and blended."""
        scaled = temperature not in ("auto", 1)
        if scaled and not self.can_scale_logits(student, n_classes):
            raise ValueError(
                "A temperature other than 1 needs a student whose logits can be "
                f"multiplied by it before serving; received temperature={temperature} "
                f"with {type(student).__name__} on {n_classes} classes. Set "
                "temperature=1, or use MLPClassifier, LogisticRegression or "
                "LGBMClassifier."
            )
        # Where no label of a teacher counts the temperature is 1.
        if scaled and 0 < alpha < 1 and not self.learns_mixtures(student):
            raise ValueError(
                "True labels have a share at a temperature other than 1 only where a "
                "student learns the gradient of both terms; received "
                f"temperature={temperature} and alpha={alpha} with "
                f"{type(student).__name__}. Set temperature=1 or alpha=1, or use "
                "MLPClassifier, LogisticRegression or LGBMClassifier."
            )

    def check_fine_tuning(self, student: Any) -> None:
        """Raise a TypeError where the student cannot train on after its fit."""
        refuse_fine_tuning(student)

    def list_parts(self, student: Any) -> list[Any]:
        """Return the students that a student is made of."""
        return []

    def encodes_labels(self, student: Any) -> bool:
        """Whether the parts of the student learn labels 0, 1, 2, ..."""
        return True

    def class_weight(self, student: Any, classes: Any) -> dict[Any, float] | str | None:
        """Return the `class_weight` that the served probabilities follow."""
        return getattr(student, "class_weight", None)

    def count_part_classes(self, student: Any, n_classes: int) -> int:
        """Return how many classes a part of the student learns."""
        return n_classes

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        """Whether the student stops early on rows that are held out for it."""
        return False

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        """Whether the fitted student's logits can be multiplied by a factor."""
        return False

    def can_shift_logits(self, student: Any) -> bool:
        """Whether a number a class can be added to the fitted student's logits."""
        return False

    def learns_mixtures(self, student: Any) -> bool:
        """Whether the student learns `SoftDataset.alpha` as it is configured."""
        return False

    def blends_labels(self, student: Any) -> bool:
        """Whether true labels may be blended into the targets before the fit."""
        return True

    def refits_leaves(self, student: Any) -> bool:
        """Whether a transfer set only sets the leaves of trees grown on real rows."""
        return False

    def count_useful_labels(self, student: Any) -> int:
        """Return how many labels of synthetic rows are worth it for each real row.

        A network makes a fixed number of updates, so that more rows cost it nothing.
        """
        return MANY_LABELS if self.learns_in_epochs(student) else 0

    def learns_in_epochs(self, student: Any) -> bool:
        """Whether the student is a network whose fit can end after any epoch."""
        return False

    def epochs_parameter(self, student: Any) -> str | None:
        """Return the name of the parameter that counts epochs, if there is one."""
        return None

    def count_epochs(self, student: Any, n_rows: int) -> int | None:
        """Return the most epochs over a transfer set of so many rows."""
        name = self.epochs_parameter(student)
        return None if name is None else student.get_params()[name]

    def limit_targets(self, student: Any, train: SoftDataset) -> Any:
        """Return what changes targets that the student cannot learn; None: nothing."""
        return None

    # The fit -------------------------------------------------------------------------

    def fit(
        self,
        student: Any,
        train: SoftDataset,
        transfer: MaybeRows = None,
        validation: MaybeRows = None,
    ) -> Any:
        """Fit the student in place on its training rows and a transfer set."""
        return self.fit_rows(student, train.join(transfer), validation)

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        """Fit on rows that do not fit into memory, here mapped from their files."""
        return self.fit_rows(student, spill.map(), validation)

    @abstractmethod
    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        """Fit the student in place on rows that are all alike."""

    # After the fit -------------------------------------------------------------------

    def scale_logits(self, student: Any, factor: float) -> None:
        """Multiply the logits, where `can_scale_logits` says so."""
        raise NotImplementedError

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        """Add a number a class to the logits, where `can_shift_logits` says so."""
        raise NotImplementedError

    def explain_worse(self, student: Any) -> str:
        """Say why a fit may be far worse than its pilot, and what mends it."""
        return self.worse

    def refit_leaves(self, student: Any, rows: SoftDataset) -> None:
        """Set the values of all leaves together, where `refits_leaves` says so."""
        raise NotImplementedError

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Return a copy that has trained on, at a small learning rate."""
        refuse_fine_tuning(student)

    def encode_labels(self, student: Any, y: Any, classes: Any) -> Any:
        """Return labels as the student's own `fit` takes them."""
        return y

    def read_labels(self, student: Any, predicted: Any, classes: Any) -> Any:
        """Return what the fitted student predicts as a vector of labels."""
        return predicted


def refuse_fine_tuning(student: Any, why: str = "") -> NoReturn:
    """Raise for a student that cannot train on; `why` is a setting, after a space."""
    raise TypeError(
        "fine_tune needs a student that can train on from where it stands, received "
        f"{type(student).__name__}{why}. Set fine_tune=0, or use "
        f"{_TUNABLE_VALUES if is_regressor(student) else _TUNABLE}."
    )


def move_state(worker: Any, student: Any, keep: Iterable[str] = ()) -> Any:
    """Move what a fit has set from a worker to a student of the stock class.

    The worker learned soft targets by other parameters or methods. Attributes named in
    `keep` stay the student's own, or it is not to have them.
    """
    kept = set(keep)
    vars(student).update({k: v for k, v in vars(worker).items() if k not in kept})
    return student


def has_methods(cls: type, expected: dict[str, list[str]]) -> bool:
    """Whether a class has methods whose first parameters are those expected."""
    for name, parameters in expected.items():
        method = getattr(cls, name, None)
        if method is None:
            return False
        found = list(inspect.signature(method).parameters)
        if found[: len(parameters)] != parameters:
            return False
    return True
