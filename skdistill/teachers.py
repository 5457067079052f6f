"""Teachers that are no scikit-learn estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import gen_batches

from ._checks import is_whole
from ._fixed_model import FixedModel
from ._frames import take_chunk
from ._labels._probabilities import check_probabilities
from ._labels._values import check_values
from ._sklearn import _num_samples
from ._typing import AnyArray, FloatArray

__all__ = ["FunctionClassifier", "FunctionRegressor"]


class _FunctionModel(FixedModel):
    """A fitted estimator made of a function; it is never cloned or refitted."""

    #: What the function returns for rows.
    _returned: str

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Check the parameters; nothing is fitted.

        Parameters
        ----------
        X, y : object, default=None
            Not used, present for API consistency.

        Returns
        -------
        self : object
            This one.

        Raises
        ------
        TypeError
            `func` is not callable.
        ValueError
            Another parameter is invalid.
        """
        self._check()
        return self

    def _check(self) -> None:
        if not callable(self.func):
            raise TypeError(
                f"func must be a function from rows to {self._returned}; got "
                f"{self.func!r}. Pass the function itself, not what it returns."
            )
        size = self.batch_size
        if size is not None and not is_whole(size, 1):
            raise ValueError(
                f"batch_size must be an integer of at least 1, or None; got {size!r}. "
                "None passes all rows in one call."
            )

    @abstractmethod
    def _read(self, answer: Any, n_rows: int, owner: str) -> FloatArray:
        """Return an answer for so many rows as an array, or raise ValueError."""

    def _call(self, X: Any) -> list[FloatArray]:
        """Return what the function answers, batch by batch."""
        self.fit()
        n_rows = _num_samples(X)
        name = getattr(self.func, "__name__", type(self.func).__name__)
        owner = f"What {name} of the {type(self).__name__} returns"
        answers = []
        for rows in gen_batches(n_rows, self.batch_size or n_rows) if n_rows else ():
            batch = X if rows == slice(0, n_rows) else take_chunk(X, rows)
            answers.append(self._read(self.func(batch), rows.stop - rows.start, owner))
        return answers

    def __sklearn_clone__(self):
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = tags.input_tags.sparse = True
        return tags


