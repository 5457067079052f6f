"""Rows a second that one core serves: the student, its ONNX file, and both in Dask.

CPU time of one thread, on 400,000 rows; in Dask by `dask.dataframe.map_partitions`.

    python -m benchmarks.scale.serving
    python -m benchmarks.scale.serving --smoke
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._rows import distil, fit_teacher, load_rows, repeat_rows

FOLDER = Path(__file__).parent
KEYS = ("served by",)
N_ROWS, SMOKE_ROWS, BLOCK = 400_000, 5_000, 2**14
PLAIN, ONNX = "student_", "ONNX"


class OnnxRows:
    """An ONNX file as a function of rows; every process opens a session of its own."""

    def __init__(self, file: Path) -> None:
        self.file, self._session = file, None

    def __reduce__(self):
        return OnnxRows, (self.file,)

    def __call__(self, X):
        import onnxruntime

        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(self.file, options)
        rows = np.asarray(X, dtype=np.float32)
        return np.concatenate(
            [
                self._session.run(None, {"X": rows[a : a + 1000]})[1]
                for a in range(0, len(rows), 1000)
            ]
        )


def open_student(kind: str, student: Any, X: np.ndarray, folder: str) -> Callable:
    if kind == PLAIN:
        return student.predict_proba
    from skdistill.export import to_onnx

    file = Path(folder) / "student.onnx"
    to_onnx(student, X[:200].astype(np.float32), path=file)
    return OnnxRows(file)


def serve_in_blocks(function: Callable, table: np.ndarray) -> Callable[[], Any]:
    return lambda: [
        function(table[start : start + BLOCK]) for start in range(0, len(table), BLOCK)
    ]


def serve_in_dask(function: Callable, table: np.ndarray) -> Callable[[], Any]:
    import dask.dataframe as dd

    frame = dd.from_pandas(pd.DataFrame(table), npartitions=len(table) // BLOCK + 1)

    def serve(part: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(function(part.to_numpy()), index=part.index)

    meta = serve(pd.DataFrame(table[:2]))[:0]
    served = frame.map_partitions(serve, meta=meta)
    return lambda: served.compute(scheduler="synchronous")


def measure(smoke: bool, **run: str) -> list[dict]:
    kind, _, in_dask = run["served by"].partition(", ")
    X, y = load_rows(smoke)
    student = distil(X, y, None, fit_teacher(X, y), augmenter=None).student_
    table = repeat_rows(X, SMOKE_ROWS if smoke else N_ROWS)
    with TemporaryDirectory() as folder:
        function = open_student(kind, student, X, folder)
        call = (serve_in_dask if in_dask else serve_in_blocks)(function, table)
        call()
        times = []
        for _ in range(3):
            start = process_time()
            call()
            times.append(process_time() - start)
    return [{**run, "rows": len(table), "rows a second": len(table) / min(times)}]


def list_runs() -> list[dict]:
    """Of what is installed."""
    kinds = [PLAIN]
    if find_spec("skl2onnx") and find_spec("onnxruntime"):
        kinds.append(ONNX)
    else:
        print("ONNX is not installed, and takes no part.")
    ways = ["", ", map_partitions"] if find_spec("dask") else [""]
    return [{"served by": f"{kind}{way}"} for kind in kinds for way in ways]


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "serving.csv", KEYS)
    missing = find_missing(results, list_runs(), args)
    make_runs(results, missing, measure, smoke=args.smoke)
    records = sorted(results.records, key=lambda r: r["served by"].startswith(ONNX))
    print_table(
        "Serving: rows a second a core",
        ["how", "rows a second"],
        [[r["served by"], f"{r['rows a second']:,.0f}"] for r in records],
    )


if __name__ == "__main__":
    main()
