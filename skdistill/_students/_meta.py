"""Students made of students: votes, stacks, bags, searches and calibrations.

scikit-learn's own `fit` does the work: it draws the folds and the bags, over rows, and
combines the results. It fits stand-ins, which hold the soft targets and fit the student
in their place by its own family. Afterwards the students replace their stand-ins, and
nothing of this package is left in the result.

Scores of a search are those of the weighted copies of the rows held out: accuracy is
the expected share of right labels if labels were drawn from the soft targets,
"neg_log_loss" the negative soft cross-entropy. Calibrators and `LogisticRegressionCV`
learn from weighted copies too, every copy of a row on the same side of each fold.

No part learns at a temperature other than 1, because averages of probabilities and
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

from .._nested import last_step
from .._sklearn import _safe_indexing
from .._soft_data import MaybeRows, SoftDataset, weigh_classes
from ._every_class import label_every_class
from ._soft_learner import SoftLearner
from ._weighted_copies import expand_rows

#: Fits a part of a student.
FitPart = Callable[[Any, SoftDataset], Any]

#: By name, since the halving searches must be enabled before they can be imported.
_SEARCHES = (
    *("GridSearchCV", "RandomizedSearchCV"),
    *("HalvingGridSearchCV", "HalvingRandomSearchCV"),
)


class MetaLearner(SoftLearner):
    """scikit-learn's own meta-estimators: a subclass may draw other rows.

    `fit_part` is at the top level of a module, so that workers can load it.
    """

    def __init__(self, fit_part: FitPart) -> None:
        self._fit_part = fit_part

    def accepts(self, student: Any) -> bool:
        return type(student) in _FITS or _is_search(student)

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        """Raise where the student's own settings don't go with soft targets."""
        if isinstance(student, StackingClassifier) and student.cv == "prefit":
            raise ValueError(
                "A StackingClassifier student is fitted with its members, received "
                "cv='prefit'. Set cv to a number of folds."
            )
        if isinstance(student, VotingClassifier):
            for part in self.list_parts(student):
                # A soft vote has probabilities itself, whatever its members have.
                self.check_kind(last_step(part))
        scorers = _find_scorers(student) if _is_search(student) else {}
        for scorer in scorers.values() if isinstance(scorers, dict) else [scorers]:
            if not _takes_weights(scorer):
                raise TypeError(
                    "A search scores its candidates on soft targets, which reach a "
                    f"scorer as sample_weight; {scorer} takes none. Use "
                    "scoring='neg_log_loss', 'accuracy' or another scorer that does."
                )

    def list_parts(self, student: Any) -> list[Any]:
        if isinstance(student, VotingClassifier | StackingClassifier):
            members = [part for _, part in student.estimators if not _is_dropped(part)]
            stacks = isinstance(student, StackingClassifier)
            return [*members, _final_of(student)] if stacks else members
        if isinstance(student, LogisticRegressionCV):
            return []
        return [_single_part(student)]

    def encodes_labels(self, student: Any) -> bool:
        # What serves alone, or has calibrators, must know the labels.
        return not (_is_search(student) or type(student) is CalibratedClassifierCV)

    def class_weight(self, student: Any, classes: Any) -> dict[Any, float] | str | None:
        if isinstance(student, CalibratedClassifierCV | OneVsRestClassifier):
            # Calibration undoes it, and a part of two classes does not know it.
            return None
        parts = self.list_parts(student) or [student]
        if isinstance(student, StackingClassifier):
            parts = parts[-1:]
        given = [getattr(last_step(part), "class_weight", None) for part in parts]
        if any(weight != given[0] for weight in given):
            return None
        if isinstance(given[0], dict) and self.encodes_labels(student):
            # By the positions of the classes: members learn those, not the names.
            codes = np.arange(len(classes))
            factors = weigh_classes(given[0], codes, np.ones(len(codes)))
            return dict(zip(classes.tolist(), factors.tolist(), strict=True))
        return given[0]

    def count_part_classes(self, student: Any, n_classes: int) -> int:
        return 2 if isinstance(student, OneVsRestClassifier) else n_classes

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        """Let the stock `fit` draw rows and put parts together."""
        rows = label_every_class(rows, _count_folds(student))
        fit = _FITS.get(type(student), _fit_search)
        # Metadata reaches the stand-ins by the old rules whatever the user has set.
        with config_context(enable_metadata_routing=False):
            return fit(student, rows, self._fit_part)


def _count_folds(student: Any) -> int:
    """Return the folds that the stock `fit` draws, each with all classes; 1: none."""
    if not hasattr(student, "cv"):
        return 1
    return int(getattr(check_cv(student.cv), "n_splits", 1))


def _single_part(student: Any) -> Any:
    """The one student that a bag, calibration or search is made of."""
    # Not `or`: an unfitted ensemble has no length, hence no truth.
    if student.estimator is not None:
        return student.estimator
    bags = isinstance(student, BaggingClassifier)
    return DecisionTreeClassifier() if bags else LinearSVC(random_state=0)


# Votes, stacks, bags and one against the rest ---------------------------------------


def _fit_members(student: Any, data: SoftDataset, fit_part: FitPart) -> Any:
    """Fit a vote or a stack, whose members see labels 0, 1, 2, ..."""
    coded = _encode(data)
    members, final = student.estimators, getattr(student, "final_estimator", None)
    student.estimators = [
        (name, part if _is_dropped(part) else StandIn(part, coded, fit_part))
        for name, part in members
    ]
    if isinstance(student, StackingClassifier):
        student.final_estimator = StandIn(_final_of(student), coded, fit_part)
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


def _fit_bag(
    student: BaggingClassifier, data: SoftDataset, fit_part: FitPart
) -> BaggingClassifier:
    """Fit a bag; row weights are the odds of being drawn, as on hard labels."""
    part, given = _single_part(student), student.estimator
    student.estimator = StandIn(part, replace(_encode(data), weight=None), fit_part)
    with config_context(enable_metadata_routing=True):
        rows = np.arange(data.n_samples)
        student.fit(data.X, data.y, sample_weight=data.weight, rows=rows)
    student.estimator, student.estimator_ = given, part
    student.estimators_ = [stand_in.fitted_ for stand_in in student.estimators_]
    return student


def _fit_against_rest(
    student: OneVsRestClassifier, data: SoftDataset, fit_part: FitPart
) -> OneVsRestClassifier:
    """Fit a student a class, on the probability of the class."""
    n_classes = len(data.classes)
    # Repeated, because one row a class would look like a regression.
    labels = np.tile(data.classes, 3)
    student.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(labels)
    student.classes_ = student.label_binarizer_.classes_
    student.estimators_ = Parallel(n_jobs=student.n_jobs, verbose=student.verbose)(
        delayed(fit_part)(clone(student.estimator), _against_rest(data, k))
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
    return replace(data, classes=np.arange(len(data.classes)), y=data.codes)


def _final_of(student: StackingClassifier) -> Any:
    final = student.final_estimator
    return LogisticRegression() if final is None else final


def _is_dropped(part: Any) -> bool:
    return isinstance(part, str)


# Searches -----------------------------------------------------------------------------


def _fit_search(student: Any, data: SoftDataset, fit_part: FitPart) -> Any:
    data, groups = _part_groups(data)
    estimator, scoring = student.estimator, student.scoring
    scorers = _find_scorers(student)
    student.estimator = StandIn(estimator, data, fit_part)
    student.scoring = SoftScorer(scorers, data)
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


# Folds of weighted copies -----------------------------------------------------------


def _fit_calibration(
    student: CalibratedClassifierCV, data: SoftDataset, fit_part: FitPart
) -> CalibratedClassifierCV:
    """Fit students on rows, and their calibrators on weighted copies."""
    part, given = _single_part(student), student.estimator
    student.estimator = StandIn(part, _part_groups(data)[0], fit_part, once=True)
    _fit_on_folds(student, data, pass_rows=True)
    student.estimator = given
    for calibrated in student.calibrated_classifiers_:
        calibrated.estimator = calibrated.estimator.fitted_
    return student


def _fit_on_folds(student: Any, data: SoftDataset, pass_rows: bool = False) -> Any:
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
    student.fit(X, y, sample_weight=weight, **(params if pass_rows else {}))
    student.cv = given
    return student


def _part_groups(data: SoftDataset) -> tuple[SoftDataset, dict[str, Any]]:
    """Take the groups, which are for the splitter, from the metadata of the parts."""
    params = dict(data.params or {})
    groups = {"groups": params.pop("groups")} if "groups" in params else {}
    return replace(data, params=params), groups


_FITS: dict[type, Callable[[Any, SoftDataset, FitPart], Any]] = {
    VotingClassifier: _fit_members,
    StackingClassifier: _fit_members,
    BaggingClassifier: _fit_bag,
    OneVsRestClassifier: _fit_against_rest,
    CalibratedClassifierCV: _fit_calibration,
    LogisticRegressionCV: lambda student, data, _: _fit_on_folds(student, data),
}


# What takes the place of students and scorers ----------------------------------------


class StandIn(BaseEstimator):
    """Takes a student's place in a meta-estimator and fits it on soft targets.

    It holds the targets and weights of all rows. `fit` receives the numbers of its rows
    as `rows` or, where the meta-estimator passes on nothing else, as `sample_weight`;
    with `once`, a row that comes several times, as copies do, is learned once.
    Everything but `fit` is the student's own.
    """

    # Where metadata is routed, `rows` comes here.
    __metadata_request__fit = {"rows": True}

    def __init__(self, student, data, fit_part, once=False):
        self.student = student
        self.data = data.with_rows(np.empty((data.n_samples, 0)))
        self.fit_part = fit_part
        self.once = once

    def __getattr__(self, name):
        if name.startswith("_") or "student" not in vars(self):
            raise AttributeError(name)
        return getattr(vars(self).get("fitted_", self.student), name)

    def __sklearn_clone__(self):
        return StandIn(clone(self.student), self.data, self.fit_part, self.once)

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
            self.fitted_ = self.fit_part(clone(self.student), data)
        return self


class SoftScorer:
    """Scores a stand-in's student on the weighted copies of the rows."""

    def __init__(self, scorers: Any, data: SoftDataset):
        self.scorers = scorers
        self.data = data.with_rows(np.empty((data.n_samples, 0)))

    def __call__(self, estimator, X, y, sample_weight=None):
        # The weights are the numbers of the rows, as in `StandIn.fit`.
        data = self.data.take(sample_weight).with_rows(X)
        X, y, weight, _ = expand_rows(data)
        student, scorers = estimator.fitted_, self.scorers
        if not isinstance(scorers, dict):
            return scorers(student, X, y, sample_weight=weight)
        return {
            name: scorer(student, X, y, sample_weight=weight)
            for name, scorer in scorers.items()
        }
