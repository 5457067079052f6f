"""Work that splits into tasks: who does it, what travels, what is kept.

joblib does it, on the backend that `joblib.parallel_config` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import joblib
import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Work:
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
        run = delayed(_run_limited)
        tasks = (run(n_threads, function, args) for args in calls)
        with threadpool_limits(n_threads, user_api="blas"):
            yield from Parallel(n_jobs=self.n_jobs, return_as="generator")(tasks)

    def name(self, *parts: Any) -> str | None:
        """Return a name by which the memory, if there is any, knows the parts again.

        Large parts are hashed once, here, and not at each look into the memory. An
        array in a file has the name of one in memory.
        """
        if getattr(self.memory, "location", "") is None:
            return None
        return joblib.hash(parts, coerce_mmap=True)


def read_work(estimator: Any) -> Work:
    """Return what `memory` and `n_jobs` of an estimator ask for."""
    memory = estimator.memory
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    return Work(check_memory(memory), estimator.n_jobs)


def _run_limited(n_threads: int, function: Any, args: tuple[Any, ...]) -> Any:
    with threadpool_limits(n_threads, user_api="openmp"):
        return function(*args)


@contextmanager
def share_cores(estimator: Any, n_threads: int | None) -> Iterator[None]:
    """Let an estimator and its parts, fitted ones too, use so many threads at most.

    An `n_jobs` of -1, or LightGBM's None, would give every task all cores.
    """
    before = []
    if n_threads is not None:
        before = [(part, part.n_jobs) for part in _walk_parts(estimator, set())]
    for part, n_jobs in before:
        part.n_jobs = _cut(part, n_jobs, n_threads or 1)
    try:
        yield
    finally:
        for part, n_jobs in before:
            part.n_jobs = n_jobs


def _cut(part: Any, n_jobs: int | None, most: int) -> int | None:
    """Return an estimator's `n_jobs`, or less."""
    if n_jobs is None and type(part).__module__.startswith("sklearn."):
        # One job. Elsewhere None means all cores.
        return None
    wanted = n_jobs if n_jobs is not None and n_jobs > 0 else joblib.cpu_count()
    return n_jobs if wanted <= most else most


def _walk_parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every estimator in an estimator that has an `n_jobs`."""
    if id(value) in seen:
        return
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif hasattr(value, "get_params") and not isinstance(value, type):
        if "n_jobs" in vars(value):
            yield value
        inner = list(vars(value).values())
    else:
        return
    seen.add(id(value))
    for part in inner:
        yield from _walk_parts(part, seen)


class Parcel:
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


def _unpack(packed: list[Any]) -> Parcel:
    data, *buffers = packed
    return Parcel(cloudpickle.loads(data, buffers=buffers))
