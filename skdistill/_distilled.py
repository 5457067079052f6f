"""What the meta-estimators share: the stages of `fit`, and the student that serves."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted, validate_data

from ._fit import (
    asks_early,
    calibrate_teacher,
    fit_teacher,
    keep_labels,
    label_held_out,
    make_soft_data,
    name_steps,
    train_student,
    use_weights,
)
from ._learned_html import format_learned
from ._nested import can_refit
from ._parts import clone_parts
from ._progress import CallbackSupportMixin, Progress, raise_interrupts
from ._selection import (
    choose,
    draw_splits,
    hold_out_shift,
    limit_labels,
    sample_candidates,
    shift_quantiles,
)
from ._validation import add_validation_data, check_training_data
from ._version import Versioned


class Distilled(Versioned, CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """A teacher distilled into a student; parameters stand in the subclasses."""

    def _fit(self, X, y, sample_weight, stored, X_unlabeled, validation, metadata):
        """Fit by the stages of the method, and replace the fitted state at the end.

        `stored` has what a teacher said of the rows, and `validation` is a tuple.
        """
        data = check_training_data(self, X, y, sample_weight)
        data = add_validation_data(data, *validation)
        data, held_out, stored, metadata = hold_out_shift(self, data, stored, metadata)
        parts = clone_parts(self, data, stored, X_unlabeled, metadata)
        splits = limit_labels(self, parts, data, draw_splits(self, parts, data))
        progress = Progress(self, name_steps(parts, data, splits), parts.asked)
        with raise_interrupts():
            candidates = sample_candidates(self, parts, data, splits)
            early = asks_early(parts, data, splits)
            teacher = fit_teacher(parts, data, progress) if early else None
            oof = label_held_out(parts, data, splits, candidates, teacher, progress)
            parts, teacher = use_weights(parts, data, teacher, oof)
            calibration = calibrate_teacher(parts, data, splits, oof)
            choice = choose(parts, data, splits, candidates, oof, calibration, progress)
            oof = keep_labels(oof, splits, choice)
            teacher = teacher or fit_teacher(parts, data, progress)
            train, transfer, validation = make_soft_data(
                parts, data, splits, choice, teacher, oof, calibration, progress
            )
            student, tuned = train_student(
                parts, data, choice, train, transfer, validation, progress
            )
            shifted = shift_quantiles(student, held_out, parts.seeds.split)
        progress.finish()
        decided = (data, choice, calibration, shifted)
        self._set_fitted(*decided, parts, teacher, student, tuned)
        return self

    def get_metadata_routing(self) -> Any:
        """Say which metadata goes to teacher, student and splitter.

        Returns
        -------
        routing : MetadataRouter
            The routing of `fit`.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit_to_fit = MethodMapping().add(caller="fit", callee="fit")
        if can_refit(self.teacher):
            router.add(teacher=self.teacher, method_mapping=fit_to_fit)
        if self.student is not None:
            router.add(student=self.student, method_mapping=fit_to_fit)
        if hasattr(self.cv, "split"):
            to_split = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=to_split)
        return router

    def _html_repr(self) -> str:
        # scikit-learn's diagram, and below it what a fit decided.
        html = super()._html_repr()
        return html + format_learned(self) if "student_" in vars(self) else html

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        parts = [get_tags(part) for part in self._list_parts()]
        inputs = tags.input_tags
        inputs.sparse = all(part.input_tags.sparse for part in parts)
        inputs.allow_nan = all(part.input_tags.allow_nan for part in parts)
        inputs.string = all(part.input_tags.string for part in parts)
        inputs.categorical = all(part.input_tags.categorical for part in parts)
        inputs.positive_only = any(part.input_tags.positive_only for part in parts)
        return tags

    def _list_parts(self) -> list[Any]:
        """Return teacher and student; `fit` raises the error for what is none."""
        given = (self.teacher, self.student)
        return [p for p in given if hasattr(p, "fit") and not isinstance(p, type)]

    def _served(self) -> Any:
        """Return the fitted student.

        `check_is_fitted` takes as long as a small student takes for a row: it is
        called only where it will raise.
        """
        if "student_" not in vars(self):
            check_is_fitted(self)
        return self.student_

    def _set_fitted(
        self, data, choice, calibration, shifted, parts, teacher, student, tuned
    ):
        """Replace the whole fitted state at once."""
        candidate = choice.candidate
        for name in ("n_features_in_", "feature_names_in_"):
            if name in vars(self):
                delattr(self, name)
        validate_data(self, data.X, skip_check_array=True)
        self.teacher_ = parts.teacher if teacher is None else teacher.teacher
        self.student_ = student
        self.distilled_ = candidate.alpha > 0 or candidate.rows is not None
        self.alpha_ = candidate.alpha
        self.augmenter_ = candidate.rows and candidate.rows.sampler
        self.memorization_ = choice.memorization
        self.pilots_ = choice.pilots
        self.fine_tune_ = tuned
        self.labels_asked_ = dict(parts.asked)
