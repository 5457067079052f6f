"""Work that splits into tasks: who does it, what travels, what is kept.

joblib does it, on the backend that `joblib.parallel_config` names.
"""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import cloudpickle
import joblib
import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory
from threadpoolctl import threadpool_limits

#: Times that a task is begun whose data was lost with a worker, and again.
_TRIES = 4


@dataclass(frozen=True)
class Tasks:
    """How the tasks of a fit are run, and where their results are kept.

    Attributes
    ----------
    memory : joblib.Memory
        Results that are found there are not worked for again.
    n_jobs : int or None
        As in joblib.
    """

    memory: Any = field(default_factory=lambda: joblib.Memory(None))
    n_jobs: int | None = None

    def count_threads(self, n_tasks: int | None = None) -> int | None:
        """Return each task's share of the cores; None: it has the machine to itself.

        One task is done here: it is worth no journey.
        """
        n_workers = 1 if n_tasks == 1 else joblib.effective_n_jobs(self.n_jobs)
        if n_workers == 1:
            return None
        n_workers = n_workers if n_tasks is None else min(n_workers, n_tasks)
        return max(1, joblib.cpu_count() // n_workers)

    def run(
        self, function: Any, calls: Iterable[Any], n_tasks: int | None = None
    ) -> Iterator[Any]:
        """Yield what the function returns for each tuple of arguments, in order.

        Native threads share the cores: BLAS has one limit for a whole process, which
        is set here, OpenMP one for each thread, which is a matter of each task.
        """
        n_threads = self.count_threads(n_tasks)
        if n_threads is None:
            for args in calls:
                yield function(*args)
            return
        queue = _Queue(function, calls, n_threads)
        tries = 0
        with threadpool_limits(n_threads, user_api="blas"):
            while not queue.done:
                try:
                    for answer in queue.answer(self.n_jobs):
                        tries = 0
                        yield answer
                except CancelledError:
                    # A machine went, and what was scattered to it alone.
                    tries += 1
                    if tries == _TRIES:
                        raise
                    queue.put_back()

    def name(self, *parts: Any) -> str | None:
        """Return a name by which the memory, if there is any, knows the parts again.

        Large parts are hashed once, here, and not at each look into the memory. An
        array in a file has the name of one in memory.
        """
        if getattr(self.memory, "location", "") is None:
            return None
        return joblib.hash(parts, coerce_mmap=True)


def read_tasks(estimator: Any) -> Tasks:
    """Return what `memory` and `n_jobs` of an estimator ask for."""
    memory = estimator.memory
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    return Tasks(check_memory(memory), estimator.n_jobs)


class _Queue:
    """Calls that are given out in order, and again where the answer got lost."""

    def __init__(self, function: Any, calls: Iterable[Any], n_threads: int):
        self._function = function
        self._calls = iter(calls)
        self._n_threads = n_threads
        self._given: deque[Any] = deque()
        self._tasks = self._give_out()
        self.done = False

    def answer(self, n_jobs: int | None) -> Iterator[Any]:
        """Yield what the function returns for each call."""
        self._tasks = self._give_out()
        backend, _ = joblib.parallel.get_active_backend()
        # Ray's and Spark's give all answers at once.
        return_as = "generator" if backend.supports_return_generator else "list"
        for answer in Parallel(n_jobs=n_jobs, return_as=return_as)(self._tasks):
            self._given.popleft()
            yield answer
        self.done = True

    def _give_out(self) -> Generator[Any, None, None]:
        run = delayed(_run_limited)
        for args in self._calls:
            self._given.append(args)
            # Side by side: Dask looks for what is large among the arguments, not in
            # them.
            yield run(self._n_threads, self._function, *args)

    def put_back(self) -> None:
        """Take all calls as not given out that have no answer yet."""
        self._tasks.close()
        self._calls = chain(list(self._given), self._calls)
        self._given.clear()


def _run_limited(n_threads: int, function: Any, *args: Any) -> Any:
    with threadpool_limits(n_threads, user_api="openmp"):
        return function(*args)


def share_cores(estimator: Any, n_threads: int | None, alone: bool = False) -> Any:
    """Return an estimator that uses so many threads at most, in its parts as well.

    An `n_jobs` of -1, or LightGBM's None, would give every task all cores. What
    changes is a copy, for threads may share an estimator; it learned the same arrays.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    n_threads : int or None
        None: as many as it wants.
    alone : bool
        Whether scikit-learn's `n_jobs` of None is to be 1, and not what
        `joblib.parallel_config` says. Forests add up the answers of their trees in
        the order in which threads end: one thread, and they always say the same.
    """
    return _cut_parts(estimator, n_threads, 1 if alone else None, {})


def _cut_parts(value: Any, most: int | None, none: int | None, done: dict) -> Any:
    """Return an estimator, or a container, with less `n_jobs`; itself where it can."""
    if id(value) in done:
        return done[id(value)]
    done[id(value)] = value
    inner = _list_inner(value)
    new = {key: _cut_parts(part, most, none, done) for key, part in inner.items()}
    if "n_jobs" in inner and inner is not value:
        new["n_jobs"] = _cut(value, most, none)
    if any(new[key] is not inner[key] for key in inner):
        done[id(value)] = _rebuild(value, new)
    return done[id(value)]


def _list_inner(value: Any) -> dict[Any, Any]:
    if type(value) is dict:
        return value
    if type(value) in (list, tuple):
        return dict(enumerate(value))
    is_estimator = hasattr(value, "get_params") and not isinstance(value, type)
    return vars(value) if is_estimator else {}


def _rebuild(value: Any, inner: dict[Any, Any]) -> Any:
    if isinstance(value, dict):
        return inner
    if isinstance(value, list | tuple):
        return type(value)(inner.values())
    new = copy.copy(value)
    vars(new).update(inner)
    return new


def _cut(part: Any, most: int | None, none: int | None) -> int | None:
    n_jobs = part.n_jobs
    if n_jobs is None and not _takes_all(part):
        return none
    if most is None:
        return n_jobs
    wanted = n_jobs if n_jobs is not None and n_jobs > 0 else joblib.cpu_count()
    return n_jobs if wanted <= most else most


def _takes_all(part: Any) -> bool:
    """Whether no `n_jobs` means all cores: elsewhere it means one."""
    libraries = {base.__module__.split(".")[0] for base in type(part).__mro__}
    return not libraries.isdisjoint({"lightgbm", "xgboost"})


class Shared:
    """A large value that every task needs, and that travels to a worker once.

    Threads share it. For processes it is pickled once, its arrays beside the pickle:
    joblib maps those into the memory of each process, as it does with any large
    array. Dask scatters what says that it is large.
    """

    def __init__(self, value: Any):
        self.value = value
        self._packed: list[Any] | None = None

    def _pack(self) -> list[Any]:
        if self._packed is None:
            buffers: list[Any] = []
            data = cloudpickle.dumps(
                self.value, protocol=5, buffer_callback=buffers.append
            )
            arrays = [np.asarray(buffer.raw()) for buffer in buffers]
            self._packed = [np.frombuffer(data, np.uint8), *arrays]
        return self._packed

    def __sizeof__(self) -> int:
        return sum(array.nbytes for array in self._pack())

    def __reduce__(self) -> Any:
        return _unpack, (self._pack(),)


def _unpack(packed: list[Any]) -> Shared:
    data, *buffers = packed
    return Shared(cloudpickle.loads(data, buffers=buffers))
