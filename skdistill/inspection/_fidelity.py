"""FidelityDisplay: the student's probabilities against the teacher's."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from .._typing import BoolArray, FloatArray
from ..metrics import agreement_score, kl_divergence
from ._plotting import (
    STUDENT_COLOR,
    TEACHER_COLOR,
    draw_diagonal,
    draw_legend,
    frame_unit_square,
    make_axes,
    name_label,
    require_matplotlib,
    scatter_two,
)
from ._predictions import find_column, list_classes, predict_both

#: Above this many rows points hide each other, and cells are counted instead.
_MAX_POINTS = 1000
_KINDS = ("auto", "scatter", "density")


class FidelityDisplay:
    """The student's probability of each row against the teacher's.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`; the parameters
    are kept as attributes. On the diagonal the two are equal. Few rows are
    drawn as points, with another marker where teacher and student predict different
    labels; many rows as cells, darker with more rows on a logarithmic scale.

    Parameters
    ----------
    teacher_proba, student_proba : ndarray of shape (n_samples,)
        What is drawn: each model's probability of one class a row.
    agree : ndarray of shape (n_samples,)
        Whether both predict the same label.
    agreement : float
        Share of rows with the same label, by
        :func:`~skdistill.metrics.agreement_score`.
    kl_divergence : float
        In nats, by :func:`~skdistill.metrics.kl_divergence`, over all classes.
    label : object, default=None
        The class whose probabilities are drawn. None: in each row the class that
        the teacher predicts.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        What the axes belong to.
    line_ : matplotlib Line2D
        The diagonal.
    scatter_ : list of matplotlib PathCollection or None
        Rows with the same label, then rows with different labels, without empty
        ones; None when the rows are drawn as a density.
    density_ : matplotlib PolyCollection or None
        The cells; None when the rows are drawn as points.
    colorbar_ : matplotlib Colorbar or None
        The scale of the cells.

    See Also
    --------
    ReliabilityDisplay : Compares both with the true labels.
    TradeoffDisplay : Compares scores with costs.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.inspection import FidelityDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> distilled = DistilledClassifier(
    ...     RandomForestClassifier(20, random_state=0),
    ...     DecisionTreeClassifier(max_depth=4, random_state=0),
    ... ).fit(X[:140], y[:140])
    >>> display = FidelityDisplay.from_estimator(distilled, X[140:])
    >>> display.ax_.get_xlabel()
    "teacher's probability of class 1"
    """

    def __init__(
        self,
        teacher_proba: FloatArray,
        student_proba: FloatArray,
        *,
        agree: BoolArray,
        agreement: float,
        kl_divergence: float,
        label: Any = None,
    ) -> None:
        self.teacher_proba = teacher_proba
        self.student_proba = student_proba
        self.agree = agree
        self.agreement = agreement
        self.kl_divergence = kl_divergence
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        label: Any = None,
        kind: str = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a fitted estimator and its teacher on given rows.

        Parameters
        ----------
        estimator : DistilledClassifier, Pipeline or search
            Fitted; a Pipeline ends in a DistilledClassifier, a search has refitted
            one.
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows, better not those of `fit`.
        y : object, default=None
            Not used, present for API consistency.
        label, kind, ax, **kwargs
            As in :meth:`from_predictions`.

        Returns
        -------
        display : FidelityDisplay
            Drawn.

        Raises
        ------
        TypeError
            The estimator has no distilled classifier, or that has no teacher.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        teacher, student, classes = predict_both(estimator, X, cls.__name__)
        return cls.from_predictions(
            teacher, student, classes=classes, label=label, kind=kind, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        teacher_proba: Any,
        student_proba: Any,
        *,
        classes: Any = None,
        label: Any = None,
        kind: str = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw given probabilities.

        Parameters
        ----------
        teacher_proba, student_proba : array-like of shape (n_samples, n_classes)
            Probabilities of the same rows, columns in the same order.
        classes : array-like of shape (n_classes,), default=None
            Names of the columns; None: 0, 1, ...
        label : object, default=None
            The class whose probabilities are drawn. None: the second of two
            classes; with more, in each row the class that the teacher predicts.
        kind : {"auto", "scatter", "density"}, default="auto"
            Points or cells; "auto": points for up to 1000 rows.
        ax : matplotlib Axes, default=None
            None: those of a new figure.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.scatter` or
            :meth:`matplotlib.axes.Axes.hexbin`.

        Returns
        -------
        display : FidelityDisplay
            Drawn.

        Raises
        ------
        ValueError
            The probabilities differ in shape, or a parameter is invalid.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        agreement = agreement_score(teacher_proba, student_proba)
        divergence = kl_divergence(teacher_proba, student_proba)
        teacher, student = np.asarray(teacher_proba), np.asarray(student_proba)
        classes = list_classes(classes, teacher.shape[1])
        column = find_column(label, classes)
        predicted = teacher.argmax(axis=1)
        columns = predicted if column is None else np.full(len(teacher), column)
        rows = np.arange(len(teacher))
        display = cls(
            teacher[rows, columns],
            student[rows, columns],
            agree=student.argmax(axis=1) == predicted,
            agreement=agreement,
            kl_divergence=divergence,
            label=None if column is None else classes[column],
        )
        return display.plot(kind=kind, ax=ax, **kwargs)

    def plot(self, *, kind: str = "auto", ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        kind, ax, **kwargs
            As in :meth:`from_predictions`.

        Returns
        -------
        display : FidelityDisplay
            This one.

        Raises
        ------
        ValueError
            There is no such kind.
        """
        if kind not in _KINDS:
            raise ValueError(
                f"kind must be one of {_KINDS}; got {kind!r}. Use 'auto' for points "
                "where there are few rows and a density where there are many."
            )
        ax = make_axes(self, ax)
        few = len(self.teacher_proba) <= _MAX_POINTS
        self.scatter_ = self.density_ = self.colorbar_ = None
        if kind == "scatter" or (kind == "auto" and few):
            self.scatter_ = self._draw_points(ax, kwargs)
        else:
            self.density_ = self._draw_cells(ax, kwargs)
            self.colorbar_ = ax.figure.colorbar(
                self.density_, ax=ax, label="rows", format="%g"
            )
        self.line_ = draw_diagonal(ax, "student = teacher")
        frame_unit_square(ax)
        what = "its predicted class", "the teacher's class"
        if self.label is not None:
            what = (f"class {name_label(self.label)}",) * 2
        ax.set_xlabel(f"teacher's probability of {what[0]}")
        ax.set_ylabel(f"student's probability of {what[1]}")
        ax.set_title(
            f"agreement {self.agreement:.3f}, KL {self.kl_divergence:.3g} nats, "
            f"{len(self.teacher_proba):,} rows",
            fontsize="medium",
            # Room for the legend.
            pad=22,
        )
        draw_legend(ax)
        return self

    def _draw_points(self, ax, kwargs):
        same = {"color": STUDENT_COLOR, "marker": "o", "alpha": 0.6}
        styles = (
            {"s": 22, "label": "same label", **same},
            {"s": 22, "label": "other label", "color": TEACHER_COLOR, "marker": "x"},
        )
        points = np.column_stack([self.teacher_proba, self.student_proba])
        return scatter_two(ax, points, self.agree, styles, kwargs)

    def _draw_cells(self, ax, kwargs):
        style = {
            "gridsize": 35,
            "extent": (0, 1, 0, 1),
            "bins": "log",
            "mincnt": 1,
            "cmap": "viridis_r",
            "linewidths": 0.2,
        }
        return ax.hexbin(self.teacher_proba, self.student_proba, **{**style, **kwargs})
