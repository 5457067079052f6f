"""A fitted scikit-learn regressor that serves an ONNX file."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin

from ..._typing import AnyArray
from ._onnx_model import OnnxModel


class OnnxRegressor(RegressorMixin, OnnxModel):
    """A fitted regressor that serves an ONNX model of :func:`to_onnx`.

    A row takes microseconds, from arrays, data frames and dicts. It needs the extra
    `serve`, which is ONNX Runtime alone.

    Parameters
    ----------
    model : path-like, bytes or onnx.ModelProto
        What :func:`to_onnx` wrote or returned for a regressor.
    n_threads : int, default=1
        Threads of a call. One is the fastest for single rows.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names; only where the model was exported from a table whose columns have
        names.

    See Also
    --------
    OnnxClassifier : The same for classes, with more on rows, threads and pickles.

    Notes
    -----
    Missing numbers are taken where the model's answers equal the estimator's, which
    :func:`to_onnx` finds out column by column; others, and infinite ones, are refused.
    It is a fixed teacher of
    :class:`~skdistill.DistilledRegressor`; `fit` learns nothing.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.linear_model import Ridge
    >>> from skdistill.export import OnnxRegressor, to_onnx
    >>> X, y = make_friedman1(200, random_state=0)
    >>> model = Ridge().fit(X, y)
    >>> served = OnnxRegressor(to_onnx(model, X))
    >>> bool(abs(served.predict(X) - model.predict(X)).max() < 1e-3)
    True
    """

    def predict(self, X: Any) -> AnyArray:
        """Return the values.

        Parameters
        ----------
        X : array-like, dataframe or dict of columns, n_samples rows
            The rows.

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Float32, or double where that can't hold them beside their spread. Quantiles
            are sorted.

        Raises
        ------
        TypeError, ValueError
            X has other columns, or values that the model does not take.
        """
        values = self._open().ask(X, ["values"])[0]
        return values[:, 0] if values.shape[1] == 1 else values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
