"""Many requests at a time: 1, 8 and 64 threads that share one fitted object.

The vote of `latency.py` and a student (`MLPClassifier((64, 32))` behind imputation,
scaling and one-hot encoding) of 4,000 rows of adult, a mixed table. Each request is one
row: a pandas frame for the vote and for what `slim` returns, a dict of columns for
`OnnxClassifier`, and the same as JSON for `service.py`, which uvicorn runs in a process
of its own, on the same cores. Threads take the next request as soon as they have an
answer; one turn takes about two seconds. The time of a request is that of its caller,
so 64 threads on two cores wait for each other. BLAS and ONNX Runtime have one thread a
call. Every answer is compared, bit by bit, with that of the same row alone.

Needs the extra `onnx`, for the service also FastAPI and uvicorn, and a minute:

    python -m benchmarks.serving.throughput
    python -m benchmarks.serving.throughput --smoke
    python -m benchmarks.serving.throughput --report
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skdistill.export import OnnxClassifier, slim, to_onnx

from .._data import load_tutorial, split_data
from .._measure import fit_quietly
from .._private import prepare_columns
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._models import SMOKE, Size, make_vote, use_one_job

PATH = Path(__file__).with_suffix(".csv")
THREADS = (1, 8, 64)
N_ROWS = 200
SECONDS, MOST_CALLS = 2.0, 20_000
STUDENT = "OnnxClassifier, dict of columns"
Serve = Callable[[Any], Any]


def run_threads(
    make_serve: Callable[[], Serve], requests: list[Any], n_threads: int, n_calls: int
) -> tuple[float, list[float], list[tuple[int, Any]]]:
    """Seconds of all calls, of each, and the answers with the rows they are of."""
    numbers, times, answers = itertools.count(), [], []
    barrier = threading.Barrier(n_threads + 1)

    def work() -> None:
        serve = make_serve()
        barrier.wait()
        # Counting is one step of the interpreter, and so is appending.
        while (k := next(numbers)) < n_calls:
            start = time.perf_counter()
            answer = serve(requests[k % len(requests)])
            times.append(time.perf_counter() - start)
            answers.append((k % len(requests), answer))

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, times, answers


def measure(make_serve: Callable[[], Serve], requests: list[Any], seconds: float):
    """Rows a second, p50 and p99 by number of threads; answers that are wrong."""
    serve = make_serve()
    serve(requests[0])
    start = time.perf_counter()
    alone = [serve(request) for request in requests]
    each = (time.perf_counter() - start) / len(requests)
    n_calls = int(np.clip(seconds / each, max(THREADS), MOST_CALLS))
    for n_threads in THREADS:
        total, times, answers = run_threads(make_serve, requests, n_threads, n_calls)
        same = [np.array_equal(answer, alone[k]) for k, answer in answers]
        p50, p99 = np.percentile(times, [50, 99]) * 1e3
        yield {
            **{"threads": n_threads, "calls": len(answers)},
            **{"rows_per_second": len(answers) / total, "p50_ms": p50, "p99_ms": p99},
            "wrong": n_calls - sum(same),
        }


# The service --------------------------------------------------------------------------


@contextmanager
def open_service(path: Path) -> Iterator[int]:
    """Run uvicorn on a free port, which is returned once it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = "benchmarks.serving.service:app"
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"], env=os.environ | {"MODEL": str(path)}
    )
    try:
        end = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("uvicorn does not start") from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def connect(port: int) -> Serve:
    """One connection, kept open, as a client in a pool has it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json"}

    def post(body: str) -> Any:
        connection.request("POST", "/predict_proba", body, headers)
        response = connection.getresponse()
        content = response.read()
        return json.loads(content) if response.status == 200 else None

    return post


# The run ------------------------------------------------------------------------------


def load_rows(data: str) -> tuple[pd.DataFrame, Any]:
    if data == "smoke":
        X, y = load_tutorial()
        return pd.DataFrame(X[:400]).rename(columns=str), y[:400]
    X, _, y, _ = split_data(data, 0, 4000)
    return X, y


def time_data(data: str, seconds: float = SECONDS) -> list[dict]:
    X, y = load_rows(data)
    size = SMOKE if data == "smoke" else Size()
    # LightGBM on all cores, when these are busy, takes many times as long.
    members = make_vote(size).set_params(lightgbm__n_jobs=1)
    vote = make_pipeline(prepare_columns(X), members)
    student = make_pipeline(prepare_columns(X), MLPClassifier((64, 32), max_iter=30))
    for model in (vote, student):
        fit_quietly(model, X, y)
    vote.steps[-1] = ("vote", use_one_job(vote[-1]))
    content = to_onnx(student, X[:500], grouped=True).SerializeToString()
    frames = [X[k : k + 1] for k in range(min(N_ROWS, len(X)))]
    columns = [frame.to_dict("list") for frame in frames]
    ways: dict[str, tuple[Any, list[Any]]] = {
        "vote": (vote.predict_proba, frames),
        "student, slim": (slim(student).predict_proba, frames),
        STUDENT: (OnnxClassifier(content).predict_proba, columns),
    }
    records = []
    with threadpool_limits(1), TemporaryDirectory() as folder:
        for name, (serve, requests) in ways.items():
            for row in measure(lambda serve=serve: serve, requests, seconds):
                records.append({"data": data, "served": name, **row})
        if find_spec("fastapi") is None or find_spec("uvicorn") is None:
            print("skipped: the service, for FastAPI and uvicorn are not installed")
            return records
        path = Path(folder, "student.onnx")
        path.write_bytes(content)
        bodies = [json.dumps(part) for part in columns]
        with open_service(path) as port:
            for row in measure(lambda: connect(port), bodies, seconds):
                records.append({"data": data, "served": "service over HTTP", **row})
    return records


def print_times(records: list[dict]) -> None:
    for data in dict.fromkeys(r["data"] for r in records):
        own = [r for r in records if r["data"] == data]
        rows = [
            [
                *(r["served"], r["threads"], f"{r['rows_per_second']:,.0f}"),
                f"{r['rows_per_second'] / own[0]['rows_per_second']:,.1f}",
                *(f"{r['p50_ms']:.3g}", f"{r['p99_ms']:.3g}"),
                f"{r['wrong']} of {r['calls']:,}",
            ]
            for r in own
        ]
        header = ["served by", "threads", "rows/s", "ratio", "p50 ms", "p99 ms"]
        print_table(f"{data}, a row a request", [*header, "wrong answers"], rows)


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else PATH, ("data",))
    runs = [{"data": "smoke" if args.smoke else "adult"}]
    seconds = 0.05 if args.smoke else SECONDS
    missing = find_missing(results, runs, args)
    make_runs(results, missing, time_data, seconds=seconds)
    print_times(results.records)


if __name__ == "__main__":
    main()
