"""A fitted scikit-learn classifier that serves an ONNX file."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin

from ..._checks import check_count
from ..._version import Versioned
from ._session import Served

#: Guards the making of sessions; a few milliseconds, once an estimator.
_LOCK = threading.Lock()
#: Sessions of the process that forked this one. To close them could wait for threads
#: that only the other process has.
_INHERITED: list[Any] = []
_n_forks = 0


def _count_fork() -> None:
    global _LOCK, _n_forks
    # Another thread may have held it at that moment.
    _LOCK = threading.Lock()
    _n_forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class OnnxClassifier(Versioned, ClassifierMixin, BaseEstimator):
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
    feature_names_in_ : ndarray of shape (n_features_in_,)
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

    def __init__(self, model, *, n_threads=1):
        self.model = model
        self.n_threads = n_threads

    @property
    def classes_(self):
        """The labels in the order of the probabilities."""
        return self._open().classes

    @property
    def n_features_in_(self):
        """The number of columns."""
        return self._open().n_features

    @property
    def feature_names_in_(self):
        """The names of the columns."""
        names = self._open().feature_names
        if names is None:
            raise AttributeError(
                f"This {type(self).__name__} has no feature_names_in_: the model was "
                "exported from a table without names."
            )
        return names

    def fit(self, X=None, y=None):
        """Open the model; nothing is fitted.

        Parameters
        ----------
        X, y : object, default=None
            Not used, present for API consistency.

        Returns
        -------
        self : OnnxClassifier
            This one.

        Raises
        ------
        ImportError
            ONNX Runtime is not installed.
        OSError
            The file can't be read.
        TypeError, ValueError
            A parameter is invalid, or the model is not one of :func:`to_onnx`.
        """
        self._open()
        return self

    def predict_proba(self, X):
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

    def predict(self, X):
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

    def _open(self) -> Served:
        """Return the session, opened where there is none yet for the parameters."""
        kept = self.__dict__.get("_served")
        if kept is not None:
            served, model, n_threads, forks = kept
            if (
                model is self.model
                and n_threads == self.n_threads
                and forks == _n_forks
            ):
                return served
        with _LOCK:
            if self.__dict__.get("_served") is kept:
                self._reopen(kept)
            return self._served[0]

    def _reopen(self, kept: Any) -> None:
        if kept is not None and kept[-1] != _n_forks:
            _INHERITED.append(kept)
        check_count("n_threads", self.n_threads, "One is the fastest for single rows.")
        owner, content = type(self).__name__, self._read_content()
        served = Served(content, int(self.n_threads), owner)
        self._served = served, self.model, self.n_threads, _n_forks

    def _read_content(self) -> bytes:
        """Return the model as bytes."""
        model = self.model
        if isinstance(model, bytes):
            return model
        if hasattr(model, "SerializeToString"):
            return model.SerializeToString()
        if isinstance(model, str | os.PathLike):
            return Path(model).read_bytes()
        raise TypeError(
            "model must be a path, bytes or what to_onnx returns; received a "
            f"{type(model).__name__}. Export the estimator with "
            "skdistill.export.to_onnx first."
        )

    def __getstate__(self):
        state = super().__getstate__()
        kept = state.pop("_served", None)
        # Of a file that has been opened, what was served.
        same = kept is not None and kept[1] is self.model
        state["model"] = kept[0].content if same else self._read_content()
        return state

    def __repr__(self, N_CHAR_MAX=700):
        model = self.model
        if isinstance(model, str | os.PathLike):
            shown = repr(os.fspath(model))
        elif isinstance(model, bytes):
            shown = f"<{len(model):,} bytes>"
        else:
            shown = f"<{type(model).__name__}>"
        threads = "" if self.n_threads == 1 else f", n_threads={self.n_threads!r}"
        return f"{type(self).__name__}({shown}{threads})"

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        # The exported estimator decides.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags
