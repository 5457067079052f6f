"""Independent calls of a fit: run by joblib, shared between workers, cached in memory.

The backend is the one of `joblib.parallel_config`.
"""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import signature
from itertools import chain
from typing import Any

import cloudpickle
import joblib
import numpy as np
from joblib.hashing import NumpyHasher
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory
from threadpoolctl import ThreadpoolController

from ._sklearn import read_tree_state

#: Attempts at a call whose scattered data was lost with a worker.
_TRIES = 4


@contextmanager
def limit_threads(**limits: int) -> Iterator[None]:
    """Limit the threads of `blas` and `openmp` libraries in a block or a function."""
    with _find_pools(len(sys.modules)).limit(limits=limits):
        yield


@lru_cache(maxsize=1)
def _find_pools(n_modules: int) -> ThreadpoolController:
    """Find the libraries anew, which takes 5 ms, where a module was imported since."""
    return ThreadpoolController()


#: BLAS with one thread: its sums depend on the number of threads, which each backend of
#: joblib sets in its own way.
ONE_THREAD = limit_threads(blas=1)


@dataclass(frozen=True)
class Tasks:
    """How the calls of a fit are run, and where their results are cached."""

    memory: Any = field(default_factory=lambda: joblib.Memory(None))
    n_jobs: int | None = None

    def count_threads(self, n_tasks: int) -> int | None:
        """Return the threads of each task, or None where tasks run here, one by one.

        A single task is not worth sending to a worker.
        """
        n_workers = 1 if n_tasks == 1 else joblib.effective_n_jobs(self.n_jobs)
        if n_workers == 1:
            return None
        return max(1, joblib.cpu_count() // min(n_workers, n_tasks))

    def run(self, function: Any, calls: Iterable[Any], n_tasks: int) -> Iterator[Any]:
        """Yield what the function returns for each tuple of arguments, in order.

        BLAS has one thread, here and in all workers: its sums depend on their number.
        Its limit is that of a process; OpenMP has one for each thread, which each task
        sets.
        """
        n_threads = self.count_threads(n_tasks)
        with limit_threads(blas=1):
            if n_threads is None:
                for args in calls:
                    yield function(*args)
            else:
                yield from _run_parallel(function, calls, self.n_jobs, n_threads)

    def cache(self, function: Any, by: Sequence[str]) -> Any:
        """Return the function, cached by the arguments that `by` names.

        The key ignores all others, so that a new parameter does not change it.
        """
        others = [name for name in signature(function).parameters if name not in by]
        return self.memory.cache(function, ignore=others)

    def name(self, *parts: Any) -> str | None:
        """Return a hash of the parts as a key of the cache; None without a cache.

        Large parts are hashed once, here, and not at each look into the cache. A
        memory-mapped array has the hash of an array in memory.
        """
        if getattr(self.memory, "location", "") is None:
            return None
        try:
            return str(_Hasher(coerce_mmap=True).hash(parts))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                "memory recognises a teacher and its rows by their pickles; received "
                f"what cannot be pickled: {error}. Use functions of a module in place "
                "of local ones, or set memory=None."
            ) from error


class _Hasher(NumpyHasher):
    """The hash of joblib, of what neither a prediction nor a pickle changes."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, np.ndarray) and not obj.size:
            # joblib hashes its strides, which are others after a pickle.
            obj = np.empty(obj.shape, obj.dtype)
        elif hasattr(type(obj), "get_tree_stats"):
            obj = type(obj), read_tree_state(obj)
        super().save(obj)


def read_tasks(estimator: Any) -> Tasks:
    """Read the parameters `memory` and `n_jobs` of an estimator."""
    memory = estimator.memory
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    return Tasks(check_memory(memory), estimator.n_jobs)


def _run_parallel(
    function: Any, calls: Iterable[Any], n_jobs: int | None, n_threads: int
) -> Iterator[Any]:
    """Yield what the function returns for each call; send lost calls again."""
    queue = iter(calls)
    sent: deque[Any] = deque()
    run = delayed(_run_limited)

    def send() -> Generator[Any, None, None]:
        for args in queue:
            sent.append(args)
            # Unpacked: Dask looks for large values among the arguments, not inside
            # them.
            yield run(n_threads, function, *args)

    backend, _ = joblib.parallel.get_active_backend()
    # The backends of Ray and Spark return all results at once.
    return_as = "generator" if backend.supports_return_generator else "list"
    tries = 0
    while True:
        tasks = send()
        try:
            for result in Parallel(n_jobs=n_jobs, return_as=return_as)(tasks):
                sent.popleft()
                tries = 0
                yield result
            return
        except CancelledError:
            # A worker died with the data that was scattered to it alone. Dask retries
            # tasks, but cannot restore such data.
            tries += 1
            if tries == _TRIES:
                raise
            tasks.close()
            queue = chain(list(sent), queue)
            sent.clear()


def _run_limited(n_threads: int, function: Any, *args: Any) -> Any:
    with limit_threads(openmp=n_threads, blas=1):
        return function(*args)


def share_cores(estimator: Any, n_threads: int | None, alone: bool = False) -> Any:
    """Return an estimator that uses at most so many threads, its parts included.

    An `n_jobs` of -1, or LightGBM's None, would give every task all cores. Changed
    parts are copies, because threads may share an estimator; arrays are not copied.

    With `alone`, scikit-learn's `n_jobs` of None becomes 1 instead of the default of
    `joblib.parallel_config`: a forest adds up the votes of its trees in the order in
    which threads end; with one thread the sum is always the same.
    """
    return _cut_parts(estimator, n_threads, 1 if alone else None, {})


def _cut_parts(value: Any, most: int | None, none: int | None, done: dict) -> Any:
    """Return an estimator or a container with lower `n_jobs`; itself if unchanged."""
    if id(value) in done:
        return done[id(value)]
    done[id(value)] = value
    inner = _list_parts(value)
    new = {key: _cut_parts(part, most, none, done) for key, part in inner.items()}
    if "n_jobs" in inner and inner is not value:
        new["n_jobs"] = _cut(value, most, none)
    if any(new[key] is not inner[key] for key in inner):
        done[id(value)] = _rebuild(value, new)
    return done[id(value)]


def _list_parts(value: Any) -> dict[Any, Any]:
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
    if n_jobs is None:
        # None means all cores in these libraries, and one in scikit-learn.
        libraries = {base.__module__.split(".")[0] for base in type(part).__mro__}
        if libraries.isdisjoint({"lightgbm", "xgboost"}):
            return none
    if most is None:
        return n_jobs
    wanted = n_jobs if n_jobs is not None and n_jobs > 0 else joblib.cpu_count()
    return n_jobs if wanted <= most else most


class Shared:
    """A large value that every task needs, and that is sent to a worker once.

    Threads share it. For processes it is pickled once, with its arrays beside the
    pickle: joblib maps those into the memory of each process, as it does with any
    large array. Dask scatters values whose `__sizeof__` is large.
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
