"""Further epochs over the true labels, after distillation: what families share."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from sklearn.utils import check_random_state

from .._soft_data import SoftDataset

#: The learning rate of fine-tuning, as a share of that of the fit.
RATE_SHARE = 0.1

_TUNABLE = (
    "MLPClassifier (adam or sgd), SGDClassifier(loss='log_loss'), a skorch net, "
    "LightGBM, XGBoost, CatBoost or HistGradientBoostingClassifier"
)


def refuse_fine_tuning(student: Any, why: str = "") -> NoReturn:
    """Raise the error of a student that cannot train on.

    `why` is the setting that prevents it; it starts with a space.
    """
    raise TypeError(
        "fine_tune needs a student that can train on from where it stands, received "
        f"{type(student).__name__}{why}. Set fine_tune=0, or use {_TUNABLE}."
    )


def run_epochs(
    student: Any, rows: SoftDataset, epochs: int, rate: dict[str, Any]
) -> Any:
    """Run `partial_fit` over the labels of one-hot targets, in place.

    `rate` has parameters of the learning rate, set for these epochs only.
    """
    kept = {n: getattr(student, n) for n in ("early_stopping", "random_state", *rate)}
    # partial_fit refuses early_stopping, and with an integer seed it would shuffle
    # every epoch alike.
    rng = check_random_state(student.random_state)
    student.set_params(**rate, early_stopping=False, random_state=rng)
    labels = rows.classes[np.argmax(rows.targets, axis=1)]
    for _ in range(epochs):
        student.partial_fit(rows.X, labels, sample_weight=rows.weight)
    return student.set_params(**kept)
