"""Seconds and memory of the stages of a fit that work in turns, block by block.

Each stage is a function of the package that is wrapped for the time of a measurement.
Where stages alternate, the peak of one is read and set back whenever another begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from skdistill._labels import _teacher
from skdistill._outofcore import Chunks, _spill, _transfer_stream
from skdistill._students import _mlp
from skdistill.transfer import _transfer_set

STAGES = ("reading", "augmenting", "labelling", "writing", "learning")

_STATUS, _SWITCH = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def read_megabytes(name: str) -> float:
    """`VmRSS` or `VmHWM` of this process; NaN where there is no /proc."""
    if not _STATUS.exists():
        return float("nan")
    lines = _STATUS.read_text().splitlines()
    return float(next(x for x in lines if x.startswith(name)).split()[1]) / 1e3


class Meter:
    """Sums of CPU seconds, and peaks of memory, by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys((*STAGES, "rest"), 0.0)
        self.peaks = dict.fromkeys((*STAGES, "rest"), 0.0)
        self._stack = ["rest"]
        self._clock = process_time()

    def switch(self) -> None:
        """Book what was used since the last call for the stage that is at work."""
        now, stage = process_time(), self._stack[-1]
        self.seconds[stage] += now - self._clock
        self.peaks[stage] = max(self.peaks[stage], read_megabytes("VmHWM"))
        if _SWITCH.exists():
            _SWITCH.write_text("5")  # the peak starts from what is held now
        self._clock = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.switch()
        self._stack.append(name)
        try:
            yield
        finally:
            self.switch()
            self._stack.pop()

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return run

    def wrap_iterator(self, name: str, function: Callable[..., Any]) -> Any:
        """Only the making of the next item counts."""

        def run(*args: Any) -> Iterator[Any]:
            items = function(*args)
            done = object()
            while True:
                with self.stage(name):
                    item = next(items, done)
                if item is done:
                    return
                yield item

        return run


@contextmanager
def measure_stages() -> Iterator[Meter]:
    """Measure the fits within."""
    meter = Meter()
    sample = meter.wrap("augmenting", _transfer_set.sample_rows)
    read = meter.wrap_iterator("reading", Chunks.__iter__)
    write = meter.wrap("writing", _spill.Spill.append)
    label = meter.wrap("labelling", _teacher._label_chunk)
    with (
        patch.object(Chunks, "__iter__", read),
        patch.object(_transfer_set, "sample_rows", sample),
        patch.object(_transfer_stream, "sample_rows", sample),
        patch.object(_teacher, "_label_chunk", label),
        patch.object(_spill.Spill, "append", write),
        patch.object(_mlp, "fit_chunks", meter.wrap("learning", _mlp.fit_chunks)),
    ):
        meter.switch()
        meter.seconds["rest"] = 0.0
        yield meter
        meter.switch()


def time_best(work: Callable[[], Any], repeats: int) -> float:
    """Wall-clock seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)
