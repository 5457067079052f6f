"""Further passes over the true labels, after distillation."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from sklearn.utils import check_random_state

from .._soft_data import SoftDataset

#: The step of fine-tuning, as a share of the step at which the student learned.
SMALL_STEP = 0.1

#: Who can continue.
_TUNABLE = (
    "MLPClassifier (adam or sgd), SGDClassifier(loss='log_loss'), a skorch net, "
    "LightGBM, XGBoost, CatBoost or HistGradientBoostingClassifier"
)


def refuse_tuning(student: Any, why: str = "") -> NoReturn:
    """Raise the error of a student that cannot continue.

    Parameters
    ----------
    student : estimator
        The student, or the last step of the pipeline.
    why : str
        What stands in the way, where it is a setting; starts with a space.
    """
    raise TypeError(
        "fine_tune needs a student that can train on from where it stands, received "
        f"{type(student).__name__}{why}. Set fine_tune=0, or use {_TUNABLE}."
    )


def run_passes(
    student: Any, data: SoftDataset, passes: int, step: dict[str, Any]
) -> Any:
    """Run `partial_fit` over the labels of one-hot targets, in place.

    Parameters
    ----------
    student : estimator
        A copy of a fitted student, with `partial_fit`.
    data : SoftDataset
        Rows, with one-hot targets.
    passes : int
        Passes over the rows.
    step : dict
        Parameters that hold during the passes only.
    """
    kept = {n: getattr(student, n) for n in ("early_stopping", "random_state", *step)}
    # partial_fit refuses early_stopping, and with an integer seed it would
    # shuffle every pass alike.
    rng = check_random_state(student.random_state)
    student.set_params(**step, early_stopping=False, random_state=rng)
    labels = data.classes[np.argmax(data.targets, axis=1)]
    for _ in range(passes):
        student.partial_fit(data.X, labels, sample_weight=data.weight)
    return student.set_params(**kept)