class FunctionClassifier(ClassifierMixin, _FunctionModel):
    """A fitted classifier made of a function from rows to probabilities.

    The function stands for a model that is not fitted here: a remote service, an
    AutoML predictor, an in-context foundation model. :class:`DistilledClassifier`
    takes it as a fixed teacher, as it takes a
    :class:`~sklearn.frozen.FrozenEstimator`: it is never cloned, copied or refitted.
    Rows that it has not seen, `X_val` and `y_val`, calibrate and judge it.

    Parameters
    ----------
    func : callable
        Is called with rows, in the container in which they came, and returns
        their probabilities, shape (n_rows, n_classes). Columns of a data frame that
        are named by the classes are put in order.
    classes : array-like of shape (n_classes,)
        The labels of the columns, in order; at least two.
    batch_size : int, default=None
        The most rows in a call; None: as many as `predict_proba` is given. With
        `memory`, :class:`DistilledClassifier` keeps the labels of each batch, so that a
        failure loses one batch, and the next `fit` goes on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        `classes` as an array.

    See Also
    --------
    sklearn.preprocessing.FunctionTransformer : The same for transformers.
    sklearn.frozen.FrozenEstimator : A fitted scikit-learn teacher.

    Notes
    -----
    Calls are made one after the other, unless `n_jobs` of
    :class:`DistilledClassifier` asks for workers. Pickling, and workers that are
    processes, need a function that can be pickled: one of a module, or a method of an
    object that can be pickled.

    Examples
    --------
    A service that answers over HTTP::

        def ask(rows):
            body = json.dumps(rows.tolist()).encode()
            with urllib.request.urlopen(url, data=body) as answer:
                return np.array(json.load(answer))


        teacher = FunctionClassifier(ask, [0, 1], batch_size=1000)

    A predictor of AutoGluon, which takes and returns data frames::

        teacher = FunctionClassifier(predictor.predict_proba, predictor.class_labels)

    Any fitted classifier, such as a TabPFN with its context (not run with TabPFN, whose
    weights cannot be had where the tests run)::

        teacher = FunctionClassifier(
            tabpfn.predict_proba, tabpfn.classes_, batch_size=500
        )

    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdistill import DistilledClassifier, FunctionClassifier
    >>> X, y = make_classification(400, random_state=0)
    >>> def ask(rows):
    ...     p = 1 / (1 + np.exp(-2 * rows[:, 5]))
    ...     return np.column_stack([1 - p, p])
    >>> teacher = FunctionClassifier(ask, classes=[0, 1], batch_size=100)
    >>> distilled = DistilledClassifier(teacher, LogisticRegression(), random_state=0)
    >>> distilled = distilled.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    >>> distilled.teacher_ is teacher
    True
    """

    _returned = "probabilities"

    def __init__(
        self, func: Callable[[Any], Any], classes: Any, *, batch_size: int | None = None
    ) -> None:
        self.func = func
        self.classes = classes
        self.batch_size = batch_size

    @property
    def classes_(self) -> AnyArray:
        """The labels of the columns."""
        return np.asarray(self.classes)

    def _check(self) -> None:
        super()._check()
        classes = self.classes_
        if (
            classes.ndim != 1
            or len(classes) < 2
            or len(set(classes.tolist())) < len(classes)
        ):
            raise ValueError(
                "classes must list at least two labels, each once, in the order of "
                f"the columns; got {self.classes!r}. Pass the labels of y."
            )

    def _read(self, answer: Any, n_rows: int, owner: str) -> FloatArray:
        return check_probabilities(answer, n_rows, self.classes_, owner)

    def predict_proba(self, X: Any) -> FloatArray:
        """Call the function on batches of rows.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows of the kind that the function takes.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            A parameter is invalid, or the function returned no probabilities, or
            not one row for each row of its batch.
        """
        return np.concatenate([*self._call(X), np.empty((0, len(self.classes_)))])

    def predict(self, X: Any) -> AnyArray:
        """Return the label of the largest probability.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows of the kind that the function takes.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Among `classes_`.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class FunctionRegressor(RegressorMixin, _FunctionModel):
    """A fitted regressor made of a function from rows to values.

    The function stands for a model that is not fitted here, as that of a
    :class:`FunctionClassifier` does. :class:`DistilledRegressor` takes it as a fixed
    teacher: it is never cloned, copied or refitted.

    Parameters
    ----------
    func : callable
        Is called with rows, in the container in which they came, and returns their
        values, shape (n_rows,) or (n_rows, n_outputs).
    batch_size : int, default=None
        The most rows in a call; None: as many as `predict` is given.

    See Also
    --------
    FunctionClassifier : The same for probabilities.

    Notes
    -----
    Calls are made one after the other, unless `n_jobs` of
    :class:`DistilledRegressor` asks for workers. Pickling, and workers that are
    processes, need a function that can be pickled.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistill import DistilledRegressor, FunctionRegressor
    >>> X, y = make_friedman1(300, random_state=0)
    >>> teacher = FunctionRegressor(lambda rows: 10 * rows[:, 3], batch_size=100)
    >>> distilled = DistilledRegressor(teacher, DecisionTreeRegressor(), random_state=0)
    >>> distilled.fit(X, y).teacher_ is teacher
    True
    """

    _returned = "values"

    def __init__(
        self, func: Callable[[Any], Any], *, batch_size: int | None = None
    ) -> None:
        self.func = func
        self.batch_size = batch_size

    def _read(self, answer: Any, n_rows: int, owner: str) -> FloatArray:
        return check_values(answer, n_rows, None, owner)

    def predict(self, X: Any) -> AnyArray:
        """Call the function on batches of rows.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows of the kind that the function takes.

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ValueError
            A parameter is invalid, or the function returned no finite numbers, or not
            one row for each row of its batch.
        """
        answers = self._call(X)
        values = np.concatenate(answers) if answers else np.empty((0, 1))
        return values[:, 0] if values.shape[1] == 1 else values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
