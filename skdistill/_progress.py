"""Progress of a fit: scikit-learn's callbacks, and `verbose`.

`sklearn.callback` is experimental: it is imported here alone, and without it a fit
reports to `verbose` only.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import ProgressBar
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Has no `set_callbacks`."""

    def ProgressBar() -> Any:
        """Raise the error of a progress bar that cannot be shown."""
        raise ImportError("A progress bar needs sklearn.callback.")

    def _with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


_Method = TypeVar("_Method", bound=Callable[..., Any])


def with_callbacks(method: _Method) -> _Method:
    """Return scikit-learn's decorated method, with the type of the method."""
    decorated: _Method = _with_callbacks(method)
    return decorated


@contextmanager
def raise_interrupts() -> Iterator[None]:
    """Let Ctrl-C end a fit.

    `MLPClassifier` catches a KeyboardInterrupt during its epochs, warns, and returns
    a half-trained network, which must not become a teacher or a student.
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


def show_progress(estimator: Any) -> None:
    """Set a progress bar; `verbose=True` where rich or the callbacks are missing."""
    try:
        bar = ProgressBar()
    except ImportError:
        estimator.set_params(verbose=True)
    else:
        estimator.set_callbacks(bar)


def propagate(context: Any, estimator: Any) -> Any:
    """Hand the caller's callbacks on to an estimator that takes callbacks."""
    if context is None or not hasattr(estimator, "set_callbacks"):
        return nullcontext()
    return context.propagate_callback_context(estimator)


def name_shares(asked: Mapping[str, int]) -> str:
    """Return how many labels were asked for, by what they are for."""
    shares = [f"{name} {n:,}" for name, n in asked.items() if n]
    return ", ".join(shares) or "none"


class Progress:
    """The steps of one fit, by `names`, reported as they begin and end.

    The estimator owns the callbacks. `asked` counts the rows that teachers were asked
    for; each step tells how many it added.
    """

    def __init__(self, estimator: Any, names: tuple[str, ...], asked: Counter[str]):
        self._estimator = estimator
        self._names, self._asked = names, asked
        self._root: Any = None
        if hasattr(estimator, "set_callbacks"):
            self._root = estimator._init_callback_context(max_subtasks=len(names))
            self._root.call_on_fit_task_begin(estimator=estimator)

    @contextmanager
    def step(self, name: str, n_subtasks: int = 0) -> Iterator[Any]:
        """Report one step; yields the context of sub-estimators, or None."""
        context = self._root and self._root.subcontext(
            task_name=name, max_subtasks=n_subtasks, sequential_subtasks=False
        )
        if context is not None:
            context.call_on_fit_task_begin(estimator=self._estimator)
        start, before = time.perf_counter(), self._asked.total()
        yield context
        number, n_asked = self._names.index(name) + 1, self._asked.total() - before
        self.say(
            f"step {number} of {len(self._names)}, {name}: "
            f"{time.perf_counter() - start:.1f} s"
            + (f", {n_asked:,} rows labelled by a teacher" if n_asked else "")
        )
        if context is not None:
            context.call_on_fit_task_end(estimator=self._estimator)

    def say(self, text: str) -> None:
        """Print a line where the estimator is verbose."""
        if self._estimator.verbose:
            print(f"[{type(self._estimator).__name__}] {text}", flush=True)

    def finish(self) -> None:
        """Report the end of the fit, and what was spent of `max_labels`."""
        most = self._estimator.max_labels
        if most is not None:
            total, shares = self._asked.total(), name_shares(self._asked)
            self.say(f"{total:,} of {most:,} labels were asked for: {shares}")
        if self._root is not None:
            self._root.call_on_fit_task_end(estimator=self._estimator)
