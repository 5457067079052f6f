"""Serve stored models and time them, in a process with a set number of threads.

`latency.py` runs this file; it imports nothing but what the model at hand needs, so
that start-up and memory are those of serving. It prints one JSON object.

    python _clock.py rounds FOLDER THREADS
    python _clock.py start FOLDER THREADS NAME
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

Predict = Callable[[Any], Any]

#: Rows so many, from which a call's batch is taken in turn.
N_BATCHES = 50
WARM_UP_SECONDS, WARM_UP_ROWS = 0.2, 1024
#: Of 128 to 4,096 rows the fastest on magic; beyond, the cache is too small.
BLOCK = 4096
MAX_CALLS_A_TURN = 200
#: In more threads than one, 100,000 rows are left out where they take longer.
MOST_SECONDS = 10.0


def open_pickle(paths: list[Path], threads: int) -> Predict:
    import pickle

    return pickle.loads(paths[0].read_bytes()).predict_proba


def open_session(path: Path, threads: int) -> Any:
    """As in the documentation of `to_onnx`, with warnings of the converters off."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options)


def open_onnx(paths: list[Path], threads: int) -> Predict:
    """One session, or the mean of several."""
    sessions = [open_session(path, threads) for path in paths]
    if len(sessions) == 1:
        run = sessions[0].run
        return lambda X: run(["probabilities"], {"X": X})[0]

    def average(X):
        total = sessions[0].run(["probabilities"], {"X": X})[0]
        for session in sessions[1:]:
            total = total + session.run(["probabilities"], {"X": X})[0]
        return total / len(sessions)

    return average


def open_blocks(paths: list[Path], threads: int) -> Predict:
    """One session that is handed the rows block by block, so they stay in the cache."""
    return serve_blocks(open_onnx(paths, threads))


def serve_blocks(predict: Predict) -> Predict:
    import numpy as np

    def predict_all(X):
        blocks = [X[start : start + BLOCK] for start in range(0, len(X), BLOCK)]
        return np.concatenate([predict(block) for block in blocks])

    return predict_all


def open_lleaves(paths: list[Path], threads: int) -> Predict:
    import lleaves
    import numpy as np

    model = lleaves.Model(model_file=paths[0])
    model.compile(cache=paths[1])

    def predict(X):
        proba = model.predict(X, n_jobs=threads)
        return proba if proba.ndim == 2 else np.column_stack([1 - proba, proba])

    return predict


def open_matmuls(paths: list[Path], threads: int) -> Predict:
    """Products of the student's shapes, and nothing else."""
    import numpy as np

    stored = np.load(paths[0])
    weights = [stored[name] for name in stored.files]

    def multiply(X):
        for part in weights:
            X = X @ part
        return X

    return multiply


OPENERS = {
    "pickle": open_pickle,
    "onnx": open_onnx,
    "onnx in blocks": open_blocks,
    "lleaves": open_lleaves,
    "matmuls": open_matmuls,
    "matmuls in blocks": lambda *args: serve_blocks(open_matmuls(*args)),
}
#: What these take is single precision; the rows are cast beforehand.
SINGLE = ("onnx", "onnx in blocks", "matmuls", "matmuls in blocks")


def open_model(entry: dict, folder: Path, threads: int) -> Predict:
    """The function that serves one line of `manifest.json`."""
    paths = [folder / name for name in entry["files"]]
    return OPENERS[entry["kind"]](paths, threads)


@dataclass
class Clock:
    """The times of one model at one batch size."""

    predict: Predict
    batches: list[Any]
    wall: list[int]
    cpu: list[float]
    medians: list[float]
    turns: int = 0

    def call(self) -> None:
        batch = self.batches[self.turns % len(self.batches)]
        self.turns += 1
        start = time.perf_counter_ns()
        self.predict(batch)
        self.wall.append(time.perf_counter_ns() - start)

    def warm_up(self) -> None:
        start = time.perf_counter()
        for batch in self.batches[:5]:
            # Libraries and caches are warm after so many rows.
            self.predict(batch[:WARM_UP_ROWS])
            if time.perf_counter() > start + WARM_UP_SECONDS / 10:
                break
            self.predict(batch)
            if time.perf_counter() > start + WARM_UP_SECONDS:
                break

    def take_turn(self, seconds: float) -> None:
        """Call for so long, but once at least; processor time is that of a call."""
        before, start = len(self.wall), time.process_time_ns()
        end = time.perf_counter() + seconds
        while True:
            self.call()
            n_calls = len(self.wall) - before
            if time.perf_counter() > end or n_calls == MAX_CALLS_A_TURN:
                break
        self.cpu.append((time.process_time_ns() - start) / n_calls)
        self.medians.append(statistics.median(self.wall[before:]))


