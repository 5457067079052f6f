"""Students made of students: votes, stacks, bags, searches and calibrations.

scikit-learn's own `fit` does the work: it draws the folds and the bags, over rows,
and puts the result together. What it fits in each place is a stand-in that knows the
soft targets; told which rows it has been given, it teaches the student it stands for,
by the family of that student. Afterwards the students take the places of their
stand-ins, and nothing of this package is left in the result.

Scores of a search are those of the weighted copies of the rows held out: accuracy is
the expected share of right labels if labels were drawn from the soft targets,
"neg_log_loss" the negative soft cross-entropy. Calibrators and `LogisticRegressionCV`
learn from weighted copies too, every copy of a row on the same side of each fold.

No part learns at a temperature other than 1, for averages of probabilities and
calibrators have no logits to multiply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch, get_tags
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn import _safe_indexing
from .._soft_data import SoftDataset
from ._expansion import expand_rows
from ._tuning import refuse_tuning

#: By name, since the halving searches must be enabled before they can be imported.
_SEARCHES = (
    "GridSearchCV",
    "RandomizedSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
)


def accepts(student: Any) -> bool:
    """scikit-learn's own classes only: a subclass may draw other rows."""
    return type(student) in _FITS or _is_search(student)


def wants_validation(student: Any, n_samples: int) -> bool:
    """Each part that stops early holds out rows of its own."""
    return False


def check_stopping(student: Any) -> None:
    """Never called: `wants_validation` is False."""


def rescales(student: Any, n_classes: int) -> bool:
    """Averages of probabilities and calibrators have no logits."""
    return False


def fold(student: Any, temperature: float) -> None:
    """Never called: `rescales` is False."""
    raise NotImplementedError


def check_fine_tuning(student: Any) -> None:
    """No part may move once others were fitted to it."""
    refuse_tuning(student)


def tune(student: Any, data: SoftDataset, passes: int) -> Any:
    """Never called: `check_fine_tuning` raises."""
    raise NotImplementedError


def list_parts(student: Any) -> list[Any]:
    """The students that a student is made of."""
    if isinstance(student, VotingClassifier | StackingClassifier):
        members = [part for _, part in student.estimators if not _is_dropped(part)]
        if isinstance(student, StackingClassifier):
            members.append(_final_of(student))
        return members
    if isinstance(student, LogisticRegressionCV):
        return []
    if isinstance(student, BaggingClassifier):
        return [_or_default(student.estimator, DecisionTreeClassifier())]
    if isinstance(student, CalibratedClassifierCV):
        return [_or_default(student.estimator, LinearSVC(random_state=0))]
    return [student.estimator]


def has_probabilities(student: Any) -> bool:
    """Whether a student, not necessarily one of these, has `predict_proba`."""
    if type(student) is StackingClassifier:
        # Without a final estimator it has none until it is fitted.
        student = _final_of(student)
    return hasattr(student, "predict_proba")


def check_parameters(student: Any, n_classes: int) -> None:
    """Raise where a student's own settings don't go with soft targets.

    Raises
    ------
    TypeError
        A search scores by a function that takes no weights.
    ValueError
        A stack of fitted members: the student is fitted from the start.
    """
    if isinstance(student, StackingClassifier) and student.cv == "prefit":
        raise ValueError(
            "A StackingClassifier student is fitted with its members, received "
            "cv='prefit'. Set cv to a number of folds."
        )
    if not _is_search(student):
        return
    scorers = _find_scorers(student)
    for scorer in scorers.values() if isinstance(scorers, dict) else [scorers]:
        if not _takes_weights(scorer):
            raise TypeError(
                "A search scores its candidates on soft targets, which reach a scorer "
                f"as sample_weight; {scorer} takes none. Use scoring='neg_log_loss', "
                "'accuracy' or another scorer that does."
            )


def fit(student: Any, train: SoftDataset, validation: SoftDataset | None) -> Any:
    """Let the stock `fit` draw rows and put parts together."""
    if len(np.unique(train.y)) < len(train.classes):
        missing = sorted(set(train.classes.tolist()) - set(train.y.tolist()))
        raise ValueError(
            f"A {type(student).__name__} student needs a row of every class, and its "
            f"rows have none of {missing}. Pass more rows, or use a single classifier."
        )
    # Metadata reaches the stand-ins by the old rules whatever the user has set.
    with config_context(enable_metadata_routing=False):
        return _FITS.get(type(student), _fit_search)(student, train)


# Stand-ins ---------------------------------------------------------------------------


