"""What classifiers and regressors that serve an ONNX file share: the session."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Self

from ..._checks import check_count
from ..._fixed_model import FixedModel
from ..._typing import AnyArray
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


class OnnxModel(FixedModel):
    """A fitted estimator that serves an ONNX file; it is opened at the first call."""

    def __init__(self, model: Any, *, n_threads: int = 1) -> None:
        self.model = model
        self.n_threads = n_threads

    @property
    def n_features_in_(self) -> int:
        """The number of columns."""
        return self._open().n_features

    @property
    def feature_names_in_(self) -> AnyArray:
        """The names of the columns."""
        names = self._open().feature_names
        if names is None:
            raise AttributeError(
                f"This {type(self).__name__} has no feature_names_in_: the model was "
                "exported from a table without names."
            )
        return names

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Open the model; nothing is fitted.

        Parameters
        ----------
        X, y : object, default=None
            Not used, present for API consistency.

        Returns
        -------
        self : estimator
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
        # A file that has been opened is kept as it was served.
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
