"""A clock for tests that are not about times."""

import time

_READ = time.perf_counter_ns


def hurry(monkeypatch, factor=10_000):
    """Let the clock of measurements run fast, so that they make their fewest calls."""
    monkeypatch.setattr(time, "perf_counter_ns", lambda: factor * _READ())


def tick(monkeypatch, nanoseconds=1000, step=0):
    """Let each reading of the clock be later by `nanoseconds`, then by `step` more."""
    state = {"now": 0, "by": nanoseconds}

    def read():
        state["now"] += state["by"]
        state["by"] += step
        return state["now"]

    monkeypatch.setattr(time, "perf_counter_ns", read)
