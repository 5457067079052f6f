"""Seconds and memory of the stages of a fit that work in turns, block by block.

Each stage is a function of the package that is wrapped for the time of a measurement.
Where stages alternate, the peak of one is read and set back whenever another begins.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import process_time
from typing import Any
from unittest.mock import patch

from .._measure import read_megabytes, reset_peak
from .._private import STAGES


class Meter:
    """Sums of CPU seconds, and peaks of memory, by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys((*STAGES, "rest"), 0.0)
        self.peaks = dict.fromkeys((*STAGES, "rest"), 0.0)
        self._stack = ["rest"]
        self._clock = process_time()

    def switch(self) -> None:
        """Book what was used since the last call for the current stage."""
        now, stage = process_time(), self._stack[-1]
        self.seconds[stage] += now - self._clock
        self.peaks[stage] = max(self.peaks[stage], read_megabytes("VmHWM"))
        reset_peak()
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
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(name, function)

        def run(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return run

    def _wrap_generator(self, name: str, function: Callable[..., Any]) -> Any:
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
    with ExitStack() as stack:
        for stage, functions in STAGES.items():
            for owner, name in functions:
                wrapped = meter.wrap(stage, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, wrapped))
        meter.switch()
        meter.seconds["rest"] = 0.0
        yield meter
        meter.switch()
