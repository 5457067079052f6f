"""A fitted scikit-learn classifier that serves an ONNX file."""

from __future__ import annotations

from typing import Any

from sklearn.base import ClassifierMixin

from ..._typing import AnyArray, Float32Array
from ._onnx_model import OnnxModel


class OnnxClassifier(ClassifierMixin, OnnxModel):
    """A fitted classifier that serves an ONNX model of :func:`to_onnx`.

    A row takes microseconds, from arrays, data frames and dicts, without a feed
    written by hand. It needs the extra `serve`, which is ONNX Runtime alone.

    Parameters
    ----------
    model : path-like, bytes or onnx.ModelProto
        What :func:`to_onnx` wrote or returned.
    n_threads : int, default=1
        Threads of a call. One is the fastest for single rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels in the order of the probabilities.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names; only where the model was exported from a table whose columns have
        names.

    See Also
    --------
    to_onnx : Makes the model.
    slim : The same student for pickle and joblib.

    Notes
    -----
    Rows are an array in the order of the columns, a data frame of any library that
    narwhals knows, or a dict of columns; a dict of single values is one row, as a
    service receives it. Columns of frames and dicts are taken by name, in any order. A
    missing value is NaN or None; it is refused in the columns in which the exported
    estimator refuses it. No rows give an array of no rows.

    The session is opened at the first call, once for all threads. A pickle, a joblib
    dump and a copy hold the bytes of the model; a session is opened again after
    loading and in a forked process.

    It is a fixed teacher of :class:`~skdistill.DistilledClassifier`, like a
    :class:`~sklearn.frozen.FrozenEstimator`; `fit` learns nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdistill.export import OnnxClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> served = OnnxClassifier(to_onnx(model, X))
    >>> served.predict(X[:3])
    array([0, 0, 0])
    >>> record = dict(zip(X.columns, [5.9, 3.0, 4.2, 1.5]))
    >>> served.predict_proba(record).round(2)
    array([[0.02, 0.9 , 0.08]], dtype=float32)
    """

    @property
    def classes_(self) -> AnyArray:
        """The labels in the order of the probabilities."""
        return self._open().classes

    def predict_proba(self, X: Any) -> Float32Array:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like, dataframe or dict of columns, n_samples rows
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes), float32
            Columns in the order of `classes_`.

        Raises
        ------
        TypeError, ValueError
            X has other columns, or values that the model does not take.
        """
        return self._open().ask(X, ["probabilities"])[0]

    def predict(self, X: Any) -> AnyArray:
        """Return the most probable labels.

        Parameters
        ----------
        X : array-like, dataframe or dict of columns, n_samples rows
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Among `classes_`.

        Raises
        ------
        TypeError, ValueError
            X has other columns, or values that the model does not take.
        """
        served = self._open()
        labels = served.ask(X, ["label", "probabilities"])[0]
        return labels.astype(served.classes.dtype)
