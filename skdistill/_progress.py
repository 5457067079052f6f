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
from contextvars import ContextVar
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


#: A step that tells its share does so in so many parts, to a progress bar.
N_PARTS = 100

#: Seconds from one line of `verbose` to the next one within a step.
_SECONDS = 10


class Share:
    """The share of a step that is done, shown as it grows.

    Work inside the step tells a share of its own, between `start` and `stop` of the
    step. `show` takes what is done, as a number between 0 and 1.
    """

    def __init__(self, show: Callable[[float], None]):
        self._show = show
        self._start, self._stop = 0.0, 1.0

    def tell(self, share: float) -> None:
        """Show how much is done of the part that is at work."""
        self._show(self._start + share * (self._stop - self._start))

    @contextmanager
    def narrow(self, start: float, stop: float) -> Iterator[None]:
        """Let the shares that are told be those of a part."""
        outer = self._start, self._stop
        self._start, self._stop = (
            outer[0] + end * (outer[1] - outer[0]) for end in (start, stop)
        )
        try:
            yield
            self.tell(1.0)
        finally:
            self._start, self._stop = outer


#: Where the step at work is told; None in workers, whose work is told when it is back.
_share: ContextVar[Share | None] = ContextVar("share", default=None)


def tell_share(share: float) -> None:
    """Tell how much of the work at hand is done, between 0 and 1."""
    if (at_work := _share.get()) is not None:
        at_work.tell(share)


@contextmanager
def part_of_step(start: float, stop: float) -> Iterator[None]:
    """Let what is told inside be a part of the work at hand, from one share to another.

    Its end is told, too.
    """
    at_work = _share.get()
    with nullcontext() if at_work is None else at_work.narrow(start, stop):
        yield


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
        context = self._begin(self._root, name, n_subtasks)
        start, before = time.perf_counter(), self._asked.total()
        yield context
        number, n_asked = self._names.index(name) + 1, self._asked.total() - before
        self.say(
            f"step {number} of {len(self._names)}, {name}: "
            f"{time.perf_counter() - start:.1f} s"
            + (f", {n_asked:,} rows labelled by a teacher" if n_asked else "")
        )
        self._end(context)

    @contextmanager
    def shared_step(self, name: str) -> Iterator[Any]:
        """Report one step whose work tells its share; yields as `step` does."""
        with self.step(name, N_PARTS) as context:
            n_told, start = 0, time.perf_counter()
            said = start

            def show(done: float) -> None:
                nonlocal n_told, said
                # A training that is repeated begins anew, and the step does not.
                for number in range(n_told, int(N_PARTS * done)):
                    self._end(self._begin(context, "part", 0, number))
                    n_told = number + 1
                now = time.perf_counter()
                if now - said >= _SECONDS and 0 < done < 1:
                    said, left = now, (now - start) * (1 / done - 1)
                    self.say(f"{name}: {done:.0%}, about {left:.0f} s left")

            token = _share.set(Share(show))
            try:
                yield context
            finally:
                _share.reset(token)

    def _begin(
        self, parent: Any, name: str, n_subtasks: int, number: int | None = None
    ) -> Any:
        context = parent and parent.subcontext(
            task_name=name,
            task_id=number,
            max_subtasks=n_subtasks,
            sequential_subtasks=False,
        )
        if context is not None:
            context.call_on_fit_task_begin(estimator=self._estimator)
        return context

    def _end(self, context: Any) -> None:
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
