"""Progress of a fit: scikit-learn's callbacks, and `verbose`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def raise_interrupts() -> Iterator[None]:
    """Let Ctrl-C end a fit.

    `MLPClassifier` swallows a KeyboardInterrupt during its passes, warns, and
    returns a half-trained network, which must not become a teacher or a student.
    """
    swallowed = "Training interrupted by user"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=swallowed)
        try:
            yield
        except UserWarning as warning:
            if swallowed in str(warning):
                raise KeyboardInterrupt from None
            raise


class Progress:
    """The steps of one fit, reported as they begin and end.

    Parameters
    ----------
    estimator : DistilledClassifier
        Owner of the callbacks.
    names : sequence of str
        The steps to come.
    """

    def __init__(self, estimator: Any, names: tuple[str, ...]):
        self._estimator = estimator
        self._names = names
        self._root = estimator._init_callback_context(max_subtasks=len(names))
        self._root.call_on_fit_task_begin(estimator=estimator)

    @contextmanager
    def step(self, name: str, n_subtasks: int = 0) -> Iterator[Any]:
        """Report one step; yields the context that sub-estimators report to."""
        context = self._root.subcontext(
            task_name=name, max_subtasks=n_subtasks, sequential_subtasks=False
        )
        context.call_on_fit_task_begin(estimator=self._estimator)
        start = time.perf_counter()
        yield context
        if self._estimator.verbose:
            owner = type(self._estimator).__name__
            number = self._names.index(name) + 1
            print(
                f"[{owner}] step {number} of {len(self._names)}, {name}: "
                f"{time.perf_counter() - start:.1f} s",
                flush=True,
            )
        context.call_on_fit_task_end(estimator=self._estimator)

    def finish(self) -> None:
        """Report the end of the fit."""
        self._root.call_on_fit_task_end(estimator=self._estimator)