def time_rounds(clocks: dict[str, Clock], turns: int, seconds: float, cap: float):
    """Let all models take turns, in another order each round, until capped."""
    for clock in clocks.values():
        clock.warm_up()
    names = list(clocks)
    for k in range(turns):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            if sum(clocks[name].wall) < cap * 1e9:
                clocks[name].take_turn(seconds)


def summarise(clock: Clock) -> dict:
    """Microseconds of a call."""
    import numpy as np

    low, middle, high = np.percentile(clock.medians, [25, 50, 75])
    return {
        "median": float(np.median(clock.wall)) / 1e3,
        "p99": float(np.percentile(clock.wall, 99)) / 1e3,
        "cpu": float(np.median(clock.cpu)) / 1e3,
        # How far apart the middle half of the turns is.
        "noise": float((high - low) / middle),
    }


def cut_batches(rows: Any, size: int) -> list[Any]:
    import numpy as np

    n_batches = max(1, min(N_BATCHES, 50_000 // size))
    starts = range(0, n_batches * size, size)
    return [rows[(start + np.arange(size)) % len(rows)] for start in starts]


def run_rounds(folder: Path, threads: int) -> dict:
    """All models of the folder: {batch size: {name: times}}."""
    import numpy as np

    manifest = json.loads((folder / "manifest.json").read_text())
    rows = np.load(folder / "rows.npy")
    both = {True: rows.astype(np.float32), False: rows}
    entries = manifest["models"]
    models = {e["name"]: open_model(e, folder, threads) for e in entries}
    results = {}
    for plan in manifest["plan"]:
        size = plan.pop("rows")
        cut = {single: cut_batches(part, size) for single, part in both.items()}
        clocks = {
            e["name"]: Clock(models[e["name"]], cut[e["kind"] in SINGLE], [], [], [])
            for e in entries
            if e["only"] in (None, size)
            and (threads == 1 or guess_seconds(results, e["name"], size) < MOST_SECONDS)
        }
        time_rounds(clocks, **plan)
        results[str(size)] = {name: summarise(c) for name, c in clocks.items()}
    return results


def guess_seconds(results: dict, name: str, size: int) -> float:
    """Of a call, from the largest batch so far."""
    rows = max((int(k) for k in results if name in results[k]), default=0)
    return results[str(rows)][name]["median"] * size / rows / 1e6 if rows else 0.0


def read_resident() -> float | None:
    """MB held now; None where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text().splitlines()
    return float(next(x for x in lines if x.startswith("VmRSS")).split()[1]) / 1e3


def measure_start(folder: Path, threads: int, name: str) -> dict:
    """From NumPy alone to the first answer: libraries, model, and one row."""
    import numpy as np

    manifest = json.loads((folder / "manifest.json").read_text())
    entry = next(e for e in manifest["models"] if e["name"] == name)
    row = np.load(folder / "rows.npy")[:1]
    row = row.astype(np.float32) if entry["kind"] in SINGLE else row
    before, start = read_resident(), time.perf_counter()
    open_model(entry, folder, threads)(row)
    seconds, after = time.perf_counter() - start, read_resident()
    added = None if before is None or after is None else after - before
    return {"seconds": seconds, "resident_mb": after, "added_mb": added}


if __name__ == "__main__":
    mode, where, count, *rest = sys.argv[1:]
    run = run_rounds if mode == "rounds" else partial(measure_start, name=rest[0])
    print(json.dumps(run(Path(where), int(count))))
