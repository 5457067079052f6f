"""ReliabilityDisplay: calibration curves of teacher and student."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.calibration import CalibrationDisplay, calibration_curve

from ..metrics import expected_calibration_error
from ._plotting import (
    STUDENT_COLOR,
    TEACHER_COLOR,
    frame_unit_square,
    make_axes,
    name_label,
    require_matplotlib,
)
from ._predictions import find_column, list_classes, predict_both


class ReliabilityDisplay:
    """Reliability curves of teacher and student on one axis.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`; the parameters
    are kept as attributes. Each curve is scikit-learn's
    :class:`~sklearn.calibration.CalibrationDisplay`. On the diagonal, of
    the rows with a predicted probability of .7, 7 in 10 are of the class.

    Parameters
    ----------
    teacher, student : CalibrationDisplay
        The two curves.
    teacher_error, student_error : float
        Their :func:`~skdistill.metrics.expected_calibration_error`, with as many
        bins, whatever class is drawn.
    label : object, default=None
        The class whose probabilities are drawn. None: in each row the class that
        the model itself predicts.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        What the axes belong to.
    lines_ : list of matplotlib Line2D
        The teacher's curve and the student's.

    See Also
    --------
    FidelityDisplay : Compares the student with its teacher row by row.
    sklearn.calibration.CalibrationDisplay : One model's curve.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.inspection import ReliabilityDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> distilled = DistilledClassifier(
    ...     RandomForestClassifier(20, random_state=0),
    ...     DecisionTreeClassifier(max_depth=4, random_state=0),
    ... ).fit(X[:140], y[:140])
    >>> display = ReliabilityDisplay.from_estimator(distilled, X[140:], y[140:])
    >>> display.ax_.get_xlabel()
    'mean predicted probability of class 1'
    """

    def __init__(
        self,
        teacher: CalibrationDisplay,
        student: CalibrationDisplay,
        *,
        teacher_error: float,
        student_error: float,
        label: Any = None,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.teacher_error = teacher_error
        self.student_error = student_error
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        label: Any = None,
        n_bins: int = 10,
        strategy: str = "quantile",
        ax: Any = None,
    ) -> Self:
        """Draw a fitted estimator and its teacher on given rows.

        Parameters
        ----------
        estimator : DistilledClassifier, Pipeline or search
            Fitted; a Pipeline ends in a DistilledClassifier, a search has refitted
            one.
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows that were not in `fit`.
        y : array-like of shape (n_samples,)
            True labels.
        label, n_bins, strategy, ax
            As in :meth:`from_predictions`.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.

        Raises
        ------
        TypeError
            The estimator has no distilled classifier, or that has no teacher.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        teacher, student, classes = predict_both(estimator, X, cls.__name__)
        return cls.from_predictions(
            y,
            teacher,
            student,
            classes=classes,
            label=label,
            n_bins=n_bins,
            strategy=strategy,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        teacher_proba: Any,
        student_proba: Any,
        *,
        classes: Any = None,
        label: Any = None,
        n_bins: int = 10,
        strategy: str = "quantile",
        ax: Any = None,
    ) -> Self:
        """Draw given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels.
        teacher_proba, student_proba : array-like of shape (n_samples, n_classes)
            Probabilities of the same rows, columns in the same order.
        classes : array-like of shape (n_classes,), default=None
            The class of each column; None: the sorted labels in `y_true`.
        label : object, default=None
            The class whose probabilities are drawn. None: the second of two
            classes; with more, in each row the class that the model predicts, so
            that confidence is drawn against accuracy.
        n_bins : int, default=10
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equal numbers of rows, or of equal width.
        ax : matplotlib Axes, default=None
            None: those of a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.

        Raises
        ------
        ValueError
            Labels and probabilities differ in shape, or a parameter is invalid.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        y_true = np.asarray(y_true)
        probas = np.asarray(teacher_proba), np.asarray(student_proba)
        classes = np.unique(y_true) if classes is None else classes
        errors = [
            expected_calibration_error(y_true, proba, n_bins=n_bins, labels=classes)
            for proba in probas
        ]
        classes = list_classes(classes, probas[0].shape[1])
        column = find_column(label, classes)
        curves = [
            _make_curve(y_true, proba, classes, column, n_bins, strategy)
            for proba in probas
        ]
        names = {"teacher_error": errors[0], "student_error": errors[1]}
        label = None if column is None else classes[column]
        return cls(*curves, **names, label=label).plot(ax=ax)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: those of a new figure.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`, of both curves.

        Returns
        -------
        display : ReliabilityDisplay
            This one.
        """
        ax = make_axes(self, ax)
        from matplotlib import cbook, lines

        # "ls" and "linestyle" are one parameter; both would be an error.
        kwargs = cbook.normalize_kwargs(kwargs, lines.Line2D)
        teacher = {"color": TEACHER_COLOR, "marker": "^", "linestyle": "--"}
        student = {"color": STUDENT_COLOR, "marker": "o", "linestyle": "-"}
        name = f"teacher, ECE {self.teacher_error:.3f}"
        self.teacher.plot(ax=ax, name=name, **(teacher | kwargs))
        name = f"student, ECE {self.student_error:.3f}"
        self.student.plot(ax=ax, name=name, **(student | kwargs))
        self.lines_ = [self.teacher.line_, self.student.line_]
        frame_unit_square(ax)
        names = "mean confidence in the predicted class", "share predicted right"
        if self.label is not None:
            label = f"class {name_label(self.label)}"
            names = f"mean predicted probability of {label}", f"share of {label}"
        ax.set(xlabel=names[0], ylabel=names[1])
        ax.legend(loc="best", fontsize="small")
        return self


def _make_curve(y_true, proba, classes, column, n_bins, strategy):
    """Make the curve of one model without drawing it."""
    if column is None:
        is_class, predicted = classes[proba.argmax(axis=1)] == y_true, proba.max(axis=1)
    else:
        is_class, predicted = y_true == classes[column], proba[:, column]
    share, mean = calibration_curve(
        is_class, predicted, n_bins=n_bins, strategy=strategy, pos_label=True
    )
    return CalibrationDisplay(share, mean, predicted)