class _StandIn(BaseEstimator):
    """Takes a student's place in a meta-estimator and teaches it.

    It is told the numbers of its rows as `rows` or, where the meta-estimator hands on
    nothing else, as `sample_weight`. Everything but `fit` is the student's own.

    Parameters
    ----------
    student : estimator
        Unfitted.
    data : SoftDataset
        Targets and weights of all rows; the rows come with `fit`.
    once : bool
        Whether a row that comes several times, as copies do, is learned once.
    """

    # Where metadata is routed, `rows` comes here.
    __metadata_request__fit = {"rows": True}

    def __init__(self, student, data, once=False):
        self.student = student
        self.data = data.with_rows(np.empty((data.n_samples, 0)))
        self.once = once

    def __getattr__(self, name):
        if name.startswith("_") or "student" not in vars(self):
            raise AttributeError(name)
        return getattr(vars(self).get("fitted_", self.student), name)

    def __sklearn_clone__(self):
        return _StandIn(clone(self.student), self.data, self.once)

    def __sklearn_tags__(self):
        return get_tags(self.student)

    def get_params(self, deep=True):
        return self.student.get_params(deep)

    def set_params(self, **params):
        self.student.set_params(**params)
        return self

    def fit(self, X, y, sample_weight=None, rows=None):
        rows = sample_weight if rows is None else rows
        if self.once:
            rows, first = np.unique(rows, return_index=True)
            X = _safe_indexing(X, first)
        with config_context(enable_metadata_routing=False):
            data = self.data.take(rows).with_rows(X)
            self.fitted_ = _teach(clone(self.student), data)
        return self


def _teach(student: Any, data: SoftDataset) -> Any:
    """Fit a part, which holds out rows of its own where it stops early."""
    # The families are listed above this module.
    from .._dataset import split_rows
    from ._dispatch import (
        _last_step,
        check_part,
        fit_student,
        validation_fraction,
    )

    check_part(student, len(data.classes), data.n_samples)
    fraction = validation_fraction(student, data.n_samples)
    if fraction is None:
        return fit_student(student, data)
    codes = np.searchsorted(data.classes, data.y)
    seed = getattr(_last_step(student), "random_state", None)
    train, held_out = split_rows(codes, fraction, seed)
    return fit_student(student, data.take(train), validation=data.take(held_out))


# Votes, stacks, bags and one against the rest ----------------------------------------


def _fit_members(student: Any, data: SoftDataset) -> Any:
    """Fit a vote or a stack, whose members see labels 0, 1, 2, ..."""
    coded = _encode(data)
    members, final = student.estimators, getattr(student, "final_estimator", None)
    student.estimators = [
        (name, part if _is_dropped(part) else _StandIn(part, coded))
        for name, part in members
    ]
    if isinstance(student, StackingClassifier):
        student.final_estimator = _StandIn(_final_of(student), coded)
    student.fit(data.X, data.y, sample_weight=np.arange(data.n_samples))
    student.estimators = members
    student.estimators_ = [stand_in.fitted_ for stand_in in student.estimators_]
    fitted = iter(student.estimators_)
    student.named_estimators_ = Bunch(
        **{name: p if _is_dropped(p) else next(fitted) for name, p in members}
    )
    if isinstance(student, StackingClassifier):
        student.final_estimator = final
        student.final_estimator_ = student.final_estimator_.fitted_
    return student


def _fit_bag(student: BaggingClassifier, data: SoftDataset) -> BaggingClassifier:
    """Fit a bag; row weights are the odds of being drawn, as on hard labels."""
    (part,), given = list_parts(student), student.estimator
    student.estimator = _StandIn(part, replace(_encode(data), weight=None))
    with config_context(enable_metadata_routing=True):
        rows = np.arange(data.n_samples)
        student.fit(data.X, data.y, sample_weight=data.weight, rows=rows)
    student.estimator, student.estimator_ = given, part
    student.estimators_ = [stand_in.fitted_ for stand_in in student.estimators_]
    return student


def _fit_against_rest(
    student: OneVsRestClassifier, data: SoftDataset
) -> OneVsRestClassifier:
    """Fit a student a class, on the probability of the class."""
    n_classes = len(data.classes)
    # Repeated: one row a class would make it wonder whether they are classes.
    labels = np.tile(data.classes, 3)
    student.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(labels)
    student.classes_ = student.label_binarizer_.classes_
    student.estimators_ = Parallel(n_jobs=student.n_jobs, verbose=student.verbose)(
        delayed(_teach)(clone(student.estimator), _against_rest(data, k))
        for k in range(1 if n_classes == 2 else 0, n_classes)
    )
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(student.estimators_[0], name):
            setattr(student, name, getattr(student.estimators_[0], name))
    return student


def _against_rest(data: SoftDataset, k: int) -> SoftDataset:
    target = data.targets[:, k]
    return replace(
        data,
        targets=np.column_stack([1 - target, target]),
        classes=np.arange(2),
        y=(data.y == data.classes[k]).astype(int),
    )


