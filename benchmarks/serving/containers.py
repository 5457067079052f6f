"""What a row costs by what serves it: the teacher, `OnnxClassifier`, a session, C.

A student (`MLPClassifier((64, 32))` behind imputation, scaling and one-hot encoding) of
4,000 rows of magic, letter and adult, the last one a mixed table, as one input a column
and grouped. Served are single rows, fifty in turn, by one thread: by a bare session
whose feeds are ready, by `OnnxClassifier` from each container, and by scikit-learn
from what `slim` returns; for comparison by the vote of `latency.py`, each member in one
thread, and by the floor, a session of one Identity of as many numbers. All take turns
of 50 calls; the time is that of the fastest turn, which other programs disturb least,
and the ratio is to the bare session. The file of `to_c`, where a C compiler is
installed, is called by a loop in C. Bytes are those of the file of `to_onnx`, of the
pickle, and of code and tables of the object file of C.

Needs the extra `onnx`, polars and a few minutes, most of them for the votes:

    python -m benchmarks.serving.containers
    python -m benchmarks.serving.containers --smoke
    python -m benchmarks.serving.containers --report
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skdistill.export import OnnxClassifier, slim, to_onnx

from .._data import load_tutorial, split_data
from .._measure import fit_quietly
from .._onnx import KINDS, feed_row, open_session
from .._private import prepare_columns
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._c import time_c
from ._models import SMOKE, Size, make_identity, make_vote, use_one_job

PATH = Path(__file__).with_suffix(".csv")
N_ROWS, N_CALLS, N_TURNS = 50, 50, 200
BARE, C = "bare session", "to_c, by a loop in C"
VOTE, SLIM, FLOOR = "vote, scikit-learn", "slim, scikit-learn", "floor: Identity"
#: What the table of all data shows, of adult the faster inputs.
SHOWN = {"magic": "one table", "letter": "one table", "adult": "grouped"}


def make_feed(session: Any, row: Any) -> dict[str, np.ndarray]:
    """As a service writes it by hand."""
    inputs = session.get_inputs()
    if not isinstance(row, pd.DataFrame) or inputs[0].name not in row:
        return feed_row(inputs, row, 0)
    return {p.name: row[[p.name]].to_numpy(dtype=KINDS[p.type]) for p in inputs}


def list_rows(X) -> list[Any]:
    return [X[k : k + 1] for k in range(N_ROWS)]


def list_containers(X) -> dict[str, list[Any]]:
    """Single rows of a table in each container."""
    rows = list_rows(X)
    if not isinstance(X, pd.DataFrame):
        single = [row.astype(np.float32) for row in rows]
        return {"array, float64": rows, "array, float32": single}
    records = X[:N_ROWS].to_dict("records")
    return {
        "array of objects": [row.to_numpy(dtype=object) for row in rows],
        "record": records,
        "dict of columns": [{k: [v] for k, v in r.items()} for r in records],
        "polars frame": list_rows(pl.from_pandas(X[:N_ROWS])),
        "pandas frame": rows,
    }


def time_turns(calls: dict[str, tuple[Callable, list[Any]]], turns: int) -> dict:
    """Microseconds of a call in the fastest turn, by name."""
    best = dict.fromkeys(calls, np.inf)
    for _ in range(turns):
        for name, (serve, rows) in calls.items():
            start = time.perf_counter_ns()
            for k in range(N_CALLS):
                serve(rows[k % len(rows)])
            best[name] = min(best[name], (time.perf_counter_ns() - start) / N_CALLS)
    return {name: nanoseconds / 1e3 for name, nanoseconds in best.items()}


def fit_models(data: str) -> tuple[Any, Any, Any]:
    """Rows, the vote with each member in one thread, and the student."""
    if data == "smoke":
        X, y = load_tutorial()
        X, y = X[:400], y[:400]
    else:
        X, _, y, _ = split_data(data, 0, 4000)
    vote = make_vote(SMOKE if data == "smoke" else Size())
    teacher = make_pipeline(prepare_columns(X), vote.set_params(lightgbm__n_jobs=1))
    teacher = fit_quietly(teacher, X, y)
    teacher.steps[-1] = ("vote", use_one_job(teacher[-1]))
    network = MLPClassifier((64, 32), max_iter=30)
    return X, teacher, fit_quietly(make_pipeline(prepare_columns(X), network), X, y)


def time_containers(data: str, inputs: str, turns: int = N_TURNS) -> list[dict]:
    X, teacher, student = fit_models(data)
    small = slim(student)
    grouped = inputs == "grouped"
    content = to_onnx(student, X[:500], grouped=grouped).SerializeToString()
    served, session = OnnxClassifier(content), open_session(content)
    identity = make_identity(X.shape[1]).SerializeToString()
    floor, numbers = open_session(identity), np.zeros((1, X.shape[1]), np.float32)

    def run(feed):
        return session.run(["probabilities"], feed)

    calls: dict[str, Any] = {BARE: (run, [make_feed(session, r) for r in list_rows(X)])}
    for name, rows in list_containers(X).items():
        calls[f"OnnxClassifier, {name}"] = served.predict_proba, rows
    calls[FLOOR] = (lambda feed: floor.run(["probabilities"], feed), [{"X": numbers}])
    times = time_turns(calls, turns)
    slow = {SLIM: (small.predict_proba, list_rows(X))}
    times |= time_turns(slow, max(1, turns // 20))
    slowest = {VOTE: (teacher.predict_proba, list_rows(X))}
    times |= time_turns(slowest, max(1, turns // 50))
    sizes = {BARE: len(content), FLOOR: len(identity)}
    for name, model in ((SLIM, small), (VOTE, teacher)):
        sizes[name] = len(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    compiled = time_c(student, X[:N_ROWS], turns)
    if compiled is not None:
        times[C], sizes[C] = compiled["us"], compiled["bytes"]
    keys = {"data": data, "inputs": inputs}
    return [
        {**keys, "served": name, "us": us, "bytes": sizes.get(name)}
        for name, us in times.items()
    ]


def print_overview(records: list[dict]) -> None:
    """All data side by side, the slowest first."""
    times = {
        data: {
            r["served"]: r["us"]
            for r in records
            if (r["data"], r["inputs"]) == (data, SHOWN.get(data, "one table"))
        }
        for data in dict.fromkeys([*SHOWN, *(r["data"] for r in records)])
    }
    times = {data: own for data, own in times.items() if own}
    containers = dict.fromkeys(name for own in times.values() for name in own)
    containers = [name for name in containers if name.startswith("OnnxClassifier")]
    rows = [
        [name, *(show_ratio(own, name) for own in times.values())]
        for name in (VOTE, SLIM, *containers, BARE, FLOOR, C)
        if any(name in own for own in times.values())
    ]
    title = "One row, one thread: µs, and the ratio to the bare session"
    print_table(title, ["served by", *times], rows)


def show_ratio(times: dict, name: str) -> str:
    if name not in times:
        return ""
    return f"{times[name]:,.2f} ({times[name] / times[BARE]:,.2f})"


def print_times(records: list[dict]) -> None:
    for data, inputs in dict.fromkeys((r["data"], r["inputs"]) for r in records):
        own = [r for r in records if (r["data"], r["inputs"]) == (data, inputs)]
        bare = next(r["us"] for r in own if r["served"] == BARE)
        rows = [
            [
                r["served"],
                f"{r['us']:.2f}",
                f"{r['us'] / bare:.2f}",
                f"{r['bytes']:,.0f}" if r.get("bytes") else "",
            ]
            for r in own
        ]
        title = f"{data}, inputs: {inputs}; one row, one thread"
        print_table(title, ["served by", "µs", "ratio", "bytes"], rows)


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else PATH, ("data", "inputs"))
    runs = [{"data": data, "inputs": "one table"} for data in ("magic", "letter")]
    runs += [{"data": "adult", "inputs": kind} for kind in ("columns", "grouped")]
    if args.smoke:
        runs = [{"data": "smoke", "inputs": "one table"}]
    turns = 2 if args.smoke else N_TURNS
    make_runs(results, find_missing(results, runs, args), time_containers, turns=turns)
    print_overview(results.records)
    print_times(results.records)


if __name__ == "__main__":
    main()
