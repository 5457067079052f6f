"""The folds of `cv`, whose teachers label every training row out of fold."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from .._checks import is_whole
from .._dataset import Dataset, keep_together
from .._parts import Parts, seed_splitter
from .._typing import IndexArray, Split
from .._warnings import warn_caller


def draw_cv(estimator: Any, parts: Parts, data: Dataset) -> list[Split] | None:
    """Return the folds of `cv`; None: no out-of-fold labels are asked for.

    Raises
    ------
    ValueError
        A splitter that lacks its groups, or leaves rows without a label.
    """
    if estimator.cv is None:
        return None
    cv = seed_splitter(estimator.cv, parts.seeds.split)
    cv = check_cv(cv, data.y, classifier=is_classifier(estimator))

    def draw(rows: IndexArray) -> list[Split]:
        with warnings.catch_warnings():
            # It says that a class has few rows, and not which: _warn_of_unknown does.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return list(cv.split(rows, data.y[rows]))

    if is_whole(estimator.cv):
        folds = keep_together(draw, data.n_samples, data.groups)
    else:
        folds = _split(cv, parts, data)
        _warn_of_split_copies(folds, data)
    tested = np.zeros(data.n_samples, dtype=bool)
    for _, test in folds:
        tested[test] = True
    if not tested.all():
        fix = "Use a splitter that covers the data, such as StratifiedKFold."
        if _goes_forward(folds):
            fix = (
                "Where rows are in the order of time, leave cv at None and pass the "
                "latest ones as X_val and y_val."
            )
        raise ValueError(
            "cv must put every row in a test fold, so that each gets an out-of-fold "
            f"label; {int((~tested).sum())} of {len(tested)} rows are in none. {fix}"
        )
    if is_classifier(estimator):
        _warn_of_unknown(folds, data)
    return folds


def _goes_forward(folds: list[Split]) -> bool:
    """Whether teachers know earlier rows alone, as those of a TimeSeriesSplit."""
    ahead = [np.max(train) < np.min(test) for train, test in folds]
    return len(folds) > 1 and all(ahead)


def _warn_of_unknown(folds: list[Split], data: Dataset) -> None:
    """Name the classes of which a fold holds out all rows."""
    n_classes = len(data.task.classes)
    unknown = np.zeros(n_classes, dtype=bool)
    for train, test in folds:
        known, labelled = (
            np.bincount(data.codes[rows], minlength=n_classes) for rows in (train, test)
        )
        unknown |= (known == 0) & (labelled > 0)
    if unknown.any():
        names = data.task.classes[unknown].tolist()
        warn_caller(
            "cv must leave rows of each class to the teacher of each fold; a fold "
            f"holds out all rows of the classes {names}, and its teacher labels them "
            "without knowing their class. Pass more rows of these classes, leave them "
            "out, or set cv=None."
        )


def _split(cv: Any, parts: Parts, data: Dataset) -> list[Split]:
    try:
        return list(cv.split(data.X, data.y, **parts.splitter_params))
    except ValueError as error:
        # Without groups each splitter fails in words of its own.
        takes_groups = get_routing_for_object(cv).consumes("split", ["groups"])
        if not takes_groups or parts.splitter_params.get("groups") is not None:
            raise
        name = type(cv).__name__
        fix = "enable metadata routing and pass fit(X, y, groups=groups)"
        if not len(data.task.quantiles):
            fix = f"pass cv=list({name}(...).split(X, y, groups)), or {fix}"
        raise ValueError(
            f"A splitter of groups needs the group of each row; received cv={name} "
            f"without groups. To give them, {fix}."
        ) from error


def _warn_of_split_copies(folds: list[Split], data: Dataset) -> None:
    """Say that a splitter of the user's puts copies of a row on both sides."""
    if data.groups is None:
        return
    groups = data.groups
    n_known = max(np.isin(groups[test], groups[train]).sum() for train, test in folds)
    if n_known:
        warn_caller(
            "cv must keep copies of a row on one side of each fold; up to "
            f"{n_known} rows of a test fold equal training rows in every column, and "
            "are labelled by a teacher that knows them. Pass cv=5, which keeps "
            "copies together, or cv=list(GroupKFold(5).split(X, y, groups))."
        )