def _encode(data: SoftDataset) -> SoftDataset:
    codes = np.searchsorted(data.classes, data.y)
    return replace(data, classes=np.arange(len(data.classes)), y=codes)


def _final_of(student: StackingClassifier) -> Any:
    return _or_default(student.final_estimator, LogisticRegression())


def _or_default(part: Any, default: Any) -> Any:
    # Not `or`: an unfitted ensemble has no length, hence no truth.
    return default if part is None else part


def _is_dropped(part: Any) -> bool:
    return isinstance(part, str)


# Searches ----------------------------------------------------------------------------


class _SoftScorer:
    """Scores a stand-in's student on the weighted copies of the rows."""

    def __init__(self, scorers: Any, data: SoftDataset):
        self.scorers = scorers
        self.data = data.with_rows(np.empty((data.n_samples, 0)))

    def __call__(self, estimator, X, y, sample_weight=None):
        # The weights are the numbers of the rows, as in `_StandIn.fit`.
        data = self.data.take(sample_weight).with_rows(X)
        X, y, weight, _ = expand_rows(data)
        student, scorers = estimator.fitted_, self.scorers
        if not isinstance(scorers, dict):
            return scorers(student, X, y, sample_weight=weight)
        return {
            name: scorer(student, X, y, sample_weight=weight)
            for name, scorer in scorers.items()
        }


def _fit_search(student: Any, data: SoftDataset) -> Any:
    data, groups = _part_groups(data)
    estimator, scoring = student.estimator, student.scoring
    scorers = _find_scorers(student)
    student.estimator = _StandIn(estimator, data)
    student.scoring = _SoftScorer(scorers, data)
    student.fit(data.X, data.y, sample_weight=np.arange(data.n_samples), **groups)
    student.estimator, student.scoring = estimator, scoring
    student.scorer_ = scorers
    student.best_estimator_ = student.best_estimator_.fitted_
    return student


def _find_scorers(search: Any) -> Any:
    """Return the scorer of a search, or its scorers by name."""
    scoring = search.scoring
    if scoring is None or isinstance(scoring, str) or callable(scoring):
        return check_scoring(search.estimator, scoring=scoring)
    named = scoring if isinstance(scoring, dict) else {n: n for n in scoring}
    return {
        name: check_scoring(search.estimator, scoring=one)
        for name, one in named.items()
    }


def _takes_weights(scorer: Any) -> bool:
    # A scorer's signature takes weights even where its metric does not.
    ask = getattr(scorer, "_accept_sample_weight", None)
    return ask() if ask else "sample_weight" in signature(scorer).parameters


def _is_search(student: Any) -> bool:
    kind = type(student)
    return kind.__name__ in _SEARCHES and kind.__module__.startswith("sklearn.")


# Folds of weighted copies ------------------------------------------------------------


def _fit_calibration(
    student: CalibratedClassifierCV, data: SoftDataset
) -> CalibratedClassifierCV:
    """Fit students on rows, and their calibrators on weighted copies."""
    (part,), given = list_parts(student), student.estimator
    student.estimator = _StandIn(part, _part_groups(data)[0], once=True)
    _fit_on_folds(student, data, hand_rows=True)
    student.estimator = given
    for calibrated in student.calibrated_classifiers_:
        calibrated.estimator = calibrated.estimator.fitted_
    return student


def _fit_on_folds(student: Any, data: SoftDataset, hand_rows: bool = False) -> Any:
    """Fit on weighted copies, no row with copies on both sides of a fold."""
    given, (_, groups) = student.cv, _part_groups(data)
    folds = check_cv(given, data.y, classifier=True).split(data.X, data.y, **groups)
    X, y, weight, params = expand_rows(
        replace(data, params={"rows": np.arange(data.n_samples)})
    )
    student.cv = [
        tuple(np.flatnonzero(np.isin(params["rows"], rows)) for rows in fold)
        for fold in folds
    ]
    student.fit(X, y, sample_weight=weight, **(params if hand_rows else {}))
    student.cv = given
    return student


def _part_groups(data: SoftDataset) -> tuple[SoftDataset, dict[str, Any]]:
    """Take the groups, which are for the splitter, from the metadata of the parts."""
    params = dict(data.params or {})
    groups = {"groups": params.pop("groups")} if "groups" in params else {}
    return replace(data, params=params), groups


_FITS: dict[type, Callable[[Any, SoftDataset], Any]] = {
    VotingClassifier: _fit_members,
    StackingClassifier: _fit_members,
    BaggingClassifier: _fit_bag,
    OneVsRestClassifier: _fit_against_rest,
    CalibratedClassifierCV: _fit_calibration,
    LogisticRegressionCV: _fit_on_folds,
}
